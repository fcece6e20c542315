//! The locks, atomics and condition variables of the engine, in one place so that the model check
//! (`model.rs`) can put shuttle's in their place.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{
    Arc, Condvar, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// Locks, also after a panic: the engine fails a connection whose call panicked, and every state in
/// a lock stays meaningful.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Locks if nobody else has the lock.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
