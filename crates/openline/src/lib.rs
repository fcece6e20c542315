//! WebSockets for blocking code: connect, send, receive, and a line that stays open, without an async
//! runtime.
//!
//! ```
//! # fn main() -> openline::Result<()> {
//! # let server = openline::testing::EchoServer::start()?;
//! # let uri = server.uri();
//! let line = openline::connect(uri)?; // "wss://example.com/feed"
//! line.send("hello")?;
//! println!("{:?}", line.recv()?);
//! line.close(1000, "")?;
//! # Ok(()) }
//! ```
//!
//! - [`connect`], or [`Client`] with every option, opens a [`Connection`]: over TCP, TLS or a Unix socket,
//!   through proxies and redirects, or over any [stream](transport::Stream) of yours.
//! - [`Client::reconnect`] does so again after each loss.
//! - A connection is used from any number of threads through `&self`. Whoever receives reads the
//!   socket itself; one driver thread per process answers pings, keeps the line alive and completes
//!   closes while nobody does.
//! - No call hangs: each has a time-out, or ends with `ping_timeout` or `close_timeout`. No time-out
//!   loses or tears anything.
//! - What happens on a connection, frame by frame, goes to the [`log`] facade at the level `debug`, or to a
//!   [`Journal`] of yours.
//! - [`Server`] is a server in the same style, with a thread for each connection or a few for all of them;
//!   [`broadcast`] sends to many. [`testing::EchoServer`] is one for tests.
//!
//! The protocol itself, without I/O, is the crate `openline-proto`, whose types appear here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod acknowledgement;
mod address;
mod broadcast;
mod client;
mod closed;
#[cfg(all(test, not(feature = "model")))]
mod closings;
mod connection;
mod deadline;
mod delivery;
mod dial;
mod driver;
mod error;
mod extensions;
mod fork;
mod fragments;
mod journal;
mod keys;
mod line;
mod messages;
#[cfg(all(test, feature = "model"))]
mod model;
mod opening;
mod outgoing;
mod poller;
pub mod proxy;
mod read;
mod reconnect;
mod report;
mod server;
mod status;
mod sync;
pub mod testing;
mod timings;
pub mod transport;
mod trust;
mod write;

pub use address::Address;
pub use broadcast::broadcast;
pub use client::{Client, connect};
pub use closed::{Cause, Closed};
pub use connection::Connection;
pub use deadline::Deadline;
pub use error::{ConnectError, Error, Result, TlsError, Waiting};
pub use fragments::{FragmentReceiver, FragmentSender};
pub use journal::{Journal, Record};
pub use messages::Messages;
pub use openline_proto::extension::Compress;
pub use openline_proto::{
    CloseCode, CloseFrame, ClosingHandshake, FrameSummary, Kind, Message, ProtocolError, Role,
    State, extension, handshake, http, uri,
};
pub use outgoing::Outgoing;
pub use read::Payload;
pub use reconnect::Reconnect;
pub use report::{CloseReport, Traffic};
pub use rustls;
pub use server::{
    Arrival, Incoming, Lobby, LobbyOptions, LobbyWaker, MessageHandler, RunningServer, Seat, Server,
};
pub use timings::Timings;

/// The Rust examples of the documents, which must compile.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/authentication.md")]
    struct Authentication;
    #[doc = include_str!("../../../docs/closing.md")]
    struct Closing;
    #[doc = include_str!("../../../docs/compression.md")]
    struct Compression;
    #[doc = include_str!("../../../docs/deployment.md")]
    struct Deployment;
    #[doc = include_str!("../../../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../../../docs/extensions.md")]
    struct Extensions;
    #[doc = include_str!("../../../docs/keepalive.md")]
    struct Keepalive;
    #[doc = include_str!("../../../docs/large-messages.md")]
    struct LargeMessages;
    #[doc = include_str!("../../../docs/logging.md")]
    struct Logging;
    #[doc = include_str!("../../../docs/migrate-from-tungstenite.md")]
    struct MigrateFromTungstenite;
    #[doc = include_str!("../../../docs/proxies.md")]
    struct Proxies;
    #[doc = include_str!("../../../docs/quickstart.md")]
    struct Quickstart;
    #[doc = include_str!("../../../docs/reconnecting.md")]
    struct Reconnecting;
    #[doc = include_str!("../../../docs/security.md")]
    struct Security;
    #[doc = include_str!("../../../docs/server.md")]
    struct Server;
    #[doc = include_str!("../../../docs/testing.md")]
    struct Testing;
    #[doc = include_str!("../../../docs/threads.md")]
    struct Threads;
    #[doc = include_str!("../../../docs/timeouts.md")]
    struct Timeouts;
    #[doc = include_str!("../../../docs/tls.md")]
    struct Tls;
}
