//! The whole opening handshake: what any client of ours asks for, a server of ours understands, and the
//! other way round.
//!
//! The input is a byte that chooses, and lines: URI, origin, subprotocols, extensions, a header, its
//! value, and what follows the answer.

use openline_proto::Uri;
use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
use openline_proto::handshake::server::{
    ServerHandshake, ServerProgress, ServerReply, ServerRequest,
};
use openline_proto::handshake::{HandshakeError, parse_extensions, parse_subprotocols};
use openline_proto::http::{Headers, Limits};

use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = usize::from(input.byte());
    let text = String::from_utf8_lossy(input.rest());
    let mut lines = text.splitn(7, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let Ok(uri) = Uri::parse(line()).or_else(|_| Uri::parse("ws://a.example/")) else { return };

    let mut offer = ClientOffer::default();
    offer.origin = Some(line()).filter(|origin| !origin.is_empty()).map(str::to_owned);
    offer.subprotocols = parse_subprotocols(line()).unwrap_or_default();
    offer.extensions = parse_extensions(line()).unwrap_or_default();
    offer.additional_headers = additional(line(), line());
    let early = line().as_bytes();

    // Refused by ourselves: nothing was sent.
    let Ok(client) = ClientHandshake::new(&uri, offer.clone(), *b"the sample nonce") else {
        return;
    };
    let mut wire = Vec::new();
    client.encode_request(&mut wire);
    let request = match ServerHandshake::new(Limits::default()).receive(&wire) {
        Ok(ServerProgress::Request(request)) => request.check().expect("ours is valid"),
        Err(HandshakeError::RequestLineTooLong { limit }) if request_line(&wire).len() > limit => {
            return;
        }
        other => panic!("{other:?} for {}", wire.escape_ascii()),
    };
    understood(&uri, &offer, &request);

    let mut reply = ServerReply::default();
    if choice & 1 != 0 && !request.subprotocols().is_empty() {
        reply.subprotocol =
            Some(request.subprotocols()[choice % request.subprotocols().len()].clone());
    }
    reply.extensions = request.extensions().iter().take(choice / 64).cloned().collect();
    let (mut wire, server) = request.accept(reply).expect("what was offered");
    wire.extend_from_slice(early);
    let open = match client.receive(&wire) {
        Ok(ClientProgress::Open(open)) => open,
        other => panic!("{other:?} for {}", wire.escape_ascii()),
    };
    assert_eq!(open.subprotocol, server.subprotocol);
    assert_eq!(open.extensions, server.extensions);
    assert_eq!(open.leftover, early);
}

/// With its end, which counts for the limit.
fn request_line(wire: &[u8]) -> &[u8] {
    wire.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// One header of the caller's, if it is none that has a meaning in the handshake.
fn additional(name: &str, value: &str) -> Headers {
    let mut headers = Headers::new();
    let lower = name.to_ascii_lowercase();
    let is_ours = lower.starts_with("sec-websocket-")
        || ["authorization", "host", "origin"].contains(&lower.as_str());
    if !is_ours {
        // One that cannot be sent is refused here already.
        headers.append(name, value).unwrap_or_default();
    }
    headers
}

fn understood(uri: &Uri, offer: &ClientOffer, request: &ServerRequest) {
    assert_eq!(request.request().path, uri.resource_name());
    assert_eq!(request.request().headers.get("Host"), Some(&*uri.authority()));
    let origin = offer.origin.as_deref().map(|origin| origin.trim_matches([' ', '\t']));
    assert_eq!(request.origin(), origin);
    let credentials = request.basic_auth();
    let credentials = credentials.as_ref().map(|(user, password)| (&**user, &**password));
    assert_eq!(credentials, uri.user_info());
    let mut subprotocols = Vec::new();
    for name in &offer.subprotocols {
        // RFC 6455 §4.1: all unique.
        if !subprotocols.contains(name) {
            subprotocols.push(name.clone());
        }
    }
    assert_eq!(request.subprotocols(), subprotocols);
    assert_eq!(request.extensions(), offer.extensions);
    for (name, value) in &offer.additional_headers {
        let value = value.trim_matches([' ', '\t']);
        assert!(request.request().headers.get_all(name).any(|received| received == value));
    }
}
