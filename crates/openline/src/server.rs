//! A small server: it accepts, shakes hands and runs a handler in a thread for each connection, and
//! ends gracefully.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::extension::{self, Agreed, Extension};
use openline_proto::handshake::server::{
    ServerHandshake, ServerOpen, ServerProgress, ServerReply, ServerRequest,
};
use openline_proto::http::{Limits, Request, Response};
use openline_proto::{CloseCode, CloseFrame, Role};
use rustix::event::{PollFd, PollFlags};
use rustls::ServerConfig;

use crate::address::{self, Address};
use crate::client::{Client, no_driver};
use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::error::{Error, Result, TlsError};
use crate::extensions::Extensions;
use crate::fork::Process;
use crate::journal::{Journal, SERVER, Way};
use crate::line::Settings;
use crate::opening::{Opening, timed_out};
use crate::status::SLICE;
use crate::timings::Timings;
use crate::transport::{Interest, Socket, Tls, Transport, poll_until};

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

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _path: SocketPath },
}

/// The path of a Unix socket, removed with the listener.
#[derive(Debug)]
pub(crate) struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

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
        let fail = |error| cannot_listen(&address.to_string(), error);
        let (wake, woken) = UnixStream::pair().map_err(fail)?;
        listener.set_nonblocking().map_err(fail)?;
        let shared = Arc::new(Shared::new(options, handler));
        let accepting = Acceptor { listener, woken, shared: shared.clone() };
        let thread = std::thread::Builder::new()
            .name("openline-accept".to_owned())
            .spawn(move || accepting.run())
            .map_err(fail)?;
        let process = Process::current();
        Ok(RunningServer { address, process, shared, wake, thread: Some(thread) })
    }

    /// What listens, for what is no WebSocket server.
    pub(crate) fn into_listener(self) -> Listener {
        self.listener
    }
}

/// Shakes hands over a socket with a client that has these settings: they hold for this side, too.
pub(crate) fn open_for(client: &Client, socket: OwnedFd) -> Result<Connection> {
    let options = Options {
        subprotocols: client.subprotocols.clone(),
        extensions: Extensions::new(PerMessageDeflate::server()),
        tls: None,
        on_request: None,
        open_timeout: client.open_timeout,
        settings: client.settings.clone(),
    };
    Shared::new(options, drop).open(socket)
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A server at work. Dropping it shuts it down.
///
/// ```
/// use openline::{Error, Server};
/// # fn main() -> openline::Result<()> {
/// let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
///     while connection.recv().is_ok() {}
/// })?;
/// let line = openline::connect(&format!("ws://{}/", server.address()))?;
/// drop(server);
/// assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
/// # Ok(()) }
/// ```
pub struct RunningServer {
    address: Address,
    /// Whose threads these are. A forked child has none, and locks that they may have held; there nothing
    /// is done.
    process: Process,
    shared: Arc<Shared>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// Where it listens.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.serve(drop)?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.remote_address(), server.address());
    /// # Ok(()) }
    /// ```
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The number of connections that are open.
    ///
    /// ```
    /// use openline::Server;
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
    ///     let _ = connection.send("counted");
    ///     let _ = connection.recv();
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// assert_eq!(line.recv()?, "counted".into());
    /// assert_eq!(server.connections(), 1);
    /// # Ok(()) }
    /// ```
    pub fn connections(&self) -> usize {
        if self.process.is_current() { self.shared.state().connections.len() } else { 0 }
    }

    /// Ends it: no new connections, the open ones are closed with 1001 (going away), and their
    /// handlers have until `close_timeout` to return. Those that do not are left behind.
    ///
    /// ```
    /// use openline::{CloseCode, Error, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
    ///     while connection.recv().is_ok() {}
    /// })?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// server.shutdown();
    /// let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.received().map(|close| close.code()), Some(CloseCode::GOING_AWAY));
    /// # Ok(()) }
    /// ```
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if !self.process.is_current() {
            std::mem::forget(thread); // there is nothing to wait for
            return;
        }
        self.shared.state().is_ending = true;
        // The acceptor is there until it is joined, so the wake arrives.
        let _ = self.wake.write_all(b"x");
        // A panic there was reported by the thread itself.
        let _ = thread.join();
        let connections: Vec<Connection> =
            self.shared.state().connections.values().cloned().collect();
        for connection in &connections {
            connection.start_close(&going_away());
        }
        let deadline = Deadline::from(self.shared.options.settings.close_timeout);
        for connection in &connections {
            // Not interruptible, and of this process.
            let _ = connection.wait_closed(deadline);
        }
        let mut state = self.shared.state();
        while state.threads > 0 {
            let left = deadline.remaining().unwrap_or(SLICE);
            if left.is_zero() {
                return;
            }
            state = match self.shared.thread_ended.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What the threads of a server share.
struct Shared {
    options: Options,
    handler: Box<dyn Fn(Connection) + Send + Sync>,
    state: Mutex<State>,
    thread_ended: Condvar,
}

#[derive(Default)]
struct State {
    is_ending: bool,
    /// Threads with a handshake or a handler.
    threads: usize,
    connections: HashMap<u64, Connection>,
    next_id: u64,
}

impl Shared {
    fn new(options: Options, handler: impl Fn(Connection) + Send + Sync + 'static) -> Shared {
        Shared {
            options,
            handler: Box::new(handler),
            state: Mutex::default(),
            thread_ended: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn is_ending(&self) -> bool {
        self.state().is_ending
    }

    /// The life of one connection, in its thread.
    fn run(&self, socket: OwnedFd) {
        let connection = match self.open(socket) {
            Ok(connection) => connection,
            Err(error) => return log::info!("opening handshake failed: {error}"),
        };
        let open = OpenConnection::new(self, connection);
        if self.is_ending() {
            open.connection.start_close(&going_away());
        }
        (self.handler)(open.connection.clone());
        if let Err(error) = open.connection.close(1000, "") {
            log::info!("closing handshake failed: {error}");
        }
    }

    fn open(&self, socket: OwnedFd) -> Result<Connection> {
        let deadline = Deadline::from(self.options.open_timeout);
        let addresses = address::of(&socket, None);
        let mut transport: Arc<dyn Transport> = Arc::new(Socket::new(socket));
        if let Some(config) = &self.options.tls {
            transport = Arc::new(self.secure(config, transport, deadline)?);
        }
        let (open, extensions) = self.shake_hands(&*transport, deadline)?;
        let ServerOpen { request, response, subprotocol, leftover, .. } = open;
        let driver = Driver::shared().map_err(no_driver)?;
        let journal = Journal::for_target(SERVER);
        if let Some(journal) = &journal {
            journal.state("CONNECTING");
            journal.request(Way::Received, &request);
            journal.response(Way::Sent, &response);
            journal.state("OPEN");
        }
        let settings = Settings { journal, ..self.options.settings.clone() };
        let timings = Timings::default();
        let established =
            Established { addresses, request, response, subprotocol, extensions, timings };
        Ok(Connection::new(transport, Role::Server, settings, &leftover, driver, established))
    }

    fn secure(
        &self,
        config: &Arc<ServerConfig>,
        transport: Arc<dyn Transport>,
        deadline: Deadline,
    ) -> Result<Tls> {
        let fail = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let session = rustls::ServerConnection::new(config.clone())
            .map_err(|error| Error::Tls(TlsError::new(CLIENT, fail(error))))?;
        let is_ending = || self.is_ending();
        Tls::open(transport, session.into(), CLIENT, &Opening::new(deadline, &is_ending))
    }

    fn shake_hands(
        &self,
        transport: &dyn Transport,
        deadline: Deadline,
    ) -> Result<(ServerOpen, Vec<Agreed>)> {
        let mut handshake = ServerHandshake::new(Limits::default());
        let mut buffer = vec![0; REQUEST_READ_LEN];
        loop {
            match transport.try_read(&mut buffer) {
                Ok(0) => return Err(handshake.receive_eof().into()),
                Ok(len) => match handshake.receive(&buffer[..len]) {
                    Ok(ServerProgress::Request(request)) => {
                        return self.answer(transport, request, deadline);
                    }
                    Ok(ServerProgress::Pending(pending)) => handshake = pending,
                    Err(error) => {
                        let mut bytes = Vec::new();
                        error.response().encode(&mut bytes);
                        self.write(transport, &bytes, deadline)?;
                        return Err(error.into());
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(transport, Interest::Read, deadline)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(handshake.receive_eof().into()),
            }
        }
    }

    fn answer(
        &self,
        transport: &dyn Transport,
        request: ServerRequest,
        deadline: Deadline,
    ) -> Result<(ServerOpen, Vec<Agreed>)> {
        let refusal = self.options.on_request.as_ref().and_then(|look| look(request.request()));
        if let Some(response) = refusal {
            let status = response.clone();
            self.write(transport, &request.reject(response), deadline)?;
            return Err(
                openline_proto::handshake::HandshakeError::InvalidStatus(status.into()).into()
            );
        }
        let mut reply = ServerReply::default();
        let spoken = &self.options.subprotocols;
        reply.subprotocol =
            spoken.iter().find(|name| request.subprotocols().contains(name)).cloned();
        let agreed = extension::answer(&self.options.extensions.list(), request.extensions());
        reply.extensions = agreed.iter().map(|agreed| agreed.params.clone()).collect();
        let (bytes, open) = request.accept(reply)?;
        self.write(transport, &bytes, deadline)?;
        Ok((open, agreed))
    }

    fn write(&self, transport: &dyn Transport, mut bytes: &[u8], deadline: Deadline) -> Result<()> {
        loop {
            let outcome = match bytes {
                [] => match transport.try_flush() {
                    Ok(()) => return Ok(()),
                    Err(error) => Err(error),
                },
                _ => transport.try_write(bytes).map(|len| bytes = &bytes[len..]),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(transport, Interest::Write, deadline)?;
                }
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::System { action: "answer the client".to_owned(), error });
                }
                _ => {}
            }
        }
    }

    fn wait(
        &self,
        transport: &dyn Transport,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<()> {
        // An error shows in the next read or write.
        let _ = transport.wait(interest, deadline.min(Deadline::from(SLICE)));
        if deadline.has_passed() || self.is_ending() { Err(timed_out()) } else { Ok(()) }
    }
}

/// A connection in the list of those that a shutdown closes, until its handler is done.
struct OpenConnection<'s> {
    shared: &'s Shared,
    id: u64,
    connection: Connection,
}

impl<'s> OpenConnection<'s> {
    fn new(shared: &'s Shared, connection: Connection) -> OpenConnection<'s> {
        let mut state = shared.state();
        state.next_id += 1;
        let id = state.next_id;
        state.connections.insert(id, connection.clone());
        drop(state);
        OpenConnection { shared, id, connection }
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.shared.state().connections.remove(&self.id);
        if std::thread::panicking() {
            // Nobody is here any more to wait for the answer; the driver does.
            let reason = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, "internal error");
            self.connection.start_close(&reason);
        }
    }
}

/// The thread that accepts.
struct Acceptor {
    listener: Listener,
    woken: UnixStream,
    shared: Arc<Shared>,
}

impl Acceptor {
    fn run(self) {
        while !self.shared.is_ending() {
            match self.listener.accept() {
                Ok(socket) => self.start(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                // A client that left already, or too many descriptors: some may be free soon.
                Err(error) => {
                    log::warn!("cannot accept: {error}");
                    self.pause();
                }
            }
        }
    }

    fn start(&self, socket: OwnedFd) {
        let shared = self.shared.clone();
        shared.state().threads += 1;
        let guard = ThreadGuard(shared);
        let spawned = std::thread::Builder::new()
            .name("openline-connection".to_owned())
            .spawn(move || guard.0.run(socket));
        if let Err(error) = spawned {
            log::warn!("cannot start a thread for a connection: {error}");
        }
    }

    fn wait(&self) {
        let mut fds = [
            PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        // A signal only makes it look again.
        let _ = poll_until(&mut fds, Deadline::NEVER);
    }

    fn pause(&self) {
        let mut fds = [PollFd::new(&self.woken, PollFlags::IN)];
        let _ = poll_until(&mut fds, Deadline::from(SLICE));
    }
}

/// Counts a thread out, however it ends.
struct ThreadGuard(Arc<Shared>);

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        self.0.state().threads -= 1;
        self.0.thread_ended.notify_all();
    }
}

impl Listener {
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => listener.set_nonblocking(true),
            Listener::Unix { listener, .. } => listener.set_nonblocking(true),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<OwnedFd> {
        match self {
            Listener::Tcp(listener) => {
                let (socket, _): (_, SocketAddr) = listener.accept()?;
                socket.set_nonblocking(false)?;
                // As for clients: messages are written whole.
                let _ = socket.set_nodelay(true);
                Ok(socket.into())
            }
            Listener::Unix { listener, .. } => {
                let (socket, _) = listener.accept()?;
                socket.set_nonblocking(false)?;
                Ok(socket.into())
            }
        }
    }

    pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

fn going_away() -> CloseFrame {
    CloseFrame::for_fault(CloseCode::GOING_AWAY, "")
}

fn cannot_listen(address: &str, error: io::Error) -> Error {
    Error::System { action: format!("listen on {address}"), error }
}

/// Read at once during the handshake.
const REQUEST_READ_LEN: usize = 4096;

/// Whom a server speaks TLS with.
const CLIENT: &str = "a client";
