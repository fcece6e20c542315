//! Connecting again after each loss, with pauses that grow while attempts fail.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use openline_proto::handshake::{HandshakeError, MessageFault};
use openline_proto::proxy::ProxyError;

use crate::client::Client;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::journal;
use crate::keys;
use crate::status::SLICE;

/// An iterator of connections to one server, made by [`Client::reconnect`]: a new one after each loss,
/// for ever.
///
/// An attempt that fails for a reason that may pass ([`Error::is_transient`]) is logged at the level
/// `info` and made again after a pause: up to 5 seconds by chance, so that the clients of a server that
/// restarts do not come back at once (RFC 6455 §7.2.3), then 3.1 seconds and 1.618 times more each time,
/// up to 90. A connection that opens starts the pauses anew. Any other error is given out, and ends the
/// iteration.
///
/// The connection before is closed before the next one is made.
///
/// ```
/// use std::time::Duration;
/// use openline::Client;
/// # fn main() -> openline::Result<()> {
/// # let options = openline::testing::EchoServer::options();
/// # let server = options.close_after(1, 1001, "restart").start()?; // after each message
/// let mut greetings = 0;
/// let pauses = || std::iter::repeat(Duration::from_secs(1));
/// for line in Client::new().reconnect(server.uri()).delays(pauses) {
///     let line = line?;
///     line.send("hello")?;
///     for message in line.iter() {
///         assert_eq!(message?, "hello".into()); // until the server closes
///         greetings += 1;
///     }
///     if greetings == 3 {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Reconnect {
    client: Client,
    path: Option<PathBuf>,
    uri: String,
    delays: Box<dyn FnMut() -> Delays + Send>,
    is_transient: Box<dyn FnMut(&Error) -> bool + Send>,
    give_up: Box<dyn Fn() -> bool + Send>,
    previous: Option<Connection>,
    is_over: bool,
}

type Delays = Box<dyn Iterator<Item = Duration> + Send>;

impl Reconnect {
    pub(crate) fn new(client: Client, path: Option<PathBuf>, uri: String) -> Reconnect {
        Reconnect {
            client,
            path,
            uri,
            delays: Box::new(|| Box::new(backoff())),
            is_transient: Box::new(Error::is_transient),
            give_up: Box::new(|| false),
            previous: None,
            is_over: false,
        }
    }

    /// Other pauses: `delays` is called when an attempt fails after one that did not. After the last of
    /// its pauses the next error is given out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::{Client, Error};
    /// let client = Client::new();
    /// let mut lines = client
    ///     .reconnect("ws://127.0.0.1:1/") // where nobody listens
    ///     .delays(|| [Duration::from_millis(1), Duration::from_millis(2)]);
    /// assert!(matches!(lines.next(), Some(Err(Error::Connect(_))))); // after 3 attempts
    /// assert!(lines.next().is_none());
    /// ```
    #[must_use]
    pub fn delays<I>(mut self, mut delays: impl FnMut() -> I + Send + 'static) -> Reconnect
    where
        I: IntoIterator<Item = Duration>,
        I::IntoIter: Send + 'static,
    {
        self.delays = Box::new(move || Box::new(delays().into_iter()));
        self
    }

    /// Another opinion on which errors may pass. Default: [`Error::is_transient`].
    ///
    /// ```
    /// use openline::{Client, Error};
    /// let client = Client::new();
    /// let mut lines = client
    ///     .reconnect("ws://127.0.0.1:1/")
    ///     .retry_if(|error| error.is_transient() && !matches!(error, Error::Connect(_)));
    /// assert!(matches!(lines.next(), Some(Err(Error::Connect(_))))); // at once
    /// ```
    #[must_use]
    pub fn retry_if(
        mut self,
        is_transient: impl FnMut(&Error) -> bool + Send + 'static,
    ) -> Reconnect {
        self.is_transient = Box::new(is_transient);
        self
    }

    /// Ends attempts and pauses with [`Error::Interrupted`] when `give_up` says so; it is asked at
    /// least every 50 ms.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use openline::{Client, Error};
    /// static STOP: AtomicBool = AtomicBool::new(true); // set by another thread
    /// let client = Client::new();
    /// let lines = client.reconnect("ws://127.0.0.1:1/");
    /// let mut lines = lines.give_up_when(|| STOP.load(Ordering::Relaxed));
    /// assert!(matches!(lines.next(), Some(Err(Error::Interrupted { .. }))));
    /// ```
    #[must_use]
    pub fn give_up_when(mut self, give_up: impl Fn() -> bool + Send + 'static) -> Reconnect {
        self.give_up = Box::new(give_up);
        self
    }

    fn connect(&self) -> Result<Connection> {
        match &self.path {
            None => self.client.connect_unless(&self.uri, &self.give_up),
            Some(path) => self.client.connect_unix_unless(path, &self.uri, &self.give_up),
        }
    }

    /// The next connection, after as many attempts as it takes.
    fn attempt(&mut self) -> Result<Connection> {
        let mut delays = None;
        loop {
            let error = match self.connect() {
                Err(error) if (self.is_transient)(&error) => error,
                outcome => return outcome,
            };
            let delay = delays.get_or_insert_with(|| (self.delays)()).next();
            let Some(delay) = delay else { return Err(error) };
            log::info!(
                target: journal::CLIENT,
                "connect failed; reconnecting in {:.1} seconds: {error}",
                delay.as_secs_f64()
            );
            self.pause(Deadline::from(delay))?;
        }
    }

    fn pause(&self, until: Deadline) -> Result<()> {
        loop {
            if (self.give_up)() {
                return Err(Error::Interrupted { committed: false });
            }
            if until.has_passed() {
                return Ok(());
            }
            std::thread::sleep(until.remaining().unwrap_or(SLICE).min(SLICE));
        }
    }
}

impl Iterator for Reconnect {
    type Item = Result<Connection>;

    fn next(&mut self) -> Option<Result<Connection>> {
        if self.is_over {
            return None;
        }
        if let Some(previous) = self.previous.take() {
            // It is closed already, most often. If not, how that ends is not what is asked here.
            let _ = previous.close(1000, "");
        }
        let outcome = self.attempt();
        match &outcome {
            Ok(connection) => self.previous = Some(connection.clone()),
            Err(_) => self.is_over = true,
        }
        Some(outcome)
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reconnect { path, uri, is_over, .. } = self;
        f.debug_struct("Reconnect")
            .field("path", path)
            .field("uri", uri)
            .field("is_over", is_over)
            .finish_non_exhaustive()
    }
}

impl Error {
    /// Whether connecting again in a while may do: the network failed, the time was over, or the
    /// server, or a proxy, answered 500, 502, 503 or 504.
    ///
    /// ```
    /// let outcome = openline::connect("ws://127.0.0.1:1/"); // nobody listens there now
    /// assert!(outcome.is_err_and(|error| error.is_transient()));
    /// let outcome = openline::connect("http://localhost/"); // is never a WebSocket
    /// assert!(outcome.is_err_and(|error| !error.is_transient()));
    /// ```
    pub fn is_transient(&self) -> bool {
        let is_busy = |status| matches!(status, 500 | 502 | 503 | 504);
        match self {
            Error::Connect(_) | Error::System { .. } | Error::Timeout { .. } | Error::Tls(_) => {
                true
            }
            Error::Handshake(HandshakeError::InvalidMessage { fault, .. }) => {
                matches!(fault, MessageFault::Eof(_))
            }
            Error::Handshake(HandshakeError::InvalidStatus(response)) => {
                is_busy(response.status_code)
            }
            Error::Proxy(ProxyError::InvalidStatus(response)) => is_busy(response.status_code),
            _ => false,
        }
    }
}

/// The default pauses, as `websockets` has them.
fn backoff() -> impl Iterator<Item = Duration> {
    let chance = f64::from(u16::from_ne_bytes(keys::random())) / f64::from(u16::MAX);
    let growing =
        std::iter::successors(Some(MIN_DELAY), |delay| Some(MAX_DELAY.min(delay.mul_f64(FACTOR))));
    std::iter::once(INITIAL_DELAY.mul_f64(chance)).chain(growing)
}

const INITIAL_DELAY: Duration = Duration::from_secs(5);
const MIN_DELAY: Duration = Duration::from_millis(3100);
const MAX_DELAY: Duration = Duration::from_secs(90);
const FACTOR: f64 = 1.618;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6455_section_7_2_3_pauses_grow_from_a_random_one_to_a_limit() {
        let delays: Vec<Duration> = backoff().take(12).collect();
        assert!(delays[0] <= INITIAL_DELAY);
        assert_eq!(delays[1], MIN_DELAY);
        assert!(delays[1..].windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(delays[11], MAX_DELAY);
        let others: Vec<Duration> = (0..8).filter_map(|_| backoff().next()).collect();
        assert!(others.iter().any(|delay| *delay != delays[0]), "all clients would come at once");
    }
}
