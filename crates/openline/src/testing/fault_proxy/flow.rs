//! One direction of a connection: what has come and is not passed on yet, and what is to happen to it.
//!
//! It does no I/O. All that is left to chance is a function of the seed, the connection's number, the
//! direction and the place in the stream, never of how the bytes came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::FaultCounts;
use super::faults::{Faults, Random};

#[derive(Debug)]
pub(super) struct Flow {
    split: Option<usize>,
    delay: Duration,
    jitter: Duration,
    rate: Option<u64>,
    sizes: Random,
    delays: Random,
    flips: Flips,
    /// Faults that are still to come, by the number of bytes that are passed on before.
    ahead: Vec<(u64, Fault)>,

    bytes: VecDeque<u8>,
    /// Invariant: their lengths add up to that of `bytes`.
    pieces: VecDeque<Piece>,
    /// Of the piece that the next bytes belong to.
    left_of_piece: usize,
    delay_of_piece: Duration,
    taken: u64,
    passed: u64,
    /// When bytes went on last; what `rate` allowed and nobody used is not saved up.
    passed_at: Instant,

    is_stalled: bool,
    /// How the source has ended, and when that is due at the destination.
    ending: Option<(Ending, Instant)>,
    /// Nothing is passed on any more; what still comes is thrown away.
    is_ended: bool,
    /// What is broken is not ended in order, whatever the source says.
    is_broken: bool,
}

#[derive(Debug)]
struct Piece {
    len: usize,
    due: Instant,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Fin,
    Reset,
}

/// In the order in which they happen at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Stall,
    HalfClose,
    Cut,
    Reset,
}

/// What is to be done for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until bytes come or somebody resumes it.
    Idle,
    Wait(Instant),
    /// Pass on that many bytes.
    Pass(usize),
    End(Ending),
    Do(Fault),
}

impl Flow {
    pub(super) fn new(faults: &Faults, seed: u64, connection: usize, direction: usize) -> Flow {
        let random = |decision| Random::new(seed, connection, direction, decision);
        let mut ahead: Vec<_> = [
            (&faults.stall_after, Fault::Stall),
            (&faults.half_close_after, Fault::HalfClose),
            (&faults.cut_after, Fault::Cut),
            (&faults.reset_after, Fault::Reset),
        ]
        .into_iter()
        .zip(0..)
        .filter_map(|((offset, fault), decision)| {
            let offset = offset.as_ref()?;
            Some((offset.choose(&mut random(decision)), fault))
        })
        .collect();
        ahead.sort_unstable();
        Flow {
            split: faults.split,
            // Longer than any test, and no clock overflows.
            delay: faults.delay.min(YEAR),
            jitter: faults.jitter.min(YEAR),
            rate: faults.rate,
            sizes: random(4),
            delays: random(5),
            flips: Flips::new(faults, random(6)),
            ahead,
            bytes: VecDeque::new(),
            pieces: VecDeque::new(),
            left_of_piece: 0,
            delay_of_piece: Duration::ZERO,
            taken: 0,
            passed: 0,
            passed_at: Instant::now(),
            is_stalled: false,
            ending: None,
            is_ended: false,
            is_broken: false,
        }
    }

    /// How many bytes may be read from the source.
    pub(super) fn room(&self) -> usize {
        if self.ending.is_some() || self.is_stalled { 0 } else { QUEUE_LEN - self.bytes.len() }
    }

    /// Takes bytes that came, at most `room`.
    pub(super) fn take(&mut self, bytes: &[u8], now: Instant, counts: &mut FaultCounts) {
        if self.is_ended {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend(bytes);
        let mut left = bytes.len();
        while left > 0 {
            if self.left_of_piece == 0 {
                self.begin_piece(counts);
            }
            let len = left.min(self.left_of_piece);
            self.left_of_piece -= len;
            left -= len;
            self.pieces.push_back(Piece { len, due: now + self.delay_of_piece });
        }
        while let Some((place, bit)) = self.flips.before(self.taken + bytes.len() as u64) {
            self.bytes[start + (place - self.taken) as usize] ^= 1 << bit;
            counts.corruptions += 1;
        }
        self.taken += bytes.len() as u64;
    }

    fn begin_piece(&mut self, counts: &mut FaultCounts) {
        self.left_of_piece = match self.split {
            None => PIECE_LEN,
            Some(most) => 1 + self.sizes.below(most as u64) as usize,
        };
        self.delay_of_piece = self.delay + self.jitter.mul_f64(self.delays.fraction());
        counts.splits += u64::from(self.split.is_some());
        counts.delays += u64::from(!self.delay_of_piece.is_zero());
    }

    /// Takes the end of the source.
    pub(super) fn take_ending(&mut self, ending: Ending, now: Instant) {
        let ending = if self.is_broken { Ending::Reset } else { ending };
        self.ending = Some((ending, now + self.delay));
    }

    /// The destination of the other direction, which is the source of this one, has gone.
    pub(super) fn break_source(&mut self) {
        self.is_broken = true;
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        if self.is_ended || self.is_stalled {
            return Next::Idle;
        }
        let before_fault = match self.ahead.first() {
            Some((place, fault)) if *place <= self.passed => return Next::Do(*fault),
            Some((place, _)) => place - self.passed,
            None => u64::MAX,
        };
        let Some(piece) = self.pieces.front() else {
            return match self.ending {
                Some((_, due)) if due > now => Next::Wait(due),
                Some((ending, _)) => Next::End(ending),
                None => Next::Idle,
            };
        };
        let len = before_fault.min(piece.len as u64);
        let (len, cost) = match self.rate {
            None => (len, Duration::ZERO),
            Some(rate) => {
                let len = len.min((rate / PASSES_PER_SECOND).max(1));
                (len, Duration::from_secs_f64(len as f64 / rate as f64))
            }
        };
        // Bytes come out of a narrow line when all of them went through it.
        let due = piece.due.max(self.passed_at) + cost;
        if due > now { Next::Wait(due) } else { Next::Pass(len as usize) }
    }

    /// The next bytes to pass on, of the number that `next` said.
    pub(super) fn front(&mut self, len: usize) -> &[u8] {
        let (first, _) = self.bytes.as_slices();
        if first.len() < len {
            self.bytes.make_contiguous();
        }
        &self.bytes.as_slices().0[..len]
    }

    pub(super) fn pass(&mut self, len: usize, now: Instant) {
        self.bytes.drain(..len);
        self.passed += len as u64;
        let piece = self.pieces.front_mut().expect("bug: bytes belong to a piece");
        piece.len -= len;
        if piece.len == 0 {
            self.pieces.pop_front();
        }
        self.passed_at = now;
    }

    /// The fault that `next` told is no longer ahead.
    pub(super) fn done(&mut self) {
        self.ahead.remove(0);
    }

    /// Whether it was not stalled, nor at its end.
    pub(super) fn stall(&mut self) -> bool {
        !self.is_ended && !std::mem::replace(&mut self.is_stalled, true)
    }

    pub(super) fn resume(&mut self) {
        self.is_stalled = false;
    }

    /// Passes on nothing any more. Whether it did before.
    pub(super) fn end(&mut self) -> bool {
        self.is_stalled = false;
        self.bytes = VecDeque::new();
        self.pieces = VecDeque::new();
        !std::mem::replace(&mut self.is_ended, true)
    }

    /// How many bytes were passed on.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether nothing can come any more, either.
    pub(super) fn is_over(&self) -> bool {
        self.is_ended && self.ending.is_some()
    }
}

/// Which bits are flipped.
#[derive(Debug)]
struct Flips {
    once: Option<u64>,
    per_mib: f64,
    random: Random,
    /// Infinite if there is none.
    next: f64,
}

impl Flips {
    fn new(faults: &Faults, mut random: Random) -> Flips {
        let once = faults.corrupt_at.as_ref().map(|offset| offset.choose(&mut random));
        let mut flips = Flips { once, per_mib: faults.corrupt_per_mib, random, next: 0.0 };
        flips.advance();
        flips
    }

    /// The next one before a place in the stream, as place and bit.
    fn before(&mut self, end: u64) -> Option<(u64, u64)> {
        let place = match self.once {
            Some(once) if once < end => {
                self.once = None;
                once
            }
            _ if self.next < end as f64 => {
                let place = self.next as u64;
                self.next += 1.0;
                self.advance();
                place
            }
            _ => return None,
        };
        Some((place, self.random.below(8)))
    }

    /// The gaps between faults that do not know of each other are exponential.
    fn advance(&mut self) {
        self.next = if self.per_mib > 0.0 {
            self.next - (1.0 - self.random.fraction()).ln() * MIB / self.per_mib
        } else {
            f64::INFINITY
        };
    }
}

/// Read ahead of what is passed on; a sender that is faster has to wait.
const QUEUE_LEN: usize = 256 << 10;

/// What `jitter` counts as one, where nothing is split.
const PIECE_LEN: usize = 64 << 10;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const PASSES_PER_SECOND: u64 = 50;

const MIB: f64 = (1 << 20) as f64;
