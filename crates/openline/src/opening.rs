//! The opening of one connection: its one deadline, and the question whether to give it up.

use crate::deadline::Deadline;
use crate::error::{Error, Result, Waiting};
use crate::status::SLICE;
use crate::transport::{Interest, Transport};

/// What every step of opening a connection has to obey: the deadline of `open_timeout`, and the
/// caller's wish to give up.
///
/// ```
/// use std::time::Duration;
/// use openline::transport::Opening;
/// use openline::{Deadline, Error};
/// let opening = Opening::new(Duration::ZERO.into(), &|| false);
/// assert!(matches!(opening.check(), Err(Error::Timeout { .. })));
/// let opening = Opening::new(Deadline::NEVER, &|| true);
/// assert!(matches!(opening.check(), Err(Error::Interrupted { .. })));
/// ```
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    pub(crate) deadline: Deadline,
    /// Asked after each signal, and at least every 50 ms.
    give_up: &'a dyn Fn() -> bool,
}

impl<'a> Opening<'a> {
    /// An opening that ends at a deadline, or when `give_up` says so.
    ///
    /// ```
    /// use openline::transport::Opening;
    /// use openline::Deadline;
    /// # fn main() -> openline::Result<()> {
    /// Opening::new(Deadline::NEVER, &|| false).check()?;
    /// # Ok(()) }
    /// ```
    pub fn new(deadline: Deadline, give_up: &'a dyn Fn() -> bool) -> Opening<'a> {
        Opening { deadline, give_up }
    }

    /// By when the connection is to be open.
    ///
    /// ```
    /// use openline::transport::Opening;
    /// use openline::Deadline;
    /// assert_eq!(Opening::new(Deadline::NEVER, &|| false).deadline(), Deadline::NEVER);
    /// ```
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The same with an earlier deadline, if it is earlier.
    pub(crate) fn within(&self, deadline: Deadline) -> Opening<'a> {
        Opening { deadline: self.deadline.min(deadline), ..*self }
    }

    /// Whether to go on.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] when told to give up, [`Error::Timeout`] at the deadline.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::transport::Opening;
    /// # fn main() -> openline::Result<()> {
    /// Opening::new(Duration::from_secs(10).into(), &|| false).check()?;
    /// # Ok(()) }
    /// ```
    pub fn check(&self) -> Result<()> {
        if (self.give_up)() {
            return Err(Error::Interrupted { committed: false });
        }
        // A peer that dribbles does not get more time.
        if self.deadline.has_passed() { Err(timed_out()) } else { Ok(()) }
    }

    /// Waits for a transport, for 50 ms at most. What is wrong with it shows in the next read or
    /// write.
    ///
    /// # Errors
    ///
    /// As [`check`](Opening::check).
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::transport::{Interest, Opening, Transport};
    /// use openline::{Error, Result};
    ///
    /// /// Waits for the first byte of a greeting.
    /// fn greeting(transport: &dyn Transport, opening: &Opening<'_>) -> Result<u8> {
    ///     let mut byte = [0];
    ///     while transport.try_read(&mut byte).is_err() {
    ///         opening.wait(transport, Interest::Read)?;
    ///     }
    ///     Ok(byte[0])
    /// }
    /// ```
    pub fn wait(&self, transport: &dyn Transport, interest: Interest) -> Result<()> {
        self.wait_until(Deadline::NEVER, transport, interest)
    }

    /// As [`wait`](Opening::wait), and until another deadline, at which nothing fails.
    pub(crate) fn wait_until(
        &self,
        until: Deadline,
        transport: &dyn Transport,
        interest: Interest,
    ) -> Result<()> {
        // In slices, for a wish to give up that no signal tells this thread of.
        let slice = self.deadline.min(until).min(Deadline::from(SLICE));
        let _ = transport.wait(interest, slice);
        self.check()
    }
}

impl std::fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

pub(crate) fn timed_out() -> Error {
    Error::Timeout { during: Waiting::Connect, committed: false }
}
