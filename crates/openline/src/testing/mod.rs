//! What the tests of programs that use this crate want: a real server, a network that fails on command,
//! and two connected connections without either.
//!
//! ```
//! use openline::testing::{EchoServer, FaultProxy};
//! # fn main() -> openline::Result<()> {
//! let server = EchoServer::start()?;
//! let proxy = FaultProxy::start(server.uri())?;
//! let line = openline::connect(proxy.uri())?; // what is to be tested
//! line.send("hello")?;
//! assert_eq!(line.recv()?, "hello".into());
//! proxy.cut(None); // the server goes without a close frame
//! assert!(matches!(line.recv(), Err(openline::Error::Closed(closed)) if !closed.is_ok()));
//! # Ok(()) }
//! ```

mod echo_server;
mod fault_proxy;
mod pair;

pub use echo_server::{EchoOptions, EchoServer};
pub use fault_proxy::{
    Direction, FaultCounts, FaultProxy, Faults, Offset, ProxyEvent, ProxyOptions,
};
pub use pair::{pair, pair_of};
