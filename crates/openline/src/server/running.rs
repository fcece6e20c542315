//! A server at work: the lobby's thread, the threads of the handlers, and the end.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use openline_proto::handshake::HandshakeError;

use super::Options;
use super::cannot_listen;
use super::incoming::Incoming;
use super::listener::Listener;
use super::lobby::{Arrival, Lobby, LobbyWaker, unavailable};
use super::pool::Pool;
use super::registry::{Place, Registry, go_away};
use super::rota::{MessageHandler, Rota};
use super::seats::Seat;
use crate::address::Address;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::journal::SERVER;
use crate::opening::Opening;

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
    pool: Arc<Pool<Box<Incoming>>>,
    waker: LobbyWaker,
    thread: Option<JoinHandle<()>>,
}

/// What is done with the connections.
pub(super) enum Style {
    Blocking(Box<dyn Fn(Connection) + Send + Sync>),
    Messages(Box<dyn MessageHandler>),
}

impl RunningServer {
    pub(super) fn start(
        listener: Listener,
        address: Address,
        options: Options,
        style: Style,
    ) -> Result<RunningServer> {
        let fail = |error| cannot_listen(&address.to_string(), error);
        let lobby = Lobby::of(listener, options.lobby.clone()).map_err(fail)?;
        let waker = lobby.waker();
        let handling = match style {
            Style::Blocking(handler) => Handling::Blocking(handler),
            Style::Messages(handler) => {
                let rota = Rota::new(handler, options.workers, waker.clone());
                Handling::Messages(rota.map_err(fail)?)
            }
        };
        let registry = Registry::new(options.max_connections);
        let shared = Arc::new(Shared { options, handling, registry });
        let at_work = shared.clone();
        let pool = Pool::new(move |incoming: Box<Incoming>| at_work.serve(*incoming));
        let acceptor = Acceptor { lobby, shared: shared.clone(), pool: pool.clone() };
        let thread = std::thread::Builder::new()
            .name("openline-accept".to_owned())
            .spawn(move || acceptor.run())
            .map_err(fail)?;
        let process = Process::current();
        Ok(RunningServer { address, process, shared, pool, waker, thread: Some(thread) })
    }

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

    /// The connections that are open, for [`broadcast`](crate::broadcast) say.
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
    /// assert_eq!(server.connections().len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn connections(&self) -> Vec<Connection> {
        let mut connections = match self.process.is_current() {
            true => self.shared.registry.connections(),
            false => Vec::new(),
        };
        connections.retain(|connection| connection.line.is_open());
        connections
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
        self.shared.registry.end();
        self.waker.wake();
        // A panic there was reported by the thread itself.
        let _ = thread.join();
        let connections = self.shared.registry.connections();
        for connection in &connections {
            go_away(connection);
        }
        let deadline = Deadline::from(self.shared.options.settings.close_timeout);
        for connection in &connections {
            // Not interruptible, and of this process.
            let _ = connection.wait_closed(deadline);
        }
        drop(connections);
        self.pool.end(deadline);
        if let Handling::Messages(rota) = &self.shared.handling {
            rota.end(deadline);
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
    handling: Handling,
    registry: Arc<Registry>,
}

/// A [`Style`] at work.
enum Handling {
    Blocking(Box<dyn Fn(Connection) + Send + Sync>),
    Messages(Arc<Rota>),
}

impl Shared {
    /// Answers a client, and has its connection served.
    fn serve(&self, mut incoming: Incoming) {
        let seat = incoming.take_seat();
        let (connection, place) = match self.open(incoming) {
            Ok(open) => open,
            Err(error) => return tell_failed(&error),
        };
        match &self.handling {
            Handling::Messages(rota) => rota.add(connection, place, seat),
            Handling::Blocking(handler) => {
                let open = OpenConnection { connection, _place: place, _seat: seat };
                handler(open.connection.clone());
                if let Err(error) = open.connection.close(1000, "") {
                    log::info!(target: SERVER, "closing handshake failed: {error}");
                }
            }
        }
    }

    fn open(&self, incoming: Incoming) -> Result<(Connection, Place)> {
        let is_ending = || self.registry.is_ending();
        let opening = Opening::new(incoming.deadline(), &is_ending);
        let mut place = match self.registry.admit() {
            Ok(place) => place,
            Err(problem) => {
                let response = unavailable(problem);
                // The end of the server must not keep the answer from the client.
                let opening = Opening::new(incoming.deadline(), &|| false);
                incoming.refuse(&response, &opening)?;
                return Err(HandshakeError::InvalidStatus(response.into()).into());
            }
        };
        let connection = self.options.open(incoming, &opening)?;
        place.fill(&connection);
        Ok((connection, place))
    }
}

/// A connection whose handler runs.
struct OpenConnection {
    connection: Connection,
    _place: Place,
    _seat: Option<Seat>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody is here any more to wait for the answer; the driver does.
            let outcome = self.connection.start_close(1011, "internal error");
            outcome.expect("bug: a code and a reason that may be sent");
        }
    }
}

/// The thread that accepts.
struct Acceptor {
    lobby: Lobby,
    shared: Arc<Shared>,
    pool: Arc<Pool<Box<Incoming>>>,
}

impl Acceptor {
    fn run(mut self) {
        let mut until = Deadline::NEVER;
        while !self.shared.registry.is_ending() {
            if let Err(error) = self.lobby.turn(until) {
                return log::error!(target: SERVER, "{error}; no more clients are accepted");
            }
            while let Some(arrival) = self.lobby.next() {
                self.see_to(arrival);
            }
            until = match &self.shared.handling {
                Handling::Messages(rota) => Deadline::from(rota.look_after()),
                Handling::Blocking(_) => Deadline::NEVER,
            };
        }
    }

    fn see_to(&mut self, arrival: Arrival) {
        let incoming = match arrival {
            Arrival::Request(incoming) => incoming,
            Arrival::Failed(error) => return tell_failed(&error),
        };
        if let Err((incoming, error)) = self.pool.take_on(incoming) {
            log::warn!(target: SERVER, "cannot start a thread for a client: {error}");
            self.lobby.turn_away(*incoming, "There are no more threads.\n");
        }
    }
}

fn tell_failed(error: &Error) {
    log::info!(target: SERVER, "opening handshake failed: {error}");
}
