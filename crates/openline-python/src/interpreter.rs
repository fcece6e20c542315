//! Which interpreter this is, and its end. The engine, its classes and what they know of Python exist once in a
//! process, and belong to the main interpreter.

#![allow(unsafe_code)] // For three calls that have no safe form.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

/// Refuses all interpreters but the main one. Python does so itself from 3.12 on if they have a GIL of
/// their own, as this module declares nothing else.
pub(crate) fn check(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: we are attached, so there is a current interpreter.
    let current = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: it is that of the call before.
    let id = unsafe { ffi::PyInterpreterState_GetID(current) };
    if id == MAIN {
        return Ok(());
    }
    Err(PyImportError::new_err(format!(
        "openline works in the main interpreter of a process only, and this is interpreter {id}; \
         use a process in its place (with mod_wsgi: WSGIApplicationGroup %{{GLOBAL}})"
    )))
}

/// The next item of an iterator, which may be a generator of the user's. When the interpreter exits, Python up to
/// 3.13 ends a daemon thread that is in there, by unwinding it; in Rust that would abort the process. So the
/// thread stops for good instead, as PyO3 does where it attaches, and as Python does from 3.14 on.
pub(crate) fn next<'py>(iterator: &Bound<'py, PyIterator>) -> Option<PyResult<Bound<'py, PyAny>>> {
    let guard = StopForGood;
    // SAFETY: `iterator` is one, and we are attached.
    let item = unsafe { PyIter_Next(iterator.as_ptr()) };
    std::mem::forget(guard);
    // SAFETY: that gave a new reference, or null.
    match unsafe { Bound::from_owned_ptr_or_opt(iterator.py(), item) } {
        Some(item) => Some(Ok(item)),
        None => PyErr::take(iterator.py()).map(Err),
    }
}

unsafe extern "C-unwind" {
    /// PyO3 has it as a function that nothing can unwind.
    fn PyIter_Next(iterator: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

struct StopForGood;

impl Drop for StopForGood {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

const MAIN: i64 = 0;
