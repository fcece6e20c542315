//! The class `Handle`: an opened connection for the Python layer, which gives it to a `Connection` and
//! looks at it through the protocol object.

use std::io;
use std::net::Shutdown;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openline::transport::{TlsDetails, Transport};
use openline::{Closed, Connection, Journal, State};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::connection::address;
use crate::error;
use crate::extension;
use crate::ssl;

/// A connection, and how large a message may be for its memory to be allocated when only its header
/// has come.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) large_limit: usize,
    /// What happens on it, if that is logged.
    pub(crate) journal: Option<Journal>,
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
    fn abort(&self, py: Python<'_>) {
        py.detach(|| self.opened.connection.abort());
    }

    /// The socket's descriptor; -1 once the connection is closed.
    fn fileno(&self) -> i32 {
        self.opened.connection.raw_fd().unwrap_or(-1)
    }

    /// Duplicate the socket's descriptor, for the caller to close.
    ///
    /// Raises:
    ///     OSError: the connection is closed.
    fn dup(&self, py: Python<'_>) -> PyResult<i32> {
        dup(py, &*self.transport(py)?)
    }

    /// Shut one direction of the stream down, or both, by the numbers of `socket.SHUT_RD`, `SHUT_WR` and
    /// `SHUT_RDWR`.
    ///
    /// Raises:
    ///     OSError: the connection is closed.
    fn shutdown(&self, py: Python<'_>, how: i32) -> PyResult<()> {
        let (how, transport) = (direction(how)?, self.transport(py)?);
        py.detach(|| transport.shutdown(how));
        Ok(())
    }

    /// Whether there is TLS of ours.
    #[getter]
    fn is_secure(&self) -> bool {
        self.opened.connection.timings().tls.is_some()
    }

    /// What was agreed on in a TLS handshake by rustls: the server's name, version, cipher suite, protocol
    /// of ALPN, and the peer's certificate; None if there was none.
    fn tls_details<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(details) = self.transport(py)?.tls() else { return Ok(None) };
        let TlsDetails { server_name, version, cipher_suite, alpn_protocol, .. } = &details;
        let version = version.and_then(|version| version.as_str());
        let suite = cipher_suite.and_then(|suite| suite.as_str());
        let alpn = alpn_protocol.as_ref().map(|name| String::from_utf8_lossy(name).into_owned());
        let certificate =
            details.peer_certificates.first().map(|certificate| PyBytes::new(py, certificate));
        (server_name, version, suite, alpn, certificate).into_pyobject(py).map(Some)
    }

    /// Get an attribute of the object of Python's `ssl` that the connection uses, or call it with arguments.
    ///
    /// Raises:
    ///     OSError: the connection is closed.
    ///     AttributeError: there is no such object, or no such attribute of it.
    #[pyo3(signature = (name, arguments=None))]
    fn ask_ssl<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        ssl::ask(py, &self.transport(py)?, name, arguments)
    }

    /// Our address, and the peer's, as `socket` gives them; known when the connection is closed, too.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let connection = &self.opened.connection;
        Ok((address(py, connection.local_address())?, address(py, connection.remote_address())?))
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

impl Handle {
    fn transport(&self, py: Python<'_>) -> PyResult<Arc<dyn Transport>> {
        self.opened.connection.transport().ok_or_else(|| closed(py))
    }
}

/// Duplicates a transport's descriptor.
pub(crate) fn dup(py: Python<'_>, transport: &dyn Transport) -> PyResult<i32> {
    let source = transport.source().ok_or_else(|| closed(py))?;
    let duplicate = source.try_clone_to_owned();
    Ok(duplicate.map_err(|error| error::os_error(py, &error, None))?.into_raw_fd())
}

/// What `SHUT_RD`, `SHUT_WR` and `SHUT_RDWR` stand for.
pub(crate) fn direction(how: i32) -> PyResult<Shutdown> {
    match how {
        0 => Ok(Shutdown::Read),
        1 => Ok(Shutdown::Write),
        2 => Ok(Shutdown::Both),
        _ => Err(PyValueError::new_err(format!("how must be 0, 1 or 2, not {how}"))),
    }
}

/// What the methods of a closed socket raise.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    error::os_error(py, &io::Error::from_raw_os_error(EBADF), None)
}

const EBADF: i32 = 9;

/// The state of a connection as the number of `openline.State`.
pub(crate) fn state_number(connection: &Connection) -> u8 {
    match connection.state() {
        State::Open => 1,
        State::Closing => 2,
        State::Closed => 3,
    }
}
