//! What can be wrong with frames. Faults of the opening handshake are
//! [`HandshakeError`](crate::handshake::HandshakeError), of URIs [`InvalidUri`](crate::uri::InvalidUri):
//! the phases cannot produce each other's errors, so they do not share a type.

use thiserror::Error;

use crate::close::{CloseCode, CloseFrame};
use crate::extension::CodingError;
use crate::utf8::InvalidUtf8;

/// A violation of RFC 6455 after the opening handshake. Every variant says whose fault it is.
///
/// ```
/// use openline_proto::{FrameHeader, ProtocolError};
/// let outcome = FrameHeader::parse(b"\x83\x00");
/// assert_eq!(outcome, Err(ProtocolError::ReservedOpcode { opcode: 3 }));
/// assert_eq!(ProtocolError::Masked.to_string(), "masked frame from a server");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A Close frame with a payload of one byte. The peer's fault.
    #[error("close frame with a payload of one byte; expected none or at least two")]
    CloseTooShort,
    /// A reason over 123 bytes of UTF-8. The caller's fault.
    #[error("close reason of {len} bytes; at most 123 fit into a close frame")]
    CloseReasonTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A fragmented control frame. The peer's fault.
    #[error("fragmented control frame")]
    ControlFragmented,
    /// A control frame over 125 bytes. The peer's fault when received, the caller's when sent.
    #[error("control frame with a payload over 125 bytes")]
    ControlTooLong,
    /// A close code that may not stand in a frame. The fault of who sends it.
    #[error("close code {code} may not be sent; use 1000-1003, 1007-1014 or 3000-4999")]
    InvalidCloseCode {
        /// The code.
        code: u16,
    },
    /// Text, or the reason of a close, that is not UTF-8. The peer's fault.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A message that an extension, such as compression, decodes to more than the limit. A limit of ours.
    #[error("decoded message of more than max_size of {limit} bytes; raise max_size to accept it")]
    DecodedTooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// A fragment that an extension decodes to more than the limit. A limit of ours.
    #[error(
        "decoded fragment of more than the limit of {limit} bytes for one fragment; raise it to accept this"
    )]
    DecodedFragmentTooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// An extension failed on what came in. Its fault, or the peer's.
    #[error(transparent)]
    Extension(#[from] CodingError),
    /// An extension changed the opcode or the end of a frame, which are not its own. Its fault.
    #[error("an extension changed the opcode or the end of a frame")]
    FrameChanged,
    /// A compressed message that is not DEFLATE (RFC 1951). The peer's fault.
    #[error("decompression failed: {reason}")]
    InvalidDeflate {
        /// What is wrong with it, in zlib's words.
        reason: &'static str,
    },
    /// A frame length in more bytes than it needs. The peer's fault.
    #[error("frame length {payload_len} not encoded in its shortest form")]
    LengthNotMinimal {
        /// The length.
        payload_len: u64,
    },
    /// A frame length of 2^63 or more. The peer's fault.
    #[error("frame length with its most significant bit set")]
    LengthTooLarge,
    /// A masked frame from a server. The peer's fault.
    #[error("masked frame from a server")]
    Masked,
    /// A message over the limit. A limit of ours.
    #[error(
        "message of {size} bytes exceeds max_size of {limit} bytes; raise max_size to accept it"
    )]
    MessageTooBig {
        /// Bytes of the message as far as they were announced.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A fragment over the limit. A limit of ours.
    #[error(
        "fragment of {size} bytes exceeds the limit of {limit} bytes for one fragment; raise it to accept this"
    )]
    FragmentTooBig {
        /// Bytes of the fragment.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A new message while another was in its fragments. The peer's fault.
    #[error("new message before the last fragment of the one before")]
    MessageInterrupted,
    /// A reserved opcode. The peer's fault.
    #[error("reserved opcode {opcode}")]
    ReservedOpcode {
        /// Its four bits.
        opcode: u8,
    },
    /// Reserved bits that no negotiated extension uses. The peer's fault.
    #[error("reserved bits must be 0")]
    ReservedBits,
    /// More fragments than the limit. A limit of ours.
    #[error("message of more than {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: usize,
    },
    /// A continuation frame with nothing to continue. The peer's fault.
    #[error("continuation frame with no message to continue")]
    UnexpectedContinuation,
    /// An unmasked frame from a client. The peer's fault.
    #[error("unmasked frame from a client")]
    Unmasked,
}

impl ProtocolError {
    /// The code to close the connection with.
    ///
    /// ```
    /// use openline_proto::{CloseCode, ProtocolError};
    /// assert_eq!(ProtocolError::InvalidUtf8.close_code(), CloseCode::INVALID_DATA);
    /// ```
    pub fn close_code(&self) -> CloseCode {
        match self {
            ProtocolError::InvalidUtf8 => CloseCode::INVALID_DATA,
            ProtocolError::DecodedTooBig { .. }
            | ProtocolError::DecodedFragmentTooBig { .. }
            | ProtocolError::MessageTooBig { .. }
            | ProtocolError::FragmentTooBig { .. }
            | ProtocolError::LengthTooLarge
            | ProtocolError::TooManyFragments { .. } => CloseCode::MESSAGE_TOO_BIG,
            ProtocolError::Extension(error) => error.close_code(),
            ProtocolError::FrameChanged => CloseCode::INTERNAL_ERROR,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The Close frame that tells the peer.
    ///
    /// ```
    /// use openline_proto::ProtocolError;
    /// let close = ProtocolError::Unmasked.close_frame();
    /// assert_eq!(close.to_string(), "1002 (protocol error) unmasked frame from a client");
    /// ```
    pub fn close_frame(&self) -> CloseFrame {
        let text = self.to_string();
        // What follows is advice for our side.
        let reason = text.split(';').next().unwrap_or_default();
        CloseFrame::for_fault(self.close_code(), reason)
    }
}

impl From<InvalidUtf8> for ProtocolError {
    fn from(_: InvalidUtf8) -> ProtocolError {
        ProtocolError::InvalidUtf8
    }
}
