//! The headers that a handshake negotiates with, for `openline.headers` and `openline.utils`: parsed
//! by the core.

use openline::Error;
use openline::handshake::{self, ExtensionParams, HandshakeError};
use openline::http::Limits;
use pyo3::prelude::*;

use crate::error;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(accept_key, module)?)?;
    module.add_function(wrap_pyfunction!(parse_connection, module)?)?;
    module.add_function(wrap_pyfunction!(parse_extensions, module)?)?;
    module.add_function(wrap_pyfunction!(parse_subprotocols, module)?)?;
    module.add_function(wrap_pyfunction!(parse_upgrade, module)?)?;
    let limits = Limits::default();
    module.add("MAX_LINE_LENGTH", limits.max_line_bytes)?;
    module.add("MAX_NUM_HEADERS", limits.max_headers)?;
    module.add("MAX_BODY_SIZE", limits.max_body_bytes)
}

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
#[pyfunction]
fn accept_key(key: &str) -> String {
    handshake::accept_key(key)
}

/// The options in a `Connection` header.
///
/// Raises:
///     InvalidHeaderFormat: it is no list of tokens.
#[pyfunction]
fn parse_connection(py: Python<'_>, header: &str) -> PyResult<Vec<String>> {
    handshake::parse_connection(header).map_err(|error| invalid(py, error))
}

/// The protocols in an `Upgrade` header.
///
/// Raises:
///     InvalidHeaderFormat: it is no list of protocols.
#[pyfunction]
fn parse_upgrade(py: Python<'_>, header: &str) -> PyResult<Vec<String>> {
    handshake::parse_upgrade(header).map_err(|error| invalid(py, error))
}

/// The names in a `Sec-WebSocket-Protocol` header.
///
/// Raises:
///     InvalidHeaderFormat: it is no list of tokens.
#[pyfunction]
fn parse_subprotocols(py: Python<'_>, header: &str) -> PyResult<Vec<String>> {
    handshake::parse_subprotocols(header).map_err(|error| invalid(py, error))
}

/// The extensions in a `Sec-WebSocket-Extensions` header, each a name and its parameters.
///
/// Raises:
///     InvalidHeaderFormat: it does not follow the grammar.
#[pyfunction]
fn parse_extensions(py: Python<'_>, header: &str) -> PyResult<Vec<ExtensionParts>> {
    let extensions = handshake::parse_extensions(header).map_err(|error| invalid(py, error))?;
    let parts = |extension: ExtensionParams| (extension.name, extension.params);
    Ok(extensions.into_iter().map(parts).collect())
}

type ExtensionParts = (String, Vec<(String, Option<String>)>);

fn invalid(py: Python<'_>, error: HandshakeError) -> PyErr {
    error::to_python(py, Error::Handshake(error))
}
