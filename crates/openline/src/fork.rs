//! Which process this is. After `fork` the child has copies of the parent's connections and none of
//! its threads; touching one would write into the parent's stream.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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

/// The process id seen last. Not one of the engine's hand-overs, so not
/// modelled.
static LAST_SEEN: AtomicU32 = AtomicU32::new(0);

/// Whether forks are told, so that what was seen last is true.
static ARE_NOTICED: AtomicBool = AtomicBool::new(false);
