//! Control frames that wait for somebody with the right to write.
//!
//! Nobody waits for that right to answer a ping or to close: the frame is left here, and whoever
//! holds the right sends it before and after a message.

use std::collections::VecDeque;

use openline_proto::{CloseFrame, Opcode};

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

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
    /// Pings and unsolicited pongs of our own, each of which somebody asked for.
    own: VecDeque<(Opcode, Vec<u8>)>,
    close: Option<CloseFrame>,
}

impl PendingControl {
    pub(crate) fn answer_ping(&self, payload: Vec<u8>) {
        lock(&self.frames).pong = Some(payload);
        self.is_pending.store(true, Ordering::Release);
    }

    pub(crate) fn push(&self, opcode: Opcode, payload: Vec<u8>) {
        lock(&self.frames).own.push_back((opcode, payload));
        self.is_pending.store(true, Ordering::Release);
    }

    pub(crate) fn close(&self, close: CloseFrame) {
        lock(&self.frames).close = Some(close);
        self.is_pending.store(true, Ordering::Release);
    }

    /// Whether something may be here. Without a lock, for the path of every message.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    /// Pings and pongs of our own that were not sent yet.
    pub(crate) fn own_frames(&self) -> usize {
        lock(&self.frames).own.len()
    }

    /// The next frame to send. Close comes last, and nothing after it.
    pub(crate) fn pop(&self) -> Option<(Opcode, Vec<u8>)> {
        let mut frames = lock(&self.frames);
        if let Some(payload) = frames.pong.take() {
            return Some((Opcode::Pong, payload));
        }
        if let Some(frame) = frames.own.pop_front() {
            return Some(frame);
        }
        // Under the lock, so that a frame which comes now is not overlooked.
        self.is_pending.store(false, Ordering::Relaxed);
        frames.close.take().map(|close| (Opcode::Close, close.encode()))
    }
}
