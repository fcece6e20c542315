//! `broadcast`: one message to many connections.

use openline::Error;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::convert::Data;
use crate::error;
use crate::line::Line;

/// Send a message to connections, of which those that are not open are left out.
///
/// Args:
///     connections: the connections.
///     message: a `str` or a bytes-like object.
///     text: as for `Connection.send`.
///
/// Returns:
///     The index of each connection that was skipped, and an exception that tells why.
#[pyfunction]
#[pyo3(signature = (connections, message, text))]
pub(crate) fn broadcast(
    py: Python<'_>,
    connections: Vec<Bound<'_, Connection>>,
    message: &Bound<'_, PyAny>,
    text: Option<bool>,
) -> PyResult<Vec<(usize, Py<PyAny>)>> {
    let data = Data::of("message", message)?;
    let outgoing = data.outgoing(text)?;
    let lines: Vec<(usize, &Line)> = connections
        .iter()
        .enumerate()
        .filter_map(|(index, connection)| Some((index, connection.get().line_if_open()?)))
        .collect();
    let skipped =
        py.detach(|| openline::broadcast(lines.iter().map(|(_, line)| &***line), outgoing));
    let mut failed = Vec::new();
    for (connection, error) in skipped {
        let error = match error {
            Error::Timeout { .. } => error::send_timeout(py, &error.to_string(), false, 0),
            error => error::to_python(py, error),
        };
        let skipped = lines.iter().find(|(_, line)| ***line == connection);
        failed.extend(skipped.map(|(index, _)| (*index, error.into_value(py).into_any())));
    }
    for (_, line) in lines {
        line.give_out(py)?;
    }
    Ok(failed)
}
