//! What the driver looks after by the clock: keepalive, idleness, and the end of the closing handshake.

use std::time::{Duration, Instant};

use openline_proto::{CloseCode, CloseFrame, Due, State};

use super::Line;
use crate::closed::Cause;
use crate::deadline::Deadline;
use crate::delivery::Backlog;
use crate::journal::KeepaliveEvent;
use crate::keys;
use crate::sync::{Ordering, try_lock};
use crate::transport::{Interest, SentBytes, sent_bytes};

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
                self.release_compression(now);
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
                let backlog = self.backlog();
                {
                    let mut status = self.bell.status();
                    let until = status.keepalive.wait_end();
                    status.delivery.sent(now, until, backlog);
                    let id = self.ping_in_order(&mut status, payload.to_vec(), now);
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
            let backlog = self.backlog();
            self.bell.status().delivery.handle_deadline(now, backlog);
        }
    }

    fn is_ping_under_way(&self) -> bool {
        let backlog = self.backlog();
        self.bell.status().delivery.is_under_way(backlog)
    }

    fn backlog(&self) -> Backlog {
        let half = try_lock(&self.write);
        // Who has the right to write now is sending.
        let is_held = half.as_ref().is_none_or(|half| !half.is_flushed());
        if let Some(half) = half {
            self.leave_write(half);
        }
        match self.sent_bytes().and_then(|sent| sent.counts) {
            Some(counts) => Backlog { taken: counts.acknowledged, queued: counts.queued, is_held },
            None => {
                let taken = self.bell.status().meters.outgoing.bytes();
                Backlog { taken, queued: 0, is_held }
            }
        }
    }

    fn sent_bytes(&self) -> Option<SentBytes> {
        sent_bytes(self.transport()?.source()?)
    }

    /// The peer gives no sign of life.
    pub(crate) fn end_by_ping_timeout(&self) {
        if let Some(journal) = self.journal() {
            journal.keepalive(KeepaliveEvent::TimedOut);
        }
        let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, PING_TIMEOUT);
        self.fail(Cause::PingTimeout, close);
        // The peer is gone: nobody would answer.
        self.cut_and_drain();
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
            self.lose(rustix::io::Errno::TIMEDOUT.into());
            self.cut_and_drain();
        }
    }

    fn release_compression(&self, now: Instant) {
        // Who writes now is not idle.
        if let Some(mut half) = try_lock(&self.write) {
            half.release_compression(now);
            self.leave_write(half);
        }
    }
}

const PING_TIMEOUT: &str = "keepalive ping timeout";
