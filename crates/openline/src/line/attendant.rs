//! Reading in place of the driver: by threads that call back for each message, rather than by one that waits for it.

use std::fmt;

use super::Line;
use crate::read::{Drained, ReadHalf, Want};
use crate::sync::{MutexGuard, Ordering};

/// Reads a line whenever it can be read, and takes its messages.
pub(crate) trait Attendant: fmt::Debug + Send + Sync {
    /// Somebody else has read something that may be a message. No lock of the line is held, other than the right
    /// to write.
    fn announce(&self);
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

    /// Reads what is there, for the attendant; `None` while somebody else reads, who announces what comes.
    pub(crate) fn drain_attended(&self, scratch: &mut Vec<u8>) -> Option<Drained> {
        let half = self.try_lock_read()?;
        if self.is_looked_out.load(Ordering::Relaxed) {
            drop(half);
            self.bell.ring_after_unlock();
            return None;
        }
        Some(self.drain_lent(half, scratch))
    }

    /// Reads what is there with memory that is lent to connections without any.
    pub(crate) fn drain_lent(
        &self,
        mut half: MutexGuard<'_, ReadHalf>,
        scratch: &mut Vec<u8>,
    ) -> Drained {
        half.buffer.borrow(scratch);
        let drained = self.drain(&mut half);
        half.buffer.give_back(scratch);
        half.release_memory();
        if drained == Drained::Empty
            && let Some(transport) = &half.transport
        {
            transport.release_buffers();
        }
        drop(half);
        self.bell.ring_after_unlock();
        drained
    }

    /// Tells the attendant, if there is one, of what is left by who has read.
    pub(crate) fn leave_to_attendant(&self, half: MutexGuard<'_, ReadHalf>) {
        let attendant = self.attendant.get();
        let is_some_left = attendant.is_some()
            && (half.available(Want::Whole).is_some() || !half.buffer.is_empty());
        drop(half);
        if let Some(attendant) = attendant
            && is_some_left
        {
            attendant.announce();
        }
    }
}
