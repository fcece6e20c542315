//! How a connection ended, and what ended it.

use std::fmt;
use std::io;
use std::sync::Arc;

use openline_proto::{CloseCode, CloseFrame, ProtocolError};
use thiserror::Error;

use crate::report::CloseReport;

/// How a connection ended: both Close frames, who was first, and the cause.
///
/// ```
/// use openline::Error;
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.close(1000, "bye")?;
/// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
/// assert_eq!(closed.to_string(), "sent 1000 (OK) bye; then received 1000 (OK) bye");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Closed(Box<CloseReport>);

impl Closed {
    pub(crate) fn new(report: CloseReport) -> Closed {
        Closed(Box::new(report))
    }

    /// The Close frame that came.
    ///
    /// ```
    /// use openline::{CloseFrame, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let options = openline::testing::EchoServer::options();
    /// # let server = options.close_after(0, 4401, "who are you").start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.received(), Some(&CloseFrame::new(4401, "who are you")?));
    /// # Ok(()) }
    /// ```
    pub fn received(&self) -> Option<&CloseFrame> {
        self.0.closing.received()
    }

    /// The Close frame that went out.
    ///
    /// ```
    /// use openline::{CloseFrame, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.close(1001, "bye")?;
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.sent(), Some(&CloseFrame::new(1001, "bye")?));
    /// # Ok(()) }
    /// ```
    pub fn sent(&self) -> Option<&CloseFrame> {
        self.0.closing.sent()
    }

    /// Whether the peer was first; `None` unless both frames were seen.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.close(1000, "")?;
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.received_first(), Some(false)); // we closed
    /// # Ok(()) }
    /// ```
    pub fn received_first(&self) -> Option<bool> {
        self.0.closing.received_first()
    }

    /// Whether it ended as it should: both sides closed with 1000, 1001 or no code.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let options = openline::testing::EchoServer::options();
    /// # let server = options.close_after(0, 1011, "").start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert!(!closed.is_ok()); // the server closed with 1011
    /// # Ok(()) }
    /// ```
    pub fn is_ok(&self) -> bool {
        self.0.closing.is_ok()
    }

    /// What ended it.
    ///
    /// ```
    /// use openline::{Cause, Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().max_size(4).connect(server.uri())?;
    /// line.send("12345")?; // comes back
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert!(matches!(closed.cause(), Cause::TooBig(_)));
    /// # Ok(()) }
    /// ```
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// What else is known of the connection: counters, ages, the latest frames.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.abort();
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// eprintln!("{}", closed.report()); // cause: aborted …
    /// # Ok(()) }
    /// ```
    pub fn report(&self) -> &CloseReport {
        &self.0
    }
}

impl std::error::Error for Closed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Cause::Aborted | Cause::Local | Cause::Peer => None,
            Cause::Io(error)
            | Cause::Reset(error)
            | Cause::TlsEof(error)
            | Cause::UserTimeout(error) => Some(&**error),
            Cause::Protocol(error) | Cause::TooBig(error) => Some(error),
            cause => Some(cause),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.closing.fmt(f)
    }
}

/// What ended a connection: the first thing that made its end certain.
///
/// ```
/// use openline::{Cause, Deadline, Error, Kind};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// let mut message = line.send_fragments(Kind::Text);
/// message.send(b"half a mess", Deadline::NEVER)?;
/// drop(message);
/// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
/// assert!(matches!(closed.cause(), Cause::BrokenOff));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Cause {
    /// [`abort`](crate::Connection::abort) was called, or the last handle was dropped.
    #[error("aborted")]
    Aborted,
    /// Our message in fragments was broken off.
    #[error("message broken off between its fragments")]
    BrokenOff,
    /// The peer did not complete the closing handshake within `close_timeout`.
    #[error("timed out while closing connection")]
    CloseTimeout,
    /// The peer ended the stream without a Close frame.
    #[error("stream ends after the last frame, without a close frame")]
    Eof,
    /// No message came from the peer for `idle_timeout`.
    #[error("idle timeout")]
    IdleTimeout,
    /// Reading or writing failed in another way than those below.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// We closed, and the peer agreed.
    #[error("closed by this side")]
    Local,
    /// The peer closed.
    #[error("closed by the peer")]
    Peer,
    /// Nothing came from the peer for `ping_timeout` after a ping.
    #[error("keepalive ping timeout")]
    PingTimeout,
    /// A frame of the peer broke the protocol.
    #[error("{0}")]
    Protocol(ProtocolError),
    /// The connection was reset: the peer, or something between, does not know it any more.
    #[error("{0}")]
    Reset(Arc<io::Error>),
    /// The stream ended without the goodbye of TLS (`close_notify`): it may have been cut.
    #[error("{0}")]
    TlsEof(Arc<io::Error>),
    /// A message or a fragment of the peer is over a limit of ours.
    #[error("{0}")]
    TooBig(ProtocolError),
    /// What we sent was not acknowledged for `ping_timeout`, or for so long that TCP gave up.
    #[error("{0}")]
    UserTimeout(Arc<io::Error>),
}

impl Cause {
    /// Whether reading or writing failed.
    pub(crate) fn is_io(&self) -> bool {
        matches!(self, Cause::Io(_) | Cause::Reset(_) | Cause::TlsEof(_) | Cause::UserTimeout(_))
    }

    /// Whether it is a fault of ours or the peer's for which we closed: the end of the stream is then
    /// what has to come.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(
            self,
            Cause::BrokenOff
                | Cause::IdleTimeout
                | Cause::PingTimeout
                | Cause::Protocol(_)
                | Cause::TooBig(_)
        )
    }
}

impl From<Arc<io::Error>> for Cause {
    fn from(error: Arc<io::Error>) -> Cause {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset => Cause::Reset(error),
            io::ErrorKind::TimedOut => Cause::UserTimeout(error),
            io::ErrorKind::UnexpectedEof => Cause::TlsEof(error),
            _ => Cause::Io(error),
        }
    }
}

impl From<ProtocolError> for Cause {
    fn from(error: ProtocolError) -> Cause {
        match error.close_code() {
            CloseCode::MESSAGE_TOO_BIG => Cause::TooBig(error),
            _ => Cause::Protocol(error),
        }
    }
}
