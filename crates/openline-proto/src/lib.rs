//! The WebSocket protocol without I/O: RFC 6455 as state machines that take bytes and give events.
//!
//! This crate has no sockets, threads, clock, environment or randomness: `now` and mask keys are
//! arguments. Use it to build a WebSocket endpoint on a transport of your own, or to test one; for
//! blocking connections over TCP, Unix sockets and TLS take the `openline` crate, which is built on
//! this one.
//!
//! A connection has phases, and each has its types:
//!
//! 1. the address: [`Uri`];
//! 2. the opening handshake: [`handshake::client`] and [`handshake::server`];
//! 3. the open line, its directions independent of each other: [`Inbound`] and [`Outbound`];
//! 4. the end: [`ClosingHandshake`]; and all along [`Keepalive`], [`Pings`] and [`Idleness`].
//!
//! # Example
//!
//! A client says "Hello", a server answers and closes; every byte is visible.
//!
//! ```
//! use openline_proto::{
//!     CloseFrame, ClosingHandshake, Event, Inbound, Kind, Limits, MaskKey, Opcode, Outbound, Role, Rsv,
//! };
//!
//! # fn main() -> Result<(), openline_proto::ProtocolError> {
//! // The client sends. It must mask, with a key nobody can guess.
//! let mut wire = Vec::new();
//! let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
//! Outbound::new(Role::Client).encode_message(Kind::Text, b"Hello", key, &mut wire);
//! assert_eq!(wire, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
//!
//! // The server receives, in place.
//! let mut server = Inbound::new(Role::Server, Limits::default());
//! let received = server.receive(&mut wire)?;
//! assert_eq!(
//!     received.event,
//!     Some(Event::Message { kind: Kind::Text, rsv: Rsv::NONE, payload: b"Hello" })
//! );
//!
//! // It closes: the closing handshake says whether a frame is due, Outbound makes its bytes.
//! let mut closing = ClosingHandshake::default();
//! let mut wire = Vec::new();
//! if let Some(close) = closing.send(CloseFrame::new(1000, "bye")?) {
//!     let outbound = Outbound::new(Role::Server);
//!     outbound.encode_control(Opcode::Close, &close.encode(), key, &mut wire)?;
//! }
//! assert_eq!(wire, b"\x88\x05\x03\xe8bye");
//!
//! // The client receives that half a frame at a time, and answers with the same code.
//! let mut client = Inbound::new(Role::Client, Limits::default());
//! assert_eq!(client.receive(&mut wire[..3])?.event, None);
//! let Some(Event::Close(close)) = client.receive(&mut wire)?.event else { panic!() };
//! let mut client_closing = ClosingHandshake::default();
//! assert!(client_closing.receive(close).is_some());
//! assert_eq!(
//!     client_closing.to_string(),
//!     "received 1000 (OK) bye; then sent 1000 (OK) bye"
//! );
//! # Ok(()) }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod close;
mod error;
pub mod extension;
mod frame;
pub mod handshake;
pub mod http;
mod inbound;
mod keepalive;
pub mod mask;
mod message;
mod outbound;
pub mod proxy;
pub mod redirect;
mod tally;
#[cfg(test)]
mod testing;
pub mod uri;
pub mod utf8;

pub use close::{CloseCode, CloseFrame, ClosingHandshake, State};
pub use error::ProtocolError;
pub use frame::{EncodedHeader, FrameHeader, Opcode, Role, Rsv};
pub use inbound::{Begin, Data, Ends, Event, Inbound, Limits, Received};
pub use keepalive::{Due, Idleness, Keepalive, Pings};
pub use mask::MaskKey;
pub use message::{Kind, Message, MessageRef};
pub use outbound::{Outbound, Part};
pub use tally::{FrameSummary, Tally};
pub use uri::Uri;
