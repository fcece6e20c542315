//! Those of shuttle, and a clock that stands still until somebody sets it.

use std::cell::Cell;
use std::time::{Duration, Instant};

pub(crate) use shuttle::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// What time it is.
pub(crate) fn now() -> Instant {
    CLOCK.get()
}

/// The time since some moment.
pub(crate) fn coarse_now() -> Duration {
    CLOCK.get() - START.with(|start| *start)
}

thread_local! {
    static START: Instant = CLOCK.get();
    /// All threads of a model run on one thread of the system, and see the same time.
    static CLOCK: Cell<Instant> = Cell::new(Instant::now());
}
