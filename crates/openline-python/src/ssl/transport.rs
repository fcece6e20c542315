//! The transport: an `ssl.SSLObject` over any transport of the engine, or an `ssl.SSLSocket`.
//!
//! The object is used by one thread at a time, whose turn it is ([`Turn`]), since OpenSSL's sessions
//! are not made for more; waiting happens outside of it. Only one thread reads at a time, which the
//! engine sees to.
//!
//! Python's `ssl` runs the handlers of pending signals inside `read` and `write`, *after* the work is
//! done, and a handler that raises there takes the result away. So both are called in a way that tells
//! what was done all the same, and the exception is kept for later ([`signals::keep`]).

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openline::Deadline;
use openline::transport::{Interest, Readiness, Transport, wait_for};
use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};

use super::context::Sessions;
use super::outcome::{Step, is_of_tls, tls_outcome, to_io, wanted};
use super::turn::Turn;
use crate::convert::duplicate;
use crate::gate;
use crate::signals;

/// TLS by an object of Python's `ssl` module.
pub(super) struct PythonTls {
    object: Py<PyAny>,
    channel: Channel,
    turn: Turn,
    /// Whether reading the object may bring something without more from below.
    may_yield: AtomicBool,
    /// Ciphertext read at once from below. Used by whoever reads.
    scratch: Mutex<Vec<u8>>,
    /// What the channel has not taken yet: ciphertext for the transport below, or plaintext that an
    /// `SSLSocket` could not write, which OpenSSL wants to see again.
    unsent: Mutex<Vec<u8>>,
    has_unsent: AtomicBool,
    is_sending: AtomicBool,
    sessions: Option<Sessions>,
}

/// Where the ciphertext goes.
enum Channel {
    /// Between two `ssl.MemoryBIO`s and the transport below.
    Memory { below: Arc<dyn Transport>, incoming: Py<PyAny>, outgoing: Py<PyAny> },
    /// The `ssl.SSLSocket` has it itself; `below` is a descriptor of our own for its socket, whichever
    /// kind of stream socket it is. Only one that was made here `is_ours` to close.
    Socket { below: TcpStream, is_ours: bool },
}

impl PythonTls {
    /// Over the two sides of an `SSLObject`.
    pub(super) fn over_memory(
        object: Py<PyAny>,
        incoming: Py<PyAny>,
        outgoing: Py<PyAny>,
        below: Arc<dyn Transport>,
        sessions: Option<Sessions>,
    ) -> PythonTls {
        PythonTls::new(object, Channel::Memory { below, incoming, outgoing }, sessions)
    }

    /// Over an `SSLSocket`, which is not to be blocking from now on.
    pub(super) fn over_socket(sock: &Bound<'_, PyAny>, is_ours: bool) -> PyResult<PythonTls> {
        let below = TcpStream::from(duplicate(sock)?);
        sock.call_method1("setblocking", (false,))?;
        Ok(PythonTls::new(sock.clone().unbind(), Channel::Socket { below, is_ours }, None))
    }

    fn new(object: Py<PyAny>, channel: Channel, sessions: Option<Sessions>) -> PythonTls {
        PythonTls {
            object,
            channel,
            turn: Turn::default(),
            may_yield: AtomicBool::new(true),
            scratch: Mutex::default(),
            unsent: Mutex::default(),
            has_unsent: AtomicBool::new(false),
            is_sending: AtomicBool::new(false),
            sessions,
        }
    }

    /// Calls a method of the object, or gets an attribute of it.
    pub(super) fn look<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // A signal handler that runs here must not wait for another thread that waits for this turn.
        let _visitor = gate::Visitor::enter();
        let _turn = self.turn.take(py);
        let value = self.object.bind(py).getattr(name)?;
        match arguments {
            Some(arguments) => value.call1(arguments),
            None => Ok(value),
        }
    }

    /// Goes on with the handshake.
    ///
    /// # Errors
    ///
    /// The exception of `do_handshake`, or an error of the transport below.
    pub(super) fn handshake(&self, py: Python<'_>) -> Result<io::Result<Step<()>>, PyErr> {
        let outcome = {
            let _turn = self.turn.take(py);
            let outcome = self.object.call_method0(py, intern!(py, "do_handshake"));
            if let Err(error) = self.collect(py) {
                return Ok(Err(error));
            }
            outcome
        };
        match outcome {
            Ok(_) => Ok(Ok(Step::Done(()))),
            Err(error) => match wanted(py, &error) {
                Some(step) => Ok(Ok(step)),
                None => Err(error),
            },
        }
    }

    /// Reads ciphertext from below for the object. False if there is none for now.
    pub(super) fn fetch(&self, py: Python<'_>) -> io::Result<bool> {
        match &self.channel {
            Channel::Socket { .. } => Ok(false),
            Channel::Memory { below, .. } => {
                let mut scratch =
                    self.scratch.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
                scratch.resize(CIPHERTEXT_LEN, 0);
                match below.try_read(&mut scratch) {
                    Ok(len) => self.feed(py, &scratch[..len]).map(|()| true),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Gives the object ciphertext; none is the end.
    fn feed(&self, py: Python<'_>, ciphertext: &[u8]) -> io::Result<()> {
        let Channel::Memory { incoming, .. } = &self.channel else { return Ok(()) };
        let _turn = self.turn.take(py);
        let fed = if ciphertext.is_empty() {
            incoming.call_method0(py, intern!(py, "write_eof"))
        } else {
            let bytes = PyBytes::new(py, ciphertext);
            incoming.call_method1(py, intern!(py, "write"), (bytes,))
        };
        fed.map_err(|error| to_io(py, error))?;
        self.may_yield.store(true, Ordering::Release);
        Ok(())
    }

    /// Reads what the object has, without the transport below; `None` if there is nothing.
    fn decrypt(&self, py: Python<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if buffer.is_empty() || !self.may_yield.load(Ordering::Acquire) {
            return Ok(if buffer.is_empty() { Some(0) } else { None });
        }
        let _turn = self.turn.take(py);
        let outcome = self.read_record(py, buffer);
        // Reading may have made an alert, a key update or the answer to one.
        let collected = self.collect(py);
        match outcome {
            Ok(Step::Done(len)) => {
                // What is wrong with writing shows there.
                self.may_yield.store(len == 0 || self.has_more(py)?, Ordering::Release);
                Ok(Some(len))
            }
            Ok(_) => {
                self.may_yield
                    .store(matches!(self.channel, Channel::Socket { .. }), Ordering::Release);
                collected.map(|()| None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads from one TLS record, in two steps: one byte, after which it is known how many more there
    /// are. So an exception of a signal handler leaves no doubt about what was read.
    fn read_record(&self, py: Python<'_>, buffer: &mut [u8]) -> io::Result<Step<usize>> {
        let mut len = 0;
        if self.pending(py)? == 0 {
            let first = PyByteArray::new(py, &[UNREAD]);
            match self.object.call_method1(py, intern!(py, "read"), (1, &first)) {
                Ok(count) => {
                    if count.extract::<usize>(py).map_err(|error| to_io(py, error))? == 0 {
                        return Ok(Step::Done(0));
                    }
                }
                Err(error) if is_of_tls(py, &error) => return tls_outcome(py, error),
                Err(error) => {
                    signals::keep(py, error);
                    if self.pending(py)? == 0 && first.to_vec() == [UNREAD] {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
            }
            buffer[0] = first.to_vec()[0];
            len = 1;
        }
        let pending = self.pending(py)?;
        let more = pending.min(buffer.len() - len);
        if more > 0 {
            let rest = PyByteArray::new(py, &vec![0; more]);
            match self.object.call_method1(py, intern!(py, "read"), (more, &rest)) {
                Ok(_) => {}
                Err(error) if is_of_tls(py, &error) => return tls_outcome(py, error),
                Err(error) => {
                    signals::keep(py, error);
                    if self.pending(py)? == pending {
                        // The handler ran before.
                        return match len {
                            0 => Err(io::ErrorKind::Interrupted.into()),
                            _ => Ok(Step::Done(len)),
                        };
                    }
                }
            }
            buffer[len..len + more].copy_from_slice(&rest.to_vec());
            len += more;
        }
        Ok(Step::Done(len))
    }

    /// Bytes of the record that was begun.
    fn pending(&self, py: Python<'_>) -> io::Result<usize> {
        let ask = || self.object.call_method0(py, intern!(py, "pending"))?.extract(py);
        let answer = match ask() {
            Err(error) if !is_of_tls(py, &error) => {
                signals::keep(py, error);
                ask()
            }
            answer => answer,
        };
        answer.map_err(|error| to_io(py, error))
    }

    fn has_more(&self, py: Python<'_>) -> io::Result<bool> {
        match &self.channel {
            Channel::Socket { .. } => Ok(true),
            Channel::Memory { incoming, .. } => {
                let left = incoming.getattr(py, intern!(py, "pending"));
                let left =
                    left.and_then(|left| left.is_truthy(py)).map_err(|error| to_io(py, error))?;
                Ok(left || self.pending(py)? > 0)
            }
        }
    }

    /// Takes what the object wants sent, and sends what can be.
    fn collect(&self, py: Python<'_>) -> io::Result<()> {
        if let Channel::Memory { outgoing, .. } = &self.channel {
            let pending = outgoing.getattr(py, intern!(py, "pending"));
            if !pending
                .and_then(|pending| pending.is_truthy(py))
                .map_err(|error| to_io(py, error))?
            {
                return Ok(());
            }
            let ciphertext = outgoing.call_method0(py, intern!(py, "read"));
            let ciphertext = ciphertext.map_err(|error| to_io(py, error))?;
            let ciphertext =
                ciphertext.cast_bound::<PyBytes>(py).map_err(|error| to_io(py, error.into()))?;
            self.unsent(py).extend_from_slice(ciphertext.as_bytes());
            self.has_unsent.store(true, Ordering::Release);
        }
        match self.send_unsent(py) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            outcome => outcome,
        }
    }

    fn send_unsent(&self, py: Python<'_>) -> io::Result<()> {
        // A signal handler that runs inside must not send what comes later before what is being sent.
        if self.is_sending.swap(true, Ordering::Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut bytes = std::mem::take(&mut *self.unsent(py));
        let mut sent = 0;
        let outcome = loop {
            if sent == bytes.len() {
                break Ok(());
            }
            let rest = &bytes[sent..];
            let outcome = match &self.channel {
                Channel::Memory { below, .. } => below.try_write(rest),
                Channel::Socket { .. } => self.write(py, rest),
            };
            match outcome {
                Ok(len) => sent += len,
                Err(error) => break Err(error),
            }
        };
        bytes.drain(..sent);
        let mut unsent = self.unsent(py);
        bytes.append(&mut unsent);
        self.has_unsent.store(!bytes.is_empty(), Ordering::Release);
        if bytes.capacity() <= KEPT_CAPACITY || !bytes.is_empty() {
            *unsent = bytes;
        }
        self.is_sending.store(false, Ordering::Relaxed);
        outcome
    }

    /// Has the object write.
    fn write(&self, py: Python<'_>, bytes: &[u8]) -> io::Result<usize> {
        let written =
            self.object.call_method1(py, intern!(py, "write"), (PyBytes::new(py, bytes),));
        match written {
            Ok(len) => len.extract(py).map_err(|error| to_io(py, error)),
            Err(error) if is_of_tls(py, &error) => match tls_outcome(py, error)? {
                Step::Done(()) => Err(io::ErrorKind::BrokenPipe.into()),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            },
            Err(error) => match &self.channel {
                // All of it is there, or nothing: OpenSSL writes all, or says what it wants.
                Channel::Memory { outgoing, .. } => {
                    signals::keep(py, error);
                    let pending = outgoing.getattr(py, intern!(py, "pending"));
                    let pending = pending.and_then(|pending| pending.is_truthy(py));
                    match pending.map_err(|error| to_io(py, error))? {
                        true => Ok(bytes.len()),
                        false => Err(io::ErrorKind::Interrupted.into()),
                    }
                }
                // Nobody knows whether the socket has it, so the stream cannot go on.
                Channel::Socket { .. } => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            },
        }
    }

    fn unsent(&self, py: Python<'_>) -> MutexGuard<'_, Vec<u8>> {
        self.unsent.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye, without waiting for the answer.
    fn notify_close(&self, py: Python<'_>) {
        let _turn = self.turn.take(py);
        if let Some(sessions) = &self.sessions {
            sessions.remember(py, &self.object);
        }
        let name = match &self.channel {
            Channel::Memory { .. } => intern!(py, "unwrap"),
            // Its own `unwrap` gives the plain socket back, to whom it does not belong any more.
            Channel::Socket { .. } => return,
        };
        // It complains that the peer's goodbye has not come. `unwrap` is named `shutdown` in C.
        if self
            .object
            .call_method0(py, name)
            .is_err_and(|error| error.is_instance_of::<PyAttributeError>(py))
        {
            let _ = self.object.call_method0(py, intern!(py, "shutdown"));
        }
        // Best effort: the peer that reads no more does not get it.
        let _ = self.collect(py);
    }
}

impl Transport for PythonTls {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        gate::visit(|py| {
            loop {
                if let Some(len) = self.decrypt(py, buffer)? {
                    return Ok(len);
                }
                if !self.fetch(py)? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        })
        .unwrap_or_else(|| Err(gone()))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Channel::Memory { below, .. } = &self.channel else {
            loop {
                match self.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.wait(Interest::Read, Deadline::NEVER)?;
                    }
                    outcome => return outcome,
                }
            }
        };
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = None;
        loop {
            let outcome = gate::visit(|py| {
                if let Some(len) = fresh {
                    self.feed(py, &scratch[..len])?;
                }
                self.decrypt(py, buffer)
            });
            if let Some(len) = outcome.unwrap_or_else(|| Err(gone()))? {
                return Ok(len);
            }
            scratch.resize(CIPHERTEXT_LEN, 0);
            fresh = Some(below.read(&mut scratch)?);
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        gate::visit(|py| {
            let _turn = self.turn.take(py);
            // Nothing is taken while the transport below is behind: memory stays bounded.
            self.send_unsent(py)?;
            let bytes = &bytes[..bytes.len().min(PLAINTEXT_LIMIT)];
            match (self.write(py, bytes), &self.channel) {
                (Ok(len), Channel::Memory { .. }) => self.collect(py).map(|()| len),
                (Ok(len), Channel::Socket { .. }) => Ok(len),
                (Err(error), Channel::Socket { .. })
                    if error.kind() == io::ErrorKind::WouldBlock =>
                {
                    // OpenSSL has begun with it, and wants to be called with the same bytes again.
                    self.unsent(py).extend_from_slice(bytes);
                    self.has_unsent.store(true, Ordering::Release);
                    Ok(bytes.len())
                }
                (Err(error), _) => Err(error),
            }
        })
        .unwrap_or_else(|| Err(gone()))
    }

    fn try_flush(&self) -> io::Result<()> {
        if self.has_unsent.load(Ordering::Acquire) {
            gate::visit(|py| {
                let _turn = self.turn.take(py);
                self.send_unsent(py)
            })
            .unwrap_or_else(|| Err(gone()))?;
        }
        match &self.channel {
            Channel::Memory { below, .. } => below.try_flush(),
            Channel::Socket { .. } => Ok(()),
        }
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        match &self.channel {
            Channel::Memory { below, .. } => {
                if interest.reads() && self.may_yield.load(Ordering::Acquire) {
                    return Ok(Readiness { readable: true, writable: false });
                }
                below.wait(interest, deadline)
            }
            Channel::Socket { below, .. } => {
                let pending = || gate::visit(|py| self.pending(py)).unwrap_or_else(|| Err(gone()));
                if interest.reads() && pending()? > 0 {
                    return Ok(Readiness { readable: true, writable: false });
                }
                wait_for(below.as_fd(), interest, deadline)
            }
        }
    }

    fn shutdown(&self, how: Shutdown) {
        if how != Shutdown::Read {
            gate::visit(|py| self.notify_close(py));
        }
        match &self.channel {
            Channel::Memory { below, .. } => below.shutdown(how),
            Channel::Socket { below, .. } => {
                // A peer that has gone already is no error: the stream is at its end.
                let _ = below.shutdown(how);
            }
        }
    }

    fn give_up_sending(&self) {
        if let Channel::Memory { below, .. } = &self.channel {
            below.give_up_sending();
        }
    }

    fn release_buffers(&self) {
        if let Ok(mut scratch) = self.scratch.try_lock() {
            *scratch = Vec::new();
        }
        if let Channel::Memory { below, .. } = &self.channel {
            below.release_buffers();
        }
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        match &self.channel {
            Channel::Memory { below, .. } => below.source(),
            Channel::Socket { below, .. } => Some(below.as_fd()),
        }
    }
}

impl Drop for PythonTls {
    fn drop(&mut self) {
        if let Channel::Socket { is_ours: true, .. } = &self.channel {
            // What goes wrong with closing a socket is of no use to anybody any more.
            gate::visit(|py| self.object.call_method0(py, intern!(py, "close")).ok());
        }
    }
}

impl fmt::Debug for PythonTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonTls").field("source", &self.source()).finish_non_exhaustive()
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the interpreter is shutting down")
}

/// Plaintext taken at once.
const PLAINTEXT_LIMIT: usize = 1 << 18;
/// Ciphertext read at once: four full records.
const CIPHERTEXT_LEN: usize = 1 << 16;
/// A connection at rest keeps at most this much for ciphertext.
const KEPT_CAPACITY: usize = 1 << 12;
/// What stands in the place of a byte that has not been read. A record of this byte alone, in which a
/// signal handler raises, would be taken for none.
const UNREAD: u8 = 0xa5;
