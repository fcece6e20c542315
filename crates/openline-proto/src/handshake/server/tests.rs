use std::error::Error as _;

use proptest::prelude::*;

use super::*;
use crate::handshake::testing::{REQUESTED, every_split, run_server};

fn run(wire: &str) -> Result<ServerRequest, HandshakeError> {
    every_split(wire.as_bytes(), |chunks| {
        run_server(&Limits::default(), chunks).map(|(mut request, more)| {
            request.leftover.extend(more);
            request
        })
    })
}

fn valid(headers: &str) -> ServerRequest {
    run(&format!("GET / HTTP/1.1\r\n{REQUESTED}{headers}\r\n")).unwrap()
}

fn reply(fields: &[(&str, &str)]) -> ServerReply {
    let mut reply = ServerReply::default();
    for (name, value) in fields {
        reply.headers.append(name, value).unwrap();
    }
    reply
}

// RFC 6455 §4.2.1: the request.

#[test]
fn pending_at_every_prefix() {
    let head = format!("GET /chat HTTP/1.1\r\n{REQUESTED}\r\n");
    for end in 0..head.len() {
        let handshake = ServerHandshake::new(Limits::default());
        let progress = handshake.receive(&head.as_bytes()[..end]).unwrap();
        let ServerProgress::Pending(pending) = progress else { panic!("early at {end}") };
        let cause = pending.receive_eof().source().unwrap().to_string();
        let part = if end < 20 { "request line" } else { "headers" };
        assert_eq!(cause, format!("connection closed while reading HTTP {part}"), "{end}");
    }
}

#[test]
fn request_tells_what_the_client_offers() {
    let request = run(&format!(
        "GET /chat?a=b HTTP/1.1\r\n{REQUESTED}Origin: https://a.example\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat,v2\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-b; c=\"1\"\r\n\
         Authorization: basic YTpi\r\nContent-Length: 0\r\n\r\n\u{81}early"
    ))
    .unwrap();
    assert_eq!(request.request().path, "/chat?a=b");
    assert_eq!(request.subprotocols(), ["chat", "superchat", "v2"]);
    let extensions: Vec<String> = request.extensions().iter().map(|e| e.to_string()).collect();
    assert_eq!(extensions, ["permessage-deflate; client_max_window_bits", "x-b; c=1"]);
    assert_eq!(request.origin(), Some("https://a.example"));
    assert_eq!(request.basic_auth(), Some(("a".into(), "b".into())));
    assert_eq!(request.leftover, "\u{81}early".as_bytes());
}

#[test]
fn odd_clients_are_understood() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let table = [
        // Firefox.
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ),
        // The spelling of RFC 6455 §11.2, names in lower case, no blanks.
        format!(
            "GET / HTTP/1.1\r\nhost:a\r\nconnection:upgrade\r\nupgrade:WebSocket\r\n\
             sec-websocket-version:13\r\nsec-websocket-key:{key}\r\n\r\n"
        ),
        // Blank line first, bare line feeds, empty Host.
        format!(
            "\r\nGET / HTTP/1.1\nHost:\nConnection: Upgrade\nUpgrade: websocket\n\
             Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {key}\n\n"
        ),
        // A made-up key with bits left over; absolute form of the target; an empty offer.
        "GET ws://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==\r\n\
         Sec-WebSocket-Protocol:\r\n\r\n"
            .into(),
    ];
    for wire in table {
        let request = run(&wire).unwrap_or_else(|error| panic!("{error}: {wire}"));
        assert_eq!((request.origin(), request.basic_auth()), (None, None));
        assert!(request.subprotocols().is_empty());
    }
}

#[test]
fn faulty_requests_fail_with_their_own_error_and_answer() {
    let (host, upgrade) = ("Host: a\r\n", "Upgrade: websocket\r\n");
    let (connection, version) = ("Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let get = |headers: &[&str]| format!("GET / HTTP/1.1\r\n{}\r\n", headers.concat());
    let table = [
        (format!("HEAD / HTTP/1.1\r\n{REQUESTED}\r\n"), 405, "unsupported HTTP method: HEAD"),
        (format!("get / HTTP/1.1\r\n{REQUESTED}\r\n"), 405, "unsupported HTTP method: get"),
        (format!("GET / HTTP/1.0\r\n{REQUESTED}\r\n"), 505, "unsupported HTTP version: HTTP/1.0"),
        ("PRI * HTTP/2.0\r\n\r\n".into(), 505, "unsupported HTTP version: HTTP/2.0"),
        (get(&[upgrade, connection, key, version]), 400, "missing Host header"),
        (
            get(&[host, host, upgrade, connection, key, version]),
            400,
            "invalid Host header: multiple values",
        ),
        (
            get(&["Host: a b\r\n", upgrade, connection, key, version]),
            400,
            "invalid Host header: a b",
        ),
        (
            get(&["Host: a/b\r\n", upgrade, connection, key, version]),
            400,
            "invalid Host header: a/b",
        ),
        (
            get(&["Host: é\r\n", upgrade, connection, key, version]),
            400,
            "invalid Host header: Ã©", // ISO-8859-1, as all values
        ),
        (get(&[host]), 426, "missing Connection header"),
        (get(&[host, "Connection: close\r\n"]), 426, "invalid Connection header: close"),
        (get(&[host, connection, key, version]), 426, "missing Upgrade header"),
        (get(&[host, connection, "Upgrade: h2c\r\n"]), 426, "invalid Upgrade header: h2c"),
        (
            get(&[host, "Connection: \"\r\n"]),
            400,
            "invalid Connection header: expected token at 0 in \"",
        ),
        (get(&[host, upgrade, connection, version]), 400, "missing Sec-WebSocket-Key header"),
        (
            get(&[host, upgrade, connection, key, key, version]),
            400,
            "invalid Sec-WebSocket-Key header: multiple values",
        ),
        (
            get(&[host, upgrade, connection, "Sec-WebSocket-Key:\r\n", version]),
            400,
            "empty Sec-WebSocket-Key header",
        ),
        (
            get(&[host, upgrade, connection, "Sec-WebSocket-Key: !\r\n", version]),
            400,
            "invalid Sec-WebSocket-Key header: !",
        ),
        (
            get(&[host, upgrade, connection, "Sec-WebSocket-Key: AAAA\r\n", version]),
            400,
            "invalid Sec-WebSocket-Key header: AAAA",
        ),
        (get(&[host, upgrade, connection, key]), 400, "missing Sec-WebSocket-Version header"),
        (
            get(&[host, upgrade, connection, key, "Sec-WebSocket-Version: 8\r\n"]),
            426,
            "invalid Sec-WebSocket-Version header: 8",
        ),
        (
            get(&[REQUESTED, "Origin: a\r\nOrigin: b\r\n"]),
            400,
            "invalid Origin header: multiple values",
        ),
        (
            get(&[REQUESTED, "Sec-WebSocket-Protocol: a b\r\n"]),
            400,
            "invalid Sec-WebSocket-Protocol header: expected comma at 2 in a b",
        ),
        (
            get(&[REQUESTED, "Sec-WebSocket-Extensions: ;\r\n"]),
            400,
            "invalid Sec-WebSocket-Extensions header: expected token at 0 in ;",
        ),
    ];
    for (wire, status_code, text) in table {
        let error = run(&wire).unwrap_err();
        assert_eq!(error.to_string(), text);
        let response = error.response();
        assert_eq!(response.status_code, status_code, "{text}");
        assert!(String::from_utf8(response.body).unwrap().contains(text));
    }
}

#[test]
fn requests_with_a_body_or_bad_syntax_are_refused() {
    let table = [
        ("Content-Length: 1", "request has a body; a handshake has none"),
        ("Content-Length: 0\r\nContent-Length: 5", "request has a body; a handshake has none"),
        ("Transfer-Encoding: chunked", "request has a body; a handshake has none"),
        ("Bad Name: x", "invalid HTTP header line: Bad Name: x"),
        ("A: b\r\n c", "invalid HTTP header line:  c"),
        ("A: \0", "invalid HTTP header line: A: \\x00"),
    ];
    for (header, cause) in table {
        let error = run(&format!("GET / HTTP/1.1\r\n{REQUESTED}{header}\r\n\r\n")).unwrap_err();
        assert_eq!(error.to_string(), "did not receive a valid HTTP request");
        assert_eq!(error.source().unwrap().to_string(), cause);
        assert_eq!(error.response().status_code, 400);
    }
}

#[test]
fn targets_of_a_get_are_paths_or_absolute_uris() {
    // RFC 9112 §3.2.
    for target in ["/", "/a/b?c=d#e", "//", "http://localhost/a"] {
        let request = run(&format!("GET {target} HTTP/1.1\r\n{REQUESTED}\r\n")).unwrap();
        assert_eq!(request.request().path, target);
    }
    for target in ["evil", "*", "localhost:80", "?a"] {
        let error = run(&format!("GET {target} HTTP/1.1\r\n{REQUESTED}\r\n")).unwrap_err();
        assert_eq!(error.response().status_code, 400, "{target}: {error}");
    }
    for line in ["OPTIONS * HTTP/1.1", "CONNECT localhost:80 HTTP/1.1"] {
        let error = run(&format!("{line}\r\n{REQUESTED}\r\n")).unwrap_err();
        assert_eq!(error.response().status_code, 405, "{line}: {error}");
    }
}

#[test]
fn limits_have_their_own_errors() {
    let long = "a".repeat(8192);
    let many = "a: b\r\n".repeat(129);
    let (limit, count) = (8192, 128);
    let table = [
        (format!("GET /{long}"), 414, HandshakeError::RequestLineTooLong { limit }),
        (format!("GET / HTTP/1.1\r\na: {long}"), 431, HandshakeError::HeaderLineTooLong { limit }),
        (format!("GET / HTTP/1.1\r\n{many}"), 431, HandshakeError::TooManyHeaders { limit: count }),
        (
            "\r\n".repeat(600_000),
            431,
            HandshakeError::SecurityError("HTTP head exceeds 1048576 bytes".into()),
        ),
    ];
    for (wire, status_code, error) in table {
        assert_eq!(error.response().status_code, status_code);
        for size in [usize::MAX, 1000, 1] {
            let chunks: Vec<&[u8]> = wire.as_bytes().chunks(size).collect();
            let result = run_server(&Limits::default(), &chunks);
            assert_eq!(result.unwrap_err(), error);
        }
    }
}

// RFC 6455 §4.2.2: the response.

#[test]
fn accepting_sends_what_was_chosen() {
    let request = valid(
        "Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate, x-b\r\n",
    );
    let mut deflate = ExtensionParams::new("permessage-deflate");
    deflate.params.push(("server_max_window_bits".into(), Some("10".into())));
    let reply = ServerReply {
        subprotocol: Some("superchat".into()),
        extensions: vec![deflate.clone()],
        ..reply(&[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    };
    let (out, open) = request.accept(reply).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\
         Sec-WebSocket-Protocol: superchat\r\n\
         Set-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\n\
         \r\n"
    );
    assert_eq!(open.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(open.extensions, [deflate]);
    assert_eq!(open.response.status_code, 101);
}

#[test]
fn replies_outside_the_offer_are_refused() {
    let negotiation = |text: &str| HandshakeError::NegotiationError(text.into());
    let offered = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-a\r\n";
    let table = [
        (
            ServerReply { subprotocol: Some("other".into()), ..reply(&[]) },
            negotiation("subprotocol other isn't offered by the client"),
        ),
        (
            ServerReply { subprotocol: Some("chat\r\nX: y".into()), ..reply(&[]) },
            negotiation("subprotocol chat\r\nX: y isn't offered by the client"),
        ),
        (
            ServerReply { extensions: vec![ExtensionParams::new("x-b")], ..reply(&[]) },
            negotiation("extension x-b isn't offered by the client"),
        ),
        (
            reply(&[("sec-websocket-accept", "x")]),
            InvalidField::Reserved { name: "sec-websocket-accept".into() }.into(),
        ),
    ];
    for (reply, error) in table {
        assert_eq!(valid(offered).accept(reply).unwrap_err(), error);
    }
    let bad = ("a".to_owned(), Some("b\r\nX: y".to_owned()));
    let extension = ExtensionParams { name: "x-a".into(), params: vec![bad] };
    let reply = ServerReply { extensions: vec![extension], ..reply(&[]) };
    let error = valid(offered).accept(reply).unwrap_err();
    assert!(matches!(error, HandshakeError::InvalidField(InvalidField::Extension { .. })));
}

#[test]
fn rejecting_completes_the_response() {
    let with = |status_code, fields: &[(&str, &str)], body: &str| {
        let mut response = Response::new(status_code, "X");
        response.body = body.into();
        for (name, value) in fields {
            response.headers.append(name, value).unwrap();
        }
        response
    };
    let table = [
        (with(404, &[], ""), "404 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        (
            with(403, &[("Content-Type", "a/b"), ("Content-Length", "99")], "é"),
            "403 X\r\nContent-Type: a/b\r\nConnection: close\r\nContent-Length: 2\r\n\r\né",
        ),
        (
            with(301, &[("Location", "/b"), ("connection", "close")], ""),
            "301 X\r\nLocation: /b\r\nconnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            with(403, &[("Transfer-Encoding", "chunked")], "a"),
            "403 X\r\nConnection: close\r\nContent-Length: 1\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\na",
        ),
        (with(204, &[], "a"), "204 X\r\nConnection: close\r\n\r\n"),
        (
            with(101, &[], ""),
            "500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
    ];
    for (response, text) in table {
        let out = String::from_utf8(valid("").reject(response)).unwrap();
        assert_eq!(out, format!("HTTP/1.1 {text}"));
    }
}

// RFC 7617, RFC 9110 §11.6.2.

#[test]
fn doubtful_credentials_are_none() {
    let table = [
        "",
        "Authorization: Bearer x\r\n",
        "Authorization: Basic !\r\n",
        "Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n",
    ];
    for headers in table {
        assert_eq!(valid(headers).basic_auth(), None, "{headers}");
    }
}

proptest! {
    #[test]
    fn chunked_equals_whole(
        start in "(GET / HTTP/1.[01]\r\n)?",
        lines in prop::collection::vec(prop::sample::select(
            REQUESTED.split_inclusive('\n').chain(["\r\n", "Origin: a\r\n"]).collect::<Vec<_>>()
        ), 0..9),
        end in prop::collection::vec(any::<u8>(), 0..20),
        is_valid in any::<bool>(),
        cut in 0..300_usize,
    ) {
        let middle = if is_valid { format!("{REQUESTED}\r\n") } else { lines.concat() };
        let bytes = [start.as_bytes(), middle.as_bytes(), &end].concat();
        let (left, right) = bytes.split_at(cut.min(bytes.len()));
        let run = |chunks: &[&[u8]]| {
            run_server(&Limits::default(), chunks).map(|(mut request, more)| {
                request.leftover.extend(more);
                request
            })
        };
        prop_assert_eq!(run(&[left, right]), run(&[&bytes]));
        prop_assert_eq!(run(&bytes.chunks(1).collect::<Vec<_>>()), run(&[&bytes]));
    }
}
