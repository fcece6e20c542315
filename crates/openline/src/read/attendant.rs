//! Reading in place of the driver: by threads that call back for each message, rather than by one that waits for it.

use std::fmt;
use std::io;

use openline_proto::Message;

use super::DRAIN_READS;
use super::half::{Available, ReadHalf, Want};
use crate::line::Line;
use crate::sync::{MutexGuard, Ordering};

/// Reads a line whenever it can be read, and takes its messages.
pub(crate) trait Attendant: fmt::Debug + Send + Sync {
    /// Somebody else has read, and there may be a message. No lock of the line is held, other than the right to
    /// write.
    fn announce(&self);
}

/// What an attendant finds.
#[derive(Debug)]
pub(crate) enum Attended {
    Message(Message),
    /// Nothing more.
    Nothing,
    /// Somebody else reads, who announces it when he leaves.
    Busy,
    /// There is more to be read: others get their turn first.
    More,
    /// The connection is closed, and all its messages are taken.
    Over,
}

impl Line {
    /// Has an attendant read it from now on, whose first look is due.
    pub(crate) fn attend_by(&self, attendant: Box<dyn Attendant>) {
        let is_first = self.attendant.set(attendant).is_ok();
        debug_assert!(is_first, "bug: a line is attended by two");
    }

    pub(crate) fn is_attended(&self) -> bool {
        self.attendant.get().is_some()
    }

    /// The next message for the attendant. What follows it is not understood yet: a fault there shows when this message
    /// is answered.
    pub(crate) fn receive_attended(&self, scratch: &mut Vec<u8>) -> Attended {
        let Some(mut half) = self.try_lock_read() else { return Attended::Nothing };
        let is_free =
            !self.is_looked_out.load(Ordering::Relaxed) && !self.receiving.load(Ordering::Relaxed);
        let attended = match is_free {
            true => {
                half.buffer.borrow(scratch);
                let attended = self.next_attended(&mut half);
                if !matches!(attended, Attended::Message(_)) {
                    half.buffer.give_back(scratch);
                }
                attended
            }
            false => Attended::Busy,
        };
        drop(half);
        self.bell.ring_after_unlock();
        attended
    }

    fn next_attended(&self, half: &mut ReadHalf) -> Attended {
        for _ in 0..DRAIN_READS {
            if self.understand(half, Want::Whole) == Some(Available::Message) {
                let message = half.take(|payload| payload.into_message());
                return Attended::Message(message.expect("bug: a message was available"));
            }
            self.paused.store(false, Ordering::Relaxed);
            let Some(transport) = half.transport.clone() else { return Attended::Over };
            match self.read_once(half, |buffer| transport.try_read(buffer)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    half.release_memory();
                    transport.release_buffers();
                    return Attended::Nothing;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.end_read(half, Some(error)),
            }
        }
        Attended::More
    }

    /// A caller receives no more.
    #[inline]
    pub(crate) fn end_receiving(&self) {
        self.receiving.store(false, Ordering::Release);
        self.announce();
    }

    /// Has the attendant, if there is one, look for what is left.
    #[inline]
    pub(crate) fn announce(&self) {
        if let Some(attendant) = self.attendant.get() {
            attendant.announce();
        }
    }

    /// Tells the attendant, if there is one, of what is left by who has read.
    pub(super) fn leave_to_attendant(&self, half: MutexGuard<'_, ReadHalf>) {
        let is_some_left = self.is_attended()
            && (half.available(Want::Whole).is_some() || !half.buffer.is_empty());
        drop(half);
        if is_some_left {
            self.announce();
        }
    }
}
