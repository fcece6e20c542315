//! What each connection does: messages out, answers in, and how long each took.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use openline::{Connection, Deadline, Error, Kind, Outgoing};

use crate::args::BenchArgs;

#[derive(Debug)]
pub(super) struct Load {
    duration: Duration,
    kind: Kind,
    payload: Vec<u8>,
    connections: u32,
    rate: Option<f64>,
    is_over: AtomicBool,
    answered: AtomicU64,
}

/// What was measured on a connection, or on all of them.
#[derive(Debug)]
pub(super) struct Measured {
    /// Of answers, in nanoseconds.
    pub(super) latency: Histogram<u64>,
    pub(super) sent: u64,
    /// Connections that ended before the time was over, and why the first did.
    pub(super) lost: u64,
    pub(super) loss: Option<Error>,
}

impl Measured {
    pub(super) fn new() -> Measured {
        let latency = Histogram::new(DIGITS).expect("bug: a legal number of digits");
        Measured { latency, sent: 0, lost: 0, loss: None }
    }

    pub(super) fn add(&mut self, other: Measured) {
        self.latency.add(other.latency).expect("bug: the histogram grows");
        self.sent += other.sent;
        self.lost += other.lost;
        self.loss = self.loss.take().or(other.loss);
    }

    fn answered(&mut self, time: Duration) {
        let nanoseconds = time.as_nanos().try_into().unwrap_or(u64::MAX);
        // Not saturating_record: that takes what is more than there was before for that.
        self.latency.record(nanoseconds).expect("bug: the histogram grows");
    }

    fn lose(&mut self, error: Error) {
        self.lost += 1;
        self.loss = Some(error);
    }
}

impl Load {
    pub(super) fn new(args: &BenchArgs) -> Load {
        Load {
            duration: args.duration,
            kind: if args.binary { Kind::Binary } else { Kind::Text },
            payload: payload(args.size),
            connections: args.connections,
            rate: args.rate,
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        }
    }

    /// Ends it early. Who waits for an answer goes on waiting until the connection is closed.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// When nobody waits any more for an answer that has not come.
    pub(super) fn last_answer_by(&self, started: Instant) -> Instant {
        // An open loop sends until the end, and waits by itself.
        started + self.duration + if self.rate.is_some() { 2 * GRACE } else { Duration::ZERO }
    }

    /// Answers so far, on all connections.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Loads one of the connections.
    pub(super) fn run(&self, connection: &Connection, number: usize, started: Instant) -> Measured {
        let end = started + self.duration;
        match self.rate {
            None => self.closed_loop(connection, end),
            Some(rate) => {
                // In turn with the other connections, each with its share.
                let first = started + Duration::from_secs_f64(number as f64 / rate);
                let step = f64::from(self.connections) / rate;
                self.open_loop(connection, first, step, end)
            }
        }
    }

    fn closed_loop(&self, connection: &Connection, end: Instant) -> Measured {
        let mut measured = Measured::new();
        let mut sent_at = Instant::now();
        while sent_at < end && !self.is_over.load(Ordering::Relaxed) {
            let outcome = self.send(connection, end).and_then(|()| {
                measured.sent += 1;
                // Without a time-out, which costs a system call: the connection is closed when the time is over.
                connection.recv()
            });
            match outcome {
                Ok(_) => {
                    let now = Instant::now();
                    self.note(&mut measured, now - sent_at);
                    sent_at = now;
                }
                Err(error) => {
                    self.note_end(&mut measured, error);
                    break;
                }
            }
        }
        measured
    }

    /// One thread sends when it is time, this one receives. Answers come in the order of the messages.
    fn open_loop(
        &self,
        connection: &Connection,
        first: Instant,
        step: f64,
        end: Instant,
    ) -> Measured {
        let mut measured = Measured::new();
        let (due, dues) = mpsc::channel();
        let send = || {
            let due = due; // it ends with this thread
            let mut sent = 0;
            for number in 0_u64.. {
                let at = first + Duration::from_secs_f64(step * number as f64);
                if at >= end || !self.sleep_until(at) {
                    break;
                }
                // An error is one for the receiver, too.
                if self.send(connection, end + GRACE).is_err() || due.send(at).is_err() {
                    break;
                }
                sent += 1;
            }
            sent
        };
        thread::scope(|scope| {
            let sender = scope.spawn(send);
            for at in dues {
                match connection.recv_timeout(end + GRACE) {
                    Ok(_) => self.note(&mut measured, at.elapsed()),
                    Err(error) => {
                        self.note_end(&mut measured, error);
                        break;
                    }
                }
            }
            measured.sent = sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        measured
    }

    /// False if it is over before.
    fn sleep_until(&self, at: Instant) -> bool {
        while !self.is_over.load(Ordering::Relaxed) {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(SLICE));
        }
        false
    }

    fn send(&self, connection: &Connection, end: Instant) -> openline::Result<()> {
        connection.send_timeout(Outgoing::new(self.kind, &self.payload), Deadline::from(end))
    }

    fn note(&self, measured: &mut Measured, time: Duration) {
        measured.answered(time);
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// No more answers come: the time is over, or the connection is lost.
    fn note_end(&self, measured: &mut Measured, error: Error) {
        let is_over = self.is_over.load(Ordering::Relaxed);
        if !is_over && !matches!(error, Error::Timeout { .. }) {
            measured.lose(error);
        }
    }
}

/// Letters and digits without a pattern that a compressor would find.
fn payload(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        // Numerical Recipes' generator; its high bits are the better ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        LETTERS[(state >> 26) as usize]
    };
    std::iter::repeat_with(next).take(size).collect()
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Decimal digits of a latency that are right.
const DIGITS: u8 = 3;

/// How long nobody looks whether it is over.
const SLICE: Duration = Duration::from_millis(50);

/// What was sent in time is waited for so long.
const GRACE: Duration = Duration::from_secs(1);
