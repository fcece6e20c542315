//! The thread of a proxy, and what it shares with those who command it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::events::{Events, Observer, ProxyEvent};
use super::faults::Faults;
use super::flow::{Ending, Fault, Flow, Next};
use super::{Direction, FaultCounts};
use crate::deadline::Deadline;
use crate::server::Listener;
use crate::transport::poll_until;

/// Where the connections lead.
#[derive(Debug)]
pub(super) enum Target {
    /// Addresses to try, all of the loopback interface.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    wake: UnixStream,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// By their numbers. Invariant: none is over.
    links: BTreeMap<usize, Link>,
    accepted: usize,
    pub(super) counts: FaultCounts,
    events: Events,
    pub(super) is_offline: bool,
    pub(super) is_ending: bool,
}

impl Shared {
    pub(super) fn new(events: Events) -> io::Result<(Arc<Shared>, UnixStream)> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok((
            Arc::new(Shared { state: Mutex::new(State { events, ..State::default() }), wake }),
            woken,
        ))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Does something and has the thread look at what it changed.
    pub(super) fn command<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = change(&mut self.state());
        // If there is no room, it is woken anyhow.
        let _ = (&self.wake).write(b"x");
        outcome
    }
}

impl State {
    pub(super) fn connections(&self) -> usize {
        self.links.values().filter(|link| link.is_live()).count()
    }

    pub(super) fn stall(&mut self, direction: Direction, connection: Option<usize>) {
        for (connection, link) in selected(&mut self.links, connection) {
            for (flow, direction) in direction.of(&mut link.flows) {
                if flow.stall() {
                    self.counts.stalls += 1;
                    self.events.add(ProxyEvent::Stalled { connection, direction });
                }
            }
        }
    }

    pub(super) fn resume(&mut self, direction: Direction, connection: Option<usize>) {
        for (_, link) in selected(&mut self.links, connection) {
            direction.of(&mut link.flows).for_each(|(flow, _)| flow.resume());
        }
    }

    pub(super) fn cut(&mut self, connection: Option<usize>) {
        let links = selected(&mut self.links, connection);
        for (connection, link) in links.filter(|(_, link)| link.is_live()) {
            link.cut();
            self.counts.cuts += 1;
            self.events.add(ProxyEvent::Cut { connection });
        }
    }

    pub(super) fn half_close(&mut self, direction: Direction, connection: Option<usize>) {
        for (connection, link) in selected(&mut self.links, connection) {
            for way in direction.ways() {
                if link.end(way) {
                    self.counts.half_closes += 1;
                    let direction = Direction::of_way(way);
                    self.events.add(ProxyEvent::HalfClosed { connection, direction });
                }
            }
        }
    }

    pub(super) fn reset(&mut self, connection: Option<usize>) {
        let State { counts, events, .. } = self;
        self.links.retain(|number, link| {
            if connection.is_some_and(|connection| connection != *number) {
                return true;
            }
            if link.is_live() {
                counts.resets += 1;
                events.add(ProxyEvent::Reset { connection: *number });
            }
            link.reset();
            events.add(link.ended(*number));
            false
        });
    }
}

fn selected(
    links: &mut BTreeMap<usize, Link>,
    connection: Option<usize>,
) -> impl Iterator<Item = (usize, &mut Link)> {
    let chosen = move |number| connection.is_none_or(|connection| connection == number);
    links
        .iter_mut()
        .map(|(number, link)| (*number, link))
        .filter(move |(number, _)| chosen(*number))
}

/// A connection: the client's socket and the server's, and the flow that each is the source of.
#[derive(Debug)]
struct Link {
    sockets: [Arc<OwnedFd>; 2],
    flows: [Flow; 2],
    /// What was wrong with one of the sockets.
    error: Option<io::ErrorKind>,
}

/// Whether a link goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoOn,
    Over,
}

impl Link {
    fn is_live(&self) -> bool {
        !self.flows.iter().all(Flow::is_ended)
    }

    fn end(&mut self, way: usize) -> bool {
        let was_open = self.flows[way].end();
        if was_open {
            // One that has gone already is at its end.
            let _ = shutdown(&self.sockets[1 - way], Shutdown::Write);
        }
        was_open
    }

    fn cut(&mut self) {
        self.end(UP);
        self.end(DOWN);
    }

    /// Has both sockets send an RST as soon as they are closed.
    fn reset(&self) {
        for socket in &self.sockets {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// What is to be told at its end.
    fn ended(&self, connection: usize) -> ProxyEvent {
        let [up, down] = [UP, DOWN].map(|way| self.flows[way].passed());
        ProxyEvent::Ended { connection, up, down, error: self.error }
    }

    /// What to wait for, for each socket, and when to look again.
    fn wants(&self, now: Instant) -> ([PollFlags; 2], Option<Instant>) {
        let mut flags = [PollFlags::empty(); 2];
        let mut again = None;
        for (way, flow) in self.flows.iter().enumerate() {
            flags[way].set(PollFlags::IN, flow.room() > 0);
            match flow.next(now) {
                Next::Idle => {}
                Next::Pass(_) => flags[1 - way] |= PollFlags::OUT,
                Next::Wait(until) => again = earlier(again, until),
                Next::End(_) | Next::Do(_) => again = Some(now),
            }
        }
        (flags, again)
    }

    /// Reads what came, and passes on what is due.
    fn work(&mut self, ready: [PollFlags; 2], buffer: &mut [u8], notes: &mut Notes<'_>) -> Verdict {
        for way in [UP, DOWN] {
            if !(ready[way] - PollFlags::OUT).is_empty() {
                self.read(way, buffer, notes.counts);
            }
            if self.pass(way, notes) == Verdict::Over {
                self.reset();
                return Verdict::Over;
            }
        }
        if self.flows.iter().all(Flow::is_over) { Verdict::Over } else { Verdict::GoOn }
    }

    fn read(&mut self, way: usize, buffer: &mut [u8], counts: &mut FaultCounts) {
        let flow = &mut self.flows[way];
        let room = flow.room().min(buffer.len());
        if room == 0 {
            return;
        }
        let now = Instant::now();
        match recv(&self.sockets[way], &mut buffer[..room], RecvFlags::empty()) {
            Ok((0, _)) => flow.take_ending(Ending::Fin, now),
            Ok((len, _)) => flow.take(&buffer[..len], now, counts),
            Err(error) if is_passing(error) => {}
            Err(error) => {
                self.error = self.error.or(Some(io::Error::from(error).kind()));
                flow.take_ending(Ending::Reset, now);
            }
        }
    }

    fn pass(&mut self, way: usize, notes: &mut Notes<'_>) -> Verdict {
        let (connection, direction) = (notes.connection, Direction::of_way(way));
        loop {
            let now = Instant::now();
            let flow = &mut self.flows[way];
            match flow.next(now) {
                Next::Idle | Next::Wait(_) => return Verdict::GoOn,
                Next::Pass(len) => {
                    match send(&self.sockets[1 - way], flow.front(len), SendFlags::NOSIGNAL) {
                        // One piece at a time: the others have their turn, and the receiver can read.
                        Ok(len) => flow.pass(len, now),
                        Err(error) if is_passing(error) => {}
                        Err(_) if self.flows[1 - way].is_ended() => return Verdict::Over,
                        // What the destination sent before it went is passed on.
                        Err(error) => {
                            self.error = self.error.or(Some(io::Error::from(error).kind()));
                            self.flows[way].end();
                            self.flows[1 - way].break_source();
                        }
                    }
                    return Verdict::GoOn;
                }
                Next::End(Ending::Fin) => {
                    self.end(way);
                }
                Next::End(Ending::Reset) => return Verdict::Over,
                Next::Do(fault) => {
                    flow.done();
                    match fault {
                        Fault::Stall => {
                            if flow.stall() {
                                notes.counts.stalls += 1;
                                notes.events.add(ProxyEvent::Stalled { connection, direction });
                            }
                        }
                        Fault::HalfClose => {
                            if self.end(way) {
                                notes.counts.half_closes += 1;
                                notes.events.add(ProxyEvent::HalfClosed { connection, direction });
                            }
                        }
                        Fault::Cut => {
                            notes.counts.cuts += 1;
                            notes.events.add(ProxyEvent::Cut { connection });
                            self.cut();
                        }
                        Fault::Reset => {
                            notes.counts.resets += 1;
                            notes.events.add(ProxyEvent::Reset { connection });
                            return Verdict::Over;
                        }
                    }
                }
            }
        }
    }
}

/// Where is noted what is done to a connection.
struct Notes<'a> {
    connection: usize,
    counts: &'a mut FaultCounts,
    events: &'a mut Events,
}

/// What the thread has for itself.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) listener: Listener,
    pub(super) target: Target,
    /// Up and down.
    pub(super) faults: [Faults; 2],
    pub(super) seed: u64,
    pub(super) woken: UnixStream,
    pub(super) shared: Arc<Shared>,
    pub(super) observer: Observer,
    /// A connection, by its number, to a server on a Unix socket with a full backlog.
    pub(super) waiting: Option<(usize, OwnedFd)>,
}

impl Pump {
    pub(super) fn run(mut self) {
        let mut buffer = vec![0; READ_LEN];
        // After an error, such as too many descriptors, it accepts nothing for a while.
        let mut accept_from = Instant::now();
        loop {
            let now = Instant::now();
            let accepts = accept_from <= now;
            let is_waiting = self.waiting.is_some();
            let mut again = (is_waiting || !accepts).then_some(accept_from);
            let mut sockets = Vec::new();
            {
                let state = self.shared.state();
                if state.is_ending {
                    return;
                }
                for (number, link) in &state.links {
                    let (flags, look) = link.wants(now);
                    again = look.map_or(again, |look| earlier(again, look));
                    for (socket, flags) in link.sockets.iter().zip(flags) {
                        sockets.push((*number, socket.clone(), flags));
                    }
                }
            }
            let ready = self.wait(&sockets, accepts, again);
            drain(&mut self.woken);
            let shared = self.shared.clone();
            let mut state = shared.state();
            if state.is_ending {
                return;
            }
            for (pair, ready) in sockets.chunks(2).zip(ready.chunks(2)) {
                let number = pair[0].0;
                let State { links, counts, events, .. } = &mut *state;
                // It may have been reset meanwhile.
                let Some(link) = links.get_mut(&number) else { continue };
                let mut notes = Notes { connection: number, counts, events };
                if link.work([ready[0], ready[1]], &mut buffer, &mut notes) == Verdict::Over {
                    let ended = link.ended(number);
                    events.add(ended);
                    links.remove(&number);
                }
            }
            if accepts && let Err(error) = self.accept(&mut state) {
                let is_waiting = self.waiting.is_some();
                if !is_waiting {
                    log::warn!("cannot accept: {error}");
                }
                accept_from = Instant::now() + if is_waiting { UNIX_RETRY } else { ACCEPT_PAUSE };
            }
            let events = state.events.take();
            drop(state);
            self.observer.tell(events);
        }
    }

    /// What each socket is ready for.
    fn wait(
        &self,
        sockets: &[(usize, Arc<OwnedFd>, PollFlags)],
        accepts: bool,
        again: Option<Instant>,
    ) -> Vec<PollFlags> {
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if accepts {
            fds.push(PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN));
        }
        let others = fds.len();
        let mut waiting = Vec::new();
        for (index, (_, socket, flags)) in sockets.iter().enumerate() {
            // `poll` tells of errors unasked, and there is nobody to take them.
            if !flags.is_empty() {
                fds.push(PollFd::from_borrowed_fd(socket.as_fd(), *flags));
                waiting.push(index);
            }
        }
        // A signal only makes it look again.
        let polled = poll_until(&mut fds, Deadline::from(again)).is_ok();
        let mut ready = vec![PollFlags::empty(); sockets.len()];
        for (index, fd) in waiting.into_iter().zip(&fds[others..]) {
            if polled {
                ready[index] = fd.revents();
            }
        }
        ready
    }

    fn accept(&mut self, state: &mut State) -> io::Result<()> {
        loop {
            let Some((number, client)) = self.next_client(state)? else { return Ok(()) };
            let server = (!state.is_offline).then(|| self.target.connect());
            if let Some(Err(error)) = &server
                && error.kind() == io::ErrorKind::WouldBlock
            {
                self.waiting = Some((number, client));
                return Err(error.kind().into());
            }
            state.events.add(ProxyEvent::Opened { connection: number });
            let Some(Ok(server)) = server else {
                state.events.add(match server {
                    Some(Err(error)) => {
                        ProxyEvent::Unreachable { connection: number, error: error.kind() }
                    }
                    _ => ProxyEvent::Reset { connection: number },
                });
                let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
                state.counts.resets += u64::from(state.is_offline);
                continue;
            };
            for socket in [&client, &server] {
                SockRef::from(socket).set_nonblocking(true)?;
            }
            let flow = |way: usize| Flow::new(&self.faults[way], self.seed, number, way);
            let link = Link {
                sockets: [client, server].map(Arc::new),
                flows: [UP, DOWN].map(flow),
                error: None,
            };
            state.links.insert(number, link);
        }
    }

    fn next_client(&mut self, state: &mut State) -> io::Result<Option<(usize, OwnedFd)>> {
        if self.waiting.is_some() {
            return Ok(self.waiting.take());
        }
        match self.listener.accept() {
            Ok(client) => {
                let number = state.accepted;
                state.accepted += 1;
                Ok(Some((number, client)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Target {
    /// A socket that is connected, or soon will be. `WouldBlock` if the server's backlog is full.
    fn connect(&self) -> io::Result<OwnedFd> {
        match self {
            Target::Unix(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                socket.connect(&SockAddr::unix(path)?)?;
                Ok(socket.into())
            }
            Target::Tcp(addresses) => {
                let mut outcome = Err(io::ErrorKind::NotFound.into());
                for address in addresses {
                    outcome = connect_tcp(*address);
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

fn connect_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        outcome => outcome?,
    }
    Ok(socket.into())
}

fn drain(woken: &mut UnixStream) {
    let mut bytes = [0; 64];
    while woken.read(&mut bytes).is_ok_and(|len| len == bytes.len()) {}
}

fn is_passing(error: rustix::io::Errno) -> bool {
    matches!(error, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)
}

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// The ways, as indices: a flow's source is the socket with the same index.
pub(super) const UP: usize = 0;
pub(super) const DOWN: usize = 1;

const READ_LEN: usize = 64 << 10;

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a Unix socket with a full backlog is tried again.
const UNIX_RETRY: Duration = Duration::from_millis(10);
