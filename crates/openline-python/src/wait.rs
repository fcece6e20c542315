//! Calls that may wait: detached from the interpreter, and interrupted by signals.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openline::Error;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error;
use crate::gate;
use crate::line::Line;
use crate::signals;

/// Runs a call that may wait, detached. When a signal cuts the wait, the engine returns with all its
/// locks released; the signal's handler runs here, in Python, and if it raises nothing the call goes
/// on. `call` has its deadline, so it is the same one each time (PEP 475). In the end what happened is
/// logged.
pub(crate) fn resume<T: Send>(
    py: Python<'_>,
    line: &Line,
    call: impl FnMut() -> openline::Result<T> + Send,
) -> PyResult<T> {
    let outcome = resume_unlogged(py, line, call);
    line.report(py, outcome)
}

/// As [`resume`], for a result that must not be lost to an exception of the logger.
pub(crate) fn resume_unlogged<T: Send>(
    py: Python<'_>,
    line: &Line,
    mut call: impl FnMut() -> openline::Result<T> + Send,
) -> PyResult<T> {
    loop {
        match once(py, line, &mut call)? {
            Err(Error::Interrupted { .. }) => signals::check(py)?,
            outcome => return outcome.map_err(|error| error::to_python(py, error)),
        }
    }
}

/// Runs a call that may wait, once, detached. A panic, which is a bug, becomes an `Exception` as
/// others and ends the connection: what state it is in is not known then.
pub(crate) fn once<T: Send>(
    py: Python<'_>,
    line: &Line,
    call: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    if gate::is_inside() {
        // To wait here would be to wait for oneself.
        return Err(error::concurrency_error(py, IN_SIGNAL_HANDLER));
    }
    py.detach(|| catch_unwind(AssertUnwindSafe(call))).map_err(|panic| {
        line.abort();
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        PyRuntimeError::new_err(format!("bug in openline, the connection is aborted: {text}"))
    })
}

const IN_SIGNAL_HANDLER: &str = "in the middle of TLS by an SSLContext, or of an extension, neither that \
    nor a signal handler can use connections; have it set a flag, or do the work in another thread";
