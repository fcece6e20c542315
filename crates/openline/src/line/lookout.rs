//! The calls that wait for what others may read: one thread polls for all of them.

use std::io;

use super::Line;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::read::{Drained, TURNS_PER_SIGNAL};
use crate::status::Status;
use crate::sync::{Ordering, try_lock};
use crate::transport::Interest;

impl Line {
    /// Waits until `done` gives something: on the lookout for what comes, or at the bell while
    /// somebody else reads or is.
    pub(super) fn attend<T>(
        &self,
        deadline: Deadline,
        mut done: impl FnMut(&mut Status) -> Option<T>,
    ) -> Result<Option<T>> {
        self.check_process()?;
        let mut lookout = self.try_lookout();
        // Somebody may have found the lock taken by this look.
        self.bell.ring_after_unlock();
        loop {
            if let Some(lookout) = lookout.take()
                && let Watched::Over(outcome) = self.look_out(&lookout, deadline, &mut done)?
            {
                return Ok(outcome);
            }
            let rung = self.bell.wait(deadline, |status| match done(status) {
                Some(value) => Some(Ok(value)),
                None => self.try_lookout().map(Err),
            });
            match rung {
                Some(Ok(value)) => return Ok(Some(value)),
                Some(Err(free)) => lookout = Some(free),
                None if deadline.has_passed() => return Ok(None),
                None => self.interrupted(false)?,
            }
        }
    }

    /// Reads what comes until `done` gives something.
    fn look_out<T>(
        &self,
        _lookout: &Lookout<'_>,
        deadline: Deadline,
        done: &mut impl FnMut(&mut Status) -> Option<T>,
    ) -> Result<Watched<T>> {
        for turn in 1_usize.. {
            if turn.is_multiple_of(TURNS_PER_SIGNAL) {
                self.interrupted(false)?;
            }
            let mut half = self.lock_read();
            let drained = self.drain(&mut half);
            let transport = half.transport.clone();
            self.leave_read(half);
            if let Some(value) = done(&mut self.bell.status()) {
                return Ok(Watched::Over(Some(value)));
            }
            if deadline.has_passed() {
                return Ok(Watched::Over(None));
            }
            match (drained, transport) {
                (Drained::Interrupted, _) => self.interrupted(false)?,
                (Drained::More, _) => {}
                (Drained::Empty, Some(transport)) => {
                    if let Err(error) = transport.wait(Interest::Read, deadline)
                        && error.kind() == io::ErrorKind::Interrupted
                    {
                        self.interrupted(false)?;
                    }
                    // Any other error shows in the next drain.
                }
                // There is no room, or nothing more to be read.
                _ => return Ok(Watched::Nothing),
            }
        }
        unreachable!("bug: more turns than a number can count")
    }

    /// Becomes the one thread on the lookout: it polls without the right to read, so that buffered
    /// messages can be taken meanwhile, and nobody else reads the transport until it is done. If
    /// somebody did, what the lookout waits for might come without waking it.
    fn try_lookout(&self) -> Option<Lookout<'_>> {
        let mut half = try_lock(&self.read)?;
        // Where nothing may be read there is nothing to look out for: who takes a message rings.
        let is_given_up = self.is_given_up.load(Ordering::Relaxed);
        if half.transport.is_none() || (self.is_full(&mut half) && !is_given_up) {
            return None;
        }
        (!self.is_looked_out.swap(true, Ordering::Relaxed)).then(|| Lookout(self))
    }
}

/// The duty of the one thread that polls; see [`Line::try_lookout`].
struct Lookout<'l>(&'l Line);

impl Drop for Lookout<'_> {
    fn drop(&mut self) {
        self.0.is_looked_out.store(false, Ordering::Relaxed);
        self.0.bell.ring_after_unlock();
        self.0.announce();
    }
}

/// How a time on the lookout ended.
enum Watched<T> {
    /// With this result of the wait; `None` at the deadline.
    Over(Option<T>),
    /// Nothing can be read now.
    Nothing,
}
