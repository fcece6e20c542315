//! Whose turn it is with an object of Python's `ssl`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;

/// Whose turn it is with the object. A signal handler that runs inside a step of the object's, and uses
/// the connection, has its thread's turn: OpenSSL is between two steps then.
#[derive(Default)]
pub(super) struct Turn {
    mutex: Mutex<()>,
    /// The thread that has it; 0: none.
    owner: AtomicU64,
}

pub(super) struct TurnGuard<'t> {
    turn: &'t Turn,
    /// `None`: an outer guard of this thread has it.
    _guard: Option<MutexGuard<'t, ()>>,
}

impl Turn {
    /// Waits for it detached, so that who has it can go on in the interpreter.
    pub(super) fn take(&self, py: Python<'_>) -> TurnGuard<'_> {
        let me = thread_number();
        if self.owner.load(Ordering::Relaxed) == me {
            return TurnGuard { turn: self, _guard: None };
        }
        let guard = self.mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        self.owner.store(me, Ordering::Relaxed);
        TurnGuard { turn: self, _guard: Some(guard) }
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        if self._guard.is_some() {
            self.turn.owner.store(0, Ordering::Relaxed);
        }
    }
}

fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static MINE: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    MINE.with(|mine| *mine)
}
