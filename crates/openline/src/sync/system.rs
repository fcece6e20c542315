//! Those of the standard library.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::Bug;

pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// The longest wait for a condition variable before its caller looks for signals, which do not wake it.
pub(crate) const SIGNAL_SLICE: Duration = Duration::from_millis(50);

/// What time it is.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since some moment, at a fifth of the price, and exact to some milliseconds.
#[inline]
pub(crate) fn coarse_now() -> Duration {
    clock_gettime(COARSE_CLOCK).map_or(Duration::ZERO, Duration::from)
}

/// Waits for the condition variable, at most so long; it may also return too early.
pub(crate) fn wait<'m, T>(
    condvar: &Condvar,
    _: &'m Mutex<T>,
    guard: MutexGuard<'m, T>,
    timeout: Duration,
) -> MutexGuard<'m, T> {
    match condvar.wait_timeout(guard, timeout) {
        Ok((guard, _)) => guard,
        Err(poisoned) => poisoned.into_inner().0,
    }
}

/// Whether this bug is planted: never but in the simulation.
#[inline(always)]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(target_os = "linux")]
const COARSE_CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_COARSE;
#[cfg(not(target_os = "linux"))]
const COARSE_CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
