//! The driver: one thread per process that serves the connections nobody is reading.
//!
//! It answers pings, completes closes, runs keepalive, keeps what comes in the bounded queue, and
//! writes what a full socket did not take. It never blocks on a lock that users hold, calls no logger,
//! blocks all signals, and holds connections only weakly. Of the code of users it runs only their
//! transports and extensions, which must not block; one that panics ends its connection alone.
//!
//! ```text
//!              unused for two ticks, nothing to read
//!   looked at ───────────────────────────────────────▶ watched (epoll, once)
//!   every tick ◀─────────────────────────────────────── an event, while a caller reads or has just read
//! ```
//!
//! A caller that reads tells the driver nothing: no system call, no lock. If the connection is being
//! watched, its first message costs the driver one wake-up, after which it is looked at again; a
//! loop of `recv` costs none. That is why a caller does not disarm the watch.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::deadline::Deadline;
use crate::fork::PerProcess;
use crate::line::Line;
use crate::poller::{self, Events, Poller, Ready, Watch};
use crate::read::Drained;
use crate::sync::{self, Arc, AtomicU32, Bug, Mutex, Ordering, Weak, lock, try_lock};
use crate::transport::Transport;

/// The shared side of the driver.
#[derive(Debug)]
pub(crate) struct Driver {
    poller: Poller,
    inbox: Mutex<Inbox>,
    /// Counts up while connections are looked at.
    tick: AtomicU32,
    /// Receivers of its connections that look for bytes instead of sleeping.
    pub(crate) spinning: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inbox {
    commands: Vec<Command>,
    rest: Rest,
}

/// What the driver does at the moment, for who leaves it a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// It will look into the inbox before it rests.
    #[default]
    Awake,
    /// It will be awake at the next tick.
    UntilTick,
    /// It may sleep for long.
    Asleep,
}

#[derive(Debug)]
enum Command {
    Adopt { id: usize, line: Weak<Line>, deadline: Option<Instant> },
    At { id: usize, deadline: Instant },
    Flush { id: usize },
    Forget { id: usize },
}

impl Driver {
    /// The driver of this process, started if there is none.
    ///
    /// # Errors
    ///
    /// When the thread or its epoll descriptor cannot be made.
    pub(crate) fn shared() -> io::Result<Arc<Driver>> {
        // In a forked child the inherited driver is never dropped: its epoll is the parent's too, and
        // would lose the parent's wake-up.
        static SHARED: PerProcess<Option<Arc<Driver>>> = PerProcess::new(None);
        let mut shared = SHARED.lock();
        if let Some(driver) = &*shared {
            return Ok(driver.clone());
        }
        let driver = Arc::new(Driver::new()?);
        let thread = DriverThread::new(driver.clone());
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let spawned = std::thread::Builder::new()
            .name("openline-driver".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || thread.run());
        mask.thread_set_mask()?;
        spawned?;
        *shared = Some(driver.clone());
        Ok(driver)
    }

    /// A driver without its thread.
    pub(crate) fn new() -> io::Result<Driver> {
        let poller = Poller::new()?;
        Ok(Driver {
            poller,
            inbox: Mutex::default(),
            tick: AtomicU32::new(USED_TICKS),
            spinning: AtomicUsize::new(0),
        })
    }

    /// The current tick: a load, no clock.
    pub(crate) fn tick(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    /// Counts a tick, in place of the thread.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn tick_for_model(&self) {
        self.tick.fetch_add(1, Ordering::Relaxed);
    }

    /// Serves the line from now on, until it is dropped.
    pub(crate) fn adopt(&self, line: &Arc<Line>) {
        let deadline = line.bell.status().next_deadline();
        let id = line.registration.id;
        self.tell(Command::Adopt { id, line: Arc::downgrade(line), deadline }, Rest::Asleep);
    }

    /// Calls [`Line::on_deadline`] at that time.
    pub(crate) fn at(&self, line: &Line, deadline: Deadline) {
        let Some(deadline) = deadline.at() else { return };
        let is_soon = deadline.saturating_duration_since(sync::now()) < TICK;
        let waking = if is_soon { Rest::UntilTick } else { Rest::Asleep };
        self.tell(Command::At { id: line.registration.id, deadline }, waking);
    }

    /// Calls [`Line::on_writable`] when there is room.
    pub(crate) fn flush_later(&self, line: &Line) {
        if sync::is_planted(Bug::ForgottenTail) {
            return;
        }
        self.tell(Command::Flush { id: line.registration.id }, Rest::UntilTick);
    }

    /// Leaves a command, and wakes the driver from that rest or a deeper one; [`Rest::Awake`] from
    /// none.
    fn tell(&self, command: Command, waking: Rest) {
        let mut inbox = lock(&self.inbox);
        inbox.commands.push(command);
        let wakes = match waking {
            Rest::Awake => false,
            Rest::UntilTick => inbox.rest != Rest::Awake,
            Rest::Asleep => inbox.rest == Rest::Asleep,
        };
        if wakes {
            inbox.rest = Rest::Awake;
            drop(inbox);
            // Writing to an eventfd fails only if it is full of wake-ups.
            let _ = self.poller.wake();
        }
    }
}

/// A line's place in the driver's epoll, which it must leave before its descriptor is closed.
#[derive(Debug)]
pub(crate) struct Registration {
    id: usize,
    place: Mutex<Place>,
}

#[derive(Debug)]
enum Place {
    Outside,
    /// With the transport whose descriptor is registered, so that it stays open.
    Inside(Arc<dyn Transport>),
    Left,
}

impl Registration {
    pub(crate) fn new() -> Registration {
        static NEXT_ID: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let id = NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Registration { id, place: Mutex::new(Place::Outside) }
    }

    /// Leaves the epoll, for good.
    pub(crate) fn remove(&self, driver: &Driver) {
        let place = std::mem::replace(&mut *lock(&self.place), Place::Left);
        match place {
            Place::Inside(transport) => driver.poller.deregister(&*transport),
            Place::Outside => {}
            Place::Left => return,
        }
        // There is no hurry: it need not be woken for that.
        driver.tell(Command::Forget { id: self.id }, Rest::Awake);
    }

    fn watch(&self, driver: &Driver, line: &Line, watch: Watch) -> io::Result<()> {
        let mut place = lock(&self.place);
        match &*place {
            Place::Outside => {
                if let Some(transport) = line.transport() {
                    driver.poller.register(&*transport, self.id, watch)?;
                    *place = Place::Inside(transport);
                }
                Ok(())
            }
            Place::Inside(transport) => driver.poller.watch(&**transport, self.id, watch),
            Place::Left => Ok(()),
        }
    }
}

/// The state of the driver's thread.
pub(crate) struct DriverThread {
    driver: Arc<Driver>,
    entries: HashMap<usize, Entry>,
    /// Connections to look at each tick.
    looked_at: Vec<usize>,
    /// Connections with more to read than one turn takes.
    unfinished: Vec<usize>,
    deadlines: BinaryHeap<Reverse<(Instant, usize)>>,
    last_tick: Instant,
    /// The read buffer that is lent to connections without one.
    scratch: Vec<u8>,
}

struct Entry {
    line: Weak<Line>,
    watch: Watch,
    is_looked_at: bool,
    /// The deadline that counts; others of it in the heap are outdated.
    deadline: Option<Instant>,
    /// Whether that was postponed once, since it came so late.
    is_postponed: bool,
}

/// What a connection needs after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Somebody uses it, or its queue is full: look again at the next tick.
    Look,
    /// It is idle: watch it.
    Watch,
    /// There is more to read.
    Again,
    /// It is read by others.
    Leave,
    /// It is over.
    Forget,
}

impl DriverThread {
    pub(crate) fn new(driver: Arc<Driver>) -> DriverThread {
        DriverThread {
            driver,
            entries: HashMap::new(),
            looked_at: Vec::new(),
            unfinished: Vec::new(),
            deadlines: BinaryHeap::new(),
            last_tick: sync::now(),
            scratch: Vec::new(),
        }
    }

    fn run(mut self) {
        let mut events = poller::events();
        loop {
            self.turn(&mut events);
        }
    }

    /// Rests until there is something to do, and does it.
    fn turn(&mut self, events: &mut Events) {
        if let Err(error) = self.rest(events) {
            // Without epoll nobody would serve idle connections. There is no way to go on, and
            // a silent end would hang them; the kernel gives no such error to a valid epoll.
            panic!("the driver cannot wait for its connections: {error}");
        }
        for ready in poller::ready(events) {
            self.take_turn(ready.id, |driver| driver.on_ready(ready));
        }
        let commands = {
            let mut inbox = lock(&self.driver.inbox);
            inbox.rest = Rest::Awake;
            std::mem::take(&mut inbox.commands)
        };
        for command in commands {
            self.obey(command);
        }
        for id in std::mem::take(&mut self.unfinished) {
            self.take_turn(id, |driver| driver.serve(id));
        }
        let now = sync::now();
        self.keep_deadlines(now);
        if now.saturating_duration_since(self.last_tick) >= TICK {
            self.last_tick = now;
            self.look_around();
        }
    }

    /// Runs until the world is over; nothing may be left then.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn run_in_world(mut self, is_over: impl Fn() -> bool) {
        let mut events = poller::events();
        while !is_over() {
            self.turn(&mut events);
        }
        // What was left to it meanwhile.
        self.turn(&mut events);
        assert!(self.entries.is_empty(), "the driver still knows {} lines", self.entries.len());
        assert!(self.driver.poller.is_empty(), "a closed socket is still watched");
    }

    fn rest(&mut self, events: &mut Events) -> io::Result<()> {
        let now = sync::now();
        let mut timeout =
            self.deadlines.peek().map(|Reverse((at, _))| at.saturating_duration_since(now));
        let rest = if self.looked_at.is_empty() {
            Rest::Asleep
        } else {
            let tick = (self.last_tick + TICK).saturating_duration_since(now);
            timeout = Some(timeout.map_or(tick, |timeout| timeout.min(tick)));
            Rest::UntilTick
        };
        {
            let mut inbox = lock(&self.driver.inbox);
            if inbox.commands.is_empty() && self.unfinished.is_empty() {
                inbox.rest = rest;
            } else {
                timeout = Some(Duration::ZERO);
            }
        }
        self.driver.poller.wait(events, timeout)
    }

    fn on_ready(&mut self, ready: Ready) {
        let Some(entry) = self.entries.get_mut(&ready.id) else { return };
        // The watch was for once: both directions are unwatched now.
        let watch = std::mem::replace(&mut entry.watch, UNWATCHED);
        let Some(line) = entry.line.upgrade() else { return self.forget(ready.id) };
        entry.watch.writable = watch.writable && !ready.writable;
        if ready.writable {
            line.on_writable();
        }
        if ready.readable && watch.readable {
            self.serve(ready.id);
        } else if let Some(entry) = self.entries.get_mut(&ready.id) {
            entry.watch.readable = watch.readable;
            self.rewatch(ready.id, &line);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Adopt { id, line, deadline } => {
                if self.looked_at.is_empty() {
                    // Ticks start again; without this the first would come at once.
                    self.last_tick = sync::now();
                }
                let entry = Entry {
                    line,
                    watch: UNWATCHED,
                    is_looked_at: false,
                    deadline: None,
                    is_postponed: false,
                };
                self.entries.insert(id, entry);
                if let Some(deadline) = deadline {
                    self.expect(id, deadline);
                }
                self.look_at(id);
            }
            Command::At { id, deadline } => self.expect(id, deadline),
            Command::Flush { id } => self.take_turn(id, |driver| driver.await_room(id)),
            Command::Forget { id } => self.forget(id),
        }
    }

    /// Does something for one connection. A panic in a transport or an extension, which may be the user's,
    /// is none of the others': the next look finds the lock that it has left, and ends the connection.
    fn take_turn(&mut self, id: usize, turn: impl FnOnce(&mut DriverThread)) {
        if catch_unwind(AssertUnwindSafe(|| turn(self))).is_err() {
            self.look_at(id);
        }
    }

    fn await_room(&mut self, id: usize) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.watch.writable = true;
        match entry.line.upgrade() {
            Some(line) => self.rewatch(id, &line),
            None => self.forget(id),
        }
    }

    /// Notes a deadline, unless there is an earlier one, which asks for the next itself.
    fn expect(&mut self, id: usize, deadline: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.deadline.is_none_or(|at| deadline < at) {
            entry.deadline = Some(deadline);
            self.deadlines.push(Reverse((deadline, id)));
        }
    }

    fn keep_deadlines(&mut self, now: Instant) {
        while let Some(Reverse((at, id))) = self.deadlines.peek().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // Or an earlier one came after it, and asked for the next.
            if entry.deadline.take_if(|expected| *expected == at).is_none() {
                continue;
            }
            // So late, the process stood still: whoever reads has a tick to find what came meanwhile.
            let is_late = now.saturating_duration_since(at) >= TICK;
            entry.is_postponed = is_late && !entry.is_postponed;
            if entry.is_postponed {
                self.expect(id, now + TICK);
            } else {
                self.take_turn(id, |driver| driver.on_deadline(id, now));
            }
        }
    }

    fn on_deadline(&mut self, id: usize, now: Instant) {
        let Some(entry) = self.entries.get(&id) else { return };
        let Some(line) = entry.line.upgrade() else { return self.forget(id) };
        if let Some(next) = line.on_deadline(now) {
            // What could not be done now is tried again, but not at once.
            self.expect(id, if next > now { next } else { now + TICK });
        }
    }

    /// The tick: serves the connections that were not used since two ticks.
    fn look_around(&mut self) {
        if self.looked_at.is_empty() {
            return;
        }
        self.driver.tick.fetch_add(1, Ordering::Relaxed);
        for id in std::mem::take(&mut self.looked_at) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.is_looked_at = false;
            }
            self.take_turn(id, |driver| driver.serve(id));
        }
    }

    fn serve(&mut self, id: usize) {
        let Some(line) = self.entries.get(&id).map(|entry| entry.line.upgrade()) else { return };
        let next = match &line {
            Some(line) => self.driver.serve(line, &mut self.scratch),
            None => Next::Forget,
        };
        match (next, line) {
            (Next::Again, _) => self.unfinished.push(id),
            (Next::Look | Next::Leave, line) => {
                if next == Next::Look {
                    self.look_at(id);
                }
                // The watch for room goes on: who uses the connection may only receive.
                if let Some(line) = line {
                    self.rewatch(id, &line);
                }
            }
            (Next::Watch, Some(line)) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.watch.readable = true;
                }
                self.rewatch(id, &line);
            }
            (Next::Watch, None) | (Next::Forget, _) => self.forget(id),
        }
    }

    fn look_at(&mut self, id: usize) {
        if let Some(entry) = self.entries.get_mut(&id)
            && !std::mem::replace(&mut entry.is_looked_at, true)
        {
            self.looked_at.push(id);
        }
    }

    fn rewatch(&mut self, id: usize, line: &Line) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.watch != UNWATCHED
            && line.registration.watch(&self.driver, line, entry.watch).is_err()
        {
            // No watch (the limit of epoll watches is reached, say): looking at it works always.
            entry.watch = UNWATCHED;
            self.look_at(id);
        }
    }

    fn forget(&mut self, id: usize) {
        self.entries.remove(&id);
    }
}

impl Driver {
    /// Reads what nobody else reads, and writes what waits for room, whoever reads.
    pub(crate) fn serve(&self, line: &Line, scratch: &mut Vec<u8>) -> Next {
        if line.is_attended() {
            return Next::Leave;
        }
        let drained = self.drain_unused(line, scratch);
        if let Some(mut half) = try_lock(&line.write) {
            if drained.is_some() {
                half.release_memory(sync::now());
            }
            // This writes what waits; the watch for room does so sooner, where one can be had.
            line.leave_write(half);
        }
        match drained {
            None | Some(Drained::Full) => Next::Look,
            Some(Drained::Empty) => Next::Watch,
            Some(Drained::Interrupted | Drained::More) => Next::Again,
            Some(Drained::Ended) => Next::Forget,
        }
    }

    /// Reads, unless somebody has used the connection of late.
    fn drain_unused(&self, line: &Line, scratch: &mut Vec<u8>) -> Option<Drained> {
        let mut half = line.try_lock_read()?;
        let is_used = self.tick().wrapping_sub(half.used_at) < USED_TICKS;
        if is_used || line.is_looked_out.load(Ordering::Relaxed) {
            drop(half);
            line.bell.ring_after_unlock();
            return None;
        }
        half.buffer.borrow(scratch);
        let drained = line.drain(&mut half);
        half.buffer.give_back(scratch);
        half.release_memory();
        if drained == Drained::Empty
            && let Some(transport) = &half.transport
        {
            transport.release_buffers();
        }
        drop(half);
        line.bell.ring_after_unlock();
        Some(drained)
    }
}

const UNWATCHED: Watch = Watch { readable: false, writable: false };

/// How often connections that are in use are looked at.
const TICK: Duration = Duration::from_millis(50);

/// A connection that was used within so many ticks is left to its users.
const USED_TICKS: u32 = 2;

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use std::os::unix::net::UnixStream;

    use openline_proto::Role;

    use super::*;
    use crate::line::Settings;
    use crate::transport::Socket;

    /// A line that only this driver knows, which nobody runs.
    fn line(settings: Settings) -> (DriverThread, Arc<Line>, UnixStream) {
        let driver = Arc::new(Driver::new().unwrap());
        let thread = DriverThread::new(driver.clone());
        let (socket, peer) = UnixStream::pair().unwrap();
        let transport = Arc::new(Socket::new(socket.into()));
        (thread, Line::new(transport, Role::Client, settings, &[], b"", driver), peer)
    }

    /// Does what the driver was told, and what is due.
    fn turn(thread: &mut DriverThread, now: Instant) {
        let commands = std::mem::take(&mut lock(&thread.driver.inbox).commands);
        commands.into_iter().for_each(|command| thread.obey(command));
        thread.keep_deadlines(now);
    }

    #[test]
    fn after_a_standstill_whoever_reads_has_time_to_count_what_came() {
        let second = Duration::from_secs(1);
        let settings = Settings { idle_timeout: Some(4 * second), ..Settings::default() };
        for comes in [false, true] {
            let (mut thread, line, _peer) = line(settings.clone());
            let late = Instant::now() + 10 * second;
            turn(&mut thread, late);
            assert!(line.is_open());
            // The other thread has read it before the driver looked, and counts it only now.
            line.data.fetch_add(u64::from(comes), Ordering::Relaxed);
            turn(&mut thread, late + TICK);
            assert_eq!(line.is_open(), comes);
        }
    }

    #[test]
    fn deadlines_that_are_set_anew_do_not_pile_up() {
        let (mut thread, line, _peer) = line(Settings::default());
        let mut deadlines = |now| {
            turn(&mut thread, now);
            thread.deadlines.len()
        };
        let second = Duration::from_secs(1);
        let start = Instant::now();
        for _ in 0..100 {
            line.set_keepalive(Some(30 * second), None);
        }
        assert_eq!(deadlines(start + 25 * second), 1);
        for seconds in (10..20).rev() {
            line.set_keepalive(Some(seconds * second), None);
        }
        assert_eq!(deadlines(start + 40 * second), 1);
    }
}
