//! Pings and Pongs, and the calls that wait for them.

use std::time::{Duration, Instant};

use openline_proto::State;

use super::Line;
use crate::deadline::Deadline;
use crate::error::{Error, Result, Waiting};
use crate::journal::KeepaliveEvent;
use crate::keys;
use crate::status::{Awaited, Status};
use crate::sync::{self, Ordering, try_lock};

impl Line {
    /// The peer pings.
    pub(crate) fn on_ping(&self, payload: Vec<u8>) {
        self.control.answer_ping(payload);
        self.flush_control();
    }

    /// The peer answers a ping, or sends a sign of life.
    pub(crate) fn on_pong(&self, payload: &[u8]) {
        let answers_keepalive = self.bell.status().answered(payload, sync::now());
        if answers_keepalive && let Some(journal) = self.journal() {
            journal.keepalive(KeepaliveEvent::Answered);
        }
        self.bell.ring();
    }

    /// Sends a ping; its number, to wait for the Pong with.
    pub(crate) fn start_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.ping_out(payload, |status, id| {
            status.awaited.insert(id, Awaited::default());
        })
    }

    /// Sends a ping of which only its number is kept; its number.
    pub(crate) fn send_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.ping_out(payload, |_, _| ())
    }

    fn ping_out(&self, payload: Option<&[u8]>, note: impl FnOnce(&mut Status, u64)) -> Result<u64> {
        self.check_process()?;
        let payload = match payload {
            Some(payload) if payload.len() > 125 => {
                return Err(openline_proto::ProtocolError::ControlTooLong.into());
            }
            Some(payload) => payload.to_vec(),
            None => keys::random::<4>().to_vec(),
        };
        let id = {
            let mut status = self.bell.status();
            if status.closing.state() != State::Open || self.is_closing() {
                drop(status);
                return Err(self.closed_by(Deadline::from(Duration::ZERO)));
            }
            if status.pings.is_outstanding(&payload) {
                return Err(Error::Concurrency("already waiting for a pong with the same data"));
            }
            let id = self.ping_in_order(&mut status, payload, sync::now(), false);
            note(&mut status, id);
            id
        };
        self.flush_control();
        Ok(id)
    }

    /// Leaves a ping to be sent; its number. With the status locked, so that pings go out in the order of
    /// their numbers: a Pong answers those before it too.
    pub(super) fn ping_in_order(
        &self,
        status: &mut Status,
        payload: Vec<u8>,
        now: Instant,
        is_followed: bool,
    ) -> u64 {
        let id = status.pings.sent(&payload, now);
        if let Some(replaced) = self.control.ping(id, payload, is_followed) {
            status.pings.forget(replaced);
        }
        id
    }

    /// Waits for the Pong of a ping. On errors other than interrupts nobody waits for it any more.
    pub(crate) fn await_pong(&self, id: u64, deadline: Deadline) -> Result<Duration> {
        let outcome = self.attend(deadline, |status| {
            let Some(awaited) = status.awaited.get_mut(&id) else {
                let text = format!("nobody waits for the pong of ping {id}");
                return Some(Err(Error::Argument(text)));
            };
            if let Some(round_trip) = awaited.round_trip {
                Some(Ok(round_trip))
            } else if status.closing.state() == State::Closed {
                Some(Err(Error::Closed(status.closed())))
            } else if deadline == Deadline::NEVER {
                self.check_held_up(awaited, status.keepalive.timeout()).err().map(Err)
            } else {
                None
            }
        });
        let outcome = match outcome {
            Err(error) => return Err(error),
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(Error::Timeout { during: Waiting::Pong, committed: false }),
        };
        self.forget_ping(id);
        outcome
    }

    /// Ends the endless wait for a Pong that is behind messages which nobody receives: nothing is read
    /// while the queue is full.
    fn check_held_up(&self, awaited: &mut Awaited, timeout: Option<Duration>) -> Result<()> {
        if !self.paused.load(Ordering::Relaxed) {
            awaited.held_up = None;
            return Ok(());
        }
        let Some(half) = try_lock(&self.read) else { return Ok(()) };
        let taken = half.taken;
        let now = sync::now();
        let held_up = awaited.held_up.filter(|(_, before)| *before == taken);
        let (since, _) = *awaited.held_up.insert(held_up.unwrap_or((now, taken)));
        if timeout.is_none_or(|timeout| now - since < timeout) {
            return Ok(());
        }
        let during = Waiting::PongBehind { messages: half.backlog() };
        Err(Error::Timeout { during, committed: false })
    }

    /// Waits until a ping is answered; whether it is.
    pub(crate) fn wait_answered(&self, id: u64, deadline: Deadline) -> Result<bool> {
        let outcome = self.attend(deadline, |status| {
            if !status.pings.has_sent(id) {
                Some(Err(Error::Argument(format!("no ping was sent that has the number {id}"))))
            } else if id < status.answered_below {
                Some(Ok(true))
            } else if status.closing.state() == State::Closed {
                Some(Err(Error::Closed(status.closed())))
            } else {
                None
            }
        });
        outcome?.unwrap_or(Ok(false))
    }

    /// Nobody waits for the Pong any more.
    pub(crate) fn forget_ping(&self, id: u64) {
        let mut status = self.bell.status();
        status.awaited.remove(&id);
        status.pings.forget(id);
    }

    /// Sends an unsolicited Pong.
    pub(crate) fn send_pong(&self, payload: &[u8]) -> Result<()> {
        self.check_process()?;
        if payload.len() > 125 {
            return Err(openline_proto::ProtocolError::ControlTooLong.into());
        }
        if self.is_closing() {
            return Err(self.closed_by(Deadline::from(Duration::ZERO)));
        }
        self.control.pong(payload.to_vec());
        self.flush_control();
        Ok(())
    }
}
