//! Messages on their way to the caller.

use std::collections::VecDeque;

use openline_proto::{Kind, Message, utf8};

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

/// A message as it is taken: where it lies in the read buffer, or owned.
///
/// ```
/// use openline::{Deadline, Kind, Payload};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("hello")?;
/// line.await_buffered(false, Deadline::NEVER)?;
/// line.take_buffered(|payload| match payload {
///     Payload::Borrowed(kind, bytes) => assert_eq!((kind, bytes), (Kind::Text, &b"hello"[..])),
///     Payload::Owned(kind, bytes) => assert_eq!((kind, bytes), (Kind::Text, b"hello".to_vec())),
/// })?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum Payload<'b> {
    /// In the read buffer: valid until the call returns.
    Borrowed(Kind, &'b [u8]),
    /// Put together before.
    Owned(Kind, Vec<u8>),
}

impl Payload<'_> {
    /// Text or binary. Text is valid UTF-8.
    ///
    /// ```
    /// use openline::{Kind, Payload};
    /// assert_eq!(Payload::Borrowed(Kind::Text, b"hello").kind(), Kind::Text);
    /// ```
    pub fn kind(&self) -> Kind {
        match self {
            Payload::Borrowed(kind, _) | Payload::Owned(kind, _) => *kind,
        }
    }

    /// The bytes.
    ///
    /// ```
    /// use openline::{Kind, Payload};
    /// assert_eq!(Payload::Owned(Kind::Binary, vec![1, 2]).as_bytes(), [1, 2]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Borrowed(_, bytes) => bytes,
            Payload::Owned(_, bytes) => bytes,
        }
    }

    /// The message, copied only if it lies in the read buffer.
    ///
    /// ```
    /// use openline::{Kind, Payload};
    /// assert_eq!(Payload::Borrowed(Kind::Text, b"hello").into_message(), "hello".into());
    /// ```
    pub fn into_message(self) -> Message {
        let (kind, bytes) = match self {
            Payload::Borrowed(kind, bytes) => (kind, bytes.to_vec()),
            Payload::Owned(kind, bytes) => (kind, bytes),
        };
        to_message(kind, bytes)
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
        Kind::Text => match String::from_utf8(bytes) {
            Ok(text) => Message::Text(text),
            Err(_) => unreachable!("bug: the core validates text before it becomes a message"),
        },
    }
}
