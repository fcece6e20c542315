//! Messages on their way to the caller.

use std::collections::VecDeque;

use openline_proto::{Kind, Message, MessageRef, utf8};

/// A message that was received and not yet taken.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    /// Where each fragment ends; empty if there was one frame.
    pub(crate) fragment_ends: Vec<usize>,
}

impl Incoming {
    pub(crate) fn new(kind: Kind) -> Incoming {
        Incoming { kind, bytes: Vec::new(), fragment_ends: Vec::new() }
    }
}

/// Messages that wait to be taken, and what they take of memory.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Incoming>,
    memory: usize,
    /// Of that, what has come after [`Queue::close`].
    late_memory: usize,
    is_closing: bool,
}

impl Queue {
    pub(super) fn push(&mut self, message: Incoming) {
        let memory = memory_of(&message);
        self.memory += memory;
        if self.is_closing {
            self.late_memory += memory;
        }
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Incoming> {
        let message = self.messages.pop_front()?;
        self.memory -= memory_of(&message);
        self.late_memory = self.late_memory.min(self.memory);
        Some(message)
    }

    pub(super) fn front(&self) -> Option<&Incoming> {
        self.messages.front()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// We have sent Close: what comes from now on is counted apart. How much of it waits.
    pub(super) fn close(&mut self) -> usize {
        self.is_closing = true;
        self.late_memory
    }
}

/// Also the smallest message takes some memory to be kept.
fn memory_of(message: &Incoming) -> usize {
    message.bytes.len() + 2 * size_of::<Incoming>()
}

/// A message as it is taken: where it lies in the read buffer, or with memory of its own.
///
/// ```
/// use openline::{Deadline, Kind};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("hello")?;
/// line.await_buffered(false, Deadline::NEVER)?;
/// let len = line.take_buffered(|payload| {
///     assert_eq!(payload.kind(), Kind::Text);
///     payload.as_bytes().len() // nothing was copied
/// })?;
/// assert_eq!(len, Some(5));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Payload<'b>(Place<'b>);

/// Where a message is. All text was validated by the core; only [`MessageRef`] still knows.
#[derive(Debug)]
enum Place<'b> {
    Whole(MessageRef<'b>),
    Buffered(Kind, &'b [u8]),
    Owned(Kind, Vec<u8>),
}

impl<'b> Payload<'b> {
    /// Text or binary.
    ///
    /// ```
    /// use openline::{Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send(&[1, 2][..])?;
    /// line.await_buffered(false, Deadline::NEVER)?;
    /// assert_eq!(line.take_buffered(|payload| payload.kind())?, Some(Kind::Binary));
    /// # Ok(()) }
    /// ```
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Place::Whole(message) => message.kind(),
            Place::Buffered(kind, _) | Place::Owned(kind, _) => *kind,
        }
    }

    /// The bytes: UTF-8 if it is text.
    ///
    /// ```
    /// use openline::Deadline;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send(&[1, 2][..])?;
    /// line.await_buffered(false, Deadline::NEVER)?;
    /// line.take_buffered(|payload| assert_eq!(payload.as_bytes(), [1, 2]))?;
    /// # Ok(()) }
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Whole(message) => message.as_bytes(),
            Place::Buffered(_, bytes) => bytes,
            Place::Owned(_, bytes) => bytes,
        }
    }

    /// The message, copied only if it lies in the read buffer.
    ///
    /// ```
    /// use openline::Deadline;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("hello")?;
    /// line.await_buffered(false, Deadline::NEVER)?;
    /// let message = line.take_buffered(|payload| payload.into_message())?;
    /// assert_eq!(message, Some("hello".into()));
    /// # Ok(()) }
    /// ```
    pub fn into_message(self) -> Message {
        match self.0 {
            Place::Whole(message) => message.into(),
            Place::Buffered(kind, bytes) => to_message(kind, bytes.to_vec()),
            Place::Owned(kind, bytes) => to_message(kind, bytes),
        }
    }

    pub(super) fn whole(message: MessageRef<'b>) -> Payload<'b> {
        Payload(Place::Whole(message))
    }

    pub(super) fn buffered(kind: Kind, bytes: &'b [u8]) -> Payload<'b> {
        Payload(Place::Buffered(kind, bytes))
    }

    pub(super) fn owned(kind: Kind, bytes: Vec<u8>) -> Payload<'b> {
        Payload(Place::Owned(kind, bytes))
    }
}

/// The fragments of one message that came and were not given out, for `recv_streaming`.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    waiting: VecDeque<Message>,
    /// The start of a character whose end is in the next fragment.
    carry: Vec<u8>,
    /// Whether all fragments came.
    pub(crate) is_complete: bool,
}

impl Fragments {
    pub(crate) fn push(&mut self, incoming: Incoming, ends_message: bool) {
        self.is_complete = ends_message;
        let Incoming { kind, bytes, fragment_ends } = incoming;
        if fragment_ends.is_empty() {
            return self.push_one(kind, bytes);
        }
        let mut start = 0;
        for end in fragment_ends {
            self.push_one(kind, bytes[start..end].to_vec());
            start = end;
        }
    }

    /// Whether the last fragment was given out.
    pub(crate) fn is_given_out(&self) -> bool {
        self.is_complete && self.waiting.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Message> {
        self.waiting.pop_front()
    }

    fn push_one(&mut self, kind: Kind, mut bytes: Vec<u8>) {
        if !self.carry.is_empty() {
            bytes.splice(..0, self.carry.drain(..));
        }
        if kind == Kind::Text {
            self.carry = bytes.split_off(utf8::whole_characters(&bytes));
        }
        self.waiting.push_back(to_message(kind, bytes));
    }
}

fn to_message(kind: Kind, bytes: Vec<u8>) -> Message {
    match kind {
        Kind::Binary => Message::Binary(bytes),
        Kind::Text => Message::Text(String::from_utf8(bytes).expect(VALIDATED)),
    }
}

const VALIDATED: &str = "bug: the core validates text before it becomes a message";
