use std::error::Error as _;

use proptest::prelude::*;

use super::*;
use crate::handshake::testing::{ACCEPTED, client, every_split, run_client};

fn chat_and_deflate() -> ClientOffer {
    ClientOffer {
        subprotocols: vec!["chat".into(), "superchat".into()],
        extensions: vec![ExtensionParams::new("permessage-deflate")],
        ..ClientOffer::default()
    }
}

fn run(response: &str) -> Result<ClientOpen, HandshakeError> {
    every_split(response.as_bytes(), |chunks| run_client(&ClientOffer::default(), chunks))
}

// RFC 6455 §4.1: the response.

#[test]
fn pending_at_every_prefix_and_open_at_every_split() {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\n{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"
    );
    let offer = chat_and_deflate();
    for end in 0..head.len() {
        let progress = client(&offer).receive(&head.as_bytes()[..end]).unwrap();
        let ClientProgress::Pending(pending) = progress else { panic!("open after {end}") };
        let cause = pending.receive_eof().source().unwrap().to_string();
        let part = if end < 34 { "status line" } else { "headers" };
        assert_eq!(cause, format!("connection closed while reading HTTP {part}"), "{end}");
    }
    let wire = [head.as_bytes(), b"\x81\x02Hi\x88\x00\r\n\r\n"].concat();
    let open = every_split(&wire, |chunks| run_client(&offer, chunks)).unwrap();
    assert_eq!(open.leftover, b"\x81\x02Hi\x88\x00\r\n\r\n");
    assert_eq!(open.subprotocol.as_deref(), Some("chat"));
    assert_eq!(open.extensions[0].to_string(), "permessage-deflate; server_max_window_bits=10");
    assert_eq!(open.request, *client(&offer).request());
    assert_eq!(open.response.reason_phrase, "Switching Protocols");
    assert_eq!(open.response.headers.len(), 5);
}

#[test]
fn real_and_odd_servers_are_understood() {
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let table = [
        // nginx as a proxy.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.24.0\r\n\
             Date: Mon, 06 Jan 2025 10:00:00 GMT\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Apache, mod_proxy_wstunnel.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: Apache/2.4.57 (Debian)\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
             Vary: Accept-Encoding\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
        ),
        // IIS and ASP.NET.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nCache-Control: private\r\nUpgrade: Websocket\r\n\
             Server: Microsoft-IIS/10.0\r\nX-AspNet-Version: 4.0.30319\r\n\
             Sec-WebSocket-Accept: {accept}\r\nConnection: Upgrade\r\n\
             X-Powered-By: ASP.NET\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\r\n"
        ),
        // Node, ws.
        format!("HTTP/1.1 101 Switching Protocols\r\n{ACCEPTED}\r\n"),
        // aiohttp.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\
             Server: Python/3.11 aiohttp/3.9.1\r\n\r\n"
        ),
        // Go, gorilla/websocket.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Jetty and Tomcat.
        format!(
            "HTTP/1.1 101 \r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: \r\n\r\n"
        ),
        // Autobahn|Python.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: AutobahnPython/23.6.2\r\n\
             X-Powered-By: AutobahnPython/23.6.2\r\nUpgrade: WebSocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Tornado.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: TornadoServer/6.4\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-Websocket-Accept: {accept}\r\n\r\n"
        ),
        // Cloudflare in front of an origin.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\
             Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
             CF-Cache-Status: DYNAMIC\r\nReport-To: {{\"endpoints\":[]}}\r\nCF-RAY: 8f-FRA\r\n\r\n"
        ),
        // Python: websockets, and uvicorn with wsproto.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
             Server: Python/3.12 websockets/13.1\r\n\r\n"
        ),
        format!(
            "HTTP/1.1 101 \r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Erlang, Cowboy.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
             date: Mon, 06 Jan 2025 10:00:00 GMT\r\nsec-websocket-accept: {accept}\r\n\
             server: Cowboy\r\nupgrade: websocket\r\n\r\n"
        ),
        // Envoy, and HAProxy, in front of an origin.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {accept}\r\nx-envoy-upstream-service-time: 3\r\n\
             server: envoy\r\n\r\n"
        ),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {accept}\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nset-cookie: SERVERID=a1; path=/\r\n\r\n"
        ),
        // .NET, Kestrel.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
             Date: Mon, 06 Jan 2025 10:00:00 GMT\r\nServer: Kestrel\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Java: Netty, and Undertow.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        ),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Location: ws://example.com/\r\n\r\n"
        ),
        // A load balancer that adds its own options, in the other order, and cookies.
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Keep-Alive, Upgrade\r\n\
             Set-Cookie: lb=1; Path=/\r\nSet-Cookie: lb2=2; Path=/; Secure\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
             Strict-Transport-Security: max-age=31536000\r\n\r\n"
        ),
        // Old firmware: the words of the drafts.
        format!("HTTP/1.1 101 Web Socket Protocol Handshake\r\n{ACCEPTED}\r\n"),
        // No reason phrase, no blank after the code.
        format!("HTTP/1.1 101\r\n{ACCEPTED}\r\n"),
        // Names in lower case, no blanks.
        format!(
            "HTTP/1.1 101 OK\r\nupgrade:websocket\r\nconnection:upgrade\r\n\
             sec-websocket-accept:{accept}\r\n\r\n"
        ),
        // Names in upper case, blanks everywhere.
        format!(
            "HTTP/1.1  101  OK  \r\nUPGRADE: \t websocket \r\nCONNECTION:  Upgrade\t\r\n\
             SEC-WEBSOCKET-ACCEPT:   {accept}   \r\n\r\n"
        ),
        // Connection with other options, in two lines, with empty elements.
        format!(
            "HTTP/1.1 101 OK\r\nUpgrade: websocket,\r\nConnection: keep-alive\r\n\
             Connection: ,Upgrade , close\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        // Bare line feeds, after a blank line.
        format!(
            "\nHTTP/1.1 101 OK\nUpgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Accept: {accept}\n\n"
        ),
        // Headers that mean nothing in a 101.
        format!(
            "HTTP/1.1 101 OK\r\n{ACCEPTED}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
        ),
        // Bytes outside ASCII.
        format!("HTTP/1.1 101 é\r\n{ACCEPTED}Server: café\r\n\r\n"),
        // An empty list of extensions.
        format!("HTTP/1.1 101 OK\r\n{ACCEPTED}Sec-WebSocket-Extensions:\r\n\r\n"),
    ];
    for head in table {
        let open = run(&format!("{head}\u{81}glued")).unwrap_or_else(|e| panic!("{e}: {head}"));
        assert_eq!(open.leftover, "\u{81}glued".as_bytes(), "{head}");
        assert_eq!((open.subprotocol, open.extensions.len()), (None, 0), "{head}");
    }
}

// RFC 9110 §15.2: interim responses.

#[test]
fn interim_responses_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let wire = format!("HTTP/1.1 100 Continue\r\n\r\n{early}HTTP/1.1 101 OK\r\n{ACCEPTED}\r\nx");
    assert_eq!(run(&wire).unwrap().leftover, b"x");

    let refusal = run(&format!("{early}HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"));
    assert!(matches!(refusal, Err(HandshakeError::InvalidStatus(_))));

    let error = run(&early.repeat(17)).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "more than 16 interim responses");
}

// RFC 9110 §15: refusals.

#[test]
fn refusals_hold_the_response() {
    let challenge = "<!DOCTYPE html><title>Just a moment...</title>";
    let table = [
        // A challenge of Cloudflare.
        (
            format!(
                "HTTP/1.1 403 Forbidden\r\nServer: cloudflare\r\nCf-Mitigated: challenge\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{challenge}\r\n0\r\n\r\n",
                challenge.len()
            ),
            403,
            challenge,
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
             Content-Length: 4\r\n\r\nno\r\nignored"
                .into(),
            401,
            "no\r\n",
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\
             Content-Length: 0\r\n\r\n"
                .into(),
            426,
            "",
        ),
        // nginx whose upstream is down; up to the end of the connection.
        (
            "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Type: text/html\r\n\
             Connection: close\r\n\r\n<html>\r\n</html>\r\n"
                .into(),
            502,
            "<html>\r\n</html>\r\n",
        ),
        ("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n".into(), 302, ""),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), 204, ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".into(), 304, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into(), 200, "ok"),
        // python -m http.server
        ("HTTP/1.0 404 File not found\r\nContent-Length: 1\r\n\r\nx".into(), 404, "x"),
        (
            "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n1;e\r\na\r\n0\r\nT: x\r\n\r\n"
                .into(),
            503,
            "a",
        ),
    ];
    for (wire, status_code, body) in table {
        let Err(HandshakeError::InvalidStatus(response)) = run(&wire) else {
            panic!("not refused: {wire}")
        };
        assert_eq!(response.status_code, status_code);
        assert_eq!(response.body.escape_ascii().to_string(), body.escape_default().to_string());
    }
}

// RFC 6455 §4.1: what makes the client fail the connection.

#[test]
fn hostile_responses_fail_with_their_own_error() {
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let upgrade = "Upgrade: websocket\r\n";
    let connection = "Connection: Upgrade\r\n";
    let table = [
        (format!("{upgrade}{accept}"), "missing Connection header"),
        (format!("Connection:\r\n{upgrade}{accept}"), "missing Connection header"),
        (
            format!("Connection: keep-alive, x\r\n{upgrade}{accept}"),
            "invalid Connection header: keep-alive, x",
        ),
        (
            format!("Connection: a b\r\n{upgrade}{accept}"),
            "invalid Connection header: expected comma at 2 in a b",
        ),
        (format!("{connection}{accept}"), "missing Upgrade header"),
        (format!("{connection}Upgrade: h2c\r\n{accept}"), "invalid Upgrade header: h2c"),
        (
            format!("{connection}Upgrade: websocket, h2c\r\n{accept}"),
            "invalid Upgrade header: websocket, h2c",
        ),
        (
            format!("{connection}{upgrade}{upgrade}{accept}"),
            "invalid Upgrade header: websocket, websocket",
        ),
        (
            format!("{connection}Upgrade: @\r\n{accept}"),
            "invalid Upgrade header: expected protocol at 0 in @",
        ),
        (format!("{upgrade}{connection}"), "missing Sec-WebSocket-Accept header"),
        (
            format!("{upgrade}{connection}Sec-WebSocket-Accept:\r\n"),
            "empty Sec-WebSocket-Accept header",
        ),
        (
            format!("{upgrade}{connection}Sec-WebSocket-Accept: AAAA\r\n"),
            "invalid Sec-WebSocket-Accept header: AAAA",
        ),
        (
            format!("{upgrade}{connection}{}", accept.to_lowercase()),
            "invalid Sec-WebSocket-Accept header: s3pplmbitxaq9kygzzhzrbk+xoo=",
        ),
        (
            format!("{upgrade}{connection}{accept}{accept}"),
            "invalid Sec-WebSocket-Accept header: multiple values",
        ),
        (format!("{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n"), "no subprotocols supported"),
        (
            format!("{ACCEPTED}Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            "no extensions supported",
        ),
        (
            format!("{ACCEPTED}Sec-WebSocket-Extensions: x; =\r\n"),
            "invalid Sec-WebSocket-Extensions header: expected token at 3 in x; =",
        ),
    ];
    for (headers, text) in table {
        let error = run(&format!("HTTP/1.1 101 OK\r\n{headers}\r\n")).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn choices_outside_the_offer_fail() {
    let table = [
        ("Sec-WebSocket-Protocol: other", "unsupported subprotocol: other"),
        ("Sec-WebSocket-Protocol: Chat", "unsupported subprotocol: Chat"),
        (
            "Sec-WebSocket-Protocol: chat, superchat",
            "invalid Sec-WebSocket-Protocol header: multiple values: chat, superchat",
        ),
        (
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
            "invalid Sec-WebSocket-Protocol header: multiple values: chat, chat",
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate, x-foo; a; b=1",
            "Unsupported extension: x-foo; a; b=1",
        ),
    ];
    for (header, text) in table {
        let wire = format!("HTTP/1.1 101 OK\r\n{ACCEPTED}{header}\r\n\r\n");
        let error = run_client(&chat_and_deflate(), &[wire.as_bytes()]).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn subprotocols_in_additional_headers_count_as_offered() {
    let mut offer = ClientOffer::default();
    offer.additional_headers.append("sec-websocket-protocol", "token.abc, chat").unwrap();
    let wire = format!("HTTP/1.1 101 OK\r\n{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n\r\n");
    let open = run_client(&offer, &[wire.as_bytes()]).unwrap();
    assert_eq!(open.subprotocol.as_deref(), Some("chat"));
}

#[test]
fn what_is_not_http_fails_at_once_with_its_cause() {
    let long = "a".repeat(9000);
    let many = "a: b\r\n".repeat(129);
    let table = [
        ("SSH-2.0-x\r\n".into(), "invalid HTTP status line: SSH-2.0-x"),
        ("\x15\x03\x01".into(), "invalid HTTP status line: \\x15; the server seems to speak TLS"),
        ("HTTP/1.1 101 OK\r\nno colon\r\n\r\n".into(), "invalid HTTP header line: no colon"),
        ("HTTP/1.1 101 OK\r\na: b\r\n c\r\n\r\n".into(), "invalid HTTP header line:  c"),
        (
            format!("HTTP/1.0 101 OK\r\n{ACCEPTED}\r\n"),
            "unsupported protocol; expected HTTP/1.1; got HTTP/1.0",
        ),
        (format!("HTTP/1.1 101 OK\r\na: {long}"), "HTTP header line exceeds 8192 bytes"),
        (format!("HTTP/1.1 101 OK\r\n{many}"), "expected no more than 128 headers"),
        (
            "HTTP/1.1 403 No\r\nContent-Length: 1048577\r\n\r\n".into(),
            "response body of 1048577 bytes exceeds 1048576 bytes",
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: x\r\n\r\n".into(), "invalid content length: x"),
        (
            "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
            "transfer coding gzip isn't supported",
        ),
        (
            "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n".into(),
            "chunk of 268435455 bytes exceeds the 1048576 bytes left for the body",
        ),
        (
            "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nabc".into(),
            "connection closed while reading HTTP body: 3 of 9 bytes",
        ),
        (String::new(), "connection closed while reading HTTP status line"),
    ];
    for (wire, cause) in table {
        let error = run_client(&ClientOffer::default(), &[wire.as_bytes()]).unwrap_err();
        assert_eq!(error.to_string(), "did not receive a valid HTTP response");
        assert_eq!(error.source().unwrap().to_string(), cause);
        let bytes: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
        assert_eq!(run_client(&ClientOffer::default(), &bytes), Err(error));
    }
    let error = run_client(&ClientOffer::default(), &[long.as_bytes()]).unwrap_err();
    assert_eq!(error, HandshakeError::StatusLineTooLong { limit: 8192 });
}

proptest! {
    #[test]
    fn chunked_equals_whole(
        start in "(HTTP/1.[01] (101|101|100|204|403) ?\r\n)?",
        middle in prop::collection::vec(prop::sample::select(vec![
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "Sec-WebSocket-Protocol: chat\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "\r\n",
            "3\r\nabc\r\n0\r\n",
            "HTTP/1.1 101 OK\r\n",
        ]), 0..8),
        end in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(0..200_usize, 0..4),
    ) {
        let bytes = [start.as_bytes(), middle.concat().as_bytes(), &end].concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        let offer = chat_and_deflate();
        let whole = run_client(&offer, &[&bytes]);
        prop_assert_eq!(run_client(&offer, &chunks), whole);
    }
}
