//! Messages, as users see them.

use crate::frame::Opcode;

/// What a message holds.
///
/// ```
/// use openline_proto::{Kind, Message};
/// assert_eq!(Message::from("hello").kind(), Kind::Text);
/// assert_eq!(Message::from(vec![1, 2]).kind(), Kind::Binary);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl Kind {
    /// The opcode of a message's first frame.
    ///
    /// ```
    /// use openline_proto::{Kind, Opcode};
    /// assert_eq!(Kind::Binary.opcode(), Opcode::Binary);
    /// ```
    pub const fn opcode(self) -> Opcode {
        match self {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        }
    }
}

/// A whole message.
///
/// ```
/// use openline_proto::Message;
/// assert_eq!(Message::from("hello").as_bytes(), b"hello");
/// assert_eq!(Message::from(vec![1, 2]), Message::Binary(vec![1, 2]));
/// assert_eq!(Message::from("hello").as_text(), Some("hello"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Message {
    /// Text or binary.
    ///
    /// ```
    /// use openline_proto::{Kind, Message};
    /// assert_eq!(Message::Text(String::new()).kind(), Kind::Text);
    /// ```
    pub fn kind(&self) -> Kind {
        match self {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
        }
    }

    /// The payload: UTF-8 if it is text.
    ///
    /// ```
    /// use openline_proto::Message;
    /// assert_eq!(Message::from("é").as_bytes(), b"\xc3\xa9");
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// The payload, taken out.
    ///
    /// ```
    /// use openline_proto::Message;
    /// assert_eq!(Message::from(vec![1, 2]).into_bytes(), vec![1, 2]);
    /// ```
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// How many bytes the payload has, which of text is its length in UTF-8.
    ///
    /// ```
    /// use openline_proto::Message;
    /// assert_eq!(Message::from("é").len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload has no bytes.
    ///
    /// ```
    /// use openline_proto::Message;
    /// assert!(Message::from("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The text of a text message.
    ///
    /// ```
    /// use openline_proto::Message;
    /// assert_eq!(Message::from("hello").as_text(), Some("hello"));
    /// assert_eq!(Message::from(b"hello".to_vec()).as_text(), None); // binary, whatever it holds
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }
}

/// A whole message whose payload lies elsewhere: in the buffer that it was read into.
///
/// ```
/// use openline_proto::{Message, MessageRef};
/// assert_eq!(MessageRef::Text("hello").as_bytes(), b"hello");
/// assert_eq!(Message::from(MessageRef::Text("hello")), Message::from("hello"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageRef<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
}

impl<'b> MessageRef<'b> {
    /// Text or binary.
    ///
    /// ```
    /// use openline_proto::{Kind, MessageRef};
    /// assert_eq!(MessageRef::Binary(b"").kind(), Kind::Binary);
    /// ```
    pub fn kind(&self) -> Kind {
        match self {
            MessageRef::Text(_) => Kind::Text,
            MessageRef::Binary(_) => Kind::Binary,
        }
    }

    /// The payload: UTF-8 if it is text.
    ///
    /// ```
    /// use openline_proto::MessageRef;
    /// assert_eq!(MessageRef::Text("é").as_bytes(), b"\xc3\xa9");
    /// ```
    pub fn as_bytes(&self) -> &'b [u8] {
        match self {
            MessageRef::Text(text) => text.as_bytes(),
            MessageRef::Binary(bytes) => bytes,
        }
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Message {
        match message {
            MessageRef::Text(text) => text.into(),
            MessageRef::Binary(bytes) => bytes.into(),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes)
    }
}
