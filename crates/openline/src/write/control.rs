//! Control frames that wait for somebody with the right to write.
//!
//! Nobody waits for that right to answer a ping or to close: the frame is left here, and whoever
//! holds the right sends it before and after a message.

use std::collections::VecDeque;

use openline_proto::{CloseFrame, Opcode};

use crate::sync::{self, AtomicBool, AtomicU64, Bug, Mutex, Ordering, lock};

/// The control frames of one connection that are to be sent.
#[derive(Debug, Default)]
pub(crate) struct PendingControl {
    frames: Mutex<Frames>,
    /// Whether there are any; may be true when there are none any more.
    is_pending: AtomicBool,
    /// Where the ping that is followed ends in the stream; 0 while it waits here.
    followed: AtomicU64,
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
    is_followed: bool,
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
    /// further one takes the place of the last, which its Pong answers too. Of the latest that is followed the place
    /// in the stream is noted.
    pub(crate) fn ping(&self, number: u64, payload: Vec<u8>, is_followed: bool) -> Option<u64> {
        if is_followed {
            self.followed.store(0, Ordering::Relaxed);
        }
        let number = Some(number);
        let replaced = self.push(Own { opcode: Opcode::Ping, payload, number, is_followed });
        replaced.and_then(|ping| ping.number)
    }

    /// Where the ping that is followed ends in the stream, if it was encoded.
    pub(crate) fn place_of_followed(&self) -> Option<u64> {
        Some(self.followed.load(Ordering::Relaxed)).filter(|place| *place > 0)
    }

    pub(crate) fn note_place_of_followed(&self, place: u64) {
        self.followed.store(place, Ordering::Relaxed);
    }

    /// Leaves an unsolicited pong, in the place of the last while [`MAX_OWN`] of them wait.
    pub(crate) fn pong(&self, payload: Vec<u8>) {
        self.push(Own { opcode: Opcode::Pong, payload, number: None, is_followed: false });
    }

    pub(crate) fn close(&self, close: CloseFrame) {
        lock(&self.frames).close = Some(close);
        self.is_pending.store(true, Ordering::Release);
    }

    /// Whether something may be here. Without a lock, for the path of every message.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    /// The next frame to send, and whether it is followed. Close comes last, and nothing after it.
    pub(crate) fn pop(&self) -> Option<(Opcode, Vec<u8>, bool)> {
        let mut frames = lock(&self.frames);
        if let Some(payload) = frames.pong.take() {
            return Some((Opcode::Pong, payload, false));
        }
        if let Some(Own { opcode, payload, is_followed, .. }) = frames.own.pop_front() {
            return Some((opcode, payload, is_followed));
        }
        // Under the lock, so that a frame which comes now is not overlooked.
        self.is_pending.store(false, Ordering::Relaxed);
        frames.close.take().map(|close| (Opcode::Close, close.encode(), false))
    }

    fn push(&self, frame: Own) -> Option<Own> {
        let mut frames = lock(&self.frames);
        let mut alike = frames.own.iter_mut().rev().filter(|own| own.opcode == frame.opcode);
        let last = alike.next();
        let replaced = match last {
            Some(last) if alike.count() + 1 >= MAX_OWN => {
                let is_followed = last.is_followed || frame.is_followed;
                Some(std::mem::replace(last, Own { is_followed, ..frame }))
            }
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
            replaced.extend(control.ping(n, n.to_be_bytes().to_vec(), false));
            control.pong(n.to_be_bytes().to_vec());
        }
        assert_eq!(replaced, (63..999).collect::<Vec<_>>());
        let waiting = std::iter::from_fn(|| control.pop());
        let (pings, pongs): (Vec<_>, Vec<_>) = waiting.partition(|frame| frame.0 == Opcode::Ping);
        for frames in [pings, pongs] {
            let payloads = frames.into_iter().map(|(_, payload, _)| payload);
            let kept = (0..63).chain([999]).map(|n: u64| n.to_be_bytes().to_vec());
            assert!(payloads.eq(kept));
        }
    }
}
