//! The thread of the driver: which connection it serves when, and what it waits for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{Command, Driver, Next, Rest, TICK};
use crate::line::Line;
use crate::poller::{self, Events, Ready, Watch};
use crate::sync::{self, Arc, Ordering, Weak, lock};

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

    pub(super) fn run(mut self) {
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

const UNWATCHED: Watch = Watch { readable: false, writable: false };

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
