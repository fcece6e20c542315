//! A proxy that does to a connection what networks do.

mod events;
mod faults;
mod flow;
mod pump;

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use openline_proto::Uri;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::server::Server;

use events::Observer;
use flow::Flow;
use pump::{DOWN, Pump, Shared, State, Target, UP};

pub use events::ProxyEvent;
pub use faults::{Faults, Offset};

/// A proxy between a client and a server of the same machine, in a thread of its own, that delays, splits,
/// stalls, cuts, resets and corrupts what it passes on. It ends when it is dropped, and its connections with
/// it.
///
/// It passes on bytes and knows nothing of WebSockets: TLS goes through it, too. [`Faults`] happen by
/// themselves on each connection; the methods here are for the moment when a test wants one. `direction` is
/// which of the two flows is meant, and `connection` the number of a connection, from 0 as they came, or
/// `None` for all that are there.
///
/// What is left to chance on a connection is decided by the seed, the number of the connection, the direction
/// and the place in the stream, and nothing else: a test that fails, fails again.
///
/// ```
/// use std::time::Duration;
/// use openline::Client;
/// use openline::testing::{EchoServer, FaultProxy};
/// # fn main() -> openline::Result<()> {
/// let server = EchoServer::start()?;
/// let proxy = FaultProxy::start(server.uri())?;
/// let mut lines = Client::new().reconnect(proxy.uri()).delays(|| [Duration::ZERO; 9].into_iter());
/// for answer in ["one", "two"] {
///     let line = lines.next().expect("it goes on for ever")?;
///     line.send(answer)?;
///     assert_eq!(line.recv()?, answer.into());
///     proxy.reset(None); // and the next one takes its place
///     assert!(line.recv().is_err());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    address: Address,
    uri: String,
    /// Whose thread it is. A forked child has none, and a lock that it may have held; there nothing is done.
    process: Process,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`FaultProxy`] does by itself.
///
/// ```
/// use std::time::Duration;
/// use openline::testing::{EchoServer, FaultProxy, Faults};
/// # fn main() -> openline::Result<()> {
/// let server = EchoServer::start()?;
/// let proxy = FaultProxy::options()
///     .seed(42)
///     .up(Faults::new().split(3))
///     .down(Faults::new().delay(Duration::from_millis(5)).cut_after(500..=1000))
///     .start(server.uri())?;
/// assert!(openline::connect(proxy.uri()).is_ok());
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct ProxyOptions {
    seed: u64,
    up: Faults,
    down: Faults,
    observer: Observer,
}

/// Which of the two flows of bytes.
///
/// ```
/// use openline::testing::{Direction, EchoServer, FaultProxy};
/// # fn main() -> openline::Result<()> {
/// # let server = EchoServer::start()?;
/// # let proxy = FaultProxy::start(server.uri())?;
/// proxy.stall(Direction::Down, None); // the server hears us, and we do not hear it
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both of them.
    Both,
}

/// How often something has been done to the connections of a proxy.
///
/// ```
/// use openline::testing::{EchoServer, FaultProxy};
/// # fn main() -> openline::Result<()> {
/// # let server = EchoServer::start()?;
/// let proxy = FaultProxy::start(server.uri())?;
/// let line = openline::connect(proxy.uri())?;
/// proxy.cut(None);
/// assert_eq!(proxy.injected().cuts, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Pieces that were delayed.
    pub delays: u64,
    /// Pieces, where [`Faults::split`] is set.
    pub splits: u64,
    /// Directions that were stalled.
    pub stalls: u64,
    /// Connections that were cut.
    pub cuts: u64,
    /// Directions that were ended alone.
    pub half_closes: u64,
    /// Connections that were reset, those refused while offline included.
    pub resets: u64,
    /// Bytes that had a bit flipped.
    pub corruptions: u64,
}

impl FaultProxy {
    /// Starts one that does nothing by itself, to the server at a `ws://` or `wss://` URI.
    ///
    /// # Errors
    ///
    /// As [`ProxyOptions::start`].
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::start()?;
    /// let proxy = FaultProxy::start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// assert!(FaultProxy::start("ws://example.com/").is_err()); // not of this machine
    /// # Ok(()) }
    /// ```
    pub fn start(uri: &str) -> Result<FaultProxy> {
        FaultProxy::options().start(uri)
    }

    /// Settings for more than that.
    ///
    /// ```
    /// use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new().split(10)).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn options() -> ProxyOptions {
        ProxyOptions::default()
    }

    /// The URI to connect to: the server's with the proxy's port. For a Unix socket what the request says:
    /// the path is the address.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::start(&format!("{}feed?from=7", server.uri()))?;
    /// assert_eq!(proxy.uri(), format!("ws://{}/feed?from=7", proxy.address()));
    /// # Ok(()) }
    /// ```
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Where it listens.
    ///
    /// ```
    /// # use openline::{Address, testing::{EchoServer, FaultProxy}};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// assert!(matches!(proxy.address(), Address::Tcp(address) if address.ip().is_loopback()));
    /// # Ok(()) }
    /// ```
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The number of connections that it passes something on for, in one direction at least.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// assert_eq!(proxy.connections(), 1);
    /// proxy.cut(None);
    /// assert_eq!(proxy.connections(), 0);
    /// # Ok(()) }
    /// ```
    pub fn connections(&self) -> usize {
        self.shared().map_or(0, |shared| shared.state().connections())
    }

    /// How often something was done, by [`Faults`] or by these methods.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new().corrupt_at(100)).start(server.uri())?;
    /// let _ = openline::connect(proxy.uri()); // who knows what the server makes of it
    /// assert_eq!(proxy.injected().corruptions, 1);
    /// # Ok(()) }
    /// ```
    pub fn injected(&self) -> FaultCounts {
        self.shared().map(|shared| shared.state().counts).unwrap_or_default()
    }

    /// Stops passing on, as a network that drops every packet. Neither side can tell that from a peer that
    /// is silent; who sends on has to wait as soon as some buffers are full.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use openline::testing::{Direction, EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let client = openline::Client::new()
    ///     .ping_interval(Duration::from_millis(10))
    ///     .ping_timeout(Duration::from_millis(30));
    /// let line = client.connect(proxy.uri())?;
    /// proxy.stall(Direction::Both, None);
    /// assert!(matches!(line.recv(), Err(openline::Error::Closed(_)))); // no pong came
    /// # Ok(()) }
    /// ```
    pub fn stall(&self, direction: Direction, connection: impl Into<Option<usize>>) {
        self.command(|state| state.stall(direction, connection.into()));
    }

    /// Goes on after a stall, with everything that has come meanwhile.
    ///
    /// ```
    /// # use openline::testing::{Direction, EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// proxy.stall(Direction::Down, 0);
    /// line.send("hello")?;
    /// proxy.resume(Direction::Down, 0);
    /// assert_eq!(line.recv()?, "hello".into());
    /// # Ok(()) }
    /// ```
    pub fn resume(&self, direction: Direction, connection: impl Into<Option<usize>>) {
        self.command(|state| state.resume(direction, connection.into()));
    }

    /// Ends connections as if both sides had died: each sees the end of the stream, without a close frame,
    /// after what was passed on before. What is on its way is lost.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// proxy.cut(None);
    /// let Err(openline::Error::Closed(closed)) = line.recv() else { panic!("received") };
    /// assert_eq!(closed.received(), None);
    /// # Ok(()) }
    /// ```
    pub fn cut(&self, connection: impl Into<Option<usize>>) {
        self.command(|state| state.cut(connection.into()));
    }

    /// Ends one direction, and lets the other go on.
    ///
    /// ```
    /// # use openline::testing::{Direction, EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// proxy.half_close(Direction::Up, None); // the server takes that for the client's end
    /// assert!(matches!(line.recv(), Err(openline::Error::Closed(_))));
    /// # Ok(()) }
    /// ```
    pub fn half_close(&self, direction: Direction, connection: impl Into<Option<usize>>) {
        self.command(|state| state.half_close(direction, connection.into()));
    }

    /// Resets connections: both sides get a TCP RST. Over Unix sockets, which have none, they end.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// let line = openline::connect(proxy.uri())?;
    /// proxy.reset(None);
    /// assert!(matches!(line.recv(), Err(openline::Error::Closed(closed)) if !closed.is_ok()));
    /// # Ok(()) }
    /// ```
    pub fn reset(&self, connection: impl Into<Option<usize>>) {
        self.command(|state| state.reset(connection.into()));
    }

    /// Resets all connections, and new ones as soon as they come, until [`online`](FaultProxy::online).
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// proxy.offline();
    /// assert!(openline::connect(proxy.uri()).is_err());
    /// # Ok(()) }
    /// ```
    pub fn offline(&self) {
        self.command(|state| {
            state.is_offline = true;
            state.reset(None);
        });
    }

    /// Lets connections pass again after [`offline`](FaultProxy::offline).
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// # let proxy = FaultProxy::start(server.uri())?;
    /// proxy.offline();
    /// proxy.online();
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn online(&self) {
        self.command(|state| state.is_offline = false);
    }

    /// Ends it, and its connections.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::start(server.uri())?;
    /// let uri = proxy.uri().to_owned();
    /// proxy.shutdown();
    /// assert!(openline::connect(&uri).is_err()); // refused
    /// # Ok(()) }
    /// ```
    pub fn shutdown(mut self) {
        self.end();
    }

    fn shared(&self) -> Option<&Shared> {
        self.process.is_current().then_some(&*self.shared)
    }

    fn command(&self, change: impl FnOnce(&mut State)) {
        if let Some(shared) = self.shared() {
            shared.command(change);
        }
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if !self.process.is_current() {
            std::mem::forget(thread); // there is nothing to wait for
            return;
        }
        self.shared.command(|state| state.is_ending = true);
        // A panic there was reported by the thread itself.
        let _ = thread.join();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.end();
    }
}

impl ProxyOptions {
    /// What decides on all that is left to chance. Default: 0.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let faults = Faults::new().reset_after(1000..=5000);
    /// let proxy = FaultProxy::options().seed(7).down(faults).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> ProxyOptions {
        self.seed = seed;
        self
    }

    /// The faults on the way to the server. Default: none.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().up(Faults::new().cut_after(10)).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_err()); // the request is longer
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn up(mut self, faults: Faults) -> ProxyOptions {
        self.up = faults;
        self
    }

    /// The faults on the way to the client. Default: none.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().down(Faults::new().reset_after(0)).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn down(mut self, faults: Faults) -> ProxyOptions {
        self.down = faults;
        self
    }

    /// The same faults in both directions, each with chances of its own.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy, Faults};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().both(Faults::new().split(4)).start(server.uri())?;
    /// assert!(openline::connect(proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn both(self, faults: Faults) -> ProxyOptions {
        self.up(faults.clone()).down(faults)
    }

    /// Has somebody told what happens to the connections, in the proxy's thread: while it is being told, nothing is
    /// passed on. Default: nobody.
    ///
    /// See the example of [`ProxyEvent`].
    #[must_use]
    pub fn on_event(
        mut self,
        observe: impl Fn(ProxyEvent) + Send + Sync + 'static,
    ) -> ProxyOptions {
        self.observer = Observer::new(observe);
        self
    }

    /// Starts it on a free port of 127.0.0.1, to the server at a `ws://` or `wss://` URI. For `wss`, the
    /// certificate is checked by the client as ever: the proxy's URI has the name `localhost` if the server's
    /// has.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUri`]; [`Error::Argument`] for a server that is not at a loopback address, so that no
    /// test disturbs others; [`Error::System`] as [`Server::bind`].
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().start(server.uri())?;
    /// assert_ne!(proxy.uri(), server.uri());
    /// # Ok(()) }
    /// ```
    pub fn start(self, uri: &str) -> Result<FaultProxy> {
        let parsed = Uri::parse(uri)?;
        let target = Target::Tcp(loopback_addresses(&parsed)?);
        let host = if parsed.host() == "localhost" { "localhost" } else { "127.0.0.1" };
        self.run(Server::bind("127.0.0.1:0")?, target, |port| with_host(uri, host, port))
    }

    /// Starts it at an address of your choice, to a server that may be on another machine: for a proxy that is no
    /// part of a test. The server's addresses are looked up once.
    ///
    /// # Errors
    ///
    /// As [`start`](ProxyOptions::start), but any server will do. [`Error::System`] also if its name is not known.
    ///
    /// ```
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let server = EchoServer::start()?;
    /// let proxy = FaultProxy::options().start_at("127.0.0.1:0", server.uri())?;
    /// assert_eq!(proxy.uri(), format!("ws://{}/", proxy.address()));
    /// # Ok(()) }
    /// ```
    pub fn start_at(
        self,
        address: impl ToSocketAddrs + std::fmt::Debug,
        uri: &str,
    ) -> Result<FaultProxy> {
        let target = Target::Tcp(addresses(&Uri::parse(uri)?)?);
        let listening = Server::bind(address)?;
        let host = match listening.address() {
            Address::Tcp(SocketAddr::V6(address)) => format!("[{}]", address.ip()),
            Address::Tcp(SocketAddr::V4(address)) => address.ip().to_string(),
            Address::Unix(_) => unreachable!("bug: TCP was asked for"),
        };
        self.run(listening, target, |port| with_host(uri, &host, port))
    }

    /// Starts it on a Unix socket at `path`, to the server at the socket `server`.
    ///
    /// # Errors
    ///
    /// As [`Server::bind_unix`].
    ///
    /// ```
    /// use openline::Client;
    /// # use openline::testing::{EchoServer, FaultProxy};
    /// # fn main() -> openline::Result<()> {
    /// # let path = |name| std::env::temp_dir().join(format!("openline-{name}-{}", std::process::id()));
    /// # let (path, proxy_path) = (path("behind"), path("proxy"));
    /// let server = EchoServer::options().start_unix(&path)?;
    /// let proxy = FaultProxy::options().start_unix(&path, &proxy_path)?;
    /// assert!(Client::new().connect_unix(&proxy_path, proxy.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn start_unix(
        self,
        server: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> Result<FaultProxy> {
        let target = Target::Unix(server.as_ref().to_owned());
        self.run(Server::bind_unix(path)?, target, |_| "ws://localhost/".to_owned())
    }

    fn run(
        self,
        listening: Server,
        target: Target,
        uri: impl FnOnce(u16) -> String,
    ) -> Result<FaultProxy> {
        let address = listening.address().clone();
        let port = if let Address::Tcp(address) = &address { address.port() } else { 0 };
        let fail = |error| Error::System { action: format!("listen on {address}"), error };
        let listener = listening.into_listener();
        listener.set_nonblocking().map_err(fail)?;
        let (shared, woken) = Shared::new(self.observer.events()).map_err(fail)?;
        let faults = [self.up, self.down];
        let pump = Pump {
            listener,
            target,
            faults,
            seed: self.seed,
            woken,
            shared: shared.clone(),
            observer: self.observer,
            waiting: None,
        };
        let thread = std::thread::Builder::new()
            .name("openline-fault-proxy".to_owned())
            .spawn(move || pump.run())
            .map_err(fail)?;
        let process = Process::current();
        Ok(FaultProxy { uri: uri(port), address, process, shared, thread: Some(thread) })
    }
}

impl Direction {
    fn ways(self) -> impl Iterator<Item = usize> {
        [(UP, Direction::Down), (DOWN, Direction::Up)]
            .into_iter()
            .filter(move |(_, other)| self != *other)
            .map(|(way, _)| way)
    }

    /// The flows that are meant, each with its own direction.
    fn of(self, flows: &mut [Flow; 2]) -> impl Iterator<Item = (&mut Flow, Direction)> {
        let [up, down] = flows;
        let ways = [(up, Direction::Up), (down, Direction::Down)];
        ways.into_iter().filter(move |(_, way)| self == Direction::Both || self == *way)
    }

    fn of_way(way: usize) -> Direction {
        if way == UP { Direction::Up } else { Direction::Down }
    }
}

/// The addresses of a server of this machine.
fn loopback_addresses(uri: &Uri) -> Result<Vec<SocketAddr>> {
    let host = uri.host();
    let is_loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if host != "localhost" && !is_loopback {
        return Err(Error::Argument(format!(
            "a fault proxy leads to localhost or a loopback address such as 127.0.0.1, not to {host}"
        )));
    }
    addresses(uri)
}

fn addresses(uri: &Uri) -> Result<Vec<SocketAddr>> {
    let host = uri.host();
    let fail = |error| Error::System { action: format!("look up {host}"), error };
    Ok((host, uri.port()).to_socket_addrs().map_err(fail)?.collect())
}

/// The same URI, which is a valid one, at another host and port.
fn with_host(uri: &str, host: &str, port: u16) -> String {
    let start = uri.find("://").map_or(0, |scheme| scheme + 3);
    let end = uri[start..].find(['/', '?']).map_or(uri.len(), |len| start + len);
    let authority = &uri[start..end];
    let user_info = authority.rfind('@').map_or("", |at| &authority[..=at]);
    format!("{}{user_info}{host}:{port}{}", &uri[..start], &uri[end..])
}

#[cfg(test)]
mod tests;
