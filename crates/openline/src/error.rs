//! Everything that can go wrong, in one enum whose variants match the exceptions of the Python
//! package one to one.

use std::fmt;
use std::io;

use openline_proto::ProtocolError;
use openline_proto::handshake::HandshakeError;
use openline_proto::proxy::{InvalidProxy, ProxyError};
use openline_proto::uri::InvalidUri;
use thiserror::Error;

use crate::closed::Closed;

/// What a call of this crate can fail with. Each variant says whose fault it is.
///
/// ```
/// use openline::Error;
/// match openline::connect("http://localhost/") {
///     Err(error @ Error::InvalidUri(_)) => assert!(error.to_string().contains("scheme")),
///     other => panic!("{other:?}"),
/// }
/// ```
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
    #[error(transparent)]
    Closed(Closed),
    /// Two threads received at once, or a ping has the payload of another that waits. The caller's
    /// fault.
    #[error("{0}")]
    Concurrency(&'static str),
    /// No connection could be made. The network's fault, or the address's.
    #[error(transparent)]
    Connect(ConnectError),
    /// The opening handshake failed; [`HandshakeError`] says whose fault it is.
    #[error(transparent)]
    Handshake(HandshakeError),
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
    /// The URL of a proxy is not one that can be used. The fault of the caller or the environment.
    #[error(transparent)]
    InvalidProxy(InvalidProxy),
    /// The URI is not one for a WebSocket. The caller's fault.
    #[error(transparent)]
    InvalidUri(InvalidUri),
    /// What failed is a part that the caller brought: a choice of proxies, say, or an extension, whose
    /// error is a [`CodingError`](openline_proto::extension::CodingError).
    #[error("{0}")]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// Something that RFC 6455 forbids to send. The caller's fault.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// The proxy did not make a connection; [`ProxyError`] has what it said. The fault of the proxy,
    /// or of the credentials for it.
    #[error(transparent)]
    Proxy(ProxyError),
    /// The operating system refused what is needed beside a connection: an address to listen on, a
    /// thread. The machine's fault, or the address's.
    #[error("cannot {action}: {error}")]
    System {
        /// What was to be done.
        action: String,
        /// Why it cannot be.
        #[source]
        error: io::Error,
    },
    /// The time was over.
    #[error("timed out while {during}")]
    Timeout {
        /// What was waited for.
        during: Waiting,
        /// Whether a part of a message to send went out; its rest then goes first with the next call.
        committed: bool,
    },
    /// TLS failed. The peer's fault, or that of the trust that was configured.
    #[error(transparent)]
    Tls(TlsError),
}

/// The result of a call of this crate.
///
/// ```
/// fn greet(line: &openline::Connection) -> openline::Result<()> {
///     line.send("hello")
/// }
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// greet(&openline::connect(server.uri())?)?;
/// # Ok(()) }
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// What was waited for when the time was over.
///
/// ```
/// use std::time::Duration;
/// use openline::{Error, Waiting};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// let outcome = line.recv_timeout(Duration::ZERO);
/// assert!(matches!(outcome, Err(Error::Timeout { during: Waiting::Recv, .. })));
/// assert_eq!(Waiting::Recv.to_string(), "waiting for a message");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waiting {
    /// The opening of a connection: addresses, TCP, TLS and the handshake have one deadline.
    Connect,
    /// A Pong.
    Pong,
    /// A Pong that may be behind messages which nobody receives: so many of them wait that nothing more is
    /// read.
    PongBehind {
        /// How many messages wait, and fragments of an unfinished one.
        messages: usize,
    },
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
            Waiting::PongBehind { messages: 1 } => {
                "waiting for a pong; 1 message waits to be received first"
            }
            Waiting::PongBehind { messages } => {
                return write!(
                    f,
                    "waiting for a pong; {messages} messages wait to be received first"
                );
            }
            Waiting::Recv => "waiting for a message",
            Waiting::Send => "waiting for room to send; the peer does not read",
        })
    }
}

/// Why no connection could be made: every address that was tried, with its reason.
///
/// ```
/// use openline::Error;
/// let outcome = openline::connect("ws://127.0.0.1:1/");
/// let Err(Error::Connect(error)) = outcome else { panic!("connected") };
/// assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:1: Connection refused"));
/// ```
#[derive(Debug)]
pub struct ConnectError {
    /// What was to be reached: `host:port` or a path.
    pub(crate) target: String,
    /// Whether that is a proxy on the way, and not the server itself.
    pub(crate) is_proxy: bool,
    /// The address and what happened there. Empty if the name had no address.
    pub(crate) attempts: Vec<(String, io::Error)>,
    /// Why the name could not be resolved.
    pub(crate) resolution: Option<io::Error>,
}

impl ConnectError {
    /// Whether the host's name could not be resolved.
    ///
    /// ```
    /// use openline::Error;
    /// let uri = format!("ws://{}.example/", "a".repeat(64)); // longer than DNS allows
    /// let Err(Error::Connect(error)) = openline::connect(&uri) else { panic!("connected") };
    /// assert!(error.is_resolution());
    /// ```
    pub fn is_resolution(&self) -> bool {
        self.resolution.is_some()
    }

    /// The addresses that were tried, each with its reason.
    ///
    /// ```
    /// use openline::Error;
    /// let outcome = openline::connect("ws://127.0.0.1:1/");
    /// let Err(Error::Connect(error)) = outcome else { panic!("connected") };
    /// let [(address, reason)] = error.attempts() else { panic!("one address") };
    /// assert_eq!(address, "127.0.0.1:1");
    /// assert_eq!(reason.kind(), std::io::ErrorKind::ConnectionRefused);
    /// ```
    pub fn attempts(&self) -> &[(String, io::Error)] {
        &self.attempts
    }

    /// The error that stands for all: the last one.
    ///
    /// ```
    /// use std::io;
    /// use openline::Error;
    /// let outcome = openline::connect("ws://127.0.0.1:1/");
    /// let Err(Error::Connect(error)) = outcome else { panic!("connected") };
    /// assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    /// ```
    pub fn io_error(&self) -> Option<&io::Error> {
        self.resolution.as_ref().or(self.attempts.last().map(|(_, error)| error))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = if self.is_proxy { "proxy " } else { "" };
        write!(f, "cannot connect to {proxy}{}", self.target)?;
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
///
/// ```
/// use openline::{Client, Error};
/// # use openline::rustls;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
/// # let config = rustls::ServerConfig::builder()
/// #     .with_no_client_auth()
/// #     .with_single_cert(vec![cert.der().clone()], key)?;
/// # let server = openline::testing::EchoServer::options().tls(config.into()).start()?;
/// # let config = rustls::ClientConfig::builder()
/// #     .with_root_certificates(rustls::RootCertStore::empty())
/// #     .with_no_client_auth();
/// let client = Client::new().tls(config.into()); // trusts nobody
/// let Err(Error::Tls(error)) = client.connect(server.uri()) else { panic!("connected") };
/// assert!(error.to_string().starts_with("TLS with localhost: certificate verify failed"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TlsError {
    pub(crate) host: String,
    pub(crate) error: io::Error,
}

impl TlsError {
    /// An error of another TLS than rustls, for [`Secure`](crate::transport::Secure).
    ///
    /// ```
    /// use openline::TlsError;
    /// let error = TlsError::new("localhost", std::io::Error::other("unknown cipher"));
    /// assert_eq!(error.to_string(), "TLS with localhost: unknown cipher");
    /// ```
    pub fn new(host: &str, error: io::Error) -> TlsError {
        TlsError { host: host.to_owned(), error }
    }

    pub(crate) fn of_proxy(self) -> TlsError {
        TlsError { host: format!("proxy {}", self.host), ..self }
    }

    /// Whom TLS was to be spoken with: a host, or `proxy` and a host.
    ///
    /// ```
    /// let error = openline::TlsError::new("localhost", std::io::Error::other("no"));
    /// assert_eq!(error.host(), "localhost");
    /// ```
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What went wrong: an error of rustls, of the socket, or of another TLS.
    ///
    /// ```
    /// let error = openline::TlsError::new("localhost", std::io::Error::other("no"));
    /// assert_eq!(error.io_error().to_string(), "no");
    /// ```
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }

    /// The error of rustls, if it was one, rather than of the socket.
    ///
    /// ```
    /// use openline::{Client, Error, rustls};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rcgen::CertifiedKey { cert, signing_key } =
    /// #     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
    /// # let config = rustls::ServerConfig::builder()
    /// #     .with_no_client_auth()
    /// #     .with_single_cert(vec![cert.der().clone()], key)?;
    /// # let server = openline::testing::EchoServer::options().tls(config.into()).start()?;
    /// # let config = rustls::ClientConfig::builder()
    /// #     .with_root_certificates(rustls::RootCertStore::empty())
    /// #     .with_no_client_auth();
    /// let client = Client::new().tls(config.into()); // trusts nobody
    /// let Err(Error::Tls(error)) = client.connect(server.uri()) else { panic!("connected") };
    /// assert!(matches!(error.rustls(), Some(rustls::Error::InvalidCertificate(_))));
    /// # Ok(()) }
    /// ```
    pub fn rustls(&self) -> Option<&rustls::Error> {
        self.error.get_ref().and_then(|error| error.downcast_ref())
    }

    /// Whether the peer's certificate was refused.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let uri = server.uri().replace("ws://", "wss://"); // a server without TLS
    /// let Err(Error::Tls(error)) = openline::connect(&uri) else { panic!("connected") };
    /// assert!(!error.is_verification());
    /// # Ok(()) }
    /// ```
    pub fn is_verification(&self) -> bool {
        matches!(self.rustls(), Some(rustls::Error::InvalidCertificate(_)))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::{CertificateError, Error as Rustls};
        write!(f, "TLS with {}: ", self.host)?;
        match self.rustls() {
            // The second one: it was not made by the key of any CA that is known, either.
            Some(Rustls::InvalidCertificate(
                CertificateError::UnknownIssuer
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            )) => f.write_str(
                "certificate verify failed: unknown issuer; add its CA to the system's trust, or name \
                 it in SSL_CERT_FILE",
            ),
            Some(Rustls::InvalidCertificate(reason))
                if format!("{reason:?}").contains("CaUsedAsEndEntity") =>
            {
                f.write_str(
                    "certificate verify failed: the server's certificate is that of a CA; give the \
                     server one with basicConstraints CA:FALSE, signed by a CA that SSL_CERT_FILE names",
                )
            }
            Some(Rustls::InvalidMessage(_)) => f.write_str(
                "the server does not speak TLS; for a connection without encryption use ws://",
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

impl Error {
    /// No connection to something that has one address, which is its name.
    pub(crate) fn not_connected(target: &str, error: io::Error) -> Error {
        let target = target.to_owned();
        let attempts = vec![(target.clone(), error)];
        Error::Connect(ConnectError { target, is_proxy: false, attempts, resolution: None })
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Error {
        Error::Handshake(error)
    }
}

impl From<InvalidProxy> for Error {
    fn from(error: InvalidProxy) -> Error {
        Error::InvalidProxy(error)
    }
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Error {
        Error::Proxy(error)
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
