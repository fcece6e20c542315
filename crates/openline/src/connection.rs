//! The open line, as its users see it.

use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use openline_proto::extension::Agreed;
use openline_proto::http::{Request, Response};
use openline_proto::{CloseFrame, Kind, Message, Part, Role, State};

use crate::address::Address;
use crate::closed::Closed;
use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::fragments::{FragmentReceiver, FragmentSender};
use crate::line::{Line, Settings};
use crate::messages::Messages;
use crate::outgoing::Outgoing;
use crate::read::{Payload, Want};
use crate::sync::Ordering;
use crate::timings::Timings;
use crate::transport::Transport;
use crate::write::Turn;

/// A WebSocket connection, of a client or of a server.
///
/// It is used from any number of threads through `&self`; a clone is another handle of the same
/// connection. One thread receives at a time; any number send, ping and close meanwhile. Every call
/// that waits has a bound: its time-out, `ping_timeout` if the peer is gone, `close_timeout` once the
/// connection closes.
///
/// Dropping the last handle ends the connection at once, with code 1001 and without waiting for the
/// peer: call [`close`](Connection::close) for an orderly end.
///
/// ```
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// let line = openline::connect(server.uri())?;
/// let receiver = line.clone();
/// let thread = std::thread::spawn(move || receiver.recv());
/// line.send("from another thread")?;
/// assert_eq!(thread.join().expect("no panic")?, "from another thread".into());
/// line.close(1000, "")?;
/// # Ok(()) }
/// ```
///
#[doc = include_str!("bounds.md")]
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) line: Arc<Line>,
    established: Arc<Established>,
}

/// What was settled when the connection was opened.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) addresses: (Address, Address),
    pub(crate) request: Request,
    pub(crate) response: Response,
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: Vec<Agreed>,
    pub(crate) timings: Timings,
}

/// Two handles are equal if they are of the same connection.
///
/// ```
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// let line = openline::connect(server.uri())?;
/// let other = openline::connect(server.uri())?;
/// let mut room = vec![line.clone(), other.clone()];
/// room.retain(|connection| *connection != line);
/// assert_eq!(room.len(), 1);
/// # Ok(()) }
/// ```
impl PartialEq for Connection {
    fn eq(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.line, &other.line)
    }
}

impl Eq for Connection {}

impl Connection {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        role: Role,
        settings: Settings,
        leftover: &[u8],
        driver: Arc<Driver>,
        established: Established,
    ) -> Connection {
        let extensions = &established.extensions;
        let line = Line::new(transport, role, settings, extensions, leftover, driver);
        Connection { line, established: Arc::new(established) }
    }

    // Sending.

    /// Sends a message. Waits while the peer does not read, as long as it shows signs of life.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// ```
    /// use openline::Message;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("text")?;
    /// line.send(&[1, 2, 3])?;
    /// assert_eq!(line.recv()?, Message::Text("text".into()));
    /// assert_eq!(line.recv()?, Message::Binary(vec![1, 2, 3]));
    /// # Ok(()) }
    /// ```
    pub fn send<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<()> {
        self.send_timeout(message, Deadline::NEVER)
    }

    /// Sends a message, giving up at a deadline.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`]: with `committed`, a part of the message went out, and the rest follows
    /// before anything else; without, nothing did, and it is taken back. [`Error::Closed`].
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send_timeout("hello", Duration::from_secs(1))?;
    /// # Ok(()) }
    /// ```
    pub fn send_timeout<'m>(
        &self,
        message: impl Into<Outgoing<'m>>,
        timeout: impl Into<Deadline>,
    ) -> Result<()> {
        let (turn, part) = (Turn::Message, Part::Whole);
        self.line.report(self.line.send(turn, part, message.into(), timeout.into()))
    }

    /// Sends messages in order, with as few system calls as possible. The first of the two results
    /// tells how many are sent, or will be: fewer than all only with an error.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let (sent, outcome) = line.send_many(["a", "b", "c"], None::<std::time::Duration>);
    /// outcome?;
    /// assert_eq!(sent, 3);
    /// # Ok(()) }
    /// ```
    pub fn send_many<'m, M: Into<Outgoing<'m>>>(
        &self,
        messages: impl IntoIterator<Item = M>,
        timeout: impl Into<Deadline>,
    ) -> (usize, Result<()>) {
        let messages = messages.into_iter().map(Into::into);
        self.line.report(self.line.send_many(messages, timeout.into()))
    }

    /// Starts a message that is sent in fragments (RFC 6455 §5.4); see [`FragmentSender`].
    ///
    /// ```
    /// use openline::{Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let mut message = line.send_fragments(Kind::Binary);
    /// message.send(&[1, 2], Deadline::NEVER)?;
    /// message.finish(&[3], Deadline::NEVER)?;
    /// assert_eq!(line.recv()?.as_bytes(), [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    pub fn send_fragments(&self, kind: Kind) -> FragmentSender<'_> {
        FragmentSender::new(self, kind)
    }

    /// Waits until what a time-out or a signal cut is sent.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Connection::send_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let outcome = line.send_timeout(&vec![0; 1 << 20], Duration::ZERO);
    /// if let Err(Error::Timeout { committed: true, .. }) = outcome {
    ///     line.flush(Duration::from_secs(30))?; // the rest of the message
    ///     assert_eq!(line.recv()?.as_bytes().len(), 1 << 20);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn flush(&self, timeout: impl Into<Deadline>) -> Result<()> {
        self.line.report(self.line.flush(timeout.into()))
    }

    // Receiving.

    /// Receives the next message.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] after all messages that came before the close. [`Error::Concurrency`] if
    /// another thread receives.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("hello")?;
    /// assert_eq!(line.recv()?, "hello".into());
    /// line.close(1000, "")?;
    /// assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
    /// # Ok(()) }
    /// ```
    pub fn recv(&self) -> Result<Message> {
        self.recv_timeout(Deadline::NEVER)
    }

    /// Receives the next message, giving up at a deadline; nothing is lost then. With a time of zero,
    /// only what is there already.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`]; as [`recv`](Connection::recv).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let early = line.recv_timeout(Duration::from_millis(5));
    /// assert!(matches!(early, Err(openline::Error::Timeout { .. })));
    /// line.send("now")?;
    /// assert_eq!(line.recv_timeout(Duration::from_secs(5))?, "now".into());
    /// # Ok(()) }
    /// ```
    pub fn recv_timeout(&self, timeout: impl Into<Deadline>) -> Result<Message> {
        let _receiving = self.receiving()?;
        self.line.receive(timeout.into(), |payload| payload.into_message())
    }

    /// Receives the next message into a buffer; its length. Large messages are read there directly.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`]: the message is kept. As [`recv_timeout`](Connection::recv_timeout).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send(&b"12345"[..])?;
    /// let mut buffer = [0; 16];
    /// let len = line.recv_into(&mut buffer, None::<std::time::Duration>)?;
    /// assert_eq!(&buffer[..len], b"12345");
    /// # Ok(()) }
    /// ```
    pub fn recv_into(&self, buffer: &mut [u8], timeout: impl Into<Deadline>) -> Result<usize> {
        let _receiving = self.receiving()?;
        self.line.receive_into(buffer, timeout.into())
    }

    /// Receives all messages that are there, waiting for the first; at most `max`.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Connection::recv_timeout), if not even one message is there.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("a")?;
    /// let messages = line.recv_many(100, None::<std::time::Duration>)?;
    /// assert_eq!(messages, ["a".into()]);
    /// # Ok(()) }
    /// ```
    pub fn recv_many(&self, max: usize, timeout: impl Into<Deadline>) -> Result<Vec<Message>> {
        if max == 0 {
            return Err(Error::Argument("max is 0: at least one message is received".to_owned()));
        }
        let _receiving = self.receiving()?;
        let mut messages =
            vec![self.line.receive(timeout.into(), |payload| payload.into_message())?];
        self.line.try_receive_many(max - 1, |payload| {
            messages.push(payload.into_message());
            ControlFlow::Continue(())
        });
        Ok(messages)
    }

    /// Receives the next message fragment by fragment, each as soon as it came. A fragment of text
    /// ends with a whole character: one that the peer has cut comes with the fragment that ends it.
    /// Dropped early, it skips the rest of the message.
    ///
    /// # Errors
    ///
    /// [`Error::Concurrency`] if another thread receives; the iterator's as
    /// [`recv`](Connection::recv).
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("in one piece")?;
    /// for fragment in line.recv_streaming()? {
    ///     assert_eq!(fragment?, "in one piece".into());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn recv_streaming(&self) -> Result<FragmentReceiver> {
        self.start_receiving()?;
        Ok(FragmentReceiver::new(self.clone()))
    }

    /// Takes a message that is there already, if there is one, without waiting for anything, and
    /// gives it to `take` where it lies: for bindings that make objects of their own of it.
    ///
    /// # Errors
    ///
    /// [`Error::Concurrency`] if another thread receives.
    ///
    /// ```
    /// use openline::Deadline;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.take_buffered(|payload| payload.into_message())?, None);
    /// line.send("hello")?;
    /// line.await_buffered(false, Deadline::NEVER)?;
    /// assert_eq!(line.take_buffered(|payload| payload.into_message())?, Some("hello".into()));
    /// # Ok(()) }
    /// ```
    pub fn take_buffered<T>(&self, take: impl FnOnce(Payload<'_>) -> T) -> Result<Option<T>> {
        let _receiving = self.receiving()?;
        Ok(self.line.try_receive(take))
    }

    /// Like [`take_buffered`](Connection::take_buffered), for all messages that are there, at most `max`, until
    /// `take` breaks off.
    ///
    /// # Errors
    ///
    /// [`Error::Concurrency`] if another thread receives.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("hello")?;
    /// line.await_buffered(false, None::<std::time::Duration>)?;
    /// let mut lens = Vec::new();
    /// line.take_buffered_many(100, |payload| {
    ///     lens.push(payload.as_bytes().len());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(lens, [5]);
    /// # Ok(()) }
    /// ```
    pub fn take_buffered_many(
        &self,
        max: usize,
        take: impl FnMut(Payload<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let _receiving = self.receiving()?;
        self.line.try_receive_many(max, take);
        Ok(())
    }

    /// Like [`take_buffered`](Connection::take_buffered), for memory of `available` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`]: the message is kept. [`Error::Concurrency`].
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("12345")?;
    /// line.await_buffered(false, None::<std::time::Duration>)?;
    /// assert!(line.take_buffered_within(4, |_| ()).is_err());
    /// assert_eq!(line.take_buffered_within(5, |payload| payload.as_bytes().len())?, Some(5));
    /// # Ok(()) }
    /// ```
    pub fn take_buffered_within<T>(
        &self,
        available: usize,
        take: impl FnOnce(Payload<'_>) -> T,
    ) -> Result<Option<T>> {
        let _receiving = self.receiving()?;
        self.line.try_receive_within(available, take)
    }

    /// Waits until [`take_buffered`](Connection::take_buffered) has a message. A large binary message
    /// of which only the start is there is announced with its length if `announce_large`: see
    /// [`recv_large`](Connection::recv_large).
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Connection::recv_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use openline::{Deadline, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let early = line.await_buffered(false, Duration::ZERO);
    /// assert!(matches!(early, Err(Error::Timeout { .. })));
    /// line.send("hello")?;
    /// assert_eq!(line.await_buffered(false, Deadline::NEVER)?, None); // no length: it is there
    /// # Ok(()) }
    /// ```
    pub fn await_buffered(
        &self,
        announce_large: bool,
        timeout: impl Into<Deadline>,
    ) -> Result<Option<usize>> {
        let _receiving = self.receiving()?;
        let want = if announce_large { Want::Large } else { Want::Whole };
        self.line.await_message(timeout.into(), want)
    }

    /// Receives the large message that [`await_buffered`](Connection::await_buffered) announced into
    /// memory of its length, read from the socket without a copy. `false`: it has come in the usual way
    /// meanwhile; wait for it again.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Connection::recv_timeout); nothing is lost then.
    ///
    /// ```
    /// use openline::Deadline;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send(&vec![7; 1 << 20])?;
    /// let message = loop {
    ///     if let Some(len) = line.await_buffered(true, Deadline::NEVER)? {
    ///         let mut memory = vec![0; len];
    ///         if line.recv_large(&mut memory, Deadline::NEVER)? {
    ///             break memory;
    ///         }
    ///     } else if let Some(bytes) = line.take_buffered(|payload| payload.as_bytes().to_vec())? {
    ///         break bytes;
    ///     }
    /// };
    /// assert!(message == vec![7; 1 << 20]);
    /// # Ok(()) }
    /// ```
    pub fn recv_large(&self, memory: &mut [u8], timeout: impl Into<Deadline>) -> Result<bool> {
        let _receiving = self.receiving()?;
        self.line.receive_large(memory, timeout.into())
    }

    /// An iterator over the messages that come. It ends when the connection closes as it should, and
    /// gives the error once when it closes otherwise.
    ///
    /// ```
    /// use openline::Message;
    /// # fn main() -> openline::Result<()> {
    /// # let options = openline::testing::EchoServer::options();
    /// # let server = options.welcome(["one", "two"]).close_after(0, 1000, "").start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let messages: Vec<Message> = line.iter().collect::<openline::Result<_>>()?;
    /// assert_eq!(messages, ["one".into(), "two".into()]); // then the server closed
    /// # Ok(()) }
    /// ```
    pub fn iter(&self) -> Messages<'_> {
        Messages::new(self)
    }

    // Pings and the end.

    /// Sends a Ping and waits for its Pong: the round trip. Without a payload an unpredictable one is
    /// sent. Messages that come meanwhile are kept, up to [`max_queue`](crate::Client::max_queue). When that
    /// many wait and nobody receives them, the Pong cannot be reached; a ping without time-out ends then
    /// after [`ping_timeout`](crate::Client::ping_timeout), with `None` it waits on.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::Closed`]; [`Error::Protocol`] for a payload over 125 bytes;
    /// [`Error::Concurrency`] for one that waits for its Pong already.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let round_trip = line.ping(None, Duration::from_secs(5))?;
    /// assert_eq!(line.latency(), round_trip);
    /// # Ok(()) }
    /// ```
    pub fn ping(&self, payload: Option<&[u8]>, timeout: impl Into<Deadline>) -> Result<Duration> {
        let id = self.start_ping(payload)?;
        self.await_pong(id, timeout)
    }

    /// Sends a Ping; its number, for [`await_pong`](Connection::await_pong).
    ///
    /// # Errors
    ///
    /// As [`ping`](Connection::ping).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let id = line.start_ping(Some(b"probe"))?;
    /// line.send("something else meanwhile")?;
    /// let round_trip = line.await_pong(id, Duration::from_secs(5))?;
    /// assert_eq!(line.latency(), round_trip);
    /// # Ok(()) }
    /// ```
    pub fn start_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.line.report(self.line.start_ping(payload))
    }

    /// Waits for the Pong of a Ping. After an error other than [`Error::Interrupted`] nobody waits for
    /// that Pong any more.
    ///
    /// # Errors
    ///
    /// As [`ping`](Connection::ping).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let (first, second) = (line.start_ping(None)?, line.start_ping(None)?);
    /// line.await_pong(second, Duration::from_secs(5))?;
    /// line.await_pong(first, Duration::ZERO)?; // its Pong came before
    /// # Ok(()) }
    /// ```
    pub fn await_pong(&self, id: u64, timeout: impl Into<Deadline>) -> Result<Duration> {
        self.line.report(self.line.await_pong(id, timeout.into()))
    }

    /// Gives up waiting for a Pong.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let id = line.start_ping(Some(b"probe"))?;
    /// line.forget_ping(id);
    /// line.ping(Some(b"probe"), Duration::from_secs(5))?; // the payload may be used again
    /// # Ok(()) }
    /// ```
    pub fn forget_ping(&self, id: u64) {
        self.line.forget_ping(id);
    }

    /// Sends a Ping and keeps nothing of it but its number, for
    /// [`wait_answered`](Connection::wait_answered): anybody may wait for its Pong, or nobody.
    ///
    /// # Errors
    ///
    /// As [`ping`](Connection::ping).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let id = line.send_ping(None)?;
    /// assert!(line.wait_answered(id, Duration::from_secs(5))?);
    /// assert!(line.wait_answered(id, Duration::ZERO)?); // asked as often as one likes
    /// # Ok(()) }
    /// ```
    pub fn send_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.line.report(self.line.send_ping(payload))
    }

    /// Waits until a Ping is answered, by its own Pong or by that of a later Ping (RFC 6455 §5.5.3);
    /// `false` when the time is over first.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the connection ended before the Pong came. [`Error::Argument`] for a number that
    /// no Ping has.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let (first, second) = (line.send_ping(None)?, line.send_ping(None)?);
    /// assert!(line.wait_answered(second, Duration::from_secs(5))?);
    /// assert!(line.wait_answered(first, Duration::ZERO)?);
    /// # Ok(()) }
    /// ```
    pub fn wait_answered(&self, id: u64, timeout: impl Into<Deadline>) -> Result<bool> {
        self.line.report(self.line.wait_answered(id, timeout.into()))
    }

    /// Sends an unsolicited Pong, a sign of life that asks for no answer (RFC 6455 §5.5.3).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Protocol`] for a payload over 125 bytes.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.pong(b"still here")?;
    /// assert!(matches!(line.pong(&[0; 126]), Err(Error::Protocol(_))));
    /// # Ok(()) }
    /// ```
    pub fn pong(&self, payload: &[u8]) -> Result<()> {
        self.line.report(self.line.send_pong(payload))
    }

    /// Closes the connection: the closing handshake (RFC 6455 §7), within `close_timeout`. Messages
    /// that came before can still be received. Closing again waits for the same end. In a forked child
    /// there is nothing to close, and nothing is done.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] for a code that may not be sent or a reason over 123 bytes of UTF-8; nothing
    /// is sent then.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(matches!(line.close(1006, ""), Err(Error::Protocol(_)))); // never on the wire
    /// line.close(1000, "done")?;
    /// assert!(line.is_closed());
    /// assert!(matches!(line.send("late"), Err(Error::Closed(_))));
    /// # Ok(()) }
    /// ```
    pub fn close(&self, code: u16, reason: &str) -> Result<()> {
        let close = CloseFrame::new(code, reason)?;
        if self.is_inherited() { Ok(()) } else { self.line.report(self.line.close(close)) }
    }

    /// Starts to close, as [`close`](Connection::close) does, and returns at once: the end comes within
    /// `close_timeout`, whoever waits for it. So many connections can be closed together.
    ///
    /// # Errors
    ///
    /// As [`close`](Connection::close).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let lines = [openline::connect(server.uri())?, openline::connect(server.uri())?];
    /// for line in &lines {
    ///     line.start_close(1000, "")?;
    /// }
    /// for line in &lines {
    ///     assert!(line.wait_closed(Duration::from_secs(10))?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn start_close(&self, code: u16, reason: &str) -> Result<()> {
        let close = CloseFrame::new(code, reason)?;
        if !self.is_inherited() {
            self.line.report(self.line.start_close(close))?;
        }
        Ok(())
    }

    /// Waits until the connection is closed, by whomever; whether it is. In a forked child it is.
    ///
    /// # Errors
    ///
    /// Only [`Error::Interrupted`].
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(!line.wait_closed(Duration::from_millis(1))?);
    /// server.shutdown();
    /// assert!(line.wait_closed(Duration::from_secs(5))?);
    /// # Ok(()) }
    /// ```
    pub fn wait_closed(&self, timeout: impl Into<Deadline>) -> Result<bool> {
        if self.is_inherited() {
            return Ok(true);
        }
        self.line.report(self.line.await_closed(timeout.into()))
    }

    /// Ends the connection at once, from any thread, and waits for nothing: neither for the peer nor
    /// for threads that send or receive, whose calls end with [`Error::Closed`]. Messages that came
    /// before can still be received. If there is room for it, and nothing of another frame waits
    /// before it, the peer gets a Close frame with code 1001. Dropping the last handle does the same.
    ///
    /// ```
    /// use openline::{Cause, Error};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let receiver = line.clone();
    /// let thread = std::thread::spawn(move || receiver.recv());
    /// line.abort();
    /// let Err(Error::Closed(closed)) = thread.join().expect("no panic") else { panic!("received") };
    /// assert!(matches!(closed.cause(), Cause::Aborted));
    /// # Ok(()) }
    /// ```
    pub fn abort(&self) {
        self.line.abort();
        self.line.report(());
    }

    // What is known of it.

    /// Open, closing or closed. In a forked child that was noticed: closed, as nothing can be done there.
    ///
    /// ```
    /// use openline::State;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.state(), State::Open);
    /// line.close(1000, "")?;
    /// assert_eq!(line.state(), State::Closed);
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> State {
        if self.line.process.is_current() { self.line.state() } else { State::Closed }
    }

    /// Whether the connection has ended, by either side and for any cause.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(!line.is_closed());
    /// line.close(1000, "")?;
    /// assert!(line.is_closed());
    /// # Ok(()) }
    /// ```
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Whether it was made in another process, from which this one was forked. It is that process's
    /// connection, and closed here.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(!line.is_inherited());
    /// # Ok(()) }
    /// ```
    pub fn is_inherited(&self) -> bool {
        !self.line.process.is_current()
    }

    /// How it ended; `None` before.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(line.how_closed().is_none());
    /// line.close(1000, "bye")?;
    /// let closed = line.how_closed().map(|closed| closed.to_string());
    /// assert_eq!(closed.as_deref(), Some("sent 1000 (OK) bye; then received 1000 (OK) bye"));
    /// # Ok(()) }
    /// ```
    pub fn how_closed(&self) -> Option<Closed> {
        self.line.how_closed()
    }

    /// The round trip of the latest answered ping, zero before the first.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.latency(), Duration::ZERO);
    /// line.ping(None, Duration::from_secs(5))?;
    /// assert!(line.latency() > Duration::ZERO);
    /// # Ok(()) }
    /// ```
    pub fn latency(&self) -> Duration {
        self.line.bell.status().latency
    }

    /// Our address.
    ///
    /// ```
    /// use openline::Address;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(matches!(line.local_address(), Address::Tcp(address) if address.port() != 0));
    /// # Ok(()) }
    /// ```
    pub fn local_address(&self) -> &Address {
        &self.established.addresses.0
    }

    /// The peer's address.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.remote_address(), server.address());
    /// # Ok(()) }
    /// ```
    pub fn remote_address(&self) -> &Address {
        &self.established.addresses.1
    }

    /// How long each step of opening this connection took. Of a server's connections nothing is
    /// measured.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(line.timings().tcp.is_some() && line.timings().tls.is_none()); // ws://
    /// # Ok(()) }
    /// ```
    pub fn timings(&self) -> Timings {
        self.established.timings
    }

    /// The request of the opening handshake.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.request().path, "/");
    /// assert_eq!(line.request().headers.get("Upgrade"), Some("websocket"));
    /// # Ok(()) }
    /// ```
    pub fn request(&self) -> &Request {
        &self.established.request
    }

    /// The response of the opening handshake.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.response().status_code, 101);
    /// assert!(line.response().headers.get("Sec-WebSocket-Accept").is_some());
    /// # Ok(()) }
    /// ```
    pub fn response(&self) -> &Response {
        &self.established.response
    }

    /// The extensions that were agreed on, in the order of the server's answer.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = openline::connect(server.uri())?;
    /// let names: Vec<_> = line.extensions().iter().map(|agreed| &agreed.params.name).collect();
    /// assert_eq!(names, ["permessage-deflate"]);
    /// # Ok(()) }
    /// ```
    pub fn extensions(&self) -> &[Agreed] {
        &self.established.extensions
    }

    /// The subprotocol that was agreed on.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::options().subprotocols(["chat"]).start()?;
    /// let line = Client::new().subprotocols(["chat"]).connect(server.uri())?;
    /// assert_eq!(line.subprotocol(), Some("chat"));
    /// # Ok(()) }
    /// ```
    pub fn subprotocol(&self) -> Option<&str> {
        self.established.subprotocol.as_deref()
    }

    /// The time that a close may take from now on.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert_eq!(line.close_timeout(), Some(Duration::from_secs(10)));
    /// # Ok(()) }
    /// ```
    pub fn close_timeout(&self) -> Option<Duration> {
        self.line.close_timeout()
    }

    /// Changes the time that a close may take; not of one that has begun.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.set_close_timeout(Some(Duration::from_secs(1)));
    /// assert_eq!(line.close_timeout(), Some(Duration::from_secs(1)));
    /// # Ok(()) }
    /// ```
    pub fn set_close_timeout(&self, timeout: Option<Duration>) {
        self.line.set_close_timeout(timeout);
    }

    /// Changes the interval of keepalive pings and the time for their answers, as
    /// [`Client::ping_interval`](crate::Client::ping_interval) and
    /// [`Client::ping_timeout`](crate::Client::ping_timeout) set them; the first interval begins now.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// let line = openline::Client::new().ping_interval(None).connect(server.uri())?;
    /// line.set_keepalive(Some(Duration::from_millis(1)), Some(Duration::from_secs(5)));
    /// while line.latency().is_zero() {
    ///     line.wait_closed(Duration::from_millis(1))?; // until a ping is answered
    /// }
    /// # Ok(()) }
    /// ```
    pub fn set_keepalive(&self, interval: Option<Duration>, timeout: Option<Duration>) {
        self.line.set_keepalive(interval, timeout);
    }

    /// What carries the bytes, to look at: what TLS it is, or a transport of one's own that a
    /// [`Secure`](crate::transport::Secure) has made. `None` once the connection is closed.
    ///
    /// To read from it or write to it breaks the connection; shutting it down ends it.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let transport = line.transport();
    /// assert!(transport.is_some_and(|transport| transport.tls().is_none())); // ws://
    /// # Ok(()) }
    /// ```
    pub fn transport(&self) -> Option<Arc<dyn Transport>> {
        self.line.transport()
    }

    /// The socket's descriptor, to look at; `None` once the connection is closed.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// assert!(line.raw_fd().is_some());
    /// line.close(1000, "")?;
    /// assert!(line.raw_fd().is_none());
    /// # Ok(()) }
    /// ```
    pub fn raw_fd(&self) -> Option<RawFd> {
        self.line.transport().and_then(|transport| transport.source().map(|fd| fd.as_raw_fd()))
    }

    fn receiving(&self) -> Result<Receiving<'_>> {
        self.start_receiving()?;
        Ok(Receiving(&self.line))
    }

    fn start_receiving(&self) -> Result<()> {
        if self.line.receiving.swap(true, Ordering::Acquire) {
            return Err(Error::Concurrency(
                "cannot receive while another thread is already receiving",
            ));
        }
        Ok(())
    }
}

/// The right to receive, for the length of a call, which ends with what it has to log.
struct Receiving<'c>(&'c Line);

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.0.end_receiving();
        self.0.report(());
    }
}
