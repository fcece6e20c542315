//! The locks, atomics, condition variables and the clock of the engine, in one place so that the model
//! check (`model`) can put those of shuttle, and a virtual clock, in their place.

#[cfg(feature = "model")]
mod model;
#[cfg(not(feature = "model"))]
mod system;

#[cfg(feature = "model")]
pub(crate) use model::*;
#[cfg(not(feature = "model"))]
pub(crate) use system::*;

/// Locks, also after a panic, for what stays meaningful whatever happens. A connection in whose calls
/// there was a panic is ended, by `Line::lock_read` and `PanicWatch`.
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
