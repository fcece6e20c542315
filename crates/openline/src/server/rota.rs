//! Connections whose messages come to a callback: any number of them, served by a few threads.
//!
//! One thread at a time polls for all; those that became ready are taken by whichever thread is free, one
//! connection each. It reads what is there, calls back for each message, and has the connection watched again. While
//! it does so another polls. So the messages of one connection come one by one and in order, and an idle connection
//! costs no thread.
//!
//! ```text
//!           readable, or announced          taken by a thread
//! watched ─────────────────────────▶ ready ───────────────────▶ served ─▶ watched, or ready again, or over
//! ```
//!
//! Callbacks may wait, for a peer that does not read, say. When all threads are in callbacks and none of these
//! returns for a while, [`Rota::look_after`] adds one more.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use openline_proto::{Message, State as Openness};

use super::lobby::LobbyWaker;
use super::registry::Place;
use super::seats::Seat;
use crate::closed::Closed;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::journal::SERVER;
use crate::poller::Watch;
use crate::poller::system::{Events, Poller, events, ready};
use crate::read::{Attendant, Attended};
use crate::status::SLICE;
use crate::sync;
use crate::transport::Transport;

/// What a server does with its connections, called back by a few threads: see
/// [`Server::serve_messages`](crate::Server::serve_messages). A closure that takes a connection and a message is one.
///
/// The calls for one connection come one after another, `on_open` first and `on_close` last; those for different
/// connections at once. A panic closes the connection with code 1011; it gets no more messages.
///
/// ```
/// use openline::{Closed, Connection, Message, MessageHandler, Server};
///
/// /// Greets, and repeats what it is told.
/// struct Parrot;
///
/// impl MessageHandler for Parrot {
///     fn on_open(&self, connection: &Connection) {
///         let _ = connection.send("hello");
///     }
///     fn on_message(&self, connection: &Connection, message: Message) {
///         let _ = connection.send(&message);
///     }
///     fn on_close(&self, _connection: &Connection, closed: &Closed) {
///         println!("{closed}");
///     }
/// }
///
/// # fn main() -> openline::Result<()> {
/// let server = Server::bind("127.0.0.1:0")?.serve_messages(Parrot)?;
/// let line = openline::connect(&format!("ws://{}/", server.address()))?;
/// assert_eq!(line.recv()?, "hello".into());
/// line.send("who is there?")?;
/// assert_eq!(line.recv()?, "who is there?".into());
/// # Ok(()) }
/// ```
pub trait MessageHandler: Send + Sync + 'static {
    /// A connection is open. Default: nothing happens.
    fn on_open(&self, connection: &Connection) {
        let _ = connection;
    }

    /// A message has come.
    fn on_message(&self, connection: &Connection, message: Message);

    /// A connection is closed. Default: nothing happens.
    fn on_close(&self, connection: &Connection, closed: &Closed) {
        let _ = (connection, closed);
    }
}

impl<F: Fn(&Connection, Message) + Send + Sync + 'static> MessageHandler for F {
    fn on_message(&self, connection: &Connection, message: Message) {
        self(connection, message);
    }
}

/// The threads, and the connections that they serve.
pub(super) struct Rota {
    me: Weak<Rota>,
    poller: Poller,
    handler: Box<dyn MessageHandler>,
    /// So many threads there are while none is held up.
    workers: usize,
    /// Has somebody call [`look_after`](Rota::look_after).
    alarm: LobbyWaker,
    state: Mutex<State>,
    /// Somebody is to poll, or to take a connection.
    work: Condvar,
    /// A connection is over.
    left: Condvar,
}

#[derive(Default)]
struct State {
    clients: HashMap<usize, Arc<Client>>,
    next_id: usize,
    ready: VecDeque<Arc<Client>>,
    is_polled: bool,
    is_over: bool,
    threads: usize,
    /// Threads that wait for work; who polls is none of them.
    waiting: usize,
    /// Counts the turns that were taken.
    turns: u64,
    /// Whether all threads may be held up, which somebody looks after.
    held_up: Option<HeldUp>,
}

/// Since when so many turns were taken, and no more.
#[derive(Clone, Copy, Debug)]
struct HeldUp {
    turns: u64,
    since: Instant,
}

struct Client {
    id: usize,
    connection: Connection,
    /// What is registered: it stays open until it is not any more.
    transport: Arc<dyn Transport>,
    /// A [`Stage`].
    stage: AtomicU8,
    /// Whether a callback has panicked.
    is_given_up: AtomicBool,
    _place: Place,
    _seat: Option<Seat>,
}

/// Where a client is; changed only by the functions of `Client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Watched,
    Ready,
    Served,
    /// And something came meanwhile.
    ServedAgain,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// There is nothing more.
    Done,
    /// Somebody else sees to it, and announces it when he leaves.
    Left,
    /// There is more: others get their turn first.
    More,
    /// The connection is closed.
    Over,
}

impl Rota {
    pub(super) fn new(
        handler: Box<dyn MessageHandler>,
        workers: usize,
        alarm: LobbyWaker,
    ) -> io::Result<Arc<Rota>> {
        let poller = Poller::new()?;
        let rota = Arc::new_cyclic(|me| Rota {
            me: me.clone(),
            poller,
            handler,
            workers,
            alarm,
            state: Mutex::default(),
            work: Condvar::new(),
            left: Condvar::new(),
        });
        let mut state = rota.state();
        rota.add_thread(&mut state)?;
        drop(state);
        Ok(rota)
    }

    /// Serves a connection from now on; the first turn is this thread's.
    pub(super) fn add(&self, connection: Connection, place: Place, seat: Option<Seat>) {
        let is_well = self.guard(&connection, || self.handler.on_open(&connection));
        let Some(transport) = connection.transport() else {
            return self.tell_closed(&connection);
        };
        let client = {
            let mut state = self.state();
            state.next_id += 1;
            let client = Arc::new(Client {
                id: state.next_id,
                connection,
                transport,
                stage: AtomicU8::new(Stage::Ready as u8),
                is_given_up: AtomicBool::new(!is_well),
                _place: place,
                _seat: seat,
            });
            state.clients.insert(client.id, client.clone());
            client
        };
        let caller = Caller { rota: self.me.clone(), id: client.id };
        client.connection.line.attend_by(Box::new(caller));
        if let Err(error) = self.poller.register(&*client.transport, client.id, UNWATCHED) {
            log::warn!(target: SERVER, "cannot watch a connection: {error}");
            client.connection.abort();
        }
        self.serve(&client, &mut Vec::new());
    }

    /// Sees to threads that are held up by callbacks; when to do so again, unless never.
    pub(super) fn look_after(&self) -> Option<Duration> {
        let mut state = self.state();
        let HeldUp { turns, since } = state.held_up?;
        if state.is_polled || state.waiting > 0 {
            state.held_up = None;
            return None;
        }
        let now = sync::now();
        if turns == state.turns {
            let left = HOLD_UP.saturating_sub(now.saturating_duration_since(since));
            if !left.is_zero() {
                return Some(left);
            }
            if state.threads < MAX_THREADS
                && let Err(error) = self.add_thread(&mut state)
            {
                log::warn!(target: SERVER, "cannot start a thread for callbacks: {error}");
            }
        }
        state.held_up = Some(HeldUp { turns: state.turns, since: now });
        Some(HOLD_UP)
    }

    /// Waits, until a deadline, for the end of all connections, and ends the threads.
    pub(super) fn end(&self, deadline: Deadline) {
        let mut state = self.state();
        while !state.clients.is_empty() && !deadline.has_passed() {
            // All of them may be held up, and nobody else is here any more to see to that.
            drop(state);
            self.look_after();
            state = self.state();
            let left = deadline.remaining().unwrap_or(SLICE).min(HOLD_UP);
            let outcome = self.left.wait_timeout(state, left);
            state = outcome.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_over = true;
        drop(state);
        self.work.notify_all();
        let _ = self.poller.wake();
    }

    fn add_thread(&self, state: &mut State) -> io::Result<()> {
        let me = self.me.clone();
        thread::Builder::new().name("openline-messages".to_owned()).spawn(move || {
            if let Some(rota) = me.upgrade() {
                rota.run();
            }
        })?;
        state.threads += 1;
        Ok(())
    }

    /// The life of a thread.
    fn run(&self) {
        let mut scratch = Vec::new();
        let mut events = events();
        let mut state = self.state();
        while !state.is_over {
            if let Some(client) = state.ready.pop_front() {
                self.find_substitute(&mut state);
                drop(state);
                self.serve(&client, &mut scratch);
                drop(client);
                state = self.state();
                state.turns += 1;
            } else if !state.is_polled {
                state = self.poll(state, &mut events);
            } else if state.threads > self.workers {
                break; // It was needed for a while.
            } else {
                state.waiting += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
        state.threads -= 1;
        if state.is_over {
            // Each wakes the next, as one wake is for one who polls.
            let _ = self.poller.wake();
        }
    }

    /// Has another thread poll, or take the next connection, while this one is in a callback.
    fn find_substitute(&self, state: &mut State) {
        if state.waiting > 0 {
            self.work.notify_one();
        } else if state.is_polled {
            // Who polls finds what is ready.
        } else if state.threads < self.workers && self.add_thread(state).is_ok() {
            // It will.
        } else if state.held_up.is_none() {
            state.held_up = Some(HeldUp { turns: state.turns, since: sync::now() });
            self.alarm.wake();
        }
    }

    fn poll<'r>(
        &'r self,
        mut state: MutexGuard<'r, State>,
        events: &mut Events,
    ) -> MutexGuard<'r, State> {
        state.is_polled = true;
        drop(state);
        let outcome = self.poller.wait(events, None);
        let mut state = self.state();
        state.is_polled = false;
        if let Err(error) = outcome {
            // As for the driver: there is no way to go on.
            panic!("a server cannot wait for its connections: {error}");
        }
        for ready in ready(events) {
            if let Some(client) = state.clients.get(&ready.id).cloned()
                && client.schedule()
            {
                state.ready.push_back(client);
            }
        }
        state
    }

    /// Somebody else has read from a connection.
    fn announce(&self, id: usize) {
        let state = self.state();
        let Some(client) = state.clients.get(&id).cloned() else { return };
        if client.schedule() {
            self.put_ready(state, client);
        }
    }

    /// Has a thread of the rota take a client; this one need not be one.
    fn put_ready(&self, mut state: MutexGuard<'_, State>, client: Arc<Client>) {
        state.ready.push_back(client);
        if state.waiting > 0 {
            self.work.notify_one();
        } else if state.is_polled {
            drop(state);
            let _ = self.poller.wake();
        }
    }

    /// A turn of a connection that was ready.
    fn serve(&self, client: &Arc<Client>, scratch: &mut Vec<u8>) {
        client.stage.store(Stage::Served as u8, Ordering::SeqCst);
        loop {
            match self.take_messages(client, scratch) {
                Turn::Over => return self.leave(client),
                Turn::More => {
                    client.stage.store(Stage::Ready as u8, Ordering::SeqCst);
                    return self.put_ready(self.state(), client.clone());
                }
                Turn::Left => {}
                // An error: it was never registered, and is aborted.
                Turn::Done => {
                    if self.poller.watch(&*client.transport, client.id, READABLE).is_err() {
                        return self.leave(client);
                    }
                }
            }
            let outcome = client.stage.compare_exchange(
                Stage::Served as u8,
                Stage::Watched as u8,
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
            if outcome.is_ok() {
                return;
            }
            client.stage.store(Stage::Served as u8, Ordering::SeqCst);
        }
    }

    fn take_messages(&self, client: &Client, scratch: &mut Vec<u8>) -> Turn {
        let Client { connection, is_given_up, .. } = client;
        for _ in 0..MESSAGES_PER_TURN {
            match connection.line.receive_attended(scratch) {
                Attended::Message(message) => {
                    if !is_given_up.load(Ordering::Relaxed) {
                        let is_done = self.guard(connection, || {
                            self.handler.on_message(connection, message);
                        });
                        is_given_up.store(!is_done, Ordering::Relaxed);
                    }
                }
                Attended::More => return Turn::More,
                Attended::Over => return Turn::Over,
                _ if connection.state() == Openness::Closed => return Turn::Over,
                Attended::Nothing => return Turn::Done,
                Attended::Busy => return Turn::Left,
            }
        }
        Turn::More
    }

    /// The connection of a client is closed.
    fn leave(&self, client: &Client) {
        self.poller.deregister(&*client.transport);
        self.tell_closed(&client.connection);
        self.state().clients.remove(&client.id);
        self.left.notify_all();
    }

    fn tell_closed(&self, connection: &Connection) {
        if let Some(closed) = connection.how_closed() {
            self.guard(connection, || self.handler.on_close(connection, &closed));
        }
    }

    /// Calls back; whether that went well. A panic is that of one connection.
    fn guard(&self, connection: &Connection, callback: impl FnOnce()) -> bool {
        let is_done = catch_unwind(AssertUnwindSafe(callback)).is_ok();
        if !is_done {
            let outcome = connection.start_close(1011, "internal error");
            outcome.expect("bug: a code and a reason that may be sent");
        }
        is_done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rota {
    /// Those that were left behind.
    fn drop(&mut self) {
        let clients = std::mem::take(&mut self.state().clients);
        for client in clients.into_values() {
            self.poller.deregister(&*client.transport);
        }
    }
}

impl Client {
    /// Whether it is to be put among those that are ready; who serves it now looks again.
    fn schedule(&self) -> bool {
        let update = |stage| match stage {
            _ if stage == Stage::Watched as u8 => Some(Stage::Ready as u8),
            _ if stage == Stage::Served as u8 => Some(Stage::ServedAgain as u8),
            _ => None,
        };
        let outcome = self.stage.fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
        outcome == Ok(Stage::Watched as u8)
    }
}

/// What a line knows of its rota.
#[derive(Debug)]
struct Caller {
    rota: Weak<Rota>,
    id: usize,
}

impl Attendant for Caller {
    fn announce(&self) {
        if let Some(rota) = self.rota.upgrade() {
            rota.announce(self.id);
        }
    }
}

impl fmt::Debug for Rota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rota").field("workers", &self.workers).finish_non_exhaustive()
    }
}

const UNWATCHED: Watch = Watch { readable: false, writable: false };
const READABLE: Watch = Watch { readable: true, writable: false };

/// Then others get their turn.
const MESSAGES_PER_TURN: usize = 64;

/// When no callback has returned for so long, one more thread helps.
const HOLD_UP: Duration = Duration::from_millis(20);

/// Beyond this many threads those who wait have to.
const MAX_THREADS: usize = 512;
