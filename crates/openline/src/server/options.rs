//! What a server is made with.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::extension::Extension;
use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::http::{Request, Response};
use rustls::ServerConfig;

use super::Server;
use super::lobby::LobbyOptions;
use super::tls::Certified;
use crate::extensions::Extensions;
use crate::line::Settings;

pub(super) struct Options {
    pub(super) lobby: LobbyOptions,
    pub(super) subprotocols: Vec<String>,
    pub(super) select_subprotocol: Option<SelectSubprotocol>,
    pub(super) is_origin_allowed: Option<IsOriginAllowed>,
    pub(super) extensions: Extensions,
    pub(super) on_request: Option<OnRequest>,
    pub(super) server_header: Option<String>,
    pub(super) max_connections: Option<usize>,
    pub(super) workers: usize,
    pub(super) settings: Settings,
}

type SelectSubprotocol = Box<dyn Fn(&Request, &[String]) -> Option<String> + Send + Sync>;
type IsOriginAllowed = Box<dyn Fn(Option<&str>) -> bool + Send + Sync>;
type OnRequest = Box<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

impl Default for Options {
    fn default() -> Options {
        Options {
            lobby: LobbyOptions::default(),
            subprotocols: Vec::new(),
            select_subprotocol: None,
            is_origin_allowed: None,
            extensions: Extensions::new(PerMessageDeflate::server()),
            on_request: None,
            server_header: Some(concat!("openline/", env!("CARGO_PKG_VERSION")).to_owned()),
            max_connections: None,
            workers: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            // Who waits for a client must not take the CPU of those who serve others.
            settings: Settings { busy_poll: Some(Duration::ZERO), ..Settings::default() },
        }
    }
}

impl Server {
    /// The subprotocols that are spoken, in order of preference: the first that the client offers is
    /// agreed on. Default: none.
    ///
    /// ```
    /// use openline::{Client, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.subprotocols(["v2", "v1"]).serve(drop)?;
    /// let uri = format!("ws://{}/", server.address());
    /// let line = Client::new().subprotocols(["v1", "v2"]).connect(&uri)?;
    /// assert_eq!(line.subprotocol(), Some("v2")); // the server's preference counts
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Server {
        self.options.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Chooses the subprotocol in place of [`subprotocols`](Server::subprotocols): `select` sees the request and what
    /// the client offers, and gives one of that, or `None` for none. One that the client does not offer is answered
    /// with 500.
    ///
    /// ```
    /// use openline::{Client, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .select_subprotocol(|_request, offered| offered.iter().max().cloned())
    ///     .serve(drop)?;
    /// let uri = format!("ws://{}/", server.address());
    /// let line = Client::new().subprotocols(["v1", "v2"]).connect(&uri)?;
    /// assert_eq!(line.subprotocol(), Some("v2"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn select_subprotocol(
        mut self,
        select: impl Fn(&Request, &[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        self.options.select_subprotocol = Some(Box::new(select));
        self
    }

    /// Which web pages may connect: `is_allowed` sees the header `Origin`, which browsers always send, and other
    /// clients seldom do (RFC 6455 §10.2). Others are answered 403. Default: all.
    ///
    /// ```
    /// use openline::{Client, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .origins(|origin| matches!(origin, None | Some("https://example.com")))
    ///     .serve(drop)?;
    /// let uri = format!("ws://{}/", server.address());
    /// assert!(openline::connect(&uri).is_ok()); // no browser
    /// assert!(Client::new().origin("https://elsewhere.com").connect(&uri).is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn origins(
        mut self,
        is_allowed: impl Fn(Option<&str>) -> bool + Send + Sync + 'static,
    ) -> Server {
        self.options.is_origin_allowed = Some(Box::new(is_allowed));
        self
    }

    /// How to compress messages, or `None` for not at all (RFC 7692). Default: what
    /// [`PerMessageDeflate::server`] accepts.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.compression(None).serve(drop)?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert!(line.extensions().is_empty());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn compression(mut self, deflate: impl Into<Option<PerMessageDeflate>>) -> Server {
        self.options.extensions.compression = deflate.into();
        self
    }

    /// Adds an extension to accept, after those that were added before. Compression comes last, unless it
    /// is added here too.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use openline::Server;
    /// use openline::extension::deflate::PerMessageDeflate;
    /// # fn main() -> openline::Result<()> {
    /// let deflate = PerMessageDeflate::server().server_no_context_takeover(true);
    /// let server = Server::bind("127.0.0.1:0")?.extension(Arc::new(deflate)).serve(drop)?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// let answer = line.response().headers.get("Sec-WebSocket-Extensions");
    /// assert!(answer.is_some_and(|answer| answer.contains("server_no_context_takeover")));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn extension(mut self, extension: Arc<dyn Extension>) -> Server {
        self.options.extensions.added.push(extension);
        self
    }

    /// Serves `wss://` with this certificate and key.
    ///
    /// ```
    /// use openline::{Client, Server, rustls};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rcgen::CertifiedKey { cert, signing_key } =
    /// #     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
    /// # let mut roots = rustls::RootCertStore::empty();
    /// # roots.add(cert.der().clone())?;
    /// # let client = rustls::ClientConfig::builder()
    /// #     .with_root_certificates(roots)
    /// #     .with_no_client_auth();
    /// # let client = Client::new().tls(client.into()).server_hostname("localhost");
    /// let config = rustls::ServerConfig::builder()
    ///     .with_no_client_auth()
    ///     .with_single_cert(vec![cert.der().clone()], key)?;
    /// let server = Server::bind("127.0.0.1:0")?.tls(config.into()).serve(drop)?;
    /// assert!(client.connect(&format!("wss://{}/", server.address())).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Server {
        self.options.lobby.tls = Some(Arc::new(Certified(config)));
        self
    }

    /// Looks at each request before it is accepted; a response refuses it.
    ///
    /// ```
    /// use openline::{Server, http::Response};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .on_request(|request| (request.path != "/feed").then(|| Response::new(404, "Not Found")))
    ///     .serve(drop)?;
    /// let refused = openline::connect(&format!("ws://{}/other", server.address()));
    /// assert!(refused.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_request(
        mut self,
        look: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    ) -> Server {
        self.options.on_request = Some(Box::new(look));
        self
    }

    /// The time for TLS and the opening handshake. Default: 10 seconds.
    ///
    /// ```
    /// use std::io::Read;
    /// use std::net::TcpStream;
    /// use std::time::Duration;
    /// use openline::Server;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::bind("127.0.0.1:0")?.open_timeout(Duration::from_millis(20));
    /// let server = server.serve(drop)?;
    /// let mut silent = TcpStream::connect(server.address().to_string())?;
    /// assert_eq!(silent.read(&mut [0])?, 0); // cut: no request came
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn open_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.options.lobby.open_timeout = timeout.into();
        self
    }

    /// As [`Client::max_size`](crate::Client::max_size).
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.max_size(4 << 20).serve(|connection| {
    ///     let Ok(message) = connection.recv() else { return };
    ///     let _ = connection.send(&message.as_bytes().len().to_string());
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// line.send(&vec![0; 2 << 20])?;
    /// assert_eq!(line.recv()?, "2097152".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_size(mut self, bytes: impl Into<Option<usize>>) -> Server {
        self.options.settings.limits.max_message = bytes.into();
        self
    }

    /// As [`Client::ping_interval`](crate::Client::ping_interval).
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.ping_interval(Duration::from_millis(5));
    /// let server = server.serve(|connection| {
    ///     while connection.latency().is_zero() {
    ///         let _ = connection.wait_closed(Duration::from_millis(5));
    ///     }
    ///     let _ = connection.send("pinged and answered");
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.recv()?, "pinged and answered".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Server {
        self.options.settings.ping_interval = interval.into();
        self
    }

    /// As [`Client::ping_timeout`](crate::Client::ping_timeout).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// let server = openline::Server::bind("127.0.0.1:0")?.ping_timeout(None);
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ping_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.options.settings.ping_timeout = timeout.into();
        self
    }

    /// As [`Client::idle_timeout`](crate::Client::idle_timeout): it drops clients that only answer pings.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// let server = openline::Server::bind("127.0.0.1:0")?.idle_timeout(Duration::from_secs(600));
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.options.settings.idle_timeout = timeout.into();
        self
    }

    /// As [`Client::max_queue`](crate::Client::max_queue).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// let server = openline::Server::bind("127.0.0.1:0")?.max_queue(100);
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_queue(mut self, messages: impl Into<Option<usize>>) -> Server {
        self.options.settings.max_queue = messages.into();
        self
    }

    /// As [`Client::close_timeout`](crate::Client::close_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.close_timeout(Duration::from_secs(1));
    /// let server = server.serve(|connection| {
    ///     assert_eq!(connection.close_timeout(), Some(Duration::from_secs(1)));
    ///     let _ = connection.send("checked");
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.recv()?, "checked".into());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.options.settings.close_timeout = timeout.into();
        self
    }

    /// The `Server` header of answers; `None` leaves it out. Default: `openline/` and the version.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.server_header(Some("chat")).serve(drop)?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.response().headers.get("Server"), Some("chat"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn server_header(mut self, value: Option<&str>) -> Server {
        self.options.server_header = value.map(str::to_owned);
        self
    }

    /// How many connections may be open; further clients are answered 503. Default: no limit.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.max_connections(1).serve(|connection| {
    ///     let _ = connection.recv();
    /// })?;
    /// let uri = format!("ws://{}/", server.address());
    /// let first = openline::connect(&uri)?;
    /// assert!(openline::connect(&uri).is_err());
    /// # drop(first);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_connections(mut self, connections: impl Into<Option<usize>>) -> Server {
        self.options.max_connections = connections.into();
        self
    }

    /// As [`LobbyOptions::max_per_address`](crate::LobbyOptions::max_per_address). Behind a proxy all clients have
    /// its address.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.max_per_address(1).serve(|connection| {
    ///     let _ = connection.recv();
    /// })?;
    /// let uri = format!("ws://{}/", server.address());
    /// let first = openline::connect(&uri)?;
    /// assert!(openline::connect(&uri).is_err());
    /// # drop(first);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_per_address(mut self, clients: impl Into<Option<usize>>) -> Server {
        self.options.lobby.max_per_address = clients.into();
        self
    }

    /// As [`LobbyOptions::max_handshakes`](crate::LobbyOptions::max_handshakes).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// let server = openline::Server::bind("127.0.0.1:0")?.max_handshakes(1_000);
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_handshakes(mut self, clients: impl Into<Option<usize>>) -> Server {
        self.options.lobby.max_handshakes = clients.into();
        self
    }

    /// How many threads serve the connections of [`serve_messages`](Server::serve_messages), while none is held up:
    /// when no callback has returned for 20 ms, and others wait, one more thread helps. Default: as many as the
    /// machine has processors.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// let server = openline::Server::bind("127.0.0.1:0")?.workers(8);
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Server {
        self.options.workers = threads.max(1);
        self
    }
}
