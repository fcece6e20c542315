//! Where clients wait until their request has come: any number of them, served by one thread that waits for none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openline_proto::handshake::HandshakeError;
use openline_proto::http::Response;

use super::incoming::Incoming;
use super::listener::Listener;
use super::reception::{Reception, Step};
use super::seats::{Seat, Seats};
use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::opening::timed_out;
use crate::poller::Watch;
use crate::poller::system::{Events, Poller, events, ready};
use crate::sync;
use crate::transport::{Interest, ServerTls, Stream, Transport};

/// Accepts clients, receives their requests, and answers what is none; whoever asks gets those that have arrived.
/// [`Server`](crate::Server) does all of this.
///
/// It is for one thread, and does something only in [`turn`](Lobby::turn). A client that sends nothing costs a
/// descriptor and some hundred bytes until its time is over. When there are no more descriptors, those who have
/// waited longest go.
///
/// ```
/// use std::net::TcpListener;
/// use openline::transport::Opening;
/// use openline::{Arrival, Client, Deadline, Lobby, LobbyOptions};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let uri = format!("ws://{}/", listener.local_addr()?);
/// let client = std::thread::spawn(move || openline::connect(&uri));
///
/// let mut lobby = Lobby::new(listener, LobbyOptions::default())?;
/// let incoming = loop {
///     match lobby.next() {
///         Some(Arrival::Request(incoming)) => break incoming,
///         Some(Arrival::Failed(error)) => eprintln!("{error}"),
///         None => lobby.turn(Deadline::NEVER)?,
///     }
/// };
/// let (_, open) = incoming.received().clone().check()?.accept(Default::default())?;
/// let opening = Opening::new(incoming.deadline(), &|| false);
/// let line = incoming.accept(open.response, None, Vec::new(), &Client::new(), &opening)?;
/// line.send("welcome")?;
/// # let line = client.join().expect("no panic")?;
/// # assert_eq!(line.recv()?, "welcome".into());
/// # Ok(()) }
/// ```
pub struct Lobby {
    /// Whose clients these are: a forked child has the same sockets, and must not touch them.
    process: Process,
    listener: Listener,
    poller: Arc<Poller>,
    events: Events,
    options: LobbyOptions,
    seats: Arc<Seats>,
    /// The oldest first.
    guests: BTreeMap<usize, Guest>,
    next_id: usize,
    /// Those that do not belong to a guest's `deadline` any more are outdated.
    deadlines: BinaryHeap<Reverse<(Instant, usize)>>,
    arrived: VecDeque<Arrival>,
    /// When to accept again, after the system could not.
    resume_at: Option<Instant>,
}

/// What a [`Lobby`] lets in, and for how long.
///
/// ```
/// use std::time::Duration;
/// use openline::LobbyOptions;
/// let mut options = LobbyOptions::default();
/// assert_eq!(options.open_timeout, Some(Duration::from_secs(10)));
/// options.max_handshakes = Some(1_000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LobbyOptions {
    /// How to shake hands before the request. Default: `None`, no TLS.
    pub tls: Option<Arc<dyn ServerTls>>,
    /// The time for TLS and the opening handshake. Default: 10 seconds; `None` is no limit.
    pub open_timeout: Option<Duration>,
    /// How many clients may be on their way at once; further ones are answered 503, or cut where TLS comes
    /// first. Default: `None`, no limit.
    pub max_handshakes: Option<usize>,
    /// How many clients of one IP address there may be, open connections included; further ones are answered as
    /// those over `max_handshakes`. Default: `None`, no limit.
    pub max_per_address: Option<usize>,
}

impl Default for LobbyOptions {
    fn default() -> LobbyOptions {
        LobbyOptions {
            tls: None,
            open_timeout: Some(Duration::from_secs(10)),
            max_handshakes: None,
            max_per_address: None,
        }
    }
}

/// What became of a client.
///
/// See the example of [`Lobby`].
#[derive(Debug)]
pub enum Arrival {
    /// Its request has come, and wants an answer.
    Request(Box<Incoming>),
    /// It has gone, with or without an answer.
    Failed(Error),
}

/// Wakes a [`Lobby`] out of its [`turn`](Lobby::turn), from another thread.
///
/// ```
/// use std::net::TcpListener;
/// use openline::{Deadline, Lobby, LobbyOptions};
/// # fn main() -> openline::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
/// let mut lobby = Lobby::new(listener, LobbyOptions::default())?;
/// let waker = lobby.waker();
/// let thread = std::thread::spawn(move || waker.wake());
/// lobby.turn(Deadline::NEVER)?; // nobody comes
/// # thread.join().expect("no panic");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LobbyWaker(Arc<Poller>);

impl LobbyWaker {
    /// Has the next [`turn`](Lobby::turn), or the one that is going on, end.
    ///
    /// See the example of [`LobbyWaker`].
    pub fn wake(&self) {
        // Writing to an eventfd fails only if it is full of wake-ups.
        let _ = self.0.wake();
    }
}

impl fmt::Debug for LobbyWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LobbyWaker").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Guest {
    reception: Reception,
    seat: Option<Seat>,
    /// By when the connection is to be open.
    open_deadline: Deadline,
    /// The deadline that counts: that, or the end of listening to who has its answer.
    deadline: Deadline,
    /// What is registered with the poller.
    watched: Option<Arc<dyn Transport>>,
}

impl Lobby {
    /// A lobby for the clients of a socket that listens, TCP or Unix, which is made non-blocking.
    ///
    /// # Errors
    ///
    /// [`Error::System`], when the system has no means to wait.
    ///
    /// See the example of [`Lobby`].
    pub fn new(listener: impl Into<OwnedFd>, options: LobbyOptions) -> Result<Lobby> {
        let fail = |error| Error::System { action: "wait for clients".to_owned(), error };
        Lobby::of(Listener::new(listener.into()), options).map_err(fail)
    }

    pub(super) fn of(listener: Listener, options: LobbyOptions) -> io::Result<Lobby> {
        // The connections will need it, and may come when there are no descriptors left for that.
        Driver::shared()?;
        listener.set_nonblocking()?;
        let poller = Poller::new()?;
        poller.register_source(listener.as_fd(), LISTENER, READABLE)?;
        Ok(Lobby {
            process: Process::current(),
            listener,
            poller: Arc::new(poller),
            events: events(),
            seats: Seats::new(options.max_per_address),
            options,
            guests: BTreeMap::new(),
            next_id: LISTENER + 1,
            deadlines: BinaryHeap::new(),
            arrived: VecDeque::new(),
            resume_at: None,
        })
    }

    /// The next client that has arrived, or is gone; `None` if there is none for now.
    ///
    /// See the example of [`Lobby`].
    #[expect(clippy::should_implement_trait, reason = "`None` is not the end")]
    pub fn next(&mut self) -> Option<Arrival> {
        self.arrived.pop_front()
    }

    /// Serves the clients that have something to be done, waiting until one has, or until a deadline. A signal does
    /// not end the wait.
    ///
    /// # Errors
    ///
    /// [`Error::System`], when the system cannot wait. [`Error::Forked`] in a process that was forked from the lobby's.
    ///
    /// See the example of [`Lobby`].
    pub fn turn(&mut self, until: Deadline) -> Result<()> {
        if !self.process.is_current() {
            return Err(Error::Forked);
        }
        let until = until.min(self.deadline());
        let timeout =
            if self.arrived.is_empty() { until.remaining() } else { Some(Duration::ZERO) };
        let outcome = self.poller.wait(&mut self.events, timeout);
        outcome.map_err(|error| {
            let action = "wait for clients".to_owned();
            Error::System { action, error }
        })?;
        let ready: Vec<usize> = ready(&self.events).map(|ready| ready.id).collect();
        for id in ready {
            if id == LISTENER {
                self.accept();
            } else {
                self.serve(id);
            }
        }
        let now = sync::now();
        self.keep_deadlines(now);
        if self.resume_at.take_if(|at| *at <= now).is_some() {
            self.accept();
        }
        Ok(())
    }

    /// When to [`turn`](Lobby::turn) at the latest.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// use openline::{Deadline, Lobby, LobbyOptions};
    /// # fn main() -> openline::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    /// let lobby = Lobby::new(listener, LobbyOptions::default())?;
    /// assert_eq!(lobby.deadline(), Deadline::NEVER); // nobody is there
    /// # Ok(()) }
    /// ```
    pub fn deadline(&self) -> Deadline {
        let first = self.deadlines.peek().map(|Reverse((at, _))| *at);
        Deadline::from(first).min(Deadline::from(self.resume_at))
    }

    /// To end a wait from another thread.
    ///
    /// See the example of [`LobbyWaker`].
    pub fn waker(&self) -> LobbyWaker {
        LobbyWaker(self.poller.clone())
    }

    /// Answers a client that cannot be served, for a reason of the server's, with 503.
    ///
    /// ```no_run
    /// # fn example(lobby: &mut openline::Lobby, incoming: openline::Incoming) {
    /// lobby.turn_away(incoming, "There are no more threads.\n");
    /// # }
    /// ```
    pub fn turn_away(&mut self, incoming: Incoming, text: &str) {
        let (reception, seat, deadline) = incoming.into_refused(unavailable(text));
        self.receive(reception, seat, deadline);
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_AT_ONCE {
            match self.listener.accept() {
                Ok(socket) => {
                    if let Err(error) = self.welcome(socket) {
                        self.arrived.push_back(Arrival::Failed(error));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The client has left already.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) if is_out_of_descriptors(&error) && self.evict(&error) => {}
                Err(error) => {
                    log::warn!(target: crate::journal::SERVER, "cannot accept a client: {error}");
                    self.resume_at = Some(sync::now() + PAUSE);
                    return;
                }
            }
        }
        // What goes wrong here went right when it was registered.
        let _ = self.poller.watch_source(self.listener.as_fd(), LISTENER, READABLE);
    }

    fn welcome(&mut self, socket: OwnedFd) -> Result<()> {
        let stream = Stream::from(socket);
        let mut reception = Reception::new(stream, self.options.tls.as_deref(), None)?;
        let deadline = Deadline::from(self.options.open_timeout);
        let limit = self.options.max_handshakes.unwrap_or(usize::MAX);
        let seat = self.seats.take(reception.remote_address());
        let problem = match &seat {
            _ if self.guests.len() >= limit => Some("There are too many clients on their way.\n"),
            Err(_) => Some("There are too many clients of this address.\n"),
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            // Who is to get an answer takes some of what is scarce.
            let is_crowded = self.guests.len() >= limit.saturating_mul(2);
            if is_crowded || !reception.refuse_early(unavailable(problem)) {
                let response = unavailable(problem).into();
                return Err(HandshakeError::InvalidStatus(response).into());
            }
        }
        self.receive(reception, seat.unwrap_or(None), deadline);
        Ok(())
    }

    /// Takes a guest in, who may be through at once.
    fn receive(&mut self, reception: Reception, seat: Option<Seat>, open_deadline: Deadline) {
        let id = self.next_id;
        self.next_id += 1;
        let deadline = Deadline::NEVER;
        let guest = Guest { reception, seat, open_deadline, deadline, watched: None };
        self.guests.insert(id, guest);
        self.serve(id);
    }

    fn serve(&mut self, id: usize) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        match guest.reception.step() {
            Step::Wait(interest) => {
                if let Err(error) = self.watch(id, interest) {
                    self.take(id);
                    log::warn!(target: crate::journal::SERVER, "cannot wait for a client: {error}");
                }
            }
            Step::Arrived(incoming) => {
                if let Some(Guest { seat, open_deadline: deadline, .. }) = self.take(id) {
                    let incoming = Box::new(incoming.admitted(seat, deadline));
                    self.arrived.push_back(Arrival::Request(incoming));
                }
            }
            Step::Failed(error) => {
                self.take(id);
                self.arrived.push_back(Arrival::Failed(error));
            }
        }
    }

    fn watch(&mut self, id: usize, interest: Interest) -> io::Result<()> {
        let Some(guest) = self.guests.get_mut(&id) else { return Ok(()) };
        let deadline = guest.open_deadline.min(guest.reception.deadline());
        if guest.deadline != deadline {
            guest.deadline = deadline;
            self.deadlines.extend(deadline.at().map(|at| Reverse((at, id))));
        }
        let watch = Watch { readable: interest.reads(), writable: interest.writes() };
        if let Some(transport) = &guest.watched {
            return self.poller.watch(&**transport, id, watch);
        }
        let Some(transport) = guest.reception.transport() else { return Ok(()) };
        self.poller.register(&**transport, id, watch)?;
        guest.watched = Some(transport.clone());
        Ok(())
    }

    /// Lets a guest go.
    fn take(&mut self, id: usize) -> Option<Guest> {
        let guest = self.guests.remove(&id)?;
        self.deregister(&guest);
        Some(guest)
    }

    fn deregister(&self, guest: &Guest) {
        if let Some(transport) = &guest.watched {
            self.poller.deregister(&**transport);
        }
    }

    fn keep_deadlines(&mut self, now: Instant) {
        while let Some(Reverse((at, id))) = self.deadlines.peek().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop();
            let Some(guest) = self.guests.get(&id) else { continue };
            if guest.deadline.at() != Some(at) {
                continue;
            }
            if let Some(guest) = self.take(id) {
                let error = guest.reception.into_fault().unwrap_or_else(timed_out);
                self.arrived.push_back(Arrival::Failed(error));
            }
        }
    }

    /// Lets the guests go who have waited longest; whether there was one.
    fn evict(&mut self, error: &io::Error) -> bool {
        let oldest: Vec<usize> = self.guests.keys().take(EVICTED_AT_ONCE).copied().collect();
        for id in &oldest {
            self.take(*id);
            let action = "go on waiting for a client's request".to_owned();
            let error = io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default());
            self.arrived.push_back(Arrival::Failed(Error::System { action, error }));
        }
        !oldest.is_empty()
    }
}

impl Drop for Lobby {
    /// Clients that are not answered yet get 503, where that is possible at once.
    fn drop(&mut self) {
        if !self.process.is_current() {
            // What it would take out of the poller is the parent's as well.
            std::mem::forget(self.poller.clone());
            return;
        }
        self.poller.deregister_source(self.listener.as_fd());
        for guest in std::mem::take(&mut self.guests).into_values() {
            self.deregister(&guest);
            let mut reception = guest.reception;
            if reception.refuse_early(unavailable(SHUTTING_DOWN)) {
                reception.step();
            }
        }
        for arrival in std::mem::take(&mut self.arrived) {
            if let Arrival::Request(incoming) = arrival {
                incoming.into_refused(unavailable(SHUTTING_DOWN)).0.step();
            }
        }
    }
}

/// The descriptor that can be read when a [`turn`](Lobby::turn) has something to do, for event loops of one's own.
impl AsRawFd for Lobby {
    fn as_raw_fd(&self) -> RawFd {
        self.poller.as_raw_fd()
    }
}

impl fmt::Debug for Lobby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guests = self.guests.len();
        f.debug_struct("Lobby").field("guests", &guests).finish_non_exhaustive()
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let full = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| full.contains(&number))
}

/// 503, with a text for a person.
pub(super) fn unavailable(text: &str) -> Response {
    let mut response = Response::new(503, "Service Unavailable");
    response.body = text.into();
    response
}

/// The text of a 503.
pub(super) const SHUTTING_DOWN: &str = "The server is shutting down.\n";

const LISTENER: usize = 0;
const READABLE: Watch = Watch { readable: true, writable: false };

/// Then those get a turn who are here already.
const ACCEPTS_AT_ONCE: usize = 64;

/// Who takes the place needs more than one descriptor to be served.
const EVICTED_AT_ONCE: usize = 8;

/// When the system cannot accept: handlers that end give some descriptors back.
const PAUSE: Duration = Duration::from_millis(50);
