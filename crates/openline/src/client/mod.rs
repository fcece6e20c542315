//! Opening connections: [`connect`] and the builder behind it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientOpen, ClientProgress};
use openline_proto::http::Headers;
use openline_proto::{Role, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::dial;
use crate::driver::Driver;
use crate::error::{Error, Result, TlsError, Waiting};
use crate::keys;
use crate::line::Settings;
use crate::transport::{Interest, Socket, Tls, Transport};
use crate::trust;

/// Connects to a `ws://` or `wss://` URI with the defaults of [`Client`].
///
/// # Errors
///
/// [`Error::InvalidUri`], [`Error::Connect`], [`Error::Tls`], [`Error::Handshake`],
/// [`Error::Timeout`] after 10 seconds.
///
/// ```
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let uri = server.uri();
/// let line = openline::connect(uri)?;
/// line.send("hello")?;
/// assert_eq!(line.recv()?, "hello".into());
/// line.close(1000, "")?;
/// # Ok(()) }
/// ```
pub fn connect(uri: &str) -> Result<Connection> {
    Client::new().connect(uri)
}

/// How to open connections; made once, used for any number of them.
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let uri = server.uri();
/// let client = openline::Client::new()
///     .subprotocols(["chat"])
///     .header("X-Trace", "42")?
///     .open_timeout(Duration::from_secs(3))
///     .ping_interval(None)
///     .max_size(16 << 20);
/// let line = client.connect(uri)?;
/// assert_eq!(line.subprotocol(), None); // this server speaks none
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Headers,
    user_agent: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    server_hostname: Option<String>,
    open_timeout: Option<Duration>,
    settings: Settings,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            origin: None,
            subprotocols: Vec::new(),
            headers: Headers::new(),
            user_agent: Some(USER_AGENT.to_owned()),
            tls: None,
            server_hostname: None,
            open_timeout: Some(Duration::from_secs(10)),
            settings: Settings::default(),
        }
    }
}

impl Client {
    /// The defaults.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().connect(server.uri())?; // as openline::connect does
    /// assert!(!line.is_closed());
    /// # Ok(()) }
    /// ```
    pub fn new() -> Client {
        Client::default()
    }

    /// The `Origin` header. Default: none, as only browsers send it.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().origin("https://example.com").connect(server.uri())?;
    /// assert_eq!(line.request().headers.get("Origin"), Some("https://example.com"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Client {
        self.origin = Some(origin.into());
        self
    }

    /// The subprotocols to offer, in order of preference. Default: none. A choice of the server's
    /// that was not offered fails the handshake.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::options().subprotocols(["v1"]).start()?;
    /// let line = Client::new().subprotocols(["v2", "v1"]).connect(server.uri())?;
    /// assert_eq!(line.subprotocol(), Some("v1")); // this server does not speak v2
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Client {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a header to the request, after the library's own; repeated names are kept.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] for a name or a value that no header can have, such as one with a line
    /// break.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().header("Authorization", "Bearer 42")?.connect(server.uri())?;
    /// assert_eq!(line.request().headers.get("Authorization"), Some("Bearer 42"));
    /// assert!(Client::new().header("X-Trace", "1\r\n2").is_err());
    /// # Ok(()) }
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Result<Client> {
        let appended = self.headers.append(name, value);
        appended.map_err(openline_proto::handshake::HandshakeError::InvalidField)?;
        Ok(self)
    }

    /// The `User-Agent` header; `None` removes it. Default: `openline/` and the version.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().user_agent(Some("probe/1.0")).connect(server.uri())?;
    /// assert_eq!(line.request().headers.get("User-Agent"), Some("probe/1.0"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn user_agent(mut self, user_agent: Option<&str>) -> Client {
        self.user_agent = user_agent.map(str::to_owned);
        self
    }

    /// The configuration of TLS for `wss://`: its trust, client certificates, ALPN. Default: the
    /// system's trust, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    ///
    /// ```
    /// use openline::{Client, rustls};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rcgen::CertifiedKey { cert, signing_key } =
    /// #     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
    /// # let config = rustls::ServerConfig::builder()
    /// #     .with_no_client_auth()
    /// #     .with_single_cert(vec![cert.der().clone()], key)?;
    /// # let server = openline::testing::EchoServer::options().tls(config.into()).start()?;
    /// let mut roots = rustls::RootCertStore::empty();
    /// roots.add(cert.der().clone())?; // a CA of our own
    /// let config = rustls::ClientConfig::builder()
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let line = Client::new().tls(config.into()).connect(server.uri())?; // "wss://localhost:…/"
    /// assert_eq!(line.response().status_code, 101);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Client {
        self.tls = Some(config);
        self
    }

    /// The name for SNI and for the check of the certificate. Default: the URI's host.
    ///
    /// ```
    /// use openline::Client;
    /// # use openline::rustls;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rcgen::CertifiedKey { cert, signing_key } =
    /// #     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
    /// # let config = rustls::ServerConfig::builder()
    /// #     .with_no_client_auth()
    /// #     .with_single_cert(vec![cert.der().clone()], key)?;
    /// # let server = openline::testing::EchoServer::options().tls(config.into()).start()?;
    /// # let mut roots = rustls::RootCertStore::empty();
    /// # roots.add(cert.der().clone())?;
    /// # let config = rustls::ClientConfig::builder()
    /// #     .with_root_certificates(roots)
    /// #     .with_no_client_auth();
    /// let client = Client::new().tls(config.into()).server_hostname("localhost");
    /// let uri = format!("wss://{}/", server.address()); // 127.0.0.1 and the port
    /// assert_eq!(client.connect(&uri)?.response().status_code, 101);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn server_hostname(mut self, name: impl Into<String>) -> Client {
        self.server_hostname = Some(name.into());
        self
    }

    /// The time for opening a connection: name resolution, TCP, TLS and handshake together. Default:
    /// 10 seconds; `None`: no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::{Client, Error};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let silent = std::net::TcpListener::bind("127.0.0.1:0")?; // never answers
    /// let client = Client::new().open_timeout(Duration::from_millis(20));
    /// let outcome = client.connect(&format!("ws://{}/", silent.local_addr()?));
    /// assert!(matches!(outcome, Err(Error::Timeout { .. })));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn open_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Client {
        self.open_timeout = timeout.into();
        self
    }

    /// The time between keepalive pings (RFC 6455 §5.5.2). Default: 20 seconds, which keeps most
    /// proxies from cutting an idle line; `None`: none are sent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().ping_interval(Duration::from_millis(5)).connect(server.uri())?;
    /// while line.latency().is_zero() { // until the driver has pinged and the server has answered
    ///     line.wait_closed(Duration::from_millis(5))?;
    /// }
    /// assert!(!line.is_closed());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Client {
        self.settings.ping_interval = interval.into();
        self
    }

    /// The time within which a keepalive ping must be followed by a sign of life: a pong or any other
    /// bytes. Then the connection fails with 1011. Default: 20 seconds; `None`: never.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let client = Client::new()
    ///     .ping_interval(Duration::from_secs(5))
    ///     .ping_timeout(Duration::from_secs(2));
    /// let line = client.connect(server.uri())?; // a dead peer is noticed within 7 seconds
    /// assert!(!line.is_closed());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ping_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Client {
        self.settings.ping_timeout = timeout.into();
        self
    }

    /// The time for the closing handshake, after which the socket is cut. Default: 10 seconds;
    /// `None`: no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().close_timeout(Duration::from_secs(2)).connect(server.uri())?;
    /// assert_eq!(line.close_timeout(), Some(Duration::from_secs(2)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Client {
        self.settings.close_timeout = timeout.into();
        self
    }

    /// Bytes of an incoming message at most; over it the connection fails with 1009. Default: 1 MiB;
    /// `None`: no limit.
    ///
    /// ```
    /// use openline::{Client, CloseCode, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().max_size(4).connect(server.uri())?;
    /// line.send("12345")?; // comes back
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.sent().map(|close| close.code()), Some(CloseCode::MESSAGE_TOO_BIG));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_size(mut self, bytes: impl Into<Option<usize>>) -> Client {
        self.settings.limits.max_message = bytes.into();
        self
    }

    /// Bytes of one frame of an incoming message at most. Default: `None`, only
    /// [`max_size`](Client::max_size) holds.
    ///
    /// ```
    /// use openline::{Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().max_fragment_size(4).connect(server.uri())?;
    /// line.send("1234")?;
    /// assert_eq!(line.recv()?, "1234".into());
    /// line.send("12345")?;
    /// assert!(matches!(line.recv(), Err(Error::Closed(_))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_fragment_size(mut self, bytes: impl Into<Option<usize>>) -> Client {
        self.settings.limits.max_fragment = bytes.into();
        self
    }

    /// Received messages that may wait for `recv`; beyond, the socket is not read, so that the peer
    /// has to wait, and nothing is dropped. Default: 16; `None`: no limit.
    ///
    /// ```
    /// use openline::{Client, Deadline};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().max_queue(1).connect(server.uri())?;
    /// line.send_many(["a", "b", "c"], Deadline::NEVER).1?;
    /// for expected in ["a", "b", "c"] { // the others waited in the socket
    ///     assert_eq!(line.recv()?, expected.into());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_queue(mut self, messages: impl Into<Option<usize>>) -> Client {
        self.settings.max_queue = messages.into();
        self
    }

    /// How many waiting messages are few enough to read on after `max_queue` was reached. Default:
    /// a quarter of it.
    ///
    /// ```
    /// use openline::{Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// Client::new().max_queue(100).resume_queue(90).connect(server.uri())?;
    /// let outcome = Client::new().max_queue(100).resume_queue(101).connect(server.uri());
    /// assert!(matches!(outcome, Err(Error::Argument(_))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn resume_queue(mut self, messages: impl Into<Option<usize>>) -> Client {
        self.settings.resume_queue = messages.into();
        self
    }

    /// Whether calls that wait return [`Error::Interrupted`] when a signal handler ran (at the latest
    /// after 50 ms), so that the caller can act on the signal and call again. Default: false, they go
    /// on. A language binding wants this.
    ///
    /// ```
    /// use openline::{Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().interruptible(true).connect(server.uri())?;
    /// line.send("hello")?;
    /// let message = loop {
    ///     match line.recv() {
    ///         Err(Error::Interrupted { .. }) => {} // the place to act on the signal
    ///         outcome => break outcome?,
    ///     }
    /// };
    /// assert_eq!(message, "hello".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn interruptible(mut self, interruptible: bool) -> Client {
        self.settings.interruptible = interruptible;
        self
    }

    /// Connects to a `ws://` or `wss://` URI.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUri`], [`Error::Connect`], [`Error::Tls`], [`Error::Handshake`],
    /// [`Error::Timeout`]. Nothing is left behind then.
    ///
    /// ```
    /// use openline::{Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let client = Client::new().ping_interval(None);
    /// let (one, other) = (client.connect(server.uri())?, client.connect(server.uri())?);
    /// assert_ne!(one.local_address(), other.local_address());
    /// assert!(matches!(client.connect("http://localhost/"), Err(Error::InvalidUri(_))));
    /// # Ok(()) }
    /// ```
    pub fn connect(&self, uri: &str) -> Result<Connection> {
        self.connect_unless(uri, &|| false)
    }

    /// Like [`connect`](Client::connect), asking `give_up` after each signal and at least every 50 ms
    /// during name resolution.
    ///
    /// # Errors
    ///
    /// Also [`Error::Interrupted`], when `give_up` says so.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// static STOP: AtomicBool = AtomicBool::new(false); // set by a signal handler
    /// let line = Client::new().connect_unless(server.uri(), &|| STOP.load(Ordering::Relaxed))?;
    /// assert!(!line.is_closed());
    /// # Ok(()) }
    /// ```
    pub fn connect_unless(&self, uri: &str, give_up: &dyn Fn() -> bool) -> Result<Connection> {
        self.check()?;
        let uri = Uri::parse(uri)?;
        let deadline = Deadline::from(self.open_timeout);
        let handshake = self.handshake(&uri)?;
        let socket = dial::tcp(uri.host(), uri.port(), deadline, give_up)?;
        self.open(&uri, handshake, socket, None, deadline, give_up)
    }

    /// Connects over the Unix socket at `path`; `uri` is what the request says, such as
    /// `ws://localhost/`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("openline-{}.sock", std::process::id()));
    /// # let server = openline::testing::EchoServer::options().start_unix(&path)?;
    /// let line = openline::Client::new().connect_unix(&path, "ws://localhost/feed")?;
    /// assert_eq!(line.request().path, "/feed");
    /// # Ok(()) }
    /// ```
    pub fn connect_unix(&self, path: impl AsRef<Path>, uri: &str) -> Result<Connection> {
        self.connect_unix_unless(path, uri, &|| false)
    }

    /// Like [`connect_unix`](Client::connect_unix), with the `give_up` of
    /// [`connect_unless`](Client::connect_unless).
    ///
    /// # Errors
    ///
    /// As [`connect_unless`](Client::connect_unless).
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let name = format!("openline-unless-{}.sock", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// # let server = openline::testing::EchoServer::options().start_unix(&path)?;
    /// let line = Client::new().connect_unix_unless(&path, "ws://localhost/", &|| false)?;
    /// assert_eq!(line.request().path, "/");
    /// # Ok(()) }
    /// ```
    pub fn connect_unix_unless(
        &self,
        path: impl AsRef<Path>,
        uri: &str,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Connection> {
        self.check()?;
        let uri = Uri::parse(uri)?;
        let deadline = Deadline::from(self.open_timeout);
        let handshake = self.handshake(&uri)?;
        let path = path.as_ref().to_owned();
        let socket = dial::unix(&path, deadline, give_up)?;
        self.open(&uri, handshake, socket, Some(path), deadline, give_up)
    }

    /// Refuses settings that contradict each other, before anything is opened.
    fn check(&self) -> Result<()> {
        let Settings { max_queue, resume_queue, .. } = self.settings;
        if max_queue == Some(0) {
            return Err(Error::Argument(
                "max_queue is 0: at least one message must fit".to_owned(),
            ));
        }
        if let (Some(max), Some(resume)) = (max_queue, resume_queue)
            && resume >= max.max(1)
            && resume != max
        {
            return Err(Error::Argument(format!("resume_queue {resume} is over max_queue {max}")));
        }
        Ok(())
    }

    fn handshake(&self, uri: &Uri) -> Result<ClientHandshake> {
        let mut offer = ClientOffer::default();
        offer.origin = self.origin.clone();
        offer.subprotocols = self.subprotocols.clone();
        offer.additional_headers = self.headers.clone();
        offer.user_agent = self.user_agent.clone();
        Ok(ClientHandshake::new(uri, offer, keys::random())?)
    }

    fn open(
        &self,
        uri: &Uri,
        handshake: ClientHandshake,
        socket: OwnedFd,
        path: Option<PathBuf>,
        deadline: Deadline,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Connection> {
        let addresses = crate::address::of(&socket, path.as_deref());
        let socket = Socket::new(socket);
        let transport: Arc<dyn Transport> = match uri.is_secure() {
            false => Arc::new(socket),
            true => Arc::new(self.secure(uri, socket, deadline, give_up)?),
        };
        let open = shake_hands(&*transport, handshake, deadline, give_up)?;
        let driver = Driver::shared().map_err(no_driver)?;
        let established = Established {
            addresses,
            request: open.request,
            response: open.response,
            subprotocol: open.subprotocol,
        };
        let settings = self.settings.clone();
        Ok(Connection::new(transport, Role::Client, settings, &open.leftover, driver, established))
    }

    fn secure(
        &self,
        uri: &Uri,
        socket: Socket,
        deadline: Deadline,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Tls> {
        let host = self.server_hostname.as_deref().unwrap_or(uri.host());
        let fail = |error| Error::Tls(TlsError { host: host.to_owned(), error });
        let fail_tls =
            |error: rustls::Error| fail(io::Error::new(io::ErrorKind::InvalidData, error));
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => trust::client_config().map_err(fail_tls)?,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Error::Argument(format!(
                "server_hostname {host:?} is neither a DNS name nor an address"
            ))
        })?;
        let session = rustls::ClientConnection::new(config, name).map_err(fail_tls)?;
        let tls = Tls::new(socket, session.into());
        loop {
            match tls.handshake(deadline) {
                Ok(()) => return Ok(tls),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    dial::check(deadline, give_up)?;
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(timed_out()),
                Err(error) => return Err(fail(error)),
            }
        }
    }
}

/// Sends the request and reads the response.
fn shake_hands(
    transport: &dyn Transport,
    mut handshake: ClientHandshake,
    deadline: Deadline,
    give_up: &dyn Fn() -> bool,
) -> Result<ClientOpen> {
    let mut request = Vec::new();
    handshake.encode_request(&mut request);
    let mut sent = 0;
    let mut buffer = vec![0; RESPONSE_READ_LEN];
    loop {
        let outcome = if sent < request.len() {
            transport.try_write(&request[sent..]).map(|len| sent += len)
        } else {
            transport.try_flush()
        };
        // A server may refuse, and close, before it has read the request.
        let interest = match outcome {
            Ok(()) if sent < request.len() => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Interest::ReadOrWrite,
            _ => Interest::Read,
        };
        match transport.try_read(&mut buffer) {
            Ok(0) => return Err(handshake.receive_eof().into()),
            Ok(len) => match handshake.receive(&buffer[..len])? {
                ClientProgress::Open(open) => return Ok(open),
                ClientProgress::Pending(pending) => handshake = pending,
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match transport.wait(interest, deadline) {
                    Ok(ready) if ready.is_none() => return Err(timed_out()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        dial::check(deadline, give_up)?;
                    }
                    Err(_) => return Err(handshake.receive_eof().into()),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(handshake.receive_eof().into()),
        }
        // A peer that dribbles does not get more time.
        dial::check(deadline, &|| false)?;
    }
}

pub(crate) fn timed_out() -> Error {
    Error::Timeout { during: Waiting::Connect, committed: false }
}

pub(crate) fn no_driver(error: io::Error) -> Error {
    Error::System { action: "start the driver's thread".to_owned(), error }
}

/// The `User-Agent` of this crate.
const USER_AGENT: &str = concat!("openline/", env!("CARGO_PKG_VERSION"));

/// Read at once during the handshake; a response has some 200 bytes.
const RESPONSE_READ_LEN: usize = 4096;
