//! The opening handshake (RFC 6455 §4), for both roles, without I/O, clock or randomness.
//!
//! Each phase is a type, and each step consumes the one before, so that a wrong order doesn't
//! compile and a failed handshake stays failed. Bytes may arrive cut anywhere; what follows the
//! handshake is handed on in `leftover`.
//!
//! ```text
//! client   ClientHandshake::new ── encode_request ──▶ receive ─┬─▶ Pending(ClientHandshake)   more bytes, please
//!                                                              ├─▶ Open(ClientOpen)           101, all checks passed
//!                                                              └─▶ HandshakeError             InvalidStatus(response), …
//!
//! server   ServerHandshake::new ──▶ receive ─┬─▶ Pending(ServerHandshake)
//!                                            ├─▶ Request(ReceivedRequest) ─┬─ reject ─▶ bytes
//!                                            │                             └─ check ─▶ ServerRequest ─┬─ accept ─▶ bytes, ServerOpen
//!                                            │                                                        └─ reject ─▶ bytes
//!                                            └─▶ HandshakeError ── response ─▶ what to answer
//! ```
//!
//! This module doesn't choose among subprotocols and extensions, follow redirects, or talk to
//! proxies: it checks that what was chosen had been offered.
//!
//! # Examples
//!
//! The whole handshake of RFC 6455 §1.3, with the bytes that go over the wire:
//!
//! ```
//! use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
//! use openline_proto::handshake::server::{ServerHandshake, ServerProgress, ServerReply};
//! use openline_proto::http::Limits;
//! use openline_proto::uri::Uri;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The client speaks first.
//! let uri = Uri::parse("ws://server.example.com/chat")?;
//! let mut offer = ClientOffer::default();
//! offer.origin = Some("http://example.com".into());
//! offer.subprotocols = vec!["chat".into(), "superchat".into()];
//! let client = ClientHandshake::new(&uri, offer, *b"the sample nonce")?;
//!
//! let mut wire = Vec::new();
//! client.encode_request(&mut wire);
//! assert_eq!(
//!     String::from_utf8(wire.clone())?,
//!     "GET /chat HTTP/1.1\r\n\
//!      Host: server.example.com\r\n\
//!      Origin: http://example.com\r\n\
//!      Upgrade: websocket\r\n\
//!      Connection: Upgrade\r\n\
//!      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
//!      Sec-WebSocket-Version: 13\r\n\
//!      Sec-WebSocket-Protocol: chat, superchat\r\n\
//!      \r\n"
//! );
//!
//! // The server reads it, here in two pieces, and accepts with a choice among what is offered.
//! let server = ServerHandshake::new(Limits::default());
//! let ServerProgress::Pending(server) = server.receive(&wire[..50])? else { panic!("too early") };
//! let ServerProgress::Request(request) = server.receive(&wire[50..])? else { panic!("too late") };
//! let request = request.check()?; // it does ask for a WebSocket
//! assert_eq!(request.request().path, "/chat");
//! assert_eq!(request.origin(), Some("http://example.com"));
//! assert_eq!(request.subprotocols(), ["chat", "superchat"]);
//!
//! let mut reply = ServerReply::default();
//! reply.subprotocol = Some("chat".into());
//! let (mut wire, server) = request.accept(reply)?;
//! assert_eq!(
//!     String::from_utf8(wire.clone())?,
//!     "HTTP/1.1 101 Switching Protocols\r\n\
//!      Upgrade: websocket\r\n\
//!      Connection: Upgrade\r\n\
//!      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
//!      Sec-WebSocket-Protocol: chat\r\n\
//!      \r\n"
//! );
//!
//! // The server's first frame, a text message "Hello", arrives glued to the response.
//! wire.extend_from_slice(b"\x81\x05Hello");
//! let ClientProgress::Open(client) = client.receive(&wire)? else { panic!("too late") };
//! assert_eq!(client.subprotocol, server.subprotocol);
//! assert_eq!(client.leftover, b"\x81\x05Hello");
//! # Ok(())
//! # }
//! ```

pub mod client;
pub(crate) mod error;
pub(crate) mod fields;
pub mod server;
#[cfg(test)]
mod testing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub use self::error::{HandshakeError, MessageFault};
pub use self::fields::{
    ExtensionParams, encode_basic_auth, encode_extensions, parse_basic_auth, parse_connection,
    parse_extensions, parse_subprotocols, parse_upgrade,
};

/// Computes `Sec-WebSocket-Accept` from the text of `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::accept_key;
///
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// RFC 6455 §1.3: proves that the server knows the protocol, since nobody else has a reason to use
/// it.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
