//! Opening connections: [`connect`] and the builder behind it.

mod open;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::extension::Extension;
use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::http::Headers;
use openline_proto::proxy::ProxyUri;
use openline_proto::{Role, Uri};
use rustls::ClientConfig;

use crate::connection::Connection;
use crate::dial::Dialing;
use crate::error::{Error, Result};
use crate::extensions::Extensions;
use crate::journal::Journal;
use crate::line::Settings;
use crate::proxy::Choice;
use crate::read;
use crate::reconnect::Reconnect;
use crate::transport::{Secure, Stream};
use crate::trust::Rustls;

use open::Start;

pub(crate) use open::no_driver;

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
    pub(crate) subprotocols: Vec<String>,
    extensions: Extensions,
    headers: Headers,
    user_agent: Option<String>,
    tls: Arc<dyn Secure>,
    server_hostname: Option<String>,
    proxy: Choice,
    proxy_tls: Arc<dyn Secure>,
    proxy_server_hostname: Option<String>,
    address: Option<(String, u16)>,
    dialing: Dialing,
    max_redirects: usize,
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) settings: Settings,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            origin: None,
            subprotocols: Vec::new(),
            extensions: Extensions::new(PerMessageDeflate::client()),
            headers: Headers::new(),
            user_agent: Some(USER_AGENT.to_owned()),
            tls: Arc::new(Rustls::default()),
            server_hostname: None,
            proxy: Choice::Environment,
            proxy_tls: Arc::new(Rustls::default()),
            proxy_server_hostname: None,
            address: None,
            dialing: Dialing::default(),
            max_redirects: 10,
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

    /// How to compress messages, or `None` for not at all (RFC 7692). Default: what [`PerMessageDeflate::client`]
    /// offers.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().compression(None).connect(server.uri())?;
    /// assert!(line.extensions().is_empty());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn compression(mut self, deflate: impl Into<Option<PerMessageDeflate>>) -> Client {
        self.extensions.compression = deflate.into();
        self
    }

    /// Adds an extension to offer, after those that were added before. Compression comes last, unless it
    /// is added here too.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use openline::extension::deflate::PerMessageDeflate;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let deflate = PerMessageDeflate::client().client_no_context_takeover(true);
    /// let line = Client::new().extension(Arc::new(deflate)).connect(server.uri())?;
    /// let offer = line.request().headers.get("Sec-WebSocket-Extensions");
    /// assert_eq!(
    ///     offer,
    ///     Some("permessage-deflate; client_no_context_takeover; client_max_window_bits")
    /// );
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn extension(mut self, extension: Arc<dyn Extension>) -> Client {
        self.extensions.added.push(extension);
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
    pub fn tls(self, config: Arc<ClientConfig>) -> Client {
        self.tls_by(Arc::new(Rustls(Some(config))))
    }

    /// Another TLS than rustls for `wss://`; see the example of [`Secure`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use openline::transport::Secure;
    /// fn client(tls: impl Secure + 'static) -> openline::Client {
    ///     openline::Client::new().tls_by(Arc::new(tls))
    /// }
    /// ```
    #[must_use]
    pub fn tls_by(mut self, tls: Arc<dyn Secure>) -> Client {
        self.tls = tls;
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

    /// The proxy to connect through: `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`, with
    /// user name and password if it wants them. With `socks4` and `socks5` the host's name is resolved
    /// here, with the others by the proxy. Default: what the environment says, by the rules of Python's
    /// `urllib.request`: `wss_proxy`, `socks_proxy` or `https_proxy` for `wss://`, `ws_proxy`,
    /// `socks_proxy`, `https_proxy` or `http_proxy` for `ws://`, in lower or upper case, unless
    /// `no_proxy` names the host.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidProxy`].
    ///
    /// ```
    /// use openline::{Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// let client = Client::new().proxy("socks5h://user:secret@localhost:1080")?;
    /// assert!(matches!(Client::new().proxy("ftp://localhost"), Err(Error::InvalidProxy(_))));
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    pub fn proxy(mut self, url: &str) -> Result<Client> {
        self.proxy = Choice::Fixed(ProxyUri::parse(url)?);
        Ok(self)
    }

    /// Connects directly, whatever the environment says of proxies.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = openline::Client::new().no_proxy().connect(server.uri())?;
    /// assert_eq!(line.timings().proxy, None);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn no_proxy(mut self) -> Client {
        self.proxy = Choice::Direct;
        self
    }

    /// Has `choose` decide on the proxy for each URI, also for those of redirects; `None` is a direct
    /// connection.
    ///
    /// ```
    /// use openline::Client;
    /// use openline::proxy::ProxyUri;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let client = Client::new().proxy_by(|uri| match uri.host() {
    ///     "127.0.0.1" | "localhost" => Ok(None),
    ///     _ => Ok(Some(ProxyUri::parse("http://proxy.example:3128")?)),
    /// });
    /// assert_eq!(client.connect(server.uri())?.timings().proxy, None);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn proxy_by(
        mut self,
        choose: impl Fn(&Uri) -> Result<Option<ProxyUri>> + Send + Sync + 'static,
    ) -> Client {
        self.proxy = Choice::By(Arc::new(choose));
        self
    }

    /// The configuration of TLS to an `https` proxy, as [`tls`](Client::tls) is for the server.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use openline::{Client, rustls};
    /// # fn main() -> openline::Result<()> {
    /// let mut roots = rustls::RootCertStore::empty(); // with the CA of the proxy
    /// # let config = rustls::ClientConfig::builder();
    /// let config = config.with_root_certificates(roots).with_no_client_auth();
    /// let client = Client::new().proxy("https://proxy.example")?.proxy_tls(Arc::new(config));
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn proxy_tls(self, config: Arc<ClientConfig>) -> Client {
        self.proxy_tls_by(Arc::new(Rustls(Some(config))))
    }

    /// Another TLS than rustls to an `https` proxy; see the example of [`Secure`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use openline::transport::Secure;
    /// fn client(tls: impl Secure + 'static) -> openline::Result<openline::Client> {
    ///     let client = openline::Client::new().proxy("https://proxy.example")?;
    ///     Ok(client.proxy_tls_by(Arc::new(tls)))
    /// }
    /// ```
    #[must_use]
    pub fn proxy_tls_by(mut self, tls: Arc<dyn Secure>) -> Client {
        self.proxy_tls = tls;
        self
    }

    /// The name for SNI and for the check of the certificate of an `https` proxy. Default: the host
    /// of the proxy's URL.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// let client = openline::Client::new()
    ///     .proxy("https://192.0.2.1:3129")?
    ///     .proxy_server_hostname("proxy.example");
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn proxy_server_hostname(mut self, name: impl Into<String>) -> Client {
        self.proxy_server_hostname = Some(name.into());
        self
    }

    /// Connects to this host and port in place of the URI's, which is still what the request and TLS
    /// name. Redirects to another origin are refused then.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let openline::Address::Tcp(address) = server.address() else { panic!("not TCP") };
    /// # let port = address.port();
    /// let line = Client::new().address("127.0.0.1", port).connect("ws://staging.example/feed")?;
    /// assert_eq!(line.request().headers.get("Host"), Some("staging.example"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn address(mut self, host: impl Into<String>, port: u16) -> Client {
        self.address = Some((host.into(), port));
        self
    }

    /// Binds the socket to this address first, whose port may be 0. To be called once for each family,
    /// IPv4 and IPv6, that may be used; addresses of others are not tried then.
    ///
    /// ```
    /// use openline::{Address, Client};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().local_address("127.0.0.2:0".parse()?).connect(server.uri())?;
    /// let Address::Tcp(local) = line.local_address() else { panic!("not TCP") };
    /// assert_eq!(local.ip().to_string(), "127.0.0.2");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn local_address(mut self, address: SocketAddr) -> Client {
        self.dialing.local_addresses.push(address);
        self
    }

    /// The time for connecting TCP, within [`open_timeout`](Client::open_timeout). Default: `None`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// Client::new().connect_timeout(Duration::from_secs(1)).connect(server.uri())?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Client {
        self.dialing.connect_timeout = timeout.into();
        self
    }

    /// How many redirects to follow: status 300 to 303, 307 and 308 with a `Location` (RFC 9110
    /// §15.4). Default: 10. Never from `wss://` to `ws://`; to another origin without `Authorization`,
    /// `Cookie` and `Proxy-Authorization`; not over a given stream.
    ///
    /// ```
    /// use openline::http::Response;
    /// use openline::handshake::HandshakeError;
    /// use openline::{Client, Error, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .on_request(|request| match request.path.as_str() {
    ///         "/old" => {
    ///             let mut response = Response::new(301, "");
    ///             response.headers.append("Location", "/new").ok()?;
    ///             Some(response)
    ///         }
    ///         _ => None,
    ///     })
    ///     .serve(|_line| {})?;
    /// let uri = format!("ws://{}/old", server.address());
    /// assert_eq!(Client::new().connect(&uri)?.request().path, "/new");
    /// let outcome = Client::new().max_redirects(0).connect(&uri);
    /// assert!(matches!(outcome, Err(Error::Handshake(HandshakeError::SecurityError(_)))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_redirects(mut self, redirects: usize) -> Client {
        self.max_redirects = redirects;
        self
    }

    /// The time for opening a connection: name resolution, TCP, proxy, TLS, handshake and redirects
    /// together. Default:
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
    /// proxies from cutting an idle line; `None`: none are sent. Zero is as 50 milliseconds.
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
    /// On Linux it is also the time within which the peer's system must acknowledge what was sent, with pings or
    /// without, at most half of it late. A peer that is there and does not read is not ended by that.
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

    /// The time within which a message, or a part of one, must come; pings and pongs do not count, nor does
    /// the time in which we do not read because [`max_queue`](Client::max_queue) is reached. Then the
    /// connection fails with 1011, at most a quarter of the time late. Default: `None`, no limit: many
    /// peers rightly have nothing to say for long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::{Cause, Client, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().idle_timeout(Duration::from_millis(20)).connect(server.uri())?;
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") }; // nothing was sent
    /// assert!(matches!(closed.cause(), Cause::IdleTimeout));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Client {
        self.settings.idle_timeout = timeout.into();
        self
    }

    /// How long a receiver looks for bytes before it sleeps for them. To be woken takes 15 to 30 µs between two
    /// cores, so a peer that answers within that time is heard in half of it, or less, at the price of a core that
    /// works while it waits; a peer that takes longer is not. Default: `None`, which finds out: it looks, for
    /// 50 µs at most, only while the latest answers came within that, and ever more rarely if it was in vain.
    /// `Duration::ZERO`: it never looks. Other times, at most 100 ms, are for a core of one's own.
    ///
    /// The environment variable `OPENLINE_BUSY_POLL_US`, a number of microseconds, says what `None` means.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = Client::new().busy_poll(Duration::from_micros(200)).connect(server.uri())?;
    /// line.send("ping")?;
    /// assert_eq!(line.recv()?, "ping".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn busy_poll(mut self, time: impl Into<Option<Duration>>) -> Client {
        self.settings.busy_poll = time.into();
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

    /// Fragments of one incoming message at most; over it the connection fails with 1009, so that a
    /// message of fragments without end, even of empty ones, ends. Default: 131,072.
    ///
    /// ```
    /// use openline::{Client, Deadline, Error, Kind};
    /// # fn main() -> openline::Result<()> {
    /// let settings = Client::new().max_fragments(2);
    /// let (line, peer) = openline::testing::pair_of(&settings, "ws://localhost/")?;
    /// let mut message = peer.send_fragments(Kind::Text);
    /// for _ in 0..3 {
    ///     message.send(b"", Deadline::NEVER)?;
    /// }
    /// assert!(matches!(line.recv(), Err(Error::Closed(_))));
    /// # drop(message);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_fragments(mut self, fragments: usize) -> Client {
        self.settings.limits.max_fragments = fragments;
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

    /// A function that calls ask now and then while they work without waiting, such as while they compress
    /// a large message: true ends them as a signal ends a wait. For who runs the handlers of signals
    /// himself, as language bindings do. Default: none.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let client = Client::new().interruptible(true).interrupted_by(|| false);
    /// let line = client.connect(server.uri())?;
    /// line.send(&"large".repeat(100_000))?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn interrupted_by(mut self, is_interrupted: fn() -> bool) -> Client {
        self.settings.interrupted_by = Some(is_interrupted);
        self
    }

    /// Where the connections note what happens on them, for a logger; the caller gives it out. Default:
    /// none, and the engine itself gives the records to the [`log`] facade if that wants them, at the level
    /// `debug` with the target `openline::client`.
    ///
    /// ```
    /// use openline::{Client, Journal};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let uri = server.uri();
    /// let journal = Journal::new(None);
    /// Client::new().journal(&journal).connect(uri)?;
    /// journal.give_out(|record| {
    ///     println!("first connection: {record}");
    ///     Ok::<(), std::convert::Infallible>(())
    /// }).expect("infallible");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn journal(mut self, journal: &Journal) -> Client {
        self.settings.journal = Some(journal.clone());
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
        self.open(Start::Network, uri, give_up)
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
        self.open(Start::Unix(path.as_ref()), uri, give_up)
    }

    /// Connects over a stream that is connected already: a socket, or any other blocking stream; see
    /// [`Stream`]. `uri` is what the request says; a `wss://` URI has TLS made over the stream.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect). The stream is closed then.
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use openline::Client;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let socket = TcpStream::connect(server.address().to_string())?;
    /// let line = Client::new().connect_over(socket, "ws://localhost/")?;
    /// line.send("hello")?;
    /// assert_eq!(line.recv()?, "hello".into());
    /// # Ok(()) }
    /// ```
    pub fn connect_over(&self, stream: impl Into<Stream>, uri: &str) -> Result<Connection> {
        self.connect_over_unless(stream, uri, &|| false)
    }

    /// Like [`connect_over`](Client::connect_over), with the `give_up` of
    /// [`connect_unless`](Client::connect_unless).
    ///
    /// # Errors
    ///
    /// As [`connect_unless`](Client::connect_unless).
    ///
    /// ```
    /// use std::net::TcpStream;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let socket = TcpStream::connect(server.address().to_string())?;
    /// let client = openline::Client::new();
    /// let line = client.connect_over_unless(socket, "ws://localhost/", &|| false)?;
    /// assert_eq!(line.response().status_code, 101);
    /// # Ok(()) }
    /// ```
    pub fn connect_over_unless(
        &self,
        stream: impl Into<Stream>,
        uri: &str,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Connection> {
        self.open(Start::Stream(stream.into()), uri, give_up)
    }

    /// A connection over a stream whose opening handshake somebody else has made, such as an HTTP
    /// library, for either side of it; with the limits, times and keepalive of this builder.
    ///
    /// `leftover` is what was read behind the handshake's last byte: the start of the first frames.
    /// Extensions take no part, and nothing is known of the handshake: [`Connection::request`] and
    /// [`Connection::response`] are empty.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] for a socket that is not connected.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use openline::{Client, Role};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let server = Client::new().upgraded(one, Role::Server, b"")?;
    /// server.send("hello")?;
    /// let first_frame = b"\x81\x05early"; // as if it had come with the response
    /// let client = Client::new().upgraded(other, Role::Client, first_frame)?;
    /// assert_eq!(client.recv()?, "early".into());
    /// assert_eq!(client.recv()?, "hello".into());
    /// # Ok(()) }
    /// ```
    pub fn upgraded(
        &self,
        stream: impl Into<Stream>,
        role: Role,
        leftover: &[u8],
    ) -> Result<Connection> {
        self.take_over(stream.into(), role, leftover)
    }

    /// An iterator of connections: a new one after each loss, with growing pauses between attempts
    /// that fail; see [`Reconnect`].
    ///
    /// ```no_run
    /// # fn main() -> openline::Result<()> {
    /// for line in openline::Client::new().reconnect("wss://example.com/feed") {
    ///     let line = line?; // what trying again cannot mend ends the loop
    ///     for message in line.iter() {
    ///         println!("{message:?}");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn reconnect(&self, uri: impl Into<String>) -> Reconnect {
        Reconnect::new(self.clone(), None, uri.into())
    }

    /// Like [`reconnect`](Client::reconnect), over the Unix socket at `path`.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let name = format!("openline-again-{}.sock", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// # let server = openline::testing::EchoServer::options().start_unix(&path)?;
    /// let mut lines = openline::Client::new().reconnect_unix(&path, "ws://localhost/");
    /// assert!(lines.next().is_some_and(|line| line.is_ok()));
    /// # Ok(()) }
    /// ```
    pub fn reconnect_unix(&self, path: impl AsRef<Path>, uri: impl Into<String>) -> Reconnect {
        Reconnect::new(self.clone(), Some(path.as_ref().to_owned()), uri.into())
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
        read::check_busy_poll(self.settings.busy_poll)
    }
}

/// The `User-Agent` of this crate.
const USER_AGENT: &str = concat!("openline/", env!("CARGO_PKG_VERSION"));
