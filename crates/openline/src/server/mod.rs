//! A small server: what it is made with, and how it begins.
//!
//! - [`incoming`]: one client's request, and the answer to it.
//! - [`running`]: accepting, the threads of the handlers, the end.

mod incoming;
mod listener;
mod running;
mod tls;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::extension::Extension;
use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::http::{Request, Response};
use rustls::ServerConfig;

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::extensions::Extensions;
use crate::line::Settings;

pub use incoming::Incoming;
pub use running::RunningServer;

pub(crate) use listener::Listener;
pub(crate) use running::open_for;

use listener::SocketPath;

/// A server that listens and does not serve yet.
///
/// ```
/// use openline::Server;
/// # fn main() -> openline::Result<()> {
/// let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
///     for message in &connection {
///         let Ok(message) = message else { return };
///         if connection.send(&message).is_err() {
///             return;
///         }
///     }
/// })?;
/// let line = openline::connect(&format!("ws://{}/", server.address()))?;
/// line.send("echo")?;
/// assert_eq!(line.recv()?, "echo".into());
/// server.shutdown(); // the client sees 1001, going away
/// assert!(matches!(line.recv(), Err(openline::Error::Closed(closed)) if closed.is_ok()));
/// # Ok(()) }
/// ```
pub struct Server {
    listener: Listener,
    address: Address,
    options: Options,
}

struct Options {
    subprotocols: Vec<String>,
    extensions: Extensions,
    tls: Option<Arc<ServerConfig>>,
    on_request: Option<OnRequest>,
    open_timeout: Option<Duration>,
    settings: Settings,
}

type OnRequest = Box<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

impl Server {
    /// Listens on a TCP address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// [`Error::System`], when the address cannot be listened on.
    ///
    /// ```
    /// use openline::{Error, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let taken = Server::bind(server.address().to_string());
    /// assert!(matches!(taken, Err(Error::System { .. })));
    /// # Ok(()) }
    /// ```
    pub fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Server> {
        let mut name = format!("{address:?}");
        let addresses: Vec<SocketAddr> = address
            .to_socket_addrs()
            .map_err(|error| cannot_listen(name.trim_matches('"'), error))?
            .collect();
        if let Some(first) = addresses.first() {
            name = first.to_string();
        }
        let fail = |error| cannot_listen(&name, error);
        let listener = TcpListener::bind(&addresses[..]).map_err(fail)?;
        let local = listener.local_addr().map_err(fail)?;
        Ok(Server::new(Listener::Tcp(listener), Address::Tcp(local)))
    }

    /// Listens on a Unix socket, which is removed when the server ends.
    ///
    /// # Errors
    ///
    /// As [`bind`](Server::bind), also when the path exists.
    ///
    /// ```
    /// use openline::{Client, Server};
    /// # fn main() -> openline::Result<()> {
    /// # let name = format!("openline-bind-{}.sock", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// let server = Server::bind_unix(&path)?.serve(drop)?;
    /// Client::new().connect_unix(&path, "ws://localhost/")?;
    /// server.shutdown();
    /// assert!(!path.exists());
    /// # Ok(()) }
    /// ```
    pub fn bind_unix(path: impl AsRef<Path>) -> Result<Server> {
        let path = path.as_ref().to_owned();
        let listener = UnixListener::bind(&path)
            .map_err(|error| cannot_listen(&path.display().to_string(), error))?;
        Ok(Server::new(
            Listener::Unix { listener, _path: SocketPath(path.clone()) },
            Address::Unix(path),
        ))
    }

    fn new(listener: Listener, address: Address) -> Server {
        let options = Options {
            subprotocols: Vec::new(),
            extensions: Extensions::new(PerMessageDeflate::server()),
            tls: None,
            on_request: None,
            open_timeout: Some(Duration::from_secs(10)),
            // Who waits for a client must not take the CPU of those who serve others.
            settings: Settings { busy_poll: Some(Duration::ZERO), ..Settings::default() },
        };
        Server { listener, address, options }
    }

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
        self.options.tls = Some(config);
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
        self.options.open_timeout = timeout.into();
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

    /// Where it listens.
    ///
    /// ```
    /// use openline::{Address, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?;
    /// assert!(matches!(server.address(), Address::Tcp(address) if address.port() != 0));
    /// # Ok(()) }
    /// ```
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves in threads of its own: `handler` is called for each connection in a thread of that
    /// connection, which ends, with code 1000, when it returns.
    ///
    /// # Errors
    ///
    /// [`Error::System`] when the accepting thread cannot be started.
    ///
    /// ```
    /// use openline::{Error, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
    ///     let _ = connection.send("the only message");
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.recv()?, "the only message".into());
    /// assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
    /// # Ok(()) }
    /// ```
    pub fn serve(
        self,
        handler: impl Fn(Connection) + Send + Sync + 'static,
    ) -> Result<RunningServer> {
        let Server { listener, address, options } = self;
        RunningServer::start(listener, address, options, handler)
    }

    /// What listens, for what is no WebSocket server.
    pub(crate) fn into_listener(self) -> Listener {
        self.listener
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

fn cannot_listen(address: &str, error: io::Error) -> Error {
    Error::System { action: format!("listen on {address}"), error }
}
