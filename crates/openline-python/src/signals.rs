//! Exceptions of signal handlers that ran in the middle of something that had to be brought to an end.

#![allow(unsafe_code)] // For the one call that has the interpreter raise later.

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::gate;

static KEPT: Mutex<Option<PyErr>> = Mutex::new(None);

/// Keeps the exception of a signal handler, to be raised as soon as may be: by [`check`], or, if the
/// call in which it came has a result, before the next bytecode of the main thread.
pub(crate) fn keep(_py: Python<'_>, error: PyErr) {
    let earlier = KEPT.lock().unwrap_or_else(PoisonError::into_inner).replace(error);
    // Of two of them the later one is raised, as from two handlers that run one after the other.
    drop(earlier);
    // SAFETY: we are attached, and `raise_kept` is a function that ignores its argument. If the queue is
    // full, which makes it fail, the next `check` raises the exception.
    unsafe {
        ffi::Py_AddPendingCall(Some(raise_kept), std::ptr::null_mut());
    }
}

/// What a handler of a signal raises while something is opened, detached.
#[derive(Default)]
pub(crate) struct Raised(Mutex<Option<PyErr>>);

impl Raised {
    /// Runs the handlers of signals that have come, and tells whether one of them raised.
    pub(crate) fn look(&self) -> bool {
        let outcome = Python::attach(check);
        let is_raised = outcome.is_err();
        if let Err(error) = outcome {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        is_raised
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs the handlers of signals that have come; the exception of one of them, or one that was kept.
pub(crate) fn check(py: Python<'_>) -> PyResult<()> {
    take().map_or_else(|| py.check_signals(), Err)
}

/// Runs the handlers of signals in the middle of work that holds locks of a connection, and tells whether
/// one of them raised an exception, which is kept. It cannot use connections.
pub(crate) fn are_raised() -> bool {
    let raised = gate::visit(|py| match py.check_signals() {
        Ok(()) => false,
        Err(error) => {
            let earlier = KEPT.lock().unwrap_or_else(PoisonError::into_inner).replace(error);
            drop(earlier);
            true
        }
    });
    raised.unwrap_or(false)
}

/// Whether this is the main thread, in which Python runs the handlers of signals.
pub(crate) fn are_handled_here(py: Python<'_>) -> bool {
    let is_main = || -> PyResult<bool> {
        let threading = py.import("threading")?;
        let here = threading.call_method0("get_ident")?;
        threading.call_method0("main_thread")?.getattr("ident")?.eq(here)
    };
    is_main().unwrap_or(false)
}

fn take() -> Option<PyErr> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Called by the interpreter, in the main thread.
extern "C" fn raise_kept(_: *mut c_void) -> c_int {
    Python::attach(|py| match take() {
        None => 0,
        Some(error) => {
            error.restore(py);
            -1
        }
    })
}
