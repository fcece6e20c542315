//! Entering the interpreter from threads that are not Python's, such as the engine's driver, and running
//! code of the user's in the middle of ours: only as long as the interpreter stands. A thread that is inside
//! when it is torn down would be ended by it, in the middle of everything, which Rust takes for a fault of
//! the program.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{ThreadId, current};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

static IS_CLOSED: AtomicBool = AtomicBool::new(false);
static VISITORS: AtomicUsize = AtomicUsize::new(0);

/// The thread that tears the interpreter down.
static CLOSER: OnceLock<ThreadId> = OnceLock::new();

/// Runs `visit` attached to the interpreter; `None` when that is being torn down.
pub(crate) fn visit<T>(visit: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _visitor = Visitor::enter()?;
    Python::try_attach(visit)
}

/// Whether this thread is inside, and holds locks of a connection. Who asks is a signal handler then,
/// which Python runs there, or an extension.
pub(crate) fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Has the interpreter wait for this thread at exit, as long as the result lives; `None` when it is being torn
/// down, and not by this thread. Unlike a visitor, who stays may use connections.
pub(crate) fn stay() -> Option<Stay> {
    VISITORS.fetch_add(1, Ordering::SeqCst);
    let stay = Stay;
    let is_allowed = !IS_CLOSED.load(Ordering::SeqCst) || CLOSER.get() == Some(&current().id());
    is_allowed.then_some(stay)
}

/// Who stays.
pub(crate) struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        leave();
    }
}

/// Who is inside.
pub(crate) struct Visitor;

impl Visitor {
    /// Goes inside with a thread that is attached already; `None` when the interpreter is being torn down.
    pub(crate) fn enter() -> Option<Visitor> {
        // Who closes looks at the visitors afterwards, so one of the two sees the other.
        VISITORS.fetch_add(1, Ordering::SeqCst);
        DEPTH.set(DEPTH.get() + 1);
        let visitor = Visitor;
        (!IS_CLOSED.load(Ordering::SeqCst)).then_some(visitor)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        leave();
    }
}

fn leave() {
    // In a child that was forked from inside, nobody counts any more.
    let _ = VISITORS
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |visitors| visitors.checked_sub(1));
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Has the gate closed when the interpreter exits.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[pyfunction]
    fn close_gate(py: Python<'_>) {
        CLOSER.get_or_init(|| current().id());
        IS_CLOSED.store(true, Ordering::SeqCst);
        let patience = Instant::now() + PATIENCE;
        // Those inside never block for long, but may wait for the interpreter.
        py.detach(|| {
            while VISITORS.load(Ordering::SeqCst) > 0 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    let close = wrap_pyfunction!(close_gate, module)?;
    module.py().import("atexit")?.call_method("register", (close,), None::<&Bound<'_, PyDict>>)?;
    Ok(())
}

/// In a forked child: those who were inside are not there any more.
pub(crate) fn forget_visitors() {
    VISITORS.store(0, Ordering::SeqCst);
}

/// A visitor that takes longer is stuck, and exiting must not be.
const PATIENCE: Duration = Duration::from_secs(1);
