//! Conversations with proxies, byte by byte.

use std::error::Error as _;

use proptest::prelude::*;

use super::*;

fn name(host: &str) -> Destination {
    Destination::Name { host: host.into(), port: 443 }
}

fn begin(proxy: &str, destination: &Destination) -> (ProxyHandshake, Vec<u8>) {
    let proxy = ProxyUri::parse(proxy).unwrap();
    let mut handshake = ProxyHandshake::new(&proxy, destination, Some("test/1")).unwrap();
    let mut out = Vec::new();
    handshake.take_output(&mut out);
    (handshake, out)
}

/// Feeds what the proxy says in pieces; what was sent, and how it ended.
fn run(proxy: &str, destination: &Destination, pieces: &[&[u8]]) -> (Vec<u8>, Outcome) {
    let (mut handshake, mut out) = begin(proxy, destination);
    for piece in pieces {
        match handshake.receive(piece) {
            Ok(ProxyProgress::Open) => return (out, Outcome::Open),
            Ok(ProxyProgress::Pending(pending)) => handshake = pending,
            Err(error) => return (out, Outcome::Failed(error)),
        }
        handshake.take_output(&mut out);
    }
    (out, Outcome::Pending)
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Failed(ProxyError),
    Open,
    Pending,
}

impl Outcome {
    fn text(&self) -> String {
        match self {
            Outcome::Failed(error) => match error.source() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            },
            other => format!("{other:?}"),
        }
    }
}

/// Runs the replies whole, and cut at every point, byte by byte too; all have to agree.
fn converse(proxy: &str, destination: &Destination, replies: &[&[u8]]) -> (Vec<u8>, Outcome) {
    let whole = run(proxy, destination, replies);
    for (n, reply) in replies.iter().enumerate() {
        for split in 0..reply.len() {
            let (start, end) = reply.split_at(split);
            let pieces = [&replies[..n], &[start, end], &replies[n + 1..]].concat();
            assert_eq!(run(proxy, destination, &pieces), whole);
            if whole.1 == Outcome::Open {
                let prefix = [&replies[..n], &[start]].concat();
                assert_eq!(run(proxy, destination, &prefix).1, Outcome::Pending);
            }
        }
    }
    let bytes: Vec<&[u8]> = replies.iter().flat_map(|reply| reply.chunks(1)).collect();
    assert_eq!(run(proxy, destination, &bytes), whole);
    whole
}

fn failure(proxy: &str, destination: &Destination, replies: &[&[u8]]) -> String {
    converse(proxy, destination, replies).1.text()
}

#[test]
fn rfc_9110_section_9_3_6_connect() {
    let reply = b"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n";
    let (sent, outcome) = converse("http://localhost", &name("example.com"), &[reply]);
    assert_eq!(
        String::from_utf8(sent).unwrap(),
        "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nUser-Agent: test/1\r\n\r\n"
    );
    assert_eq!(outcome, Outcome::Open);
    let reply =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 299 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(converse("http://localhost", &name("a"), &[reply]).1, Outcome::Open);
}

#[test]
fn rfc_7617_credentials_go_to_the_proxy() {
    let (_, sent) = begin("https://Aladdin:open%20sesame@localhost", &name("a"));
    let text = String::from_utf8(sent).unwrap();
    assert!(text.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    assert!(!text.contains("\r\nAuthorization"));
}

#[test]
fn connect_to_an_address() {
    let (_, sent) = begin("http://localhost", &name("::1"));
    assert!(sent.starts_with(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"));
}

#[test]
fn what_an_http_proxy_says_is_kept() {
    let reply = b"HTTP/1.1 407 Nope\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho";
    let (_, outcome) = converse("http://localhost", &name("a"), &[reply]);
    let Outcome::Failed(ProxyError::InvalidStatus(response)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((response.status_code, response.reason_phrase.as_str()), (407, "Nope"));
    assert_eq!(response.headers.get("proxy-authenticate"), Some("Basic"));
    assert_eq!(response.body, b"who");
}

#[test]
fn a_refusal_without_length_ends_with_the_stream() {
    let (handshake, _) = begin("http://localhost", &name("a"));
    let progress = handshake.receive(b"HTTP/1.1 503 Busy\r\n\r\nlater").unwrap();
    let ProxyProgress::Pending(handshake) = progress else { panic!("open") };
    let ProxyError::InvalidStatus(response) = handshake.receive_eof() else { panic!("other") };
    assert_eq!(response.body, b"later");
}

#[test]
fn what_is_no_http_response() {
    let fail = |reply: &[u8]| run("http://localhost", &name("a"), &[reply]).1.text();
    let start = "did not receive a valid HTTP response from proxy";
    assert!(fail(b"220 smtp.example ESMTP\r\n").starts_with(start));
    assert!(fail(b"\x05\xff\r\n").starts_with(start));
    assert_eq!(
        fail(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n"),
        format!("{start}: bytes after the HTTP response")
    );
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
    let outcome = run("http://localhost", &name("a"), &[endless.as_bytes()]).1;
    assert!(outcome.text().starts_with(start), "{outcome:?}");
    let (handshake, _) = begin("http://localhost", &name("a"));
    let cause = handshake.receive_eof().source().unwrap().to_string();
    assert_eq!(cause, "connection closed while reading HTTP status line");
}

#[test]
fn no_header_can_be_smuggled_into_connect() {
    let proxy = ProxyUri::parse("http://localhost").unwrap();
    let outcome = ProxyHandshake::new(&proxy, &name("a\r\nX: y"), None);
    assert!(matches!(outcome, Err(ProxyError::Destination(_))));
    let outcome = ProxyHandshake::new(&proxy, &name("a"), Some("x\r\ny"));
    assert!(matches!(outcome, Err(ProxyError::Destination(_))));
}

#[test]
fn socks4() {
    let destination = Destination::Address("192.0.2.1:443".parse().unwrap());
    let reply = [0, 90, 1, 2, 3, 4, 5, 6];
    let (sent, outcome) = converse("socks4://ada@localhost", &destination, &[&reply]);
    assert_eq!(sent, [&[4, 1, 1, 187, 192, 0, 2, 1][..], b"ada\0"].concat());
    assert_eq!(outcome, Outcome::Open);
    // An address is sent as one by 4a, too.
    assert_eq!(begin("socks4a://ada@localhost", &name("192.0.2.1")).1, sent);
}

#[test]
fn socks4a() {
    let (sent, outcome) =
        converse("socks4a://localhost", &name("example.com"), &[&[0, 90, 0, 0, 0, 0, 0, 0]]);
    assert_eq!(sent, [&[4, 1, 1, 187, 0, 0, 0, 1, 0][..], b"example.com\0"].concat());
    assert_eq!(outcome, Outcome::Open);
}

#[test]
fn refusals_of_socks4() {
    for (code, reason) in [
        (91, "request rejected or failed"),
        (92, "it cannot reach an identd of ours to check the user id"),
        (93, "identd reports another user id"),
    ] {
        let text = failure("socks4a://localhost", &name("a"), &[&[0, code, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(text, format!("proxy rejected connection: {reason} (SOCKS4 code {code})"));
    }
    let start = "did not receive a valid SOCKS4 reply from proxy";
    let fail = |reply: &[u8]| failure("socks4a://localhost", &name("a"), &[reply]);
    assert_eq!(fail(&[0, 1]), format!("{start}: unknown reply code 1"));
    assert_eq!(fail(b"HTTP/1.1 400"), format!("{start}: expected version 0, got 72"));
    let reply = [0, 90, 0, 0, 0, 0, 0, 0, 7];
    assert_eq!(
        run("socks4a://localhost", &name("a"), &[&reply]).1.text(),
        format!("{start}: bytes after the SOCKS4 reply")
    );
}

#[test]
fn what_socks4_cannot_express() {
    for (proxy, host) in [
        ("socks4://localhost", "example.com"),
        ("socks4://localhost", "::1"),
        ("socks4a://localhost", "::1"),
        ("socks4a://localhost", &*"a".repeat(256)),
        ("socks5://localhost", "example.com"),
        ("socks5h://localhost", &*"a".repeat(256)),
    ] {
        let proxy = ProxyUri::parse(proxy).unwrap();
        let outcome = ProxyHandshake::new(&proxy, &name(host), None);
        assert!(matches!(outcome, Err(ProxyError::Destination(_))), "{proxy} {host}");
    }
}

#[test]
fn rfc_1928_without_authentication() {
    let replies: [&[u8]; 2] = [&[5, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]];
    let (sent, outcome) = converse("socks5h://localhost", &name("example.com"), &replies);
    let request = [&[5, 1, 0, 3, 11][..], b"example.com", &[1, 187]].concat();
    assert_eq!(sent, [&[5, 1, 0][..], &request].concat());
    assert_eq!(outcome, Outcome::Open);
}

#[test]
fn rfc_1928_section_4_kinds_of_address() {
    let (sent, _) = run("socks5://localhost", &name("192.0.2.1"), &[&[5, 0]]);
    assert_eq!(sent[3..], [5, 1, 0, 1, 192, 0, 2, 1, 1, 187]);
    let (sent, _) = run("socks5h://localhost", &name("::1"), &[&[5, 0]]);
    assert_eq!(sent[3..7], [5, 1, 0, 4]);
    assert_eq!(sent[7..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 187]);
}

#[test]
fn rfc_1928_section_6_kinds_of_bound_address() {
    for bound in [&[1; 7][..], &[4; 19], &[3, 0, 1, 2], &[3, 2, 97, 98, 1, 2]] {
        let reply = [&[5, 0, 0], bound].concat();
        let outcome = converse("socks5h://localhost", &name("a"), &[&[5, 0], &reply]).1;
        assert_eq!(outcome, Outcome::Open, "{bound:?}");
    }
}

#[test]
fn rfc_1929_with_user_name_and_password() {
    let replies: [&[u8]; 3] = [&[5, 2], &[1, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]];
    let (sent, outcome) = converse("socks5h://ada:pw@localhost", &name("a"), &replies);
    assert_eq!(sent[..4], [5, 2, 0, 2]);
    assert_eq!(sent[4..11], [&[1, 3][..], b"ada", &[2], b"p"].concat());
    assert_eq!(sent[12..], [5, 1, 0, 3, 1, 97, 1, 187]);
    assert_eq!(outcome, Outcome::Open);
}

#[test]
fn refusals_of_socks5() {
    for (code, reason) in [
        (1, "general SOCKS server failure"),
        (2, "connection not allowed by ruleset"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "TTL expired"),
        (7, "command not supported"),
        (8, "address type not supported"),
    ] {
        let text = failure("socks5h://localhost", &name("a"), &[&[5, 0], &[5, code]]);
        assert_eq!(text, format!("proxy rejected connection: {reason} (SOCKS5 code {code})"));
    }
    let start = "proxy rejected connection";
    let none: [&[u8]; 1] = [&[5, 0xff]];
    assert_eq!(
        failure("socks5h://localhost", &name("a"), &none),
        format!("{start}: it wants authentication; add user:password@ to its URL")
    );
    assert_eq!(
        failure("socks5h://ada:pw@localhost", &name("a"), &none),
        format!("{start}: it accepts no authentication by user name and password")
    );
    assert_eq!(
        failure("socks5h://ada:pw@localhost", &name("a"), &[&[5, 2], &[1, 1]]),
        format!("{start}: authentication failed")
    );
}

#[test]
fn what_is_no_socks5_reply() {
    let start = "did not receive a valid SOCKS5 reply from proxy";
    let none: &[u8] = &[5, 0];
    for (replies, fault) in [
        (&[&b"H"[..]][..], "expected version 5, got 72"),
        (&[&[5, 2]], "method 2, which was not offered"),
        (&[none, &[4]], "expected version 5, got 4"),
        (&[none, &[5, 9]], "unknown reply code 9"),
        (&[none, &[5, 0, 0, 2]], "unknown kind of address 2"),
    ] {
        assert_eq!(
            failure("socks5h://localhost", &name("a"), replies),
            format!("{start}: {fault}")
        );
    }
    // Too early is as wrong: it is an answer to what was not asked yet.
    for replies in [&[none, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]][..], &[&[5, 0, 5, 0, 0, 1]]] {
        let text = run("socks5h://localhost", &name("a"), replies).1.text();
        assert_eq!(text, format!("{start}: bytes after the SOCKS5 reply"));
    }
    let (handshake, _) = begin("socks5h://localhost", &name("a"));
    let cause = handshake.receive_eof().source().unwrap().to_string();
    assert_eq!(cause, "connection closed while reading SOCKS5 reply");
}

#[test]
fn urls_of_proxies() {
    for (url, host, port, user_info) in [
        ("http://proxy", "proxy", 80, None),
        ("HTTPS://Proxy/", "proxy", 443, None),
        ("socks4://ada@proxy", "proxy", 1080, Some(("ada", ""))),
        ("socks4a://[::1]:9", "::1", 9, None),
        ("socks5://a:b@proxy:1", "proxy", 1, Some(("a", "b"))),
        ("socks5h://a%3A:%40@proxy", "proxy", 1080, Some(("a:", "@"))),
        ("http://m\u{fc}nchen.example", "xn--mnchen-3ya.example", 80, None),
    ] {
        let proxy = ProxyUri::parse(url).unwrap();
        assert_eq!((proxy.host(), proxy.port(), proxy.user_info()), (host, port, user_info));
    }
}

#[test]
fn what_is_no_url_of_a_proxy() {
    for (url, reason) in [
        ("", "scheme isn't provided"),
        ("proxy:3128", "scheme isn't provided; write http:// in front"),
        ("ftp://proxy", "scheme ftp isn't supported; expected http"),
        ("http://", "hostname isn't provided"),
        ("http://proxy/path", "path is meaningless"),
        ("http://proxy?q", "query is meaningless"),
        ("http://proxy/#f", "fragment is meaningless"),
        ("http://proxy:0", "port 0 can't be connected to"),
        ("http://proxy:x", "port isn't a number"),
        ("http://ada@proxy", "username provided without password"),
        ("socks5://ada@proxy", "username provided without password"),
        ("http://a%3Ab:c@proxy", "colon in username"),
        ("http://a:b%0d%0aX@proxy", "control character in user information"),
        ("http://a b@proxy", "blank or control character U+0020"),
        ("socks5://a:@proxy", "SOCKS5 takes user names and passwords of 1 to 255 bytes"),
    ] {
        let error = ProxyUri::parse(url).unwrap_err();
        assert!(error.reason.starts_with(reason), "{url}: {error}");
    }
    let error = ProxyUri::parse("ftp://ada:secret@proxy").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    let proxy = ProxyUri::parse("http://ada:secret@proxy").unwrap();
    assert!(!format!("{proxy} {proxy:?}").contains("secret"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        scheme in prop::sample::select(vec!["http", "socks4a", "socks5h"]),
        start in prop::sample::select(vec![&b""[..], b"HTTP/1.1 200 \r\n", &[5, 0], &[5, 2], &[0]]),
        rest in prop::collection::vec(any::<u8>(), 0..40),
        cut in 0_usize..40,
    ) {
        let (first, second) = rest.split_at(cut.min(rest.len()));
        run(&format!("{scheme}://a:b@localhost"), &name("a"), &[start, first, second]);
    }
}
