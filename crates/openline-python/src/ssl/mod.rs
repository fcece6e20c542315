//! TLS by Python's `ssl` module, for who passes an `ssl.SSLContext` or an `ssl.SSLSocket`: exactly the
//! semantics of that context, as a transport of the engine.
//!
//! - [`context`]: the handshake by a context.
//! - [`transport`]: reading and writing by the object that the handshake made.

mod context;
mod outcome;
mod transport;
mod turn;

use std::any::Any;
use std::sync::Arc;

use openline::transport::{Opening, Secure, ServerTls, Stream, Transport};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use context::Context;

pub(crate) use context::CLIENT;
use transport::PythonTls;

/// TLS by an `ssl.SSLContext`.
pub(crate) fn context_tls(context: &Bound<'_, PyAny>) -> Arc<dyn Secure> {
    Arc::new(Context::new(context, false))
}

/// TLS by an `ssl.SSLContext`, for the server's side.
pub(crate) fn server_tls(context: &Bound<'_, PyAny>) -> Arc<dyn ServerTls> {
    Arc::new(Context::new(context, true))
}

/// No TLS, for a `wss://` URI over a socket that is secure already.
#[derive(Debug)]
pub(crate) struct Secured;

impl Secure for Secured {
    fn secure(
        &self,
        transport: Arc<dyn Transport>,
        _server_name: &str,
        _opening: &Opening<'_>,
    ) -> openline::Result<Arc<dyn Transport>> {
        Ok(transport)
    }
}

/// Calls a method of the object of Python's `ssl` that a transport uses, or gets an attribute of it.
pub(crate) fn ask<'py>(
    py: Python<'py>,
    transport: &Arc<dyn Transport>,
    name: &str,
    arguments: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    match python_tls(transport) {
        Some(tls) => tls.look(py, name, arguments),
        None => Err(PyAttributeError::new_err(name.to_owned())),
    }
}

/// Whether a transport uses Python's `ssl`.
pub(crate) fn is_used_by(transport: &Arc<dyn Transport>) -> bool {
    python_tls(transport).is_some()
}

fn python_tls(transport: &Arc<dyn Transport>) -> Option<&PythonTls> {
    let transport: &dyn Any = &**transport;
    transport.downcast_ref()
}

/// Whether a socket has TLS of its own.
pub(crate) fn is_ssl_socket(sock: &Bound<'_, PyAny>) -> PyResult<bool> {
    // Whoever has an object of the class has imported the module.
    let modules = sock.py().import("sys")?.getattr("modules")?;
    match modules.call_method1("get", ("ssl",))? {
        ssl if ssl.is_none() => Ok(false),
        ssl => sock.is_instance(&ssl.getattr("SSLSocket")?),
    }
}

/// A connected `ssl.SSLSocket` to be used by its methods.
pub(crate) fn ssl_socket_stream(sock: &Bound<'_, PyAny>) -> PyResult<Stream> {
    Ok(Stream::from_transport(PythonTls::over_socket(sock, false)?))
}
