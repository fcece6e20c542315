//! `send` and `send_many`: what kind of message an object is, and how it goes on after a signal.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use openline::{Compress, Connection, Deadline, Error, FragmentSender, Outgoing};
use pyo3::exceptions::{PyTimeoutError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyMapping};

use crate::convert::Data;
use crate::error;
use crate::line::Line;
use crate::wait::{once, resume};

/// Which thread is between two fragments of a message that it sends. Its own calls of `send`, from
/// the iterator or a signal handler, would wait for the end of that message for ever.
#[derive(Debug, Default)]
pub(crate) struct FragmentsTurn(Mutex<Option<ThreadId>>);

impl FragmentsTurn {
    fn set(&self, thread: Option<ThreadId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        let turn = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.is_some_and(|turn| turn == thread::current().id()) {
            let text = "cannot send while this thread is already sending a fragmented message";
            return Err(error::to_python(py, Error::Concurrency(text)));
        }
        Ok(())
    }
}

/// Sends a message of any kind that `send` takes.
pub(crate) fn send(
    line: &Line,
    turn: &FragmentsTurn,
    message: &Bound<'_, PyAny>,
    deadline: Deadline,
    text: Option<bool>,
    compress: Option<bool>,
) -> PyResult<()> {
    let py = message.py();
    let compress = self::compress(compress);
    turn.check(py)?;
    // Strings and bytes-like objects are iterable, so they come first.
    if let Some(data) = Data::new(message)? {
        let outgoing = data.outgoing(text)?.compress(compress);
        return send_whole(py, line, outgoing, deadline);
    }
    if message.cast::<PyMapping>().is_ok() {
        // Its keys would be sent as fragments, which nobody means.
        return Err(PyTypeError::new_err("data is a dict-like object"));
    }
    if !message.get_type().hasattr("__iter__")? {
        return Err(PyTypeError::new_err("data must be str, bytes, or iterable"));
    }
    send_fragments(line, turn, &message.try_iter()?, deadline, text, compress)
}

fn send_whole(
    py: Python<'_>,
    line: &Line,
    message: Outgoing<'_>,
    deadline: Deadline,
) -> PyResult<()> {
    let mut rest = Rest::default();
    resume(py, line, || rest.go_on(line, deadline, || line.send_timeout(message, deadline)))
}

/// Sends one message whose fragments come from Python, as `websockets` does: each in a frame that
/// is not the last, then an empty one that is. Python runs between them, with no lock held.
fn send_fragments(
    line: &Line,
    turn: &FragmentsTurn,
    fragments: &Bound<'_, PyIterator>,
    deadline: Deadline,
    text: Option<bool>,
    compress: Compress,
) -> PyResult<()> {
    let py = fragments.py();
    // Dropped on the way out of an error, it fails the connection with 1011 if a fragment went out.
    let mut sender: Option<FragmentSender<'_>> = None;
    let mut turn = Turn { turn, is_taken: false };
    let mut is_text = None;
    for fragment in fragments {
        let fragment = fragment?;
        let data = Data::new(&fragment)?
            .ok_or_else(|| PyTypeError::new_err("iterable must contain bytes or str"))?;
        if *is_text.get_or_insert(data.is_text()) != data.is_text() {
            return Err(PyTypeError::new_err("iterable must contain uniform types"));
        }
        let payload = data.payload()?;
        let sender =
            sender.get_or_insert_with(|| line.send_fragments(data.kind(text)).compress(compress));
        let mut rest = Rest::default();
        resume(py, line, || rest.go_on(line, deadline, || sender.send(payload, deadline)))?;
        turn.take();
    }
    let Some(mut sender) = sender else { return Ok(()) };
    let mut rest = Rest::default();
    resume(py, line, || rest.go_on(line, deadline, || sender.finish(b"", deadline)))
}

struct Turn<'t> {
    turn: &'t FragmentsTurn,
    is_taken: bool,
}

impl Turn<'_> {
    fn take(&mut self) {
        if !self.is_taken {
            self.turn.set(Some(thread::current().id()));
            self.is_taken = true;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_taken {
            self.turn.set(None);
        }
    }
}

/// Sends messages in order.
pub(crate) fn send_many(
    line: &Line,
    turn: &FragmentsTurn,
    messages: &Bound<'_, PyAny>,
    deadline: Deadline,
    compress: Option<bool>,
) -> PyResult<()> {
    let py = messages.py();
    turn.check(py)?;
    if Data::new(messages)?.is_some() || messages.cast::<PyMapping>().is_ok() {
        let kind = messages.get_type().name()?;
        let text = format!("messages must be an iterable of messages, not {kind}");
        return Err(PyTypeError::new_err(text));
    }
    let data = messages
        .try_iter()?
        .map(|message| Data::of("each of messages", &message?))
        .collect::<PyResult<Vec<_>>>()?;
    let compress = self::compress(compress);
    let outgoing = data
        .iter()
        .map(|data| Ok(data.outgoing(None)?.compress(compress)))
        .collect::<PyResult<Vec<_>>>()?;

    let outcome = send_all(py, line, &outgoing, deadline);
    line.report(py, outcome)
}

fn send_all(
    py: Python<'_>,
    line: &Line,
    outgoing: &[Outgoing<'_>],
    deadline: Deadline,
) -> PyResult<()> {
    let mut sent = 0;
    let mut rest = Rest::default();
    loop {
        let outcome = once(py, line, || {
            rest.go_on(line, deadline, || {
                let (more, outcome) = line.send_many(outgoing[sent..].iter().copied(), deadline);
                sent += more;
                outcome
            })
        })?;
        match outcome {
            Ok(()) if sent < outgoing.len() => {} // Only the rest of one message went out.
            Err(Error::Interrupted { .. }) => crate::signals::check(py)?,
            Err(error @ Error::Timeout { .. }) => {
                let text = format!("{error}; {sent} of {} messages are sent", outgoing.len());
                return Err(PyTimeoutError::new_err(text));
            }
            outcome => return outcome.map_err(|error| error::to_python(py, error)),
        }
    }
}

/// The argument `compress`.
fn compress(compress: Option<bool>) -> Compress {
    match compress {
        None => Compress::Auto,
        Some(true) => Compress::Always,
        Some(false) => Compress::Never,
    }
}

/// How sending goes on after a signal: if a part of the message went out, the engine has the rest.
#[derive(Default)]
struct Rest {
    is_committed: bool,
}

impl Rest {
    fn go_on(
        &mut self,
        connection: &Connection,
        deadline: Deadline,
        send: impl FnOnce() -> openline::Result<()>,
    ) -> openline::Result<()> {
        if self.is_committed {
            connection.flush(deadline)?;
            self.is_committed = false;
            return Ok(());
        }
        let outcome = send();
        if let Err(Error::Interrupted { committed }) = &outcome {
            self.is_committed = *committed;
        }
        outcome
    }
}
