//! Until when a call may wait.

use std::time::{Duration, Instant};

use crate::sync;

/// The moment at which a call gives up waiting, or never. Made from a `Duration` (from now), an
/// `Instant`, or an `Option` of either, so that time-outs can be given as they are at hand.
///
/// ```
/// use std::time::{Duration, Instant};
/// use openline::Deadline;
///
/// assert!(Deadline::from(Duration::ZERO).has_passed());
/// assert!(!Deadline::from(Instant::now() + Duration::from_secs(60)).has_passed());
/// assert_eq!(Deadline::from(None::<Duration>), Deadline::NEVER);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit.
    pub const NEVER: Deadline = Deadline(None);

    /// Whether the moment has come.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline::Deadline;
    /// assert!(Deadline::from(Instant::now()).has_passed());
    /// assert!(!Deadline::NEVER.has_passed());
    /// ```
    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|at| sync::now() >= at)
    }

    /// The time left; `None` if there is no limit, zero once the moment has come.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Deadline;
    /// let minute = Duration::from_secs(60);
    /// assert!(Deadline::from(minute).remaining() <= Some(minute));
    /// assert_eq!(Deadline::from(Duration::ZERO).remaining(), Some(Duration::ZERO));
    /// assert_eq!(Deadline::NEVER.remaining(), None);
    /// ```
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(sync::now()))
    }

    /// The moment; `None` if there is no limit.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline::Deadline;
    /// let now = Instant::now();
    /// assert_eq!(Deadline::from(now).at(), Some(now));
    /// assert_eq!(Deadline::NEVER.at(), None);
    /// ```
    pub fn at(self) -> Option<Instant> {
        self.0
    }

    /// The earlier of the two.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Deadline;
    /// let soon = Deadline::from(Duration::from_secs(1));
    /// assert_eq!(soon.min(Deadline::from(Duration::from_secs(2))), soon);
    /// assert_eq!(soon.min(Deadline::NEVER), soon);
    /// ```
    #[must_use]
    pub fn min(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }
}

impl From<Duration> for Deadline {
    /// From now on. A duration beyond what the clock can hold is no limit.
    fn from(timeout: Duration) -> Deadline {
        Deadline(sync::now().checked_add(timeout))
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Deadline {
        Deadline(Some(at))
    }
}

impl<T: Into<Deadline>> From<Option<T>> for Deadline {
    fn from(limit: Option<T>) -> Deadline {
        limit.map_or(Deadline::NEVER, Into::into)
    }
}
