//! Those of the standard library.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::Bug;
use crate::deadline::Deadline;

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
    clock_gettime(COARSE_CLOCK).map_or(Duration::ZERO, Duration::from)
}

/// Waits for the condition variable, at most until then; it may also return too early.
pub(crate) fn wait<'m, T>(
    condvar: &Condvar,
    _: &'m Mutex<T>,
    guard: MutexGuard<'m, T>,
    deadline: Deadline,
) -> MutexGuard<'m, T> {
    match deadline.remaining() {
        Some(left) => condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
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
