//! Which process this is. After `fork` the child has copies of the parent's connections and none of
//! its threads; touching one would write into the parent's stream.

mod at_fork;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// The process in which a connection or a driver was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This one.
    #[inline]
    pub(crate) fn current() -> Process {
        if IS_TOLD.load(Ordering::Relaxed) {
            Process(CURRENT.load(Ordering::Relaxed))
        } else {
            Process(ask_to_be_told())
        }
    }

    /// Whether this is still that process.
    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self == Process::current()
    }
}

/// The number of this process. Whoever comes first has the system tell later ones; where it cannot,
/// everybody asks for himself.
#[cold]
fn ask_to_be_told() -> u32 {
    note_process();
    // Not behind a lock, which a child could inherit locked. That it is told twice does no harm.
    IS_TOLD.store(at_fork::register(note_process), Ordering::Relaxed);
    CURRENT.load(Ordering::Relaxed)
}

extern "C" fn note_process() {
    CURRENT.store(std::process::id(), Ordering::Relaxed);
}

/// What a process has once and its forked children have anew: the lock of the parent's may have been held
/// by a thread that is not there any more, and what is behind it belongs to the parent.
pub(crate) struct PerProcess<T> {
    process: OnceLock<Process>,
    value: Mutex<T>,
    childs: OnceLock<Box<PerProcess<T>>>,
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new(value: T) -> PerProcess<T> {
        PerProcess { process: OnceLock::new(), value: Mutex::new(value), childs: OnceLock::new() }
    }

    /// Locks that of this process.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        if self.process.get_or_init(Process::current).is_current() {
            self.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        } else {
            self.childs.get_or_init(|| Box::new(PerProcess::new(T::default()))).lock()
        }
    }
}

/// The number of this process, if it was ever asked for. Not one of the engine's hand-overs, so not modelled.
static CURRENT: AtomicU32 = AtomicU32::new(0);

/// Whether forks are told, so that the number is true.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_waits_for_no_lock_of_its_parents() {
        let inherited = PerProcess {
            process: OnceLock::from(Process(0)),
            value: Mutex::new("the parent's"),
            childs: OnceLock::new(),
        };
        let _held = inherited.value.lock();
        assert_eq!(*inherited.lock(), "");
        *inherited.lock() = "the child's";
        assert_eq!(*inherited.lock(), "the child's");
    }

    #[test]
    fn a_process_has_one() {
        let shared = PerProcess::new(1);
        *shared.lock() += 1;
        assert_eq!(*shared.lock(), 2);
    }
}
