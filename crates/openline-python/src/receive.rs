//! `recv` and its kin. A message that is there already is taken without detaching.

use std::ops::ControlFlow;

use openline::{Deadline, Error, Kind, Payload};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::convert::{self, Buffer};
use crate::error;
use crate::line::Line;
use crate::wait::resume;

/// What a message becomes: the argument `decode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decode {
    /// `str` for text, `bytes` for binary.
    ByKind,
    /// `str`.
    Always,
    /// `bytes`.
    Never,
}

impl From<Option<bool>> for Decode {
    fn from(decode: Option<bool>) -> Decode {
        match decode {
            None => Decode::ByKind,
            Some(true) => Decode::Always,
            Some(false) => Decode::Never,
        }
    }
}

/// Receives the next message.
pub(crate) fn recv<'py>(
    py: Python<'py>,
    line: &Line,
    large_limit: usize,
    deadline: Deadline,
    decode: Decode,
) -> PyResult<Bound<'py, PyAny>> {
    // A header is only a claim: without `max_size` we do not allocate whatever it says.
    let mut announce_large = decode != Decode::Always && !line.is_logged();
    // What the logger is told comes first: if it raises an exception, the message must not be lost.
    let mut may_take = !line.is_logged();
    loop {
        if may_take && let Some(message) = take(py, line, decode)? {
            return Ok(message);
        }
        let len = resume(py, line, || line.await_buffered(announce_large, deadline))?;
        may_take = true;
        if let Some(len) = len {
            announce_large = false;
            if len <= large_limit
                && let Some(message) = recv_large(py, line, len, deadline)?
            {
                return Ok(message.into_any());
            }
        }
    }
}

/// Takes a message that is there already.
pub(crate) fn take<'py>(
    py: Python<'py>,
    line: &Line,
    decode: Decode,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // The engine holds a lock while it shows the payload, so nothing may run there that waits for
    // the engine. Making `str` and `bytes` runs no Python code; making an exception may, as it can
    // start the garbage collector. So what may fail to decode is copied and decoded outside.
    let taken = line.take_buffered(|payload| match (decode, payload.kind()) {
        (Decode::Always, Kind::Binary) => Err(payload.as_bytes().to_vec()),
        _ => Ok(to_python(py, &payload, decode)),
    });
    match taken.map_err(|error| error::to_python(py, error))? {
        None => Ok(None),
        Some(Ok(message)) => message.map(Some),
        Some(Err(undecoded)) => convert::to_str(py, &undecoded).map(Some),
    }
}

fn to_python<'py>(
    py: Python<'py>,
    payload: &Payload<'_>,
    decode: Decode,
) -> PyResult<Bound<'py, PyAny>> {
    let bytes = payload.as_bytes();
    match (decode, payload.kind()) {
        (Decode::ByKind | Decode::Always, Kind::Text) => convert::to_str(py, bytes),
        _ => Ok(PyBytes::new(py, bytes).into_any()),
    }
}

/// Receives a large binary message of which only the start is there without a copy. `None`: it comes
/// in the usual way.
fn recv_large<'py>(
    py: Python<'py>,
    line: &Line,
    len: usize,
    deadline: Deadline,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    match convert::recv_large(py, line, len, deadline)? {
        // What came so far is kept, and the usual way goes on with it.
        Err(Error::Interrupted { .. }) => crate::signals::check(py).map(|()| None),
        outcome => outcome.map_err(|error| error::to_python(py, error)),
    }
}

/// Receives the next message into a buffer; its length.
pub(crate) fn recv_into(
    py: Python<'_>,
    line: &Line,
    buffer: &Buffer<'_>,
    deadline: Deadline,
) -> PyResult<usize> {
    let mut may_take = !line.is_logged(); // as in `recv`
    loop {
        if may_take {
            let taken = line.take_buffered_within(buffer.len(), |payload| {
                let bytes = payload.as_bytes();
                buffer.write(bytes);
                bytes.len()
            });
            if let Some(len) = taken.map_err(|error| error::to_python(py, error))? {
                return Ok(len);
            }
        }
        resume(py, line, || line.await_buffered(false, deadline))?;
        may_take = true;
    }
}

/// Receives all messages that are there, at most `max` of them, waiting for the first.
pub(crate) fn recv_many<'py>(
    py: Python<'py>,
    line: &Line,
    large_limit: usize,
    max: usize,
    deadline: Deadline,
) -> PyResult<Bound<'py, PyList>> {
    let first = recv(py, line, large_limit, deadline, Decode::ByKind)?;
    let messages = PyList::new(py, [first])?;
    let mut failure = None;
    // Nothing of this runs Python code while the engine holds its lock: see `take`.
    let append = |payload: Payload<'_>| {
        let appended = to_python(py, &payload, Decode::ByKind).and_then(|it| messages.append(it));
        match appended {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    // An error of the connection shows in the next call; the messages so far must not get lost.
    let _ = line.take_buffered_many(max - 1, append);
    if let Some(error) = failure {
        error.write_unraisable(py, None);
    }
    if let Err(error) = line.give_out(py) {
        error.write_unraisable(py, None);
    }
    Ok(messages)
}
