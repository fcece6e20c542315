//! The locks, atomics, condition variables and the clock of the engine, in one place so that the tests
//! with the feature `model` can put those of shuttle, and a virtual clock, in their place.

#[cfg(all(test, feature = "model"))]
mod model;
#[cfg(not(all(test, feature = "model")))]
mod system;

#[cfg(all(test, feature = "model"))]
pub(crate) use model::*;
#[cfg(not(all(test, feature = "model")))]
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

/// Bugs that can be planted in the engine, each in one place, to see that the simulation finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A message that a bystander moves out of the way of the next read is given out twice.
    DoubleDelivery,
    /// A ping that comes while another control frame waits is not answered.
    DroppedPong,
    /// Nobody is told that bytes wait for room.
    ForgottenTail,
    /// The bell rings between the look and the wait of a thread, which goes on to wait.
    LostWakeUp,
}
