//! Those of the standard library.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// What time it is.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since some moment, at a fifth of the price, and exact to some milliseconds.
#[inline]
pub(crate) fn coarse_now() -> Duration {
    let now = clock_gettime(COARSE_CLOCK);
    // Both are never negative, and the second one is below 10^9.
    Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
}

#[cfg(target_os = "linux")]
const COARSE_CLOCK: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const COARSE_CLOCK: ClockId = ClockId::Monotonic;
