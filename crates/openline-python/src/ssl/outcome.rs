//! What the exceptions of Python's `ssl` mean: that it waits for something, that the peer said goodbye, that
//! something is wrong, or that a signal handler ran.

use std::io;

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;

/// What a step of the object led to.
pub(super) enum Step<T> {
    Done(T),
    WantsRead,
    WantsWrite,
}

/// Whether an exception is of TLS or of a socket, rather than of a signal handler. (A handler may well
/// raise `TimeoutError`, which is an `OSError` too; but those of the system have a number.)
pub(super) fn is_of_tls(py: Python<'_>, error: &PyErr) -> bool {
    is_ssl_error(py, error) || number(py, error).is_some()
}

fn is_ssl_error(py: Python<'_>, error: &PyErr) -> bool {
    py.import(intern!(py, "ssl"))
        .and_then(|ssl| ssl.getattr(intern!(py, "SSLError")))
        .is_ok_and(|class| error.is_instance(py, &class))
}

fn number(py: Python<'_>, error: &PyErr) -> Option<i32> {
    if !error.is_instance_of::<PyOSError>(py) {
        return None;
    }
    error.value(py).getattr(intern!(py, "errno")).ok()?.extract().ok()
}

/// What the object waits for, if that is what the exception says.
pub(super) fn wanted<T>(py: Python<'_>, error: &PyErr) -> Option<Step<T>> {
    let ssl = py.import(intern!(py, "ssl")).ok()?;
    let is = |name| ssl.getattr(name).is_ok_and(|class| error.is_instance(py, &class));
    if is(intern!(py, "SSLWantReadError")) {
        Some(Step::WantsRead)
    } else if is(intern!(py, "SSLWantWriteError")) {
        Some(Step::WantsWrite)
    } else {
        None
    }
}

/// What an exception of the object means.
pub(super) fn tls_outcome<T: Default>(py: Python<'_>, error: PyErr) -> io::Result<Step<T>> {
    if let Some(step) = wanted(py, &error) {
        return Ok(step);
    }
    let ssl = py.import(intern!(py, "ssl")).map_err(|error| to_io(py, error))?;
    let is = |name| ssl.getattr(name).is_ok_and(|class| error.is_instance(py, &class));
    if is(intern!(py, "SSLZeroReturnError")) {
        return Ok(Step::Done(T::default())); // the peer's goodbye
    }
    if is(intern!(py, "SSLEOFError")) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
    }
    Err(to_io(py, error))
}

/// An exception as an error of the engine's, which carries it.
pub(super) fn to_io(py: Python<'_>, error: PyErr) -> io::Error {
    match number(py, &error) {
        // The socket's own error, such as a reset.
        Some(number) if !is_ssl_error(py, &error) => io::Error::from_raw_os_error(number),
        _ => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}
