//! Extensions (RFC 6455 §9): what is negotiated in the opening handshake and then done to the frames
//! of one connection.
//!
//! - [`deflate`]: permessage-deflate, compression (RFC 7692).
//! - [`Extension`]: what can be offered, or accepted by a server; implement it for one of your own.
//! - [`FrameCoding`]: what such an extension does with frames.
//! - [`Decoding`] and [`Encoding`]: all extensions of a connection, one for each direction. They stand
//!   between [`Inbound`](crate::Inbound) and messages, and between messages and
//!   [`Outbound`](crate::Outbound).
//!
//! ```text
//! message ─▶ Encoding:  first ─▶ … ─▶ last ─▶ Outbound ─▶ wire      (RFC 6455 §9.1: in the order of
//! message ◀─ Decoding:  first ◀─ … ◀─ last ◀─ Inbound  ◀─ wire       the server's answer)
//! ```
//!
//! # Example
//!
//! The negotiation of compression, and a compressed message, both ways through the wire's bytes:
//!
//! ```
//! use openline_proto::extension::{self, Compress, Decoding, Encoding, Extension};
//! use openline_proto::extension::deflate::PerMessageDeflate;
//! use openline_proto::handshake::parse_extensions;
//! use openline_proto::{Ends, Kind, Limits, Part, Role};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ours: Vec<std::sync::Arc<dyn Extension>> = vec![std::sync::Arc::new(PerMessageDeflate::client())];
//! let theirs: Vec<std::sync::Arc<dyn Extension>> = vec![std::sync::Arc::new(PerMessageDeflate::server())];
//!
//! let offers = extension::offers(&ours);
//! assert_eq!(offers[0].to_string(), "permessage-deflate; client_max_window_bits");
//! let at_server = extension::answer(&theirs, &offers);
//! let answers: Vec<_> = at_server.iter().map(|agreed| agreed.params.clone()).collect();
//! assert_eq!(
//!     answers[0].to_string(),
//!     "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
//! );
//! let at_client = extension::accept(&ours, &answers)?;
//!
//! let mut encoding = Encoding::new(&at_client).expect("an extension was agreed on");
//! let text = "hello, hello, hello, hello, hello, hello, hello, hello, hello, hello";
//! let mut payload = Vec::new();
//! let rsv = encoding
//!     .data(Kind::Text, Part::Whole, text.as_bytes(), Compress::Auto, &mut payload)?
//!     .expect("the message is long enough to be compressed");
//! assert!(payload.len() < 20);
//!
//! let mut decoding = Decoding::new(&at_server, Limits::default()).expect("as above");
//! let mut message = Vec::new();
//! decoding.data(Kind::Text, rsv, &payload, Ends::Message, &mut message)?;
//! assert_eq!(message, text.as_bytes());
//! # Ok(()) }
//! ```

mod decoding;
pub mod deflate;
mod encoding;
mod negotiation;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub use self::decoding::Decoding;
pub use self::encoding::{Compress, Encoding};
pub use self::negotiation::{accept, answer, offers};
use crate::close::CloseCode;
use crate::frame::{Opcode, Rsv};
use crate::handshake::{ExtensionParams, HandshakeError};

/// A parameter of an extension: its name, and its value if it has one.
///
/// ```
/// use openline_proto::extension::Parameter;
/// let parameter: Parameter = ("server_max_window_bits".into(), Some("10".into()));
/// assert_eq!(parameter.1.as_deref(), Some("10"));
/// ```
pub type Parameter = (String, Option<String>);

/// An extension that can be offered by a client, or accepted by a server.
///
/// A client's part is [`offer`](Extension::offer) and [`accept`](Extension::accept), a server's is
/// [`answer`](Extension::answer). One object serves any number of connections.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::{Coding, CodingError, Extension, Frame, FrameCoding, Parameter};
/// use openline_proto::handshake::HandshakeError;
/// use openline_proto::Rsv;
///
/// /// Marks every frame with RSV2.
/// #[derive(Debug)]
/// struct Marked;
///
/// impl Extension for Marked {
///     fn name(&self) -> &str {
///         "x-marked"
///     }
///     fn offer(&self) -> Vec<Parameter> {
///         Vec::new()
///     }
///     fn accept(&self, _: &[Parameter]) -> Result<Coding, HandshakeError> {
///         Ok(Coding::Frames(Arc::new(Marked)))
///     }
/// }
///
/// impl FrameCoding for Marked {
///     fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
///         frame.rsv = frame.rsv.union(Rsv::RSV2);
///         Ok(())
///     }
///     fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
///         frame.rsv = frame.rsv.without(Rsv::RSV2);
///         Ok(())
///     }
/// }
/// assert_eq!(Marked.name(), "x-marked");
/// ```
pub trait Extension: fmt::Debug + Send + Sync {
    /// The name in `Sec-WebSocket-Extensions`: a token.
    fn name(&self) -> &str;

    /// The parameters that a client offers it with.
    fn offer(&self) -> Vec<Parameter>;

    /// The server accepted the offer of a client, with these parameters.
    ///
    /// # Errors
    ///
    /// Parameters that cannot be met; they fail the handshake.
    fn accept(&self, answer: &[Parameter]) -> Result<Coding, HandshakeError>;

    /// A client offers it to a server with these parameters: those to answer with. By default the offer
    /// is declined.
    ///
    /// # Errors
    ///
    /// An offer that cannot be met; it is declined, and the client's next one is looked at.
    fn answer(&self, offer: &[Parameter]) -> Result<(Vec<Parameter>, Coding), HandshakeError> {
        let _ = offer;
        let text = format!("{} is an extension of clients only", self.name());
        Err(HandshakeError::NegotiationError(text))
    }
}

/// An extension that both sides agreed on, for one connection.
///
/// ```
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::{Agreed, Extension};
/// use openline_proto::handshake::ExtensionParams;
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// let params = ExtensionParams::new("permessage-deflate");
/// let coding = PerMessageDeflate::client().accept(&params.params)?;
/// let agreed = Agreed { params, coding };
/// assert_eq!(agreed.params.name, "permessage-deflate");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Its name, and its parameters as they stand in the server's answer.
    pub params: ExtensionParams,
    /// What it does with frames.
    pub coding: Coding,
}

/// What an extension does with the frames of one connection.
///
/// ```
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::{Coding, Extension};
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// let coding = PerMessageDeflate::client().accept(&[])?;
/// assert!(matches!(coding, Coding::Deflate(settings) if settings.local_max_window_bits == 15));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Coding {
    /// It compresses messages (RFC 7692).
    Deflate(deflate::Settings),
    /// It transforms each frame.
    Frames(Arc<dyn FrameCoding>),
}

/// Transforms the frames of one connection. The two directions are independent of each other, and
/// called by two threads at once: state that changes needs a lock or an atomic of its own.
///
/// Both may be called in a thread that serves all connections of the process, which must not be held up: they
/// compute, and wait for nothing. One that panics ends its connection.
///
/// What may change is the payload and the reserved bits; opcode and `fin` stay.
///
/// ```
/// use openline_proto::extension::{CodingError, Frame, FrameCoding};
/// use openline_proto::{Opcode, Rsv};
///
/// /// A cipher that nobody should use.
/// #[derive(Debug)]
/// struct Rot128;
///
/// impl FrameCoding for Rot128 {
///     fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
///         if !frame.opcode.is_control() {
///             frame.payload.iter_mut().for_each(|byte| *byte ^= 128);
///         }
///         Ok(())
///     }
///     fn decode(&self, frame: &mut Frame, _max_size: Option<usize>) -> Result<(), CodingError> {
///         self.encode(frame)
///     }
/// }
///
/// let mut frame = Frame { opcode: Opcode::Text, fin: true, rsv: Rsv::NONE, payload: b"hi".to_vec() };
/// Rot128.encode(&mut frame).expect("it cannot fail");
/// assert_eq!(frame.payload, b"\xe8\xe9");
/// ```
pub trait FrameCoding: Any + fmt::Debug + Send + Sync {
    /// Transforms a frame on its way out.
    ///
    /// # Errors
    ///
    /// The frame cannot be sent. `send` fails with the error then; a control frame ends the connection.
    /// Extensions before this one have seen the frame all the same.
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError>;

    /// Transforms a frame that came in. `max_size` is what the payload may have at most afterwards, in
    /// bytes: for data frames what is left of the limit of their message.
    ///
    /// # Errors
    ///
    /// The frame cannot be understood. The connection is closed with the error's code.
    fn decode(&self, frame: &mut Frame, max_size: Option<usize>) -> Result<(), CodingError>;
}

/// A whole frame, without its mask.
///
/// ```
/// use openline_proto::extension::Frame;
/// use openline_proto::{Opcode, Rsv};
/// let frame = Frame { opcode: Opcode::Ping, fin: true, rsv: Rsv::NONE, payload: Vec::new() };
/// assert!(frame.opcode.is_control());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub opcode: Opcode,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// The payload.
    pub payload: Vec<u8>,
}

/// An extension cannot encode or decode a frame. Two are equal if they are clones of one.
///
/// ```
/// use openline_proto::CloseCode;
/// use openline_proto::extension::CodingError;
/// let error = CodingError::new(CloseCode::PROTOCOL_ERROR, "wrong seal", "seal 7, expected 8");
/// assert_eq!(error.to_string(), "wrong seal");
/// assert_eq!(error.cause().to_string(), "seal 7, expected 8");
/// ```
#[derive(Clone, Debug)]
pub struct CodingError {
    close_code: CloseCode,
    reason: String,
    cause: Arc<dyn Error + Send + Sync>,
}

impl CodingError {
    /// An error for which the connection is closed with this code and reason; the reason is for the
    /// peer, the cause for our side. A code that may not be sent becomes 1011.
    ///
    /// ```
    /// use openline_proto::CloseCode;
    /// use openline_proto::extension::CodingError;
    /// let error = CodingError::new(CloseCode::INTERNAL_ERROR, "", "out of keys");
    /// assert_eq!(error.close_code(), CloseCode::INTERNAL_ERROR);
    /// ```
    pub fn new(
        close_code: CloseCode,
        reason: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> CodingError {
        let close_code = CloseCode::on_wire(close_code.into()).unwrap_or(CloseCode::INTERNAL_ERROR);
        CodingError { close_code, reason: reason.into(), cause: Arc::from(cause.into()) }
    }

    /// The code to close the connection with.
    ///
    /// ```
    /// use openline_proto::CloseCode;
    /// use openline_proto::extension::CodingError;
    /// let error = CodingError::new(CloseCode::PROTOCOL_ERROR, "", "x");
    /// assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    /// ```
    pub fn close_code(&self) -> CloseCode {
        self.close_code
    }

    /// What went wrong, as the extension gave it.
    ///
    /// ```
    /// use openline_proto::CloseCode;
    /// use openline_proto::extension::CodingError;
    /// let error = CodingError::new(CloseCode::PROTOCOL_ERROR, "", std::fmt::Error);
    /// assert!(error.cause().is::<std::fmt::Error>());
    /// ```
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Display for CodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reason.is_empty() { "an extension failed" } else { &self.reason })
    }
}

impl Error for CodingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

impl PartialEq for CodingError {
    fn eq(&self, other: &CodingError) -> bool {
        Arc::ptr_eq(&self.cause, &other.cause)
    }
}

impl Eq for CodingError {}

#[cfg(test)]
mod tests;
