//! Which process this is. After `fork` the child has copies of the parent's connections and none of
//! its threads; touching one would write into the parent's stream.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// The process in which a connection or a driver was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This one.
    pub(crate) fn current() -> Process {
        if ARE_NOTICED.load(Ordering::Relaxed) {
            Process(LAST_SEEN.load(Ordering::Relaxed))
        } else {
            Process(notice_fork())
        }
    }

    /// Whether this is still that process, as far as is known without a system call: after a fork
    /// that was not noticed, true until the first [`Process::current`] in the child.
    pub(crate) fn seems_current(self) -> bool {
        LAST_SEEN.load(Ordering::Relaxed) == self.0
    }

    /// Whether this is still that process.
    pub(crate) fn is_current(self) -> bool {
        self == Process::current()
    }
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

/// Tells openline that this process may just have been forked from another; gives its id. Not needed,
/// as calls that wait or write find out on their own, unless [`forks_are_noticed`] has promised it.
///
/// ```
/// assert_eq!(openline::notice_fork(), std::process::id()); // harmless in the parent
/// ```
pub fn notice_fork() -> u32 {
    let pid = std::process::id();
    LAST_SEEN.store(pid, Ordering::Relaxed);
    pid
}

/// Promises that [`notice_fork`] is called in every forked child before it uses openline, as a hook of
/// the runtime or `pthread_atfork` can do. Calls then need not ask the system for the process every
/// time, which costs some 100 ns each.
///
/// ```
/// openline::forks_are_noticed();
/// # let server = openline::testing::EchoServer::start()?;
/// # let uri = server.uri();
/// let line = openline::connect(uri)?;
/// # Ok::<(), openline::Error>(())
/// ```
pub fn forks_are_noticed() {
    notice_fork();
    ARE_NOTICED.store(true, Ordering::Relaxed);
}

/// Takes the promise of [`forks_are_noticed`] back until it is given again, in parent and child. For a hook
/// that runs before a fork: other hooks, which the child may run first, can use openline then.
///
/// ```
/// openline::fork_is_near();
/// // fork, and in both processes:
/// openline::forks_are_noticed();
/// ```
pub fn fork_is_near() {
    ARE_NOTICED.store(false, Ordering::Relaxed);
}

/// The process id seen last. Not one of the engine's hand-overs, so not modelled.
static LAST_SEEN: AtomicU32 = AtomicU32::new(0);

/// Whether forks are told, so that what was seen last is true.
static ARE_NOTICED: AtomicBool = AtomicBool::new(false);

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
