//! A server: how it begins.
//!
//! ```text
//! Listener ─▶ Lobby (one thread: TLS, the requests) ─▶ Incoming ─▶ Pool (a thread: the answer) ─┬▶ the handler
//!                                                                                              └▶ Rota (callbacks)
//! ```
//!
//! - [`options`]: what it is made with.
//! - [`lobby`]: accepting, and the requests; [`reception`]: one client's part of it, [`refusal`] an answer that
//!   opens no connection.
//! - [`incoming`]: one client's request, and the answer to it; [`answer`]: which one a server gives.
//! - [`pool`]: threads for handlers; [`rota`]: connections whose messages come to callbacks.
//! - [`running`]: all of it at work, and the end.

mod answer;
mod incoming;
mod listener;
mod lobby;
mod options;
mod pool;
mod reception;
mod refusal;
mod registry;
mod rota;
mod running;
mod seats;
mod tls;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::address::{self, Address};
use crate::connection::Connection;
use crate::error::{Error, Result};

pub use incoming::Incoming;
pub use lobby::{Arrival, Lobby, LobbyOptions, LobbyWaker};
pub use rota::MessageHandler;
pub use running::RunningServer;
pub use seats::Seat;

pub(crate) use answer::open_for;
pub(crate) use listener::Listener;

use options::Options;
use running::Style;

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
        Ok(Server::new(Listener::new(listener.into()), Address::Tcp(local)))
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
        Ok(Server::new(Listener::at_path(listener.into(), path.clone()), Address::Unix(path)))
    }

    /// Takes a socket that listens already, TCP or Unix: one that systemd has opened, say, or that several
    /// processes share.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// use openline::Server;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let server = Server::from_listener(listener).serve(drop)?;
    /// openline::connect(&format!("ws://{}/", server.address()))?;
    /// # Ok(()) }
    /// ```
    pub fn from_listener(listener: impl Into<OwnedFd>) -> Server {
        let socket = listener.into();
        let (local, _) = address::of(&socket, None);
        Server::new(Listener::new(socket), local)
    }

    fn new(listener: Listener, address: Address) -> Server {
        Server { listener, address, options: Options::default() }
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
    /// connection, which ends, with code 1000, when it returns; with 1011 after a panic. Clients that have not sent
    /// their request yet share one thread.
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
        RunningServer::start(listener, address, options, Style::Blocking(Box::new(handler)))
    }

    /// Serves any number of connections, most of which are idle, in a few threads: `handler` is called for each
    /// message. It may take its time, and wait: others come into their own then (see [`workers`](Server::workers)).
    ///
    /// # Errors
    ///
    /// As [`serve`](Server::serve).
    ///
    /// ```
    /// use openline::{Connection, Message, Server};
    /// # fn main() -> openline::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.serve_messages(
    ///     |connection: &Connection, message: Message| {
    ///         let _ = connection.send(&message); // an error: it has closed meanwhile
    ///     },
    /// )?;
    /// let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// line.send("echo")?;
    /// assert_eq!(line.recv()?, "echo".into());
    /// # Ok(()) }
    /// ```
    pub fn serve_messages(self, handler: impl MessageHandler) -> Result<RunningServer> {
        let Server { listener, address, options } = self;
        RunningServer::start(listener, address, options, Style::Messages(Box::new(handler)))
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
