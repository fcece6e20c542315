//! Which interpreter this is. The engine, its classes and what they know of Python exist once in a process,
//! and belong to the main interpreter.

#![allow(unsafe_code)] // For two calls that have no safe form.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

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

const MAIN: i64 = 0;
