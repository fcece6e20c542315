//! Control frames that wait for somebody with the right to write.
//!
//! Nobody waits for that right to answer a ping or to close: the frame is left here, and whoever
//! holds the right sends it before and after a message.

use std::collections::VecDeque;

use openline_proto::{CloseFrame, Opcode};

use crate::sync::{self, AtomicBool, Bug, Mutex, Ordering, lock};

/// The control frames of one connection that are to be sent.
#[derive(Debug, Default)]
pub(crate) struct PendingControl {
    frames: Mutex<Frames>,
    /// Whether there are any; may be true when there are none any more.
    is_pending: AtomicBool,
}

#[derive(Debug, Default)]
struct Frames {
    /// The answer to the latest ping: earlier ones need none (RFC 6455 §5.5.3), so a flood of pings
    /// takes no memory.
    pong: Option<Vec<u8>>,
    /// Pings and unsolicited pongs of our own.
    own: VecDeque<Own>,
    close: Option<CloseFrame>,
}

#[derive(Debug)]
struct Own {
    opcode: Opcode,
    payload: Vec<u8>,
    /// The number of a ping.
    number: Option<u64>,
}

impl PendingControl {
    pub(crate) fn answer_ping(&self, payload: Vec<u8>) {
        if sync::is_planted(Bug::DroppedPong) && self.is_pending() {
            return;
        }
        lock(&self.frames).pong = Some(payload);
        self.is_pending.store(true, Ordering::Release);
    }

    /// Leaves a ping. Gives the number of the one in whose place it goes: while [`MAX_OWN`] of them wait, a
    /// further one takes the place of the last, which its Pong answers too.
    pub(crate) fn ping(&self, number: u64, payload: Vec<u8>) -> Option<u64> {
        let replaced = self.push(Own { opcode: Opcode::Ping, payload, number: Some(number) });
        replaced.and_then(|ping| ping.number)
    }

    /// Leaves an unsolicited pong, in the place of the last while [`MAX_OWN`] of them wait.
    pub(crate) fn pong(&self, payload: Vec<u8>) {
        self.push(Own { opcode: Opcode::Pong, payload, number: None });
    }

    pub(crate) fn close(&self, close: CloseFrame) {
        lock(&self.frames).close = Some(close);
        self.is_pending.store(true, Ordering::Release);
    }

    /// Whether something may be here. Without a lock, for the path of every message.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    /// The next frame to send. Close comes last, and nothing after it.
    pub(crate) fn pop(&self) -> Option<(Opcode, Vec<u8>)> {
        let mut frames = lock(&self.frames);
        if let Some(payload) = frames.pong.take() {
            return Some((Opcode::Pong, payload));
        }
        if let Some(Own { opcode, payload, .. }) = frames.own.pop_front() {
            return Some((opcode, payload));
        }
        // Under the lock, so that a frame which comes now is not overlooked.
        self.is_pending.store(false, Ordering::Relaxed);
        frames.close.take().map(|close| (Opcode::Close, close.encode()))
    }

    fn push(&self, frame: Own) -> Option<Own> {
        let mut frames = lock(&self.frames);
        let mut alike = frames.own.iter_mut().rev().filter(|own| own.opcode == frame.opcode);
        let last = alike.next();
        let replaced = match last {
            Some(last) if alike.count() + 1 >= MAX_OWN => Some(std::mem::replace(last, frame)),
            _ => {
                frames.own.push_back(frame);
                None
            }
        };
        self.is_pending.store(true, Ordering::Release);
        replaced
    }
}

/// Pings of ours, and pongs, that may wait for room: a peer that reads nothing takes bounded memory.
const MAX_OWN: usize = 64;

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    #[test]
    fn frames_that_nobody_takes_are_bounded_and_the_newest_stays() {
        let control = PendingControl::default();
        let mut replaced = Vec::new();
        for n in 0..1000_u64 {
            replaced.extend(control.ping(n, n.to_be_bytes().to_vec()));
            control.pong(n.to_be_bytes().to_vec());
        }
        assert_eq!(replaced, (63..999).collect::<Vec<_>>());
        let waiting = std::iter::from_fn(|| control.pop());
        let (pings, pongs): (Vec<_>, Vec<_>) = waiting.partition(|frame| frame.0 == Opcode::Ping);
        for frames in [pings, pongs] {
            let payloads = frames.into_iter().map(|(_, payload)| payload);
            let kept = (0..63).chain([999]).map(|n: u64| n.to_be_bytes().to_vec());
            assert!(payloads.eq(kept));
        }
    }
}
