//! What the threads of a connection tell each other: how far its end is, which pings were answered,
//! and a bell to wait at until one of these changes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use openline_proto::{ClosingHandshake, Idleness, Keepalive, Pings, State};

use crate::acknowledgement::Acknowledgement;
use crate::closed::{Cause, Closed};
use crate::deadline::Deadline;
use crate::delivery::Delivery;
use crate::report::Meters;
use crate::sync::{self, Arc, AtomicUsize, Bug, Condvar, Mutex, MutexGuard, Ordering, fence, lock};

/// The state that all threads of a connection see.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) closing: ClosingHandshake,
    /// The first thing, beside a closing handshake, that made the end certain.
    pub(crate) cause: Option<Cause>,
    /// When the socket is cut if the closing handshake is not over.
    pub(crate) close_deadline: Deadline,
    /// How many signs of life there were when the closing began.
    pub(crate) life_at_close: u64,
    pub(crate) pings: Pings,
    /// The pings that a caller of `ping` waits for.
    pub(crate) awaited: BTreeMap<u64, Awaited>,
    /// All pings whose number is smaller are answered, by their own Pong or by a later one's.
    pub(crate) answered_below: u64,
    pub(crate) latency: Duration,
    pub(crate) keepalive: Keepalive,
    /// The latest ping of keepalive, until it is answered.
    pub(crate) keepalive_ping: Option<u64>,
    pub(crate) delivery: Delivery,
    pub(crate) idleness: Idleness,
    pub(crate) acknowledgement: Acknowledgement,
    pub(crate) meters: Arc<Meters>,
    /// When the connection ended, by the coarse clock.
    ended_at: Option<Duration>,
}

/// A ping whose Pong a caller waits for.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) round_trip: Option<Duration>,
    /// Since when the wait is one for messages to be received, behind which the Pong may be, and how
    /// much was [taken](crate::read::ReadHalf::taken) then.
    pub(crate) held_up: Option<(Instant, u64)>,
}

impl Status {
    pub(crate) fn new(
        keepalive: Keepalive,
        idleness: Idleness,
        acknowledgement: Acknowledgement,
        meters: Arc<Meters>,
    ) -> Status {
        Status {
            closing: ClosingHandshake::default(),
            cause: None,
            close_deadline: Deadline::NEVER,
            life_at_close: 0,
            pings: Pings::default(),
            awaited: BTreeMap::new(),
            answered_below: 0,
            latency: Duration::ZERO,
            delivery: Delivery::default(),
            keepalive,
            keepalive_ping: None,
            idleness,
            acknowledgement,
            meters,
            ended_at: None,
        }
    }

    /// Notes what ends the connection, unless something did before, such as a closing handshake.
    pub(crate) fn ended_by(&mut self, cause: Cause) {
        if !self.closing.is_complete() {
            self.cause.get_or_insert(cause);
        }
    }

    /// The stream is over.
    pub(crate) fn end(&mut self) {
        self.closing.end();
        self.ended_at = Some(sync::coarse_now());
    }

    pub(crate) fn closed(&self) -> Closed {
        let now = self.ended_at.unwrap_or_else(sync::coarse_now);
        Closed::new(self.meters.report(self.cause(), self.closing.clone(), self.latency, now))
    }

    /// What has ended the connection, or will: unless something else is known, who closed.
    fn cause(&self) -> Cause {
        match (&self.cause, self.closing.sent(), self.closing.received_first()) {
            (Some(cause), ..) => cause.clone(),
            (None, Some(_), None | Some(false)) => Cause::Local,
            (None, ..) => Cause::Peer,
        }
    }

    /// The next moment at which the driver has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.closing.state() {
            State::Open => {
                let deadlines = [
                    self.acknowledgement.deadline(),
                    self.delivery.deadline(),
                    self.idleness.deadline(),
                    self.keepalive.deadline(),
                ];
                deadlines.into_iter().flatten().min()
            }
            State::Closing => self.close_deadline.at(),
            State::Closed => None,
        }
    }

    /// Notes a Pong; whether it answers the latest ping of keepalive.
    pub(crate) fn answered(&mut self, payload: &[u8], now: Instant) -> bool {
        let Some((id, round_trip)) = self.pings.answered(payload, now) else { return false };
        self.latency = round_trip;
        self.answered_below = id + 1;
        for (_, awaited) in self.awaited.range_mut(..=id) {
            awaited.round_trip.get_or_insert(round_trip);
        }
        self.keepalive_ping.take_if(|ping| *ping <= id).is_some()
    }
}

/// The [`Status`] of a connection and the bell that rings when it changes, or when somebody stops
/// reading or writing.
#[derive(Debug)]
pub(crate) struct Bell {
    status: Mutex<Status>,
    rung: Condvar,
    /// Threads at the bell, or about to be.
    waiting: AtomicUsize,
}

impl Bell {
    pub(crate) fn new(status: Status) -> Bell {
        Bell { status: Mutex::new(status), rung: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        lock(&self.status)
    }

    /// Wakes who waits. To be called after a change of the status was made and its lock let go.
    pub(crate) fn ring(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            if !sync::is_planted(Bug::LostWakeUp) {
                drop(self.status());
            }
            self.rung.notify_all();
        }
    }

    /// Wakes who waits for the lock of a half that was just let go.
    ///
    /// Who waits announces itself and then tries the lock; who leaves unlocks and then looks for
    /// announcements. The fences order each pair, so at least one of them sees the other.
    pub(crate) fn ring_after_unlock(&self) {
        fence(Ordering::SeqCst);
        self.ring();
    }

    /// Waits for the bell, unless `ready` gives something first: it is asked before each wait, under
    /// the lock, so that no ring in between is lost. `None` at the deadline.
    ///
    /// One wait is at most [`SLICE`] long: a signal does not wake a condition variable, and the main
    /// thread must come back to run its handlers.
    pub(crate) fn wait<T>(
        &self,
        deadline: Deadline,
        mut ready: impl FnMut(&mut Status) -> Option<T>,
    ) -> Option<T> {
        let deadline = deadline.min(Deadline::from(SLICE));
        let mut status = self.status();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let outcome = loop {
            if let Some(value) = ready(&mut status) {
                break Some(value);
            }
            if deadline.has_passed() {
                break None;
            }
            status = sync::wait(&self.rung, &self.status, status, deadline);
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }
}

/// The longest wait at the bell before its caller looks for signals.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// How long a wait for the transport lasts before its caller looks for signals, where one that came before it would
/// not end it. A sender then encodes a message anew of which nothing is gone, so this is not shorter than need be.
pub(crate) const SIGNAL_PAUSE: Duration = Duration::from_millis(250);
