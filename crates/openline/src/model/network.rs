//! The simulated network: one line between two sockets, which delays, splits, stalls, cuts and resets,
//! and keeps the order of bytes, as TCP does.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::board::show;
use super::dice::Dice;
use crate::deadline::Deadline;
use crate::sync::{self, Arc, Sleeper};
use crate::transport::{Interest, Readiness, Transport};

/// How a network behaves.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// From each side to the other, in milliseconds: always, and at most more.
    pub(super) latency: usize,
    pub(super) jitter: usize,
    /// Bytes that are on their way or wait to be read, in each direction.
    pub(super) window: usize,
    /// Whether reads and writes take less than they could.
    pub(super) splits: bool,
    /// Whether waits are interrupted by signals.
    pub(super) has_signals: bool,
    /// Whether the driver may watch the sockets.
    pub(super) may_be_watched: bool,
}

/// What goes wrong with a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes of a side do not arrive until then.
    Stall { from: usize, until: Duration },
    /// What a side has sent ends here.
    Cut { from: usize },
    /// Both ends learn that the line is no more; what is on its way is lost.
    Reset,
}

/// The line, for who makes its weather.
#[derive(Clone, Debug)]
pub(super) struct Network(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    dice: Dice,
    weather: Weather,
    /// What each side sends.
    ways: [Way; 2],
    /// Who waits for something to change.
    sleepers: Vec<Sleeper>,
    is_registered: [bool; 2],
}

/// What one side sends to the other.
#[derive(Debug)]
struct Way {
    /// In the order of their arrival, which is that of their departure.
    segments: VecDeque<(Instant, Segment)>,
    /// Bytes in the segments.
    len: usize,
    last_arrival: Instant,
    stalled_until: Instant,
    /// Whether the sender has ended it.
    is_ended: bool,
    /// Whether the network swallows what is still sent.
    is_cut: bool,
    /// Whether the receiver has shut it down, and gets nothing that is not there already.
    is_unwanted: bool,
    /// Whether the receiver has closed its socket.
    is_refused: bool,
}

#[derive(Debug)]
enum Segment {
    Bytes(VecDeque<u8>),
    End,
    Reset,
}

impl Network {
    /// A line, and its two ends.
    pub(super) fn new(weather: Weather, dice: Dice) -> (Network, [Socket; 2]) {
        let state = State {
            dice,
            weather,
            ways: [Way::new(), Way::new()],
            sleepers: Vec::new(),
            is_registered: [false; 2],
        };
        let state = Arc::new(Mutex::new(state));
        let end = |side| Socket(End { state: state.clone(), side });
        (Network(state.clone()), [end(0), end(1)])
    }

    pub(super) fn strike(&self, fault: Fault) {
        sync::switch();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Fault::Stall { from, until } => {
                state.ways[from].stalled_until = sync::now() + until;
            }
            Fault::Cut { from } => state.ways[from].cut(Segment::End),
            Fault::Reset => state.ways.iter_mut().for_each(|way| way.cut(Segment::Reset)),
        }
        state.change();
    }

    /// Whether a side can write bytes that may arrive.
    pub(super) fn has_room(&self, side: usize) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let way = &state.ways[side];
        way.len < state.weather.window
            && !way.is_ended
            && !way.is_cut
            && !state.ways[1 - side].is_reset()
    }
}

/// One end of the line, as the poller knows it; the socket may be closed.
#[derive(Clone, Debug)]
pub(crate) struct End {
    state: Arc<Mutex<State>>,
    side: usize,
}

impl End {
    pub(crate) fn readiness(&self, interest: Interest) -> Readiness {
        let state = self.state();
        let (incoming, outgoing) = (&state.ways[1 - self.side], &state.ways[self.side]);
        let is_reset = incoming.is_reset();
        let has_room = outgoing.len < state.weather.window || outgoing.is_ended || outgoing.is_cut;
        Readiness {
            readable: interest.reads() && (incoming.has_arrived() || incoming.is_unwanted),
            writable: interest.writes() && (has_room || is_reset),
        }
    }

    /// When something arrives next that is on its way already.
    pub(crate) fn next_arrival(&self) -> Deadline {
        let state = self.state();
        let way = &state.ways[1 - self.side];
        let arrivals = way.segments.iter().map(|(at, _)| (*at).max(way.stalled_until));
        Deadline::from(arrivals.into_iter().find(|at| *at > sync::now()))
    }

    /// Wakes the sleeper once when something changes.
    pub(crate) fn subscribe(&self, sleeper: &Sleeper) {
        self.state().sleepers.push(sleeper.clone());
    }

    pub(crate) fn may_be_watched(&self) -> bool {
        self.state().weather.may_be_watched
    }

    fn is_interrupted(&self) -> bool {
        let mut state = self.state();
        state.weather.has_signals && state.dice.one_in(20)
    }

    pub(crate) fn set_registered(&self, is_registered: bool) {
        self.state().is_registered[self.side] = is_registered;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for End {
    fn eq(&self, other: &End) -> bool {
        Arc::ptr_eq(&self.state, &other.state) && self.side == other.side
    }
}

/// The socket at one end; to drop it is to close it.
#[derive(Debug)]
pub(crate) struct Socket(End);

impl Socket {
    pub(crate) fn end(&self) -> &End {
        &self.0
    }
}

impl Transport for Socket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sync::switch();
        let mut state = self.0.state();
        let State { dice, weather, ways, .. } = &mut *state;
        let way = &mut ways[1 - self.0.side];
        if !way.has_arrived() {
            return if way.is_unwanted { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let most = if weather.splits { 1 + dice.below(buffer.len()) } else { buffer.len() };
        let mut len = 0;
        while len < most && way.has_arrived() {
            match &mut way.segments[0].1 {
                Segment::Bytes(bytes) => {
                    let taken = bytes.len().min(most - len);
                    for (to, from) in buffer[len..].iter_mut().zip(bytes.drain(..taken)) {
                        *to = from;
                    }
                    len += taken;
                    way.len -= taken;
                    if bytes.is_empty() {
                        way.segments.pop_front();
                    }
                }
                Segment::Reset if len == 0 => return Err(io::ErrorKind::ConnectionReset.into()),
                Segment::End | Segment::Reset => break,
            }
        }
        show(|| format!("side {}: {len} bytes read", self.0.side));
        state.change();
        Ok(len)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        sync::switch();
        let mut state = self.0.state();
        let State { dice, weather, ways, .. } = &mut *state;
        if ways[1 - self.0.side].is_reset() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if ways[self.0.side].is_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let way = &mut ways[self.0.side];
        if way.is_cut {
            return Ok(bytes.len());
        }
        let room = bytes.len().min(weather.window.saturating_sub(way.len));
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = if weather.splits { 1 + dice.below(room) } else { room };
        way.len += len;
        way.send(Segment::Bytes(bytes[..len].iter().copied().collect()), weather, dice);
        if way.is_refused {
            ways[1 - self.0.side].send(Segment::Reset, weather, dice);
        }
        show(|| format!("side {}: {len} bytes written", self.0.side));
        state.change();
        Ok(len)
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        loop {
            sync::switch();
            if self.0.is_interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let found = self.0.readiness(interest);
            if !found.is_none() || deadline.has_passed() {
                return Ok(found);
            }
            let sleeper = Sleeper::default();
            self.0.subscribe(&sleeper);
            sleeper.sleep(deadline.min(self.0.next_arrival()));
        }
    }

    fn shutdown(&self, how: Shutdown) {
        sync::switch();
        let mut state = self.0.state();
        if how != Shutdown::Read {
            state.end(self.0.side);
        }
        if how != Shutdown::Write {
            state.ways[1 - self.0.side].is_unwanted = true;
        }
        state.change();
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let side = self.0.side;
        assert!(!state.is_registered[side], "a socket is closed that the poller may still touch");
        if state.ways[1 - side].len > 0 {
            // As the kernel does it: what was not read is lost, and the sender is told.
            let State { dice, weather, ways, .. } = &mut *state;
            ways[side].send(Segment::Reset, weather, dice);
            ways[side].is_ended = true;
        } else {
            state.end(side);
        }
        state.ways[1 - side].is_refused = true;
        state.change();
    }
}

impl State {
    /// A side sends no more.
    fn end(&mut self, side: usize) {
        let State { dice, weather, ways, .. } = self;
        if !std::mem::replace(&mut ways[side].is_ended, true) {
            ways[side].send(Segment::End, weather, dice);
        }
    }

    fn change(&mut self) {
        self.sleepers.drain(..).for_each(|sleeper| sleeper.wake());
    }
}

impl Way {
    fn new() -> Way {
        Way {
            segments: VecDeque::new(),
            len: 0,
            last_arrival: sync::now(),
            stalled_until: sync::now(),
            is_ended: false,
            is_cut: false,
            is_unwanted: false,
            is_refused: false,
        }
    }

    fn send(&mut self, segment: Segment, weather: &Weather, dice: &mut Dice) {
        if self.is_cut {
            return;
        }
        let underway = Duration::from_millis(weather.latency as u64);
        let jitter = dice.millis_below(weather.jitter + 1);
        self.last_arrival = self.last_arrival.max(sync::now() + underway + jitter);
        self.segments.push_back((self.last_arrival, segment));
    }

    /// Loses what has not arrived, and all that is still to come.
    fn cut(&mut self, last: Segment) {
        if !self.is_cut {
            let now = sync::now();
            let arrived = if now < self.stalled_until {
                0
            } else {
                self.segments.iter().filter(|(at, _)| *at <= now).count()
            };
            self.segments.truncate(arrived);
            self.segments.push_back((now, last));
            self.len = self.segments.iter().map(|(_, segment)| segment.len()).sum();
            self.stalled_until = now;
            self.is_cut = true;
        }
    }

    fn has_arrived(&self) -> bool {
        let now = sync::now();
        now >= self.stalled_until && self.segments.front().is_some_and(|(at, _)| *at <= now)
    }

    /// Whether the receiver knows that the line is no more, also if it has not read all before that.
    fn is_reset(&self) -> bool {
        let has_come = |at: &Instant| (*at).max(self.stalled_until) <= sync::now();
        matches!(self.segments.back(), Some((at, Segment::Reset)) if has_come(at))
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Segment::Bytes(bytes) => bytes.len(),
            Segment::End | Segment::Reset => 0,
        }
    }
}
