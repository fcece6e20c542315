//! The class `Handle`: an opened connection for the Python layer, which gives it to a `Connection` and
//! looks at it through the protocol object.

use std::sync::atomic::{AtomicBool, Ordering};

use openline::{Closed, Connection, State};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::error;
use crate::extension;

/// A connection, and how large a message may be for its memory to be allocated when only its header
/// has come.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) large_limit: usize,
}

/// An opened connection. One `Connection` adopts it; who holds the handle can look at it.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Handle {
    opened: Opened,
    is_adopted: AtomicBool,
}

impl Handle {
    pub(crate) fn new(opened: Opened) -> Handle {
        Handle { opened, is_adopted: AtomicBool::new(false) }
    }

    /// What a `Connection` works with; only the first gets it.
    pub(crate) fn adopt(&self, py: Python<'_>) -> PyResult<Opened> {
        if self.is_adopted.swap(true, Ordering::Relaxed) {
            return Err(error::invalid_state(py, "this protocol has a connection already"));
        }
        Ok(self.opened.clone())
    }
}

#[pymethods]
impl Handle {
    /// End the connection at once, whoever has it, without waiting for the peer.
    fn abandon(&self, py: Python<'_>) {
        py.detach(|| self.opened.connection.abandon());
    }

    /// The socket's descriptor; -1 once the connection is closed.
    fn fileno(&self) -> i32 {
        self.opened.connection.raw_fd().unwrap_or(-1)
    }

    /// The state as the number of `openline.State`.
    #[getter]
    fn state_number(&self) -> u8 {
        state_number(&self.opened.connection)
    }

    /// The subprotocol that was agreed on.
    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.opened.connection.subprotocol()
    }

    /// The extensions that were agreed on, as a list in the order of the server's answer, made anew.
    #[getter]
    fn agreed_extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let extensions = self.opened.connection.extensions().iter();
        let extensions = extensions.map(|agreed| extension::to_python(py, agreed));
        PyList::new(py, extensions.collect::<PyResult<Vec<_>>>()?)
    }

    /// The `ConnectionClosed` that tells how the connection ended, made anew; None before.
    #[getter]
    fn close_exc(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let closed: Option<Closed> = self.opened.connection.how_closed();
        let made = closed.map(|closed| error::connection_closed(py, &closed)).transpose()?;
        Ok(made.map(|made| made.into_value(py).into_any()))
    }
}

/// The state of a connection as the number of `openline.State`.
pub(crate) fn state_number(connection: &Connection) -> u8 {
    match connection.state() {
        State::Open => 1,
        State::Closing => 2,
        State::Closed => 3,
    }
}
