//! Helpers for the tests of both roles: fixed heads, and runs over bytes that are cut in every way.

use super::HandshakeError;
use super::client::{ClientHandshake, ClientOffer, ClientOpen, ClientProgress};
use super::server::{ServerHandshake, ServerProgress, ServerRequest};
use crate::http::Limits;
use crate::uri::Uri;

/// What a response has after its status line to be accepted by [`client`].
pub(super) const ACCEPTED: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// What a request has after its request line to be valid.
pub(super) const REQUESTED: &str = "Host: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A handshake of ours with the key of RFC 6455 §1.3.
pub(super) fn client(offer: &ClientOffer) -> ClientHandshake {
    let uri = Uri::parse("ws://a.example/").unwrap();
    ClientHandshake::new(&uri, offer.clone(), *b"the sample nonce").unwrap()
}

/// Feeds chunks to a client, then the end of the connection if it still waits. Chunks after the
/// handshake count as leftover.
pub(super) fn run_client(
    offer: &ClientOffer,
    chunks: &[&[u8]],
) -> Result<ClientOpen, HandshakeError> {
    let mut handshake = client(offer);
    for (i, chunk) in chunks.iter().enumerate() {
        match handshake.receive(chunk)? {
            ClientProgress::Pending(pending) => handshake = pending,
            ClientProgress::Open(mut open) => {
                open.leftover.extend(chunks[i + 1..].concat());
                return Ok(open);
            }
        }
    }
    Err(handshake.receive_eof())
}

/// As [`run_client`], for a server.
pub(super) fn run_server(
    limits: &Limits,
    chunks: &[&[u8]],
) -> Result<(ServerRequest, Vec<u8>), HandshakeError> {
    let mut handshake = ServerHandshake::new(limits.clone());
    for (i, chunk) in chunks.iter().enumerate() {
        match handshake.receive(chunk)? {
            ServerProgress::Pending(pending) => handshake = pending,
            ServerProgress::Request(request) => {
                return Ok((request.check()?, chunks[i + 1..].concat()));
            }
        }
    }
    Err(handshake.receive_eof())
}

/// Runs on the whole of `bytes`, on every cut in two, and byte by byte; all must agree.
pub(super) fn every_split<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    run: impl Fn(&[&[u8]]) -> T,
) -> T {
    let whole = run(&[bytes]);
    for (at, _) in bytes.iter().enumerate() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(run(&[left, right]), whole, "cut at {at}");
    }
    assert_eq!(run(&bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    whole
}
