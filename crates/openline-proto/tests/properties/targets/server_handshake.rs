//! The server's side of the opening handshake: any request of a client (RFC 6455 §4.2).

use openline_proto::handshake::server::{
    ServerHandshake, ServerProgress, ServerReply, ServerRequest,
};
use openline_proto::handshake::{HandshakeError, accept_key};
use openline_proto::http::{Limits, Response};

use super::client_handshake::{refusal, tight};
use super::cut::Cut;
use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let bits = input.byte();
    let limits = if bits & 1 != 0 { tight() } else { Limits::default() };
    // A request to which nothing is missing but its end.
    let start = if bits & 4 != 0 { REQUESTED } else { "" };
    let wire = [start.as_bytes(), input.rest()].concat();
    match cut.agree(&wire, |pieces| run(&limits, pieces)) {
        Ok((request, rest)) => valid(&limits, &wire, request, &rest),
        Err(error) => {
            let response = error.response();
            assert!((400..=505).contains(&response.status_code));
            // A client understands the answer.
            let mut out = Vec::new();
            response.encode(&mut out);
            assert_eq!(refusal(&out), response);
        }
    }
}

/// The request, and what the pieces after it have.
type Received = (ServerRequest, Vec<u8>);

/// Receives the pieces, and then the end of the stream if that was not all.
fn run(limits: &Limits, pieces: &[&[u8]]) -> Result<Received, HandshakeError> {
    let mut handshake = ServerHandshake::new(limits.clone());
    for (n, piece) in pieces.iter().enumerate() {
        match handshake.receive(piece)? {
            ServerProgress::Pending(pending) => handshake = pending,
            ServerProgress::Request(request) => {
                let request = request.check()?;
                // `accept` tells what came with the request; all of it belongs to the comparison.
                let (_, open) = request.clone().accept(ServerReply::default())?;
                let rest = [open.leftover, pieces[n + 1..].concat()].concat();
                return Ok((rewritten(&request), rest));
            }
        }
    }
    Err(handshake.receive_eof())
}

/// The same request, written and read again: as if nothing had come with it, so that the pieces do not
/// matter to a comparison. That it can be read again is a property too.
fn rewritten(request: &ServerRequest) -> ServerRequest {
    let mut wire = Vec::new();
    request.request().encode(&mut wire);
    match ServerHandshake::new(Limits::default()).receive(&wire) {
        Ok(ServerProgress::Request(again)) => {
            let again = again.check().expect("it was valid before");
            assert_eq!(again.request(), request.request());
            again
        }
        other => panic!("written again, it is not understood: {other:?}"),
    }
}

fn valid(limits: &Limits, wire: &[u8], request: ServerRequest, rest: &[u8]) {
    assert!(wire.ends_with(rest) && rest.len() < wire.len());
    assert_eq!(request.request().method, "GET");
    assert!(request.request().path.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(request.request().headers.len() <= limits.max_headers);

    // Anything that was offered can be accepted.
    let mut reply = ServerReply::default();
    reply.subprotocol = request.subprotocols().last().cloned();
    reply.extensions = request.extensions().to_vec();
    let key = request.request().headers.get("Sec-WebSocket-Key").unwrap_or_default().to_owned();
    let (out, open) = request.clone().accept(reply.clone()).expect("it was offered");
    assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n"));
    assert_eq!(open.response.headers.get("Sec-WebSocket-Accept"), Some(&*accept_key(&key)));
    assert_eq!((open.subprotocol, open.extensions), (reply.subprotocol, reply.extensions));

    // Any refusal is understood by a client.
    let mut response = Response::new(403, "Forbidden");
    response.body = rest.to_vec();
    assert_eq!(refusal(&request.reject(response)).body, rest);
}

const REQUESTED: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
