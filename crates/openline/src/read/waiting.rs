//! How a receiver waits for bytes: asleep, or looking for them first.

use std::hint;
use std::io;
use std::time::Duration;

use super::half::ReadHalf;
use super::spin::Spin;
use super::timed_out;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::line::Line;
use crate::status::SIGNAL_PAUSE;
use crate::sync::{self, Ordering};
use crate::transport::{Interest, Transport, acknowledge_now};

impl Line {
    /// Reads more, waiting for it until `deadline`.
    pub(super) fn fill(&self, half: &mut ReadHalf, deadline: Deadline) -> Result<()> {
        self.check_process()?;
        let Some(transport) = half.transport.clone() else { return Err(self.closed()) };
        self.paused.store(false, Ordering::Relaxed);
        let outcome = match (self.look_for_rest(half, &*transport), half.spin) {
            (Some(outcome), _) => outcome,
            (None, Spin::Off) => self.sleep_for(half, &*transport, deadline)?,
            (None, _) => self.spin_for(half, &*transport, deadline)?,
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.interrupted(false),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.end_read(half, Some(error));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads what is there, if the peer may be waiting for an acknowledgement before it sends the rest of a frame. If
    /// nothing is, it gets one at once: a delayed one (RFC 1122 §4.2.3.2) would take 40 ms.
    fn look_for_rest(
        &self,
        half: &mut ReadHalf,
        transport: &dyn Transport,
    ) -> Option<io::Result<()>> {
        if !half.has_small_part_of_frame() {
            return None;
        }
        match self.read_once(half, |buffer| transport.try_read(buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                acknowledge_now(transport);
                None
            }
            outcome => Some(outcome),
        }
    }

    /// Reads what comes, asleep until then.
    ///
    /// # Errors
    ///
    /// That the deadline has passed.
    fn sleep_for(
        &self,
        half: &mut ReadHalf,
        transport: &dyn Transport,
        deadline: Deadline,
    ) -> Result<io::Result<()>> {
        if deadline == Deadline::NEVER {
            return Ok(self.read_once(half, |buffer| transport.read(buffer)));
        }
        match transport.wait(Interest::Read, deadline) {
            Ok(ready) if ready.is_none() => Err(timed_out()),
            Ok(_) => Ok(self.read_once(half, |buffer| transport.try_read(buffer))),
            Err(error) => Ok(Err(error)),
        }
    }

    /// As [`sleep_for`](Line::sleep_for), after a moment in which it looks for what comes if that pays.
    fn spin_for(
        &self,
        half: &mut ReadHalf,
        transport: &dyn Transport,
        deadline: Deadline,
    ) -> Result<io::Result<()>> {
        let start = sync::now();
        let time = half.spin.time().min(deadline.remaining().unwrap_or(Duration::MAX));
        let spinning = if time.is_zero() { None } else { half.spin.begin(&self.driver.spinning) };
        let mut until = deadline;
        if spinning.is_some() {
            let mut waited = Duration::ZERO;
            while waited < time {
                match self.read_once(half, |buffer| transport.try_read(buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => hint::spin_loop(),
                    outcome => {
                        half.spin.note(waited, true);
                        return Ok(outcome);
                    }
                }
                waited = sync::now() - start;
            }
            // A signal that came in this time would not end a sleep.
            until = deadline.min(Deadline::from(SIGNAL_PAUSE));
        }
        let looked = spinning.is_some();
        drop(spinning);
        let outcome = self.sleep_for(half, transport, until);
        half.spin.note(sync::now() - start, looked);
        match outcome {
            Err(_) if !deadline.has_passed() => Ok(Err(io::ErrorKind::Interrupted.into())),
            outcome => outcome,
        }
    }
}
