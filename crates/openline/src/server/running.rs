//! A server at work: it accepts, runs a handler in a thread for each connection, and ends gracefully.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::extension::{self, Agreed};
use openline_proto::handshake::HandshakeError;
use openline_proto::handshake::server::{ReceivedRequest, ServerOpen, ServerReply};
use rustix::event::{PollFd, PollFlags};

use super::incoming::Incoming;
use super::listener::Listener;
use super::tls::{CLIENT, Certified};
use super::{Options, cannot_listen};
use crate::address::Address;
use crate::client::Client;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::extensions::Extensions;
use crate::fork::Process;
use crate::opening::Opening;
use crate::status::SLICE;
use crate::transport::{Stream, poll_until};

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
    pub(super) fn start(
        listener: Listener,
        address: Address,
        options: Options,
        handler: impl Fn(Connection) + Send + Sync + 'static,
    ) -> Result<RunningServer> {
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
            go_away(connection);
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
            go_away(&open.connection);
        }
        (self.handler)(open.connection.clone());
        if let Err(error) = open.connection.close(1000, "") {
            log::info!("closing handshake failed: {error}");
        }
    }

    fn open(&self, socket: OwnedFd) -> Result<Connection> {
        let is_ending = || self.is_ending();
        let opening = Opening::new(Deadline::from(self.options.open_timeout), &is_ending);
        let mut stream = Stream::from(socket);
        if let Some(config) = &self.options.tls {
            stream = stream.secured_by(&Certified(config.clone()), CLIENT, &opening)?;
        }
        self.shake_hands(Incoming::receive(stream, &opening, None)?, &opening)
    }

    fn shake_hands(&self, incoming: Incoming, opening: &Opening<'_>) -> Result<Connection> {
        let refusal = self.options.on_request.as_ref().and_then(|look| look(incoming.request()));
        if let Some(response) = refusal {
            incoming.refuse(&response, opening)?;
            return Err(HandshakeError::InvalidStatus(response.into()).into());
        }
        let (open, extensions) = match self.answer(incoming.received()) {
            Ok(answer) => answer,
            Err(error) => {
                incoming.refuse(&error.response(), opening)?;
                return Err(error.into());
            }
        };
        let ServerOpen { response, subprotocol, .. } = open;
        incoming.open(response, subprotocol, extensions, &self.options.settings, opening)
    }

    fn answer(
        &self,
        received: &ReceivedRequest,
    ) -> std::result::Result<(ServerOpen, Vec<Agreed>), HandshakeError> {
        let request = received.clone().check()?;
        let mut reply = ServerReply::default();
        let spoken = &self.options.subprotocols;
        reply.subprotocol =
            spoken.iter().find(|name| request.subprotocols().contains(name)).cloned();
        let agreed = extension::answer(&self.options.extensions.list(), request.extensions());
        reply.extensions = agreed.iter().map(|agreed| agreed.params.clone()).collect();
        Ok((request.accept(reply)?.1, agreed))
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
            let outcome = self.connection.start_close(1011, "internal error");
            outcome.expect("bug: a code and a reason that may be sent");
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

fn go_away(connection: &Connection) {
    // RFC 6455 §7.4.1: such as a server going down.
    let outcome = connection.start_close(1001, "");
    outcome.expect("bug: a code that may be sent");
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
