//! `send` and `send_many`: what kind of message an object is, and how it goes on after a signal.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use openline::{Compress, Deadline, Error, FragmentSender, Outgoing};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyMapping};

use crate::convert::Data;
use crate::error;
use crate::interpreter;
use crate::line::Line;
use crate::signals;
use crate::wait::once;

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
    let send = || line.send_timeout(message, deadline);
    let outcome = rest.go_on(py, line, deadline, send).map_err(|stop| {
        let committed = rest.is_committed;
        stop.raised(py, committed, committed.into())
    });
    line.report(py, outcome)
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
    while let Some(fragment) = interpreter::next(fragments) {
        let fragment = fragment?;
        let data = Data::new(&fragment)?
            .ok_or_else(|| PyTypeError::new_err("iterable must contain bytes or str"))?;
        if *is_text.get_or_insert(data.is_text()) != data.is_text() {
            return Err(PyTypeError::new_err("iterable must contain uniform types"));
        }
        let payload = data.payload()?;
        let sender =
            sender.get_or_insert_with(|| line.send_fragments(data.kind(text)).compress(compress));
        let has_begun = turn.is_taken;
        send_fragment(py, line, has_begun, deadline, || {
            let outcome = sender.send(payload, deadline);
            if matches!(outcome, Err(Error::Interrupted { committed: true })) {
                // Before a signal handler runs, which would wait for the message that it is in.
                turn.take();
            }
            outcome
        })?;
        turn.take();
    }
    let Some(mut sender) = sender else { return Ok(()) };
    send_fragment(py, line, true, deadline, || sender.finish(b"", deadline))
}

/// Sends one fragment. With an error its message has no end: no whole one is sent.
fn send_fragment(
    py: Python<'_>,
    line: &Line,
    has_begun: bool,
    deadline: Deadline,
    send: impl FnMut() -> openline::Result<()> + Send,
) -> PyResult<()> {
    let mut rest = Rest::default();
    let outcome = rest.go_on(py, line, deadline, send);
    let outcome = outcome.map_err(|stop| stop.raised(py, has_begun || rest.is_committed, 0));
    line.report(py, outcome)
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
    let messages = messages.try_iter()?;
    let data = std::iter::from_fn(|| interpreter::next(&messages))
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
        let outcome = rest.go_on(py, line, deadline, || {
            let (more, outcome) = line.send_many(outgoing[sent..].iter().copied(), deadline);
            sent += more;
            outcome
        });
        outcome.map_err(|stop| {
            let stop = match stop {
                Stop::Timeout(text) => {
                    Stop::Timeout(format!("{text}; {sent} of {} messages are sent", outgoing.len()))
                }
                stop => stop,
            };
            stop.raised(py, sent > 0, sent)
        })?;
        if sent == outgoing.len() {
            return Ok(());
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
    /// Sends, or goes on with the rest, until it is done. Signals are handled in between (PEP 475).
    fn go_on(
        &mut self,
        py: Python<'_>,
        line: &Line,
        deadline: Deadline,
        mut send: impl FnMut() -> openline::Result<()> + Send,
    ) -> Result<(), Stop> {
        loop {
            let is_rest = self.is_committed;
            let outcome = once(py, line, || if is_rest { line.flush(deadline) } else { send() });
            match outcome.map_err(Stop::Other)? {
                Ok(()) => {
                    self.is_committed = false;
                    return Ok(());
                }
                Err(Error::Interrupted { committed }) => {
                    self.is_committed |= committed;
                    signals::check(py).map_err(Stop::Signal)?;
                }
                Err(error @ Error::Timeout { committed, .. }) => {
                    self.is_committed |= committed;
                    return Err(Stop::Timeout(error.to_string()));
                }
                Err(error) => return Err(Stop::Other(error::to_python(py, error))),
            }
        }
    }
}

/// Why sending stopped early.
enum Stop {
    /// What the handler of a signal raised.
    Signal(PyErr),
    Timeout(String),
    Other(PyErr),
}

impl Stop {
    /// The exception, which tells what went out if that is not all or nothing.
    fn raised(self, py: Python<'_>, committed: bool, sent: usize) -> PyErr {
        match self {
            Stop::Signal(raised) => {
                let value = raised.value(py);
                // An exception that takes no attributes is raised as it is.
                let _ = value.setattr(intern!(py, "committed"), committed);
                let _ = value.setattr(intern!(py, "sent"), sent);
                raised
            }
            Stop::Timeout(text) => error::send_timeout(py, &text, committed, sent),
            Stop::Other(raised) => raised,
        }
    }
}
