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

/// A message as it is taken: where it lies in the read buffer, or owned.
///
/// ```
/// use openline::{Deadline, Message, MessageRef, Payload};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("hello")?;
/// line.await_buffered(false, Deadline::NEVER)?;
/// line.take_buffered(|payload| match payload {
///     Payload::Borrowed(message) => assert_eq!(message, MessageRef::Text("hello")),
///     Payload::Owned(message) => assert_eq!(message, Message::from("hello")),
/// })?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum Payload<'b> {
    /// In the read buffer: valid until the call returns.
    Borrowed(MessageRef<'b>),
    /// Put together before.
    Owned(Message),
}

impl<'b> Payload<'b> {
    /// Text or binary.
    ///
    /// ```
    /// use openline::{Kind, MessageRef, Payload};
    /// assert_eq!(Payload::Borrowed(MessageRef::Text("hello")).kind(), Kind::Text);
    /// ```
    pub fn kind(&self) -> Kind {
        match self {
            Payload::Borrowed(message) => message.kind(),
            Payload::Owned(message) => message.kind(),
        }
    }

    /// The bytes: UTF-8 if it is text.
    ///
    /// ```
    /// use openline::Payload;
    /// assert_eq!(Payload::Owned(vec![1, 2].into()).as_bytes(), [1, 2]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Borrowed(message) => message.as_bytes(),
            Payload::Owned(message) => message.as_bytes(),
        }
    }

    /// The message, copied only if it lies in the read buffer.
    ///
    /// ```
    /// use openline::{MessageRef, Payload};
    /// assert_eq!(Payload::Borrowed(MessageRef::Text("hello")).into_message(), "hello".into());
    /// ```
    pub fn into_message(self) -> Message {
        match self {
            Payload::Borrowed(message) => message.into(),
            Payload::Owned(message) => message,
        }
    }

    pub(super) fn borrowed(kind: Kind, bytes: &'b [u8]) -> Payload<'b> {
        Payload::Borrowed(match kind {
            Kind::Binary => MessageRef::Binary(bytes),
            Kind::Text => MessageRef::Text(str::from_utf8(bytes).expect(VALIDATED)),
        })
    }

    pub(super) fn owned(kind: Kind, bytes: Vec<u8>) -> Payload<'b> {
        Payload::Owned(to_message(kind, bytes))
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
