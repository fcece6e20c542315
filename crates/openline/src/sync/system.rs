//! Those of the standard library.

use std::time::Instant;

pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// What time it is.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}
