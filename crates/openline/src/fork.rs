//! Which process this is. After `fork` the child has copies of the parent's connections and none of
//! its threads; touching one would write into the parent's stream.

use std::sync::atomic::{AtomicU32, Ordering};

/// The process in which a connection or a driver was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This one. A system call of some 50 ns, so asked only before others.
    pub(crate) fn current() -> Process {
        let pid = std::process::id();
        LAST_SEEN.store(pid, Ordering::Relaxed);
        Process(pid)
    }

    /// Whether this is still that process, as far as is known without a system call: after a fork,
    /// true until the first [`Process::current`] in the child (see [`notice_fork`]).
    pub(crate) fn seems_current(self) -> bool {
        LAST_SEEN.load(Ordering::Relaxed) == self.0
    }

    /// Whether this is still that process.
    pub(crate) fn is_current(self) -> bool {
        self == Process::current()
    }
}

/// Tells openline that this process was just forked from another. Not needed, since calls that wait
/// or write find out on their own; with it, reading what was already buffered fails too.
///
/// ```
/// openline::notice_fork(); // harmless in the parent
/// ```
pub fn notice_fork() {
    Process::current();
}

/// The process id seen last. Not one of the engine's hand-overs, so not modelled.
static LAST_SEEN: AtomicU32 = AtomicU32::new(0);
