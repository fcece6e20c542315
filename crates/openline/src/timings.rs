//! How long each step of opening a connection took.

use std::time::Duration;

use crate::sync;

/// How long each step of opening a connection took; `None` for a step that was not needed. Where
/// redirects were followed, a step's time is that of all its turns.
///
/// ```
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// let line = openline::connect(server.uri())?; // ws://127.0.0.1:…
/// let timings = line.timings();
/// assert!(timings.tcp.is_some() && timings.http.is_some());
/// assert!(timings.dns.is_none()); // an address needs no resolution
/// assert!(timings.tls.is_none() && timings.proxy.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Resolving names: the server's, or the proxy's.
    pub dns: Option<Duration>,
    /// Connecting the socket, TCP or Unix.
    pub tcp: Option<Duration>,
    /// Having the proxy connect to the server, with TLS to the proxy if it has that.
    pub proxy: Option<Duration>,
    /// The TLS handshake with the server.
    pub tls: Option<Duration>,
    /// The opening handshake: request and response (RFC 6455 §4).
    pub http: Option<Duration>,
}

/// Runs one step and adds its time to what it took before.
pub(crate) fn timed<T>(total: &mut Option<Duration>, step: impl FnOnce() -> T) -> T {
    let start = sync::now();
    let outcome = step();
    *total = Some(total.unwrap_or_default() + sync::now().saturating_duration_since(start));
    outcome
}
