//! Everything that can go wrong, in one enum whose variants match the exceptions of the Python
//! package one to one.

use std::fmt;
use std::io;
use std::sync::Arc;

use openline_proto::handshake::HandshakeError;
use openline_proto::uri::InvalidUri;
use openline_proto::{CloseFrame, ClosingHandshake, ProtocolError};
use thiserror::Error;

/// What a call of this crate can fail with. Each variant says whose fault it is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument that cannot be honoured. The caller's fault.
    #[error("{0}")]
    Argument(String),
    /// A message that does not fit into the buffer of `recv_into`; it is kept for the next call.
    /// The caller's fault.
    #[error("message of {needed} bytes does not fit into a buffer of {available}; it is kept")]
    BufferTooSmall {
        /// Bytes of the message.
        needed: usize,
        /// Bytes of the buffer.
        available: usize,
    },
    /// The connection is closed; the content says by whom and why.
    #[error("{0}")]
    Closed(Closed),
    /// Two threads received at once, or a ping has the payload of another that waits. The caller's
    /// fault.
    #[error("{0}")]
    Concurrency(&'static str),
    /// No connection could be made. The network's fault, or the address's.
    #[error("{0}")]
    Connect(#[source] ConnectError),
    /// The opening handshake failed; [`HandshakeError`] says whose fault it is.
    #[error("{0}")]
    Handshake(#[source] HandshakeError),
    /// A signal handler ran, on a connection that was made
    /// [`interruptible`](crate::Client::interruptible). Nothing is lost: call again to go on.
    #[error("interrupted by a signal")]
    Interrupted {
        /// Whether a part of the message to send went out. If so, [`flush`](crate::Connection::flush)
        /// goes on with it; if not, send it again.
        committed: bool,
    },
    /// The connection belongs to the process from which this one was forked. The caller's fault.
    #[error("connection made in another process; connect again after fork")]
    Forked,
    /// The URI is not one for a WebSocket. The caller's fault.
    #[error("{0}")]
    InvalidUri(#[source] InvalidUri),
    /// Something that RFC 6455 forbids to send. The caller's fault.
    #[error("{0}")]
    Protocol(#[source] ProtocolError),
    /// The time was over.
    #[error("timed out while {during}")]
    Timeout {
        /// What was waited for.
        during: Waiting,
        /// Whether a part of a message to send went out; its rest then goes first with the next call.
        committed: bool,
    },
    /// TLS failed. The peer's fault, or that of the trust that was configured.
    #[error("{0}")]
    Tls(#[source] TlsError),
}

/// The result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What was waited for when the time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waiting {
    /// The opening of a connection: addresses, TCP, TLS and the handshake have one deadline.
    Connect,
    /// A Pong.
    Pong,
    /// A message.
    Recv,
    /// Room to send.
    Send,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Waiting::Connect => "opening the connection",
            Waiting::Pong => "waiting for a pong",
            Waiting::Recv => "waiting for a message",
            Waiting::Send => "waiting for room to send; the peer does not read",
        })
    }
}

/// How a connection ended: both Close frames, who was first, and the cause.
#[derive(Clone, Debug)]
pub struct Closed {
    pub(crate) handshake: ClosingHandshake,
    pub(crate) cause: Option<Cause>,
}

impl Closed {
    /// The Close frame that came.
    pub fn received(&self) -> Option<&CloseFrame> {
        self.handshake.received()
    }

    /// The Close frame that went out.
    pub fn sent(&self) -> Option<&CloseFrame> {
        self.handshake.sent()
    }

    /// Whether the peer was first; `None` unless both frames were seen.
    pub fn received_first(&self) -> Option<bool> {
        self.handshake.received_first()
    }

    /// Whether it ended as it should: both sides closed with 1000, 1001 or no code.
    pub fn is_ok(&self) -> bool {
        self.handshake.is_ok()
    }

    /// What ended it, if it was not a closing handshake.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handshake.fmt(f)
    }
}

/// What ended a connection other than a closing handshake.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Cause {
    /// Our message in fragments was broken off.
    #[error("message broken off between its fragments")]
    BrokenOff,
    /// The peer did not complete the closing handshake within `close_timeout`.
    #[error("timed out while closing connection")]
    CloseTimeout,
    /// The peer ended the stream without a Close frame.
    #[error("stream ends after the last frame, without a close frame")]
    Eof,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// Nothing came from the peer for `ping_timeout` after a ping.
    #[error("keepalive ping timeout")]
    PingTimeout,
    /// A frame of the peer broke the protocol or a limit.
    #[error("{0}")]
    Protocol(ProtocolError),
}

/// Why no connection could be made: every address that was tried, with its reason.
#[derive(Debug)]
pub struct ConnectError {
    /// What was to be reached: `host:port` or a path.
    pub(crate) target: String,
    /// The address and what happened there. Empty if the name had no address.
    pub(crate) attempts: Vec<(String, io::Error)>,
    /// Why the name could not be resolved.
    pub(crate) resolution: Option<io::Error>,
}

impl ConnectError {
    /// Whether the host's name could not be resolved.
    pub fn is_resolution(&self) -> bool {
        self.resolution.is_some()
    }

    /// The addresses that were tried, each with its reason.
    pub fn attempts(&self) -> &[(String, io::Error)] {
        &self.attempts
    }

    /// The error that stands for all: the last one.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.resolution.as_ref().or(self.attempts.last().map(|(_, error)| error))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}", self.target)?;
        if let Some(error) = &self.resolution {
            return write!(f, ": {error}");
        }
        for (n, (address, error)) in self.attempts.iter().enumerate() {
            let separator = if n == 0 { ": " } else { "; " };
            f.write_str(separator)?;
            if *address != self.target {
                write!(f, "{address}: ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.io_error().map(|error| error as _)
    }
}

/// Why TLS failed, and with whom.
#[derive(Debug)]
pub struct TlsError {
    pub(crate) host: String,
    pub(crate) error: io::Error,
}

impl TlsError {
    /// The error of rustls, if it was one, rather than of the socket.
    pub fn rustls(&self) -> Option<&rustls::Error> {
        self.error.get_ref().and_then(|error| error.downcast_ref())
    }

    /// Whether the peer's certificate was refused.
    pub fn is_verification(&self) -> bool {
        matches!(self.rustls(), Some(rustls::Error::InvalidCertificate(_)))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::{CertificateError, Error as Rustls};
        write!(f, "TLS with {}: ", self.host)?;
        match self.rustls() {
            Some(Rustls::InvalidCertificate(CertificateError::UnknownIssuer)) => f.write_str(
                "certificate verify failed: unknown issuer; add its CA to the system's trust, or name \
                 it in SSL_CERT_FILE",
            ),
            Some(Rustls::InvalidCertificate(reason)) => {
                write!(f, "certificate verify failed: {reason}")
            }
            Some(error) => write!(f, "{error}"),
            None if self.error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("connection closed during the TLS handshake")
            }
            None => write!(f, "{}", self.error),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Error {
        Error::Handshake(error)
    }
}

impl From<InvalidUri> for Error {
    fn from(error: InvalidUri) -> Error {
        Error::InvalidUri(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Error {
        Error::Protocol(error)
    }
}
