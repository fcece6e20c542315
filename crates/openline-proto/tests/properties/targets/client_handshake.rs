//! The client's side of the opening handshake: any answer of a server (RFC 6455 §4.1).

use openline_proto::Uri;
use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientOpen, ClientProgress};
use openline_proto::handshake::{ExtensionParams, HandshakeError, accept_key};
use openline_proto::http::{Limits, Response};

use super::cut::Cut;
use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let bits = input.byte();
    let mut offer = ClientOffer::default();
    if bits & 1 != 0 {
        offer.limits = tight();
    }
    if bits & 2 != 0 {
        offer.subprotocols = vec!["chat".into(), "superchat".into()];
        offer.extensions = vec![ExtensionParams::new("permessage-deflate")];
    }
    // An answer to which nothing is missing but its end, so that finds need not invent the proof.
    let start = if bits & 4 != 0 { ACCEPTED } else { "" };
    let wire = [start.as_bytes(), input.rest()].concat();
    match cut.agree(&wire, |pieces| run(&offer, pieces)) {
        Ok(open) => opened(&offer, &wire, open),
        Err(HandshakeError::InvalidStatus(response)) => refused(&offer, &response),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Limits low enough to be met by short inputs, and high enough for a handshake.
pub(super) fn tight() -> Limits {
    let mut limits = Limits::default();
    limits.max_line_bytes = 64;
    limits.max_headers = 6;
    limits.max_head_bytes = 256;
    limits.max_body_bytes = 32;
    limits
}

/// What a client with no special wishes makes of `wire`, if that is a refusal.
pub(super) fn refusal(wire: &[u8]) -> Response {
    match run(&ClientOffer::default(), &[wire]) {
        Err(HandshakeError::InvalidStatus(response)) => *response,
        other => panic!("not a refusal: {other:?}"),
    }
}

/// Receives the pieces, and then the end of the stream if that was not all.
fn run(offer: &ClientOffer, pieces: &[&[u8]]) -> Result<ClientOpen, HandshakeError> {
    let uri = Uri::parse("ws://a.example/").expect("bug: a fixed URI");
    let mut handshake = ClientHandshake::new(&uri, offer.clone(), *b"the sample nonce")?;
    for (n, piece) in pieces.iter().enumerate() {
        match handshake.receive(piece)? {
            ClientProgress::Pending(pending) => handshake = pending,
            ClientProgress::Open(mut open) => {
                open.leftover.extend(pieces[n + 1..].concat());
                return Ok(open);
            }
        }
    }
    Err(handshake.receive_eof())
}

fn opened(offer: &ClientOffer, wire: &[u8], open: ClientOpen) {
    let Response { status_code, headers, .. } = &open.response;
    assert_eq!(*status_code, 101);
    assert_eq!(headers.get("Sec-WebSocket-Accept"), Some(&*accept_key(KEY)));
    assert_eq!(headers.get_all("Sec-WebSocket-Accept").count(), 1);
    assert!(open.subprotocol.iter().all(|name| offer.subprotocols.contains(name)));
    let is_offered = |name: &str| offer.extensions.iter().any(|offered| offered.name == name);
    assert!(open.extensions.iter().all(|extension| is_offered(&extension.name)));
    assert!(wire.ends_with(&open.leftover) && open.leftover.len() < wire.len());
    assert!(headers.len() <= offer.limits.max_headers);
    assert!(open.response.body.is_empty());

    // Written again, it is taken again; `encode` has no tab in a reason phrase.
    let mut again = Vec::new();
    open.response.encode(&mut again);
    again.extend_from_slice(&open.leftover);
    let mut expected = open;
    let reason = expected.response.reason_phrase.replace('\t', "?");
    expected.response.reason_phrase = reason;
    let mut offer = offer.clone();
    offer.limits = Limits::default();
    assert_eq!(run(&offer, &[&again]), Ok(expected));
}

fn refused(offer: &ClientOffer, response: &Response) {
    assert!((100..=599).contains(&response.status_code) && response.status_code / 100 != 1);
    assert!(response.headers.len() <= offer.limits.max_headers);
    assert!(response.body.len() <= offer.limits.max_body_bytes);
}

/// The key of RFC 6455 §1.3, "the sample nonce" in base64.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPTED: &str = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
