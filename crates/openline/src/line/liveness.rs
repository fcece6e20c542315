//! What the driver looks after by the clock: keepalive, idleness, and the end of the closing handshake.

use std::time::{Duration, Instant};

use openline_proto::{CloseCode, CloseFrame, Due, State};

use super::Line;
use crate::closed::Cause;
use crate::deadline::Deadline;
use crate::journal::KeepaliveEvent;
use crate::keys;
use crate::report::Meters;
use crate::sync::{Ordering, try_lock};
use crate::transport::{ByteCounts, Interest, SentBytes, sent_bytes};

impl Line {
    /// Keepalive, idleness and the end of the closing handshake; the next deadline.
    pub(crate) fn on_deadline(&self, now: Instant) -> Option<Instant> {
        match self.state() {
            State::Open => {
                if self.paused.load(Ordering::Relaxed) {
                    // Not reading is our own choice while the queue is full: it says nothing of the peer.
                    self.life.fetch_add(1, Ordering::Relaxed);
                    self.data.fetch_add(1, Ordering::Relaxed);
                }
                self.look_at_delivery(now);
                self.keep_alive(now);
                self.end_if_idle(now);
                self.end_if_unacknowledged(now);
                self.release_memory(now);
            }
            State::Closing => {
                let deadline = self.bell.status().close_deadline;
                if deadline.has_passed() {
                    self.give_up_closing();
                    self.cut_and_drain();
                }
            }
            State::Closed => {}
        }
        self.bell.status().next_deadline()
    }

    fn keep_alive(&self, now: Instant) {
        let look = || {
            let life = self.life.load(Ordering::Relaxed);
            self.bell.status().keepalive.handle_deadline(now, life)
        };
        let mut due = look();
        if due == Some(Due::Timeout) {
            // Who has read it meanwhile has counted it.
            let lives = self.has_unread_bytes() || self.is_ping_under_way();
            self.life.fetch_add(u64::from(lives), Ordering::Relaxed);
            due = look();
        }
        match due {
            Some(Due::Ping) => {
                let payload = keys::random::<4>();
                let counts = self.byte_counts();
                {
                    let mut status = self.bell.status();
                    let taken = taken_by_peer(counts, &status.meters);
                    let is_free = is_way_free(counts, &status.meters);
                    let until = status.keepalive.wait_end();
                    let is_followed = status.delivery.sent(now, until, taken, is_free);
                    let id = self.ping_in_order(&mut status, payload.to_vec(), now, is_followed);
                    status.keepalive_ping = Some(id);
                }
                self.flush_control();
                if let Some(journal) = self.journal() {
                    journal.keepalive(KeepaliveEvent::Sent);
                }
            }
            Some(Due::Timeout) => self.end_by_ping_timeout(),
            None => {}
        }
    }

    fn look_at_delivery(&self, now: Instant) {
        if self.bell.status().delivery.deadline().is_some_and(|at| at <= now) {
            let is_delivered = self.is_ping_delivered();
            self.bell.status().delivery.handle_deadline(now, is_delivered);
        }
    }

    /// Whether the ping that is followed is with the peer's system, as far as can be told.
    fn is_ping_delivered(&self) -> bool {
        let written = self.bell.status().meters.outgoing.bytes();
        let queued = self.byte_counts().map_or(0, |counts| counts.queued);
        self.control.place_of_followed().is_some_and(|place| place + queued <= written)
    }

    fn is_ping_under_way(&self) -> bool {
        let counts = self.byte_counts();
        let status = self.bell.status();
        status.delivery.is_under_way(taken_by_peer(counts, &status.meters))
    }

    pub(super) fn byte_counts(&self) -> Option<ByteCounts> {
        self.sent_bytes()?.counts
    }

    fn sent_bytes(&self) -> Option<SentBytes> {
        sent_bytes(self.transport()?.source()?)
    }

    /// The peer gives no sign of life.
    pub(crate) fn end_by_ping_timeout(&self) {
        if let Some(journal) = self.journal() {
            journal.keepalive(KeepaliveEvent::TimedOut);
        }
        // Otherwise the Close goes out, and a peer that is late may read it.
        if self.byte_counts().is_some_and(|counts| counts.queued > 0) {
            self.give_up_sending();
        }
        let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, PING_TIMEOUT);
        self.fail(Cause::PingTimeout, close);
        // The peer is gone: nobody would answer.
        self.cut_and_drain();
    }

    /// What a peer that reads nothing has not taken would be kept by the system for as long as the peer's system
    /// answers.
    pub(super) fn give_up_sending(&self) {
        if let Some(transport) = self.transport() {
            transport.give_up_sending();
        }
    }

    fn end_if_idle(&self, now: Instant) {
        let is_due = || {
            let data = self.data.load(Ordering::Relaxed);
            self.bell.status().idleness.handle_deadline(now, data)
        };
        if is_due() {
            self.data.fetch_add(u64::from(self.has_unread_bytes()), Ordering::Relaxed);
        }
        if is_due() {
            let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, "idle timeout");
            self.fail(Cause::IdleTimeout, close);
        }
    }

    /// Whether something came that nobody has read yet, as while the process stood still: the peer has
    /// given a sign of life then.
    fn has_unread_bytes(&self) -> bool {
        let now = Deadline::from(Duration::ZERO);
        let transport = self.transport();
        transport.is_some_and(|it| it.wait(Interest::Read, now).is_ok_and(|ready| ready.readable))
    }

    fn end_if_unacknowledged(&self, now: Instant) {
        if self.bell.status().acknowledgement.deadline().is_none_or(|at| now < at) {
            return;
        }
        let sent = self.sent_bytes();
        if self.bell.status().acknowledgement.handle_deadline(now, sent) {
            // The peer is gone: a Close would not reach it.
            self.give_up_sending();
            self.lose(rustix::io::Errno::TIMEDOUT.into());
            self.cut_and_drain();
        }
    }

    fn release_memory(&self, now: Instant) {
        // Who writes now is not idle.
        if let Some(mut half) = try_lock(&self.write) {
            if self.is_attended() {
                half.release_memory(now); // The driver does not come by otherwise.
            } else {
                half.release_compression(now);
            }
            self.leave_write(half);
        }
    }
}

/// What the peer's system has acknowledged, or, if nobody can tell, what ours has taken.
fn taken_by_peer(counts: Option<ByteCounts>, meters: &Meters) -> u64 {
    counts.map_or_else(|| meters.outgoing.bytes(), |counts| counts.acknowledged)
}

/// Whether nothing is before what we write now.
fn is_way_free(counts: Option<ByteCounts>, meters: &Meters) -> bool {
    let unsent = meters.unsent_bytes.load(Ordering::Relaxed);
    unsent == 0 && counts.is_none_or(|counts| counts.queued == 0)
}

const PING_TIMEOUT: &str = "keepalive ping timeout";
