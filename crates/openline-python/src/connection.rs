//! The class `Connection`: what Python sees of an open connection, and what `help()` says of it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use openline::http::Request;
use openline::{Address, Deadline, Error, State, Timings};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyList, PyTuple, PyType};

use crate::convert::{Buffer, Data};
use crate::error;
use crate::fragments::FragmentIterator;
use crate::handle::{self, Handle, Opened};
use crate::line::{Line, Log};
use crate::receive::{self, Decode};
use crate::send::{self, FragmentsTurn};
use crate::timeout::{deadline, limit};
use crate::wait::{once, resume};

/// A WebSocket connection: the base of `ClientConnection`.
///
/// It is made without a line, takes the one that `_adopt` is given, and until then its methods raise
/// `InvalidState`.
///
/// All methods may be called from any thread. All that wait let other threads run, and Ctrl-C
/// interrupts them at once. Time-outs are in seconds: None waits for ever, 0 or less does only what
/// can be done at once.
#[pyclass(frozen, subclass, module = "openline._openline")]
pub(crate) struct Connection {
    adopted: OnceLock<Adopted>,
    /// Whether it will never be open.
    is_given_up: AtomicBool,
    turn: FragmentsTurn,
    /// Whether iteration calls `recv` of Python, which is overridden then.
    is_recv_overridden: AtomicBool,
}

struct Adopted {
    line: Line,
    large_limit: usize,
    /// The user's socket, whose descriptor is another one than ours: closed with the connection.
    sock: Option<Py<PyAny>>,
}

#[pymethods]
impl Connection {
    /// Any arguments are for `__init__`, which subclasses write as they like.
    #[new]
    #[classmethod]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(
        cls: &Bound<'_, PyType>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Connection> {
        let _ = (args, kwargs);
        let own = cls.py().get_type::<Connection>().getattr(intern!(cls.py(), "recv"))?;
        let is_overridden = !cls.getattr(intern!(cls.py(), "recv"))?.is(&own);
        Ok(Connection {
            adopted: OnceLock::new(),
            is_given_up: AtomicBool::new(false),
            turn: FragmentsTurn::default(),
            is_recv_overridden: AtomicBool::new(is_overridden),
        })
    }

    /// Take an opened connection, and the socket to close with it.
    ///
    /// Raises:
    ///     InvalidState: this object has a connection, or the handle's has another object.
    #[pyo3(signature = (handle, sock=None))]
    fn _adopt(slf: &Bound<'_, Self>, handle: &Handle, sock: Option<Py<PyAny>>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.adopted.get().is_some() {
            return Err(error::invalid_state(py, "this connection is open already"));
        }
        let Opened { connection, large_limit, journal } = handle.adopt(py)?;
        let log = match journal {
            None => None,
            Some(journal) => {
                Some(Log::of_connection(journal, slf.getattr(intern!(py, "logger"))?.unbind()))
            }
        };
        let line = Line::new(connection, log);
        if this.is_given_up() {
            return Err(error::never_open(py)); // another thread closed it meanwhile
        }
        // Two threads that race here had two handles; the later one ends with the error.
        this.adopted
            .set(Adopted { line, large_limit, sock })
            .map_err(|_| error::invalid_state(py, "this connection is open already"))?;
        this.line(py)?.give_out(py)
    }

    // What the garbage collector follows. The references that come back here are in Python objects, which it
    // can clear.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(Adopted { line, sock, .. }) = self.adopted.get() else { return Ok(()) };
        visit.call(sock)?;
        line.traverse(&visit)
    }

    /// Start to close without waiting for the end, which comes within `close_timeout`. Codes and reasons are as
    /// in `close`.
    #[pyo3(signature = (code, reason))]
    fn _start_close(&self, py: Python<'_>, code: u16, reason: &str) -> PyResult<()> {
        let line = self.line(py)?;
        let outcome = py.detach(|| line.start_close(code, reason));
        outcome.map_err(|error| error::to_python(py, error))
    }

    /// Take it that there will be no connection: this object is closed.
    fn _give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    // Sending.

    /// Send a message.
    ///
    /// A `str` is sent as text. Bytes-like objects (`bytes`, `bytearray`, `memoryview`, any contiguous
    /// buffer) are sent as binary. An iterable of either is sent as one message whose fragments are
    /// its items, all of one kind; an empty one sends nothing.
    ///
    /// Example:
    ///     websocket.send("hello")
    ///     websocket.send(b"\x00\x01")
    ///     websocket.send(["one message ", "in fragments"])
    ///     websocket.send('{"large": true}', timeout=5)
    ///
    /// Args:
    ///     message: the message.
    ///     timeout: seconds to wait while the peer does not read; None waits as long as it shows signs
    ///         of life, 0 does not wait. Default: None. For fragments it covers all of them.
    ///     text: True sends text also for bytes, which must then be UTF-8 (they are not checked, and
    ///         anything else makes the peer close); False sends binary also for a `str`. Default:
    ///         None, as the type says.
    ///     compress: on a connection with permessage-deflate, True compresses the message however short
    ///         it is, and False does not. Default: None, compress unless it has less than 32 bytes, which
    ///         cannot pay. Without permessage-deflate nothing is compressed.
    ///
    /// Raises:
    ///     SendTimeout: `timeout` is over. It is a `TimeoutError` with an attribute `committed`: False if
    ///         nothing was sent, and the message can be sent again; True if a part was, and the rest goes
    ///         out first with the next call or the close. If a fragment was sent, the connection is failed.
    ///         What the handler of a signal raises, such as `KeyboardInterrupt`, has that attribute too.
    ///     ConnectionClosed: the connection is closed.
    ///     ConcurrencyError: this thread is sending fragments of another message.
    ///     TypeError: the message is none of these, such as a dict; or its fragments are of different
    ///         kinds, which fails the connection with 1011, as does an exception from the iterable.
    ///     BufferError: the buffer is not contiguous.
    ///     UnicodeEncodeError: the string has lone surrogates.
    #[pyo3(signature = (message, timeout=None, *, text=None, compress=None))]
    fn send(
        &self,
        message: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        text: Option<bool>,
        compress: Option<bool>,
    ) -> PyResult<()> {
        let line = self.line(message.py())?;
        send::send(line, &self.turn, message, deadline(timeout)?, text, compress)
    }

    /// Send messages in order, in as few system calls as possible.
    ///
    /// Example:
    ///     websocket.send_many(f"line {number}" for number in range(1000))
    ///
    /// Args:
    ///     messages: an iterable of `str` and bytes-like objects. All of them are taken before the
    ///         first is sent.
    ///     timeout: seconds to wait while the peer does not read; None waits as long as it shows signs
    ///         of life. Default: None.
    ///     compress: as in `send`, for each of them. Default: None.
    ///
    /// Raises:
    ///     SendTimeout: `timeout` is over. It is a `TimeoutError` with an attribute `sent`: how many of the
    ///         messages went out, counting one that is cut, whose rest goes out first with the next call or
    ///         the close; `committed` is whether any did. What the handler of a signal raises, such as
    ///         `KeyboardInterrupt`, has these attributes too.
    ///     ConnectionClosed: the connection is closed.
    ///     ConcurrencyError: this thread is sending fragments of another message.
    ///     TypeError: `messages` is one message, or one of them is neither `str` nor bytes-like;
    ///         nothing is sent.
    #[pyo3(signature = (messages, timeout=None, *, compress=None))]
    fn send_many(
        &self,
        messages: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        compress: Option<bool>,
    ) -> PyResult<()> {
        let line = self.line(messages.py())?;
        send::send_many(line, &self.turn, messages, deadline(timeout)?, compress)
    }

    // Receiving.

    /// Receive the next message.
    ///
    /// Example:
    ///     websocket.send("hello")
    ///     print(websocket.recv())  # hello
    ///     try:
    ///         message = websocket.recv(timeout=0.1)
    ///     except TimeoutError:
    ///         print("nothing came, and nothing is lost")
    ///
    /// Args:
    ///     timeout: seconds to wait; None waits for ever, 0 takes only what is there. Default: None.
    ///     decode: True gives `str` and False gives `bytes`, whatever kind the message is. Default:
    ///         None, `str` for text and `bytes` for binary.
    ///
    /// Returns:
    ///     `str` for a text message, `bytes` for a binary one.
    ///
    /// Raises:
    ///     TimeoutError: no message came in time. Nothing is lost.
    ///     ConnectionClosed: the connection is closed, and all messages before that are received.
    ///     ConcurrencyError: another thread is receiving.
    ///     UnicodeDecodeError: with `decode=True`, a binary message is not UTF-8. It counts as
    ///         received; `object` of the exception has its bytes.
    #[pyo3(signature = (timeout=None, decode=None))]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<&Bound<'_, PyAny>>,
        decode: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Adopted { line, large_limit, .. } = self.adopted(py)?;
        receive::recv(py, line, *large_limit, deadline(timeout)?, decode.into())
    }

    /// Receive the next message fragment by fragment.
    ///
    /// No other call receives until the iterator has come to its end or is dropped, which skips the
    /// rest of the message.
    ///
    /// Example:
    ///     websocket.send(["one message ", "in fragments"])
    ///     for fragment in websocket.recv_streaming():
    ///         print(fragment)
    ///
    /// Args:
    ///     decode: True gives `str` and False gives `bytes`, whatever kind the message is. Default:
    ///         None, `str` for text and `bytes` for binary.
    ///
    /// Returns:
    ///     An iterator over the fragments, each as soon as it came. A character that is cut between
    ///     two fragments comes with the second.
    ///
    /// Raises:
    ///     ConcurrencyError: another thread is receiving, or fragments of another message are left.
    ///         What the iterator raises is as in `recv`.
    #[pyo3(signature = (decode=None))]
    fn recv_streaming(&self, py: Python<'_>, decode: Option<bool>) -> PyResult<FragmentIterator> {
        FragmentIterator::new(py, self.line(py)?, Decode::from(decode))
    }

    /// Receive the next message into a buffer.
    ///
    /// Example:
    ///     buffer = bytearray(2**20)
    ///     websocket.send(b"hello")
    ///     length = websocket.recv_into(buffer)
    ///     print(bytes(buffer[:length]))  # b'hello'
    ///
    /// Args:
    ///     buffer: a writable contiguous buffer, such as a `bytearray`. It cannot be resized meanwhile.
    ///     timeout: seconds to wait; None waits for ever, 0 takes only what is there. Default: None.
    ///
    /// Returns:
    ///     The length of the message in bytes, UTF-8 for text.
    ///
    /// Raises:
    ///     ValueError: the buffer is too small. The message is kept.
    ///     TypeError, BufferError: it is not a writable contiguous buffer.
    ///     TimeoutError, ConnectionClosed, ConcurrencyError: as in `recv`.
    #[pyo3(signature = (buffer, timeout=None))]
    fn recv_into(
        &self,
        buffer: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let line = self.line(buffer.py())?;
        let deadline = deadline(timeout)?;
        receive::recv_into(buffer.py(), line, &Buffer::writable(buffer)?, deadline)
    }

    /// Receive all messages that are there, waiting for the first.
    ///
    /// Example:
    ///     websocket.send_many(["one", "two", "three"])
    ///     print(websocket.recv_many(timeout=5))  # ['one', …]: as many as have come
    ///
    /// Args:
    ///     max: how many at most. Default: None, no limit.
    ///     timeout: seconds to wait for the first; None waits for ever, 0 does not wait. Default: None.
    ///
    /// Returns:
    ///     A list of at least one message, `str` for text and `bytes` for binary.
    ///
    /// Raises:
    ///     ValueError: `max` is less than 1.
    ///     TimeoutError, ConnectionClosed, ConcurrencyError: as in `recv`, without any message.
    #[pyo3(signature = (max=None, timeout=None))]
    fn recv_many<'py>(
        &self,
        py: Python<'py>,
        max: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let Adopted { line, large_limit, .. } = self.adopted(py)?;
        let deadline = deadline(timeout)?;
        let max = max.map_or(Ok(usize::MAX), count)?;
        receive::recv_many(py, line, *large_limit, max, deadline)
    }

    /// Give the connection itself: it is an iterator over the messages that come.
    fn __iter__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        // `recv` may have been replaced on the class or the object since it was made.
        let bound = slf.getattr(intern!(slf.py(), "recv"))?;
        let own = slf.py().get_type::<Connection>().getattr(intern!(slf.py(), "recv"))?;
        let own = own.call_method1(intern!(slf.py(), "__get__"), (&slf,))?;
        slf.get().is_recv_overridden.store(!bound.eq(own)?, Ordering::Relaxed);
        Ok(slf)
    }

    /// Receive the next message, by `recv` if a subclass has another one; whatever closes the connection
    /// ends the iteration.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        let outcome = if this.is_recv_overridden.load(Ordering::Relaxed) {
            slf.call_method0(intern!(py, "recv"))
        } else {
            let Adopted { line, large_limit, .. } = this.adopted(py)?;
            receive::recv(py, line, *large_limit, Deadline::NEVER, Decode::ByKind)
        };
        match outcome {
            Err(error) if error::is_connection_closed(py, &error)? => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    // Pings and the end.

    /// Send a Ping and wait for its Pong (RFC 6455 §5.5.2).
    ///
    /// It works with or without another thread in `recv`; messages that arrive meanwhile are kept.
    ///
    /// Example:
    ///     print(f"the round trip took {websocket.ping(timeout=5):.6f} s")
    ///
    /// Args:
    ///     data: `str` or bytes-like, at most 125 bytes. Default: empty, which sends a payload of its
    ///         own that cannot be guessed.
    ///     timeout: seconds to wait for the Pong; None waits as long as the connection lives, but not
    ///         longer than `ping_timeout` while `max_queue` messages wait that nobody receives, since the
    ///         Pong may be behind them. Default: None.
    ///
    /// Returns:
    ///     The round trip in seconds.
    ///
    /// Raises:
    ///     TimeoutError: no Pong came in time.
    ///     ConnectionClosed: the connection closed first.
    ///     ProtocolError: `data` has more than 125 bytes. Nothing is sent.
    ///     ConcurrencyError: another ping with the same data waits for its Pong.
    // The default is None here since an object cannot stand there; the text tells what it means.
    #[pyo3(signature = (data=None, timeout=None), text_signature = "($self, data=b'', timeout=None)")]
    fn ping(
        &self,
        py: Python<'_>,
        data: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        let line = self.line(py)?;
        let deadline = deadline(timeout)?;
        let data = data.map(|data| Data::of("data", data)).transpose()?;
        let payload = data.as_ref().map(Data::payload).transpose()?;
        let payload = payload.filter(|payload| !payload.is_empty());
        let mut sent = None;
        let started = resume(py, line, || line.start_ping(payload).inspect(|id| sent = Some(*id)));
        if started.is_err()
            && let Some(id) = sent
        {
            line.forget_ping(id); // an exception of the logger: nobody will wait
        }
        let id = started?;
        let outcome = loop {
            match once(py, line, || line.await_pong(id, deadline))? {
                Err(Error::Interrupted { .. }) => {
                    if let Err(raised) = crate::signals::check(py) {
                        line.forget_ping(id);
                        break Err(raised);
                    }
                }
                outcome => break outcome.map_err(|error| error::to_python(py, error)),
            }
        };
        line.report(py, outcome).map(|round_trip| round_trip.as_secs_f64())
    }

    /// Send a Ping and go on (RFC 6455 §5.5.2).
    ///
    /// Args:
    ///     data: `str` or bytes-like, at most 125 bytes. Default: None, a payload of its own that cannot
    ///         be guessed.
    ///
    /// Returns:
    ///     The number of the Ping, for `wait_answered`.
    ///
    /// Raises:
    ///     ConnectionClosed: the connection is closed.
    ///     ProtocolError: `data` has more than 125 bytes. Nothing is sent.
    ///     ConcurrencyError: another ping with the same data waits for its Pong.
    #[pyo3(signature = (data=None))]
    fn send_ping(&self, py: Python<'_>, data: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        let data = data.map(|data| Data::of("data", data)).transpose()?;
        let payload = data.as_ref().map(Data::payload).transpose()?;
        let line = self.line(py)?;
        resume(py, line, || line.send_ping(payload))
    }

    /// Wait until a Ping of `send_ping` is answered, by its own Pong or by that of a later Ping.
    ///
    /// Args:
    ///     number: what `send_ping` returned.
    ///     timeout: seconds to wait; None waits for ever, 0 only looks. Default: None.
    ///
    /// Returns:
    ///     Whether it is answered.
    ///
    /// Raises:
    ///     ConnectionClosed: the connection closed first.
    ///     ValueError: no Ping has that number.
    #[pyo3(signature = (number, timeout=None))]
    fn wait_answered(
        &self,
        py: Python<'_>,
        number: u64,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let deadline = deadline(timeout)?;
        let line = self.line(py)?;
        resume(py, line, || line.wait_answered(number, deadline))
    }

    /// Send an unsolicited Pong, a sign of life that asks for no answer (RFC 6455 §5.5.3).
    ///
    /// Example:
    ///     websocket.pong()
    ///
    /// Args:
    ///     data: `str` or bytes-like, at most 125 bytes. Default: empty.
    ///
    /// Raises:
    ///     ConnectionClosed: the connection is closed.
    ///     ProtocolError: `data` has more than 125 bytes. Nothing is sent.
    #[pyo3(signature = (data=None), text_signature = "($self, data=b'')")]
    fn pong(&self, py: Python<'_>, data: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let line = self.line(py)?;
        let data = data.map(|data| Data::of("data", data)).transpose()?;
        let payload = data.as_ref().map(Data::payload).transpose()?.unwrap_or(b"");
        resume(py, line, || line.pong(payload))
    }

    /// Close the connection: the closing handshake (RFC 6455 §7), within `close_timeout`.
    ///
    /// Messages that came before can still be received. Closing again waits for the same end. A
    /// thread that is in `recv` meanwhile gets `ConnectionClosed`. In a forked child, which has a copy of
    /// its parent's connection, nothing is done.
    ///
    /// Example:
    ///     websocket.close(4000, "that is all")
    ///     print(websocket.close_code, websocket.close_reason)
    ///
    /// Args:
    ///     code: 1000 to 1003, 1007 to 1014, or 3000 to 4999. Default: 1000, a normal closure.
    ///     reason: a text for people, at most 123 bytes in UTF-8. Default: "".
    ///
    /// Raises:
    ///     ProtocolError: the code may not be sent, or the reason is too long. Nothing is sent.
    #[pyo3(signature = (code=None, reason=""), text_signature = "($self, code=1000, reason='')")]
    fn close(&self, py: Python<'_>, code: Option<&Bound<'_, PyAny>>, reason: &str) -> PyResult<()> {
        if self.is_given_up() {
            return Ok(());
        }
        let Adopted { line, sock, .. } = self.adopted(py)?;
        let code = code.map_or(Ok(1000), |code| close_code(code))?;
        let outcome = resume(py, line, || line.close(code, reason));
        if line.is_closed() {
            close_sock(py, line, sock.as_ref())?; // also when what the logger does fails
        }
        outcome
    }

    /// Wait until the connection is closed, by whomever.
    ///
    /// Messages that come meanwhile are kept, up to `max_queue` of them: if the peer sends more and
    /// nobody receives, its close cannot be seen.
    ///
    /// Example:
    ///     if not websocket.wait_closed(timeout=0.1):
    ///         print("still open")
    ///
    /// Args:
    ///     timeout: seconds to wait; None waits for ever, 0 only looks. Default: None.
    ///
    /// Returns:
    ///     Whether it is closed.
    #[pyo3(signature = (timeout=None))]
    fn wait_closed(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let deadline = deadline(timeout)?;
        let line = self.line(py)?;
        resume(py, line, || line.wait_closed(deadline))
    }

    /// End the connection at once, from any thread, without waiting for anything.
    ///
    /// Neither the peer is waited for nor threads that send or receive: their calls end with
    /// `ConnectionClosed`, whose `cause` is `CloseCause.ABORTED`. Messages that came before can still be
    /// received. If there is room for it, and no part of another frame waits before it, the peer gets a
    /// Close frame with code 1001. In a forked child, which has a copy of its parent's connection, nothing
    /// is done.
    ///
    /// Example:
    ///     websocket.abort()
    ///     try:
    ///         websocket.recv()
    ///     except ConnectionClosed as error:
    ///         print(error.cause)  # CloseCause.ABORTED
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_given_up() {
            return Ok(());
        }
        let Adopted { line, sock, .. } = self.adopted(py)?;
        // Detached, since TLS in Python may be in use by another thread that needs the interpreter.
        py.detach(|| line.abort());
        close_sock(py, line, sock.as_ref())?;
        line.give_out(py)
    }

    /// Return the socket's descriptor, to look at and not to read from or write to.
    ///
    /// Example:
    ///     import os
    ///     print(os.fstat(websocket.fileno()))
    ///
    /// Returns:
    ///     The descriptor; -1 once the connection is closed, as sockets do.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.line(py)?.raw_fd().unwrap_or(-1))
    }

    // What is known of it.

    /// Whether the connection has ended, by either side and for any cause.
    #[getter]
    fn closed(&self) -> bool {
        self.adopted.get().map_or_else(|| self.is_given_up(), |adopted| adopted.line.is_closed())
    }

    /// The subprotocol that was agreed on; None if there is none.
    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.adopted.get()?.line.subprotocol()
    }

    /// Our address, as `socket.getsockname` gives it. Still known when the connection is closed.
    #[getter]
    fn local_address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        address(py, self.line(py)?.local_address())
    }

    /// The peer's address, as `socket.getpeername` gives it. Still known when the connection is closed.
    #[getter]
    fn remote_address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        address(py, self.line(py)?.remote_address())
    }

    /// The code that the peer closed with: 1005 if it gave none, 1006 if the connection ended without
    /// a close frame of the peer's. None before the end.
    #[getter]
    fn close_code(&self) -> Option<u16> {
        let closed = self.adopted.get()?.line.how_closed()?;
        Some(closed.received().map_or(1006, |close| close.code().into()))
    }

    /// The reason that the peer closed with; empty if it gave none. None before the end.
    #[getter]
    fn close_reason(&self) -> Option<String> {
        let closed = self.adopted.get()?.line.how_closed()?;
        Some(closed.received().map_or("", |close| close.reason()).to_owned())
    }

    /// The round trip of the latest ping that was answered, in seconds; 0 before the first. Keepalive
    /// pings count too.
    #[getter]
    fn latency(&self) -> f64 {
        self.adopted.get().map_or(0.0, |adopted| adopted.line.latency().as_secs_f64())
    }

    /// The seconds that closing may take, after which the line is cut; None is no limit. Setting it
    /// has no effect on a close that has begun.
    #[getter]
    fn close_timeout(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.line(py)?.close_timeout().map(|timeout| timeout.as_secs_f64()))
    }

    #[setter]
    fn set_close_timeout(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let line = self.line(py)?;
        // The same check, with the same text, as for the argument of `connect`.
        let options = [("none", "waiting for ever")].into_py_dict(py)?;
        let arguments = ("close_timeout", seconds);
        let check = py.import("openline._arguments")?.getattr("seconds")?;
        let seconds: Option<f64> = check.call(arguments, Some(&options))?.extract()?;
        line.set_close_timeout(limit(seconds));
        Ok(())
    }

    /// Begin keepalive anew: seconds between pings and for the answers, as the Python layer has checked
    /// them.
    fn _set_keepalive(
        &self,
        py: Python<'_>,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
    ) -> PyResult<()> {
        self.line(py)?.set_keepalive(limit(ping_interval), limit(ping_timeout));
        Ok(())
    }

    /// The state as the number of `openline.State`: 0 not open yet, 1 open, 2 closing, 3 closed.
    #[getter]
    fn state_number(&self) -> u8 {
        match self.adopted.get() {
            Some(adopted) => handle::state_number(&adopted.line),
            None if self.is_given_up() => 3,
            None => 0,
        }
    }

    /// The request of the opening handshake: path, and headers as pairs.
    #[getter]
    fn handshake_request(&self, py: Python<'_>) -> PyResult<(&str, Vec<(&str, &str)>)> {
        Ok(request_parts(self.line(py)?.request()))
    }

    /// The seconds that each step of opening took: dns, tcp, proxy, tls, http.
    #[getter]
    fn opening_times(&self, py: Python<'_>) -> PyResult<[Option<f64>; 5]> {
        let Timings { dns, tcp, proxy, tls, http, .. } = self.line(py)?.timings();
        Ok([dns, tcp, proxy, tls, http].map(|step| step.map(|time| time.as_secs_f64())))
    }

    /// The response of the opening handshake: status, reason phrase, headers as pairs, and body.
    #[getter]
    fn handshake_response<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        error::response_parts(py, self.line(py)?.response()).into_pyobject(py)
    }
}

/// A handshake's request as the Python layer takes it.
pub(crate) fn request_parts(request: &Request) -> (&str, Vec<(&str, &str)>) {
    (&request.path, error::header_pairs(&request.headers))
}

impl Connection {
    fn adopted(&self, py: Python<'_>) -> PyResult<&Adopted> {
        self.adopted.get().ok_or_else(|| {
            if self.is_given_up() {
                return error::never_open(py);
            }
            error::invalid_state(py, NOT_OPEN)
        })
    }

    fn is_given_up(&self) -> bool {
        // Who gives it up may come too late.
        self.is_given_up.load(Ordering::Relaxed) && self.adopted.get().is_none()
    }

    fn line(&self, py: Python<'_>) -> PyResult<&Line> {
        Ok(&self.adopted(py)?.line)
    }

    /// The line, if it is open.
    pub(crate) fn line_if_open(&self) -> Option<&Line> {
        let line = &self.adopted.get()?.line;
        (line.state() == State::Open).then_some(line)
    }
}

/// Closes the socket that the user gave, as a socket of our own is closed; not a forked child's copy,
/// which may be an object that says goodbye in its parent's stream.
fn close_sock(py: Python<'_>, line: &Line, sock: Option<&Py<PyAny>>) -> PyResult<()> {
    match sock {
        Some(sock) if !line.is_inherited() && sock.bind(py).hasattr("close")? => {
            sock.call_method0(py, "close").map(drop)
        }
        _ => Ok(()),
    }
}

/// An address as Python's `socket` gives it.
pub(crate) fn address<'py>(py: Python<'py>, address: &Address) -> PyResult<Bound<'py, PyAny>> {
    match address {
        Address::Tcp(SocketAddr::V4(address)) => {
            Ok((address.ip().to_string(), address.port()).into_pyobject(py)?.into_any())
        }
        Address::Tcp(SocketAddr::V6(address)) => {
            let ip = address.ip().to_string();
            let parts = (ip, address.port(), address.flowinfo(), address.scope_id());
            Ok(parts.into_pyobject(py)?.into_any())
        }
        // Linux's abstract addresses are not paths, and start with NUL.
        Address::Unix(path) if path.as_os_str().as_bytes().starts_with(b"\0") => {
            Ok(PyBytes::new(py, path.as_os_str().as_bytes()).into_any())
        }
        Address::Unix(path) => Ok(OsString::from(path).into_pyobject(py)?.into_any()),
        other => Ok(other.to_string().into_pyobject(py)?.into_any()),
    }
}

/// The code for a Close frame. What is no u16 cannot be one, as other numbers that may not be sent.
fn close_code(code: &Bound<'_, PyAny>) -> PyResult<u16> {
    let py = code.py();
    code.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(py) {
            let text =
                format!("close code {code} may not be sent; use 1000-1003, 1007-1014 or 3000-4999");
            return error::protocol_error(py, text);
        }
        match code.get_type().name() {
            Ok(kind) if error.is_instance_of::<PyTypeError>(py) => {
                PyTypeError::new_err(format!("code must be int, not {kind}"))
            }
            _ => error,
        }
    })
}

/// How many messages `recv_many` may give.
fn count(max: &Bound<'_, PyAny>) -> PyResult<usize> {
    let py = max.py();
    match max.extract::<isize>() {
        Ok(number) if number >= 1 => Ok(number.unsigned_abs()),
        Err(error) if error.is_instance_of::<PyOverflowError>(py) && max.gt(0)? => Ok(usize::MAX),
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            let kind = max.get_type().name()?;
            Err(PyTypeError::new_err(format!("max must be int or None, not {kind}")))
        }
        Ok(_) => Err(PyValueError::new_err(format!("max must be at least 1, not {max}"))),
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => {
            Err(PyValueError::new_err(format!("max must be at least 1, not {max}")))
        }
        Err(error) => Err(error),
    }
}

const NOT_OPEN: &str = "this connection is not open; call its handshake(), and super().__init__(…) before in \
    an __init__ of your own";
