//! `recv_streaming`: an iterator over the fragments of one message.

use std::sync::{Mutex, PoisonError};

use openline::{Deadline, Error, FragmentReceiver, Message};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert;
use crate::error;
use crate::line::Line;
use crate::receive::Decode;
use crate::wait::resume_unlogged;

/// The fragments of one message, as they come in; made by `recv_streaming`.
///
/// Dropped before the end, it skips the rest of the message.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct FragmentIterator {
    line: Line,
    decode: Decode,
    /// `None` when it is being dropped.
    reader: Mutex<Option<Reader>>,
}

struct Reader {
    fragments: FragmentReceiver,
    /// The start of a character whose end is in the next fragment, when binary ones are decoded.
    carry: Vec<u8>,
    /// A fragment that was not handed out yet, since the logger raised an exception.
    kept: Option<Message>,
}

impl FragmentIterator {
    pub(crate) fn new(py: Python<'_>, line: &Line, decode: Decode) -> PyResult<FragmentIterator> {
        let fragments = line.recv_streaming().map_err(|error| error::to_python(py, error))?;
        let reader = Mutex::new(Some(Reader { fragments, carry: Vec::new(), kept: None }));
        Ok(FragmentIterator { line: line.clone(), decode, reader })
    }
}

#[pymethods]
impl FragmentIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Wait for the next fragment.
    ///
    /// Raises:
    ///     ConcurrencyError: another thread waits for it.
    ///     ConnectionClosed: the connection ended before the message did.
    ///     UnicodeDecodeError: with `decode=True`, the bytes are not UTF-8.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Waiting for this lock while attached could block the thread that has it, so nobody waits.
        let Ok(mut reader) = self.reader.try_lock() else {
            let text = "cannot receive fragments while another thread is already receiving them";
            return Err(error::to_python(py, Error::Concurrency(text)));
        };
        let Some(Reader { fragments, carry, kept }) = &mut *reader else { return Ok(None) };
        if kept.is_none() {
            let next = || fragments.next_timeout(Deadline::NEVER);
            match resume_unlogged(py, &self.line, next) {
                Ok(fragment) => *kept = fragment,
                Err(error) => return self.line.report(py, Err(error)),
            }
        }
        self.line.give_out(py)?;
        match kept.take() {
            Some(fragment) => self.to_python(py, carry, fragment).map(Some),
            None if carry.is_empty() => Ok(None),
            // The message ended within a character, which is an error.
            None => convert::to_str(py, &std::mem::take(carry)).map(Some),
        }
    }
}

impl Drop for FragmentIterator {
    fn drop(&mut self) {
        // To skip the rest waits for the right to read, whose holder may need the interpreter.
        let reader = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        Python::attach(|py| py.detach(|| drop(reader)));
    }
}

impl FragmentIterator {
    fn to_python<'py>(
        &self,
        py: Python<'py>,
        carry: &mut Vec<u8>,
        fragment: Message,
    ) -> PyResult<Bound<'py, PyAny>> {
        match (self.decode, fragment) {
            (Decode::ByKind | Decode::Always, Message::Text(text)) => {
                convert::to_str(py, text.as_bytes())
            }
            (Decode::Always, Message::Binary(bytes)) => {
                carry.extend_from_slice(&bytes);
                let end = match std::str::from_utf8(carry) {
                    // A character may go on in the next fragment, unless it is wrong already.
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => carry.len(),
                };
                let rest = carry.split_off(end);
                convert::to_str(py, &std::mem::replace(carry, rest))
            }
            (_, fragment) => Ok(PyBytes::new(py, &fragment.into_bytes()).into_any()),
        }
    }
}
