//! What the extensions of a connection do to what comes in.

use std::sync::Arc;

use super::deflate::Decompressor;
use super::{Agreed, Coding, Frame, FrameCoding};
use crate::error::ProtocolError;
use crate::frame::{Opcode, Rsv};
use crate::inbound::{Ends, Limits};
use crate::message::Kind;
use crate::utf8::Validator;

/// The receiving direction of a connection's extensions: takes what [`Inbound`](crate::Inbound) reports
/// with reserved bits set, or everything, and gives what the application is to see.
///
/// Compressed messages are decompressed as they come, bounded by the limits and validated as UTF-8. As
/// soon as another extension takes part, whole frames are put together first, since it sees those.
///
/// ```
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::{self, Decoding};
/// use openline_proto::handshake::ExtensionParams;
/// use openline_proto::{Ends, Kind, Limits, Rsv};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let agreed = extension::accept(
///     &[std::sync::Arc::new(PerMessageDeflate::client())],
///     &[ExtensionParams::new("permessage-deflate")],
/// )?;
/// let mut decoding = Decoding::new(&agreed, Limits::default()).expect("there is an extension");
/// let mut message = Vec::new();
/// // RFC 7692 §7.2.3.1, in two fragments
/// decoding.data(Kind::Text, Rsv::RSV1, b"\xf2\x48\xcd", Ends::Frame, &mut message)?;
/// decoding.data(Kind::Text, Rsv::RSV1, b"\xc9\xc9\x07\x00", Ends::Message, &mut message)?;
/// assert_eq!(message, b"Hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Decoding {
    coders: Coders,
    limits: Limits,
    /// Bytes that the current message has been decoded to.
    message_len: usize,
    /// Bytes that the current frame has been decoded to.
    frame_len: usize,
    /// Whether the current message has had a frame.
    is_in_message: bool,
    utf8: Validator,
}

#[derive(Debug)]
enum Coders {
    /// Compression alone, which need not wait for the end of a frame.
    Deflate(Decompressor),
    Frames {
        /// In the order of negotiation; what comes in passes the last one first.
        chain: Vec<Coder>,
        /// The payload of the current frame.
        frame: Vec<u8>,
    },
}

#[derive(Debug)]
enum Coder {
    Deflate {
        decompressor: Decompressor,
        /// Whether the current message is compressed: only its first frame says so.
        is_compressed: bool,
    },
    Frames(Arc<dyn FrameCoding>),
}

impl Decoding {
    /// For the extensions of a connection; `None` if there are none.
    ///
    /// ```
    /// use openline_proto::Limits;
    /// use openline_proto::extension::Decoding;
    /// assert!(Decoding::new(&[], Limits::default()).is_none());
    /// ```
    pub fn new(agreed: &[Agreed], limits: Limits) -> Option<Decoding> {
        let coder = |agreed: &Agreed| match &agreed.coding {
            Coding::Deflate(settings) => Coder::Deflate {
                decompressor: Decompressor::new(!settings.remote_no_context_takeover),
                is_compressed: false,
            },
            Coding::Frames(coding) => Coder::Frames(coding.clone()),
        };
        let mut chain: Vec<Coder> = agreed.iter().map(coder).collect();
        let coders = match chain.pop()? {
            Coder::Deflate { decompressor, .. } if chain.is_empty() => {
                Coders::Deflate(decompressor)
            }
            last => {
                chain.push(last);
                Coders::Frames { chain, frame: Vec::new() }
            }
        };
        let utf8 = Validator::default();
        Some(Decoding { coders, limits, message_len: 0, frame_len: 0, is_in_message: false, utf8 })
    }

    /// Whether every frame has to pass, control frames too, and not only what has RSV1 set.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::Limits;
    /// use openline_proto::extension::{self, Decoding};
    /// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let decoding = Decoding::new(&agreed, Limits::default()); // permessage-deflate alone
    /// assert!(decoding.is_some_and(|decoding| !decoding.takes_all_frames()));
    /// # Ok(()) }
    /// ```
    pub fn takes_all_frames(&self) -> bool {
        matches!(self.coders, Coders::Frames { .. })
    }

    /// Decodes the next piece of a message: as [`Data`](crate::Data) has it, with the reserved bits of
    /// its frame. What it decodes to is appended to `message`, which has what came of it before.
    ///
    /// # Errors
    ///
    /// What cannot be decoded, is over the limits, or is not UTF-8 but should be. Nothing sensible can
    /// follow.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Decoding};
    /// use openline_proto::{Ends, Kind, Limits, ProtocolError, Rsv};
    /// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let limits = Limits { max_message: Some(4), ..Limits::default() };
    /// let mut decoding = Decoding::new(&agreed, limits).expect("there is an extension");
    /// let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    /// let outcome = decoding.data(Kind::Text, Rsv::RSV1, hello, Ends::Message, &mut Vec::new());
    /// assert_eq!(outcome, Err(ProtocolError::DecodedTooBig { limit: 4 }));
    /// # Ok(()) }
    /// ```
    pub fn data(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        piece: &[u8],
        ends: Ends,
        message: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        let start = message.len();
        let left = self.left();
        match &mut self.coders {
            Coders::Deflate(decompressor) => {
                let limit = left.map(|left| start + left.bytes);
                decompressor
                    .decompress(piece, message, limit)
                    .and_then(|()| match ends {
                        Ends::Message => decompressor.end_message(message, limit),
                        _ => {
                            decompressor.keep(&message[start..]);
                            Ok(())
                        }
                    })
                    .map_err(|error| named_limit(error, left))?;
            }
            Coders::Frames { chain, frame: payload } => {
                payload.extend_from_slice(piece);
                if ends == Ends::Nothing {
                    return Ok(());
                }
                let opcode = if self.is_in_message { Opcode::Continuation } else { kind.opcode() };
                let fin = ends == Ends::Message;
                let frame = Frame { opcode, fin, rsv, payload: std::mem::take(payload) };
                let decoded = decode(chain, frame, left)?;
                message.extend_from_slice(&decoded.payload);
            }
        }
        self.is_in_message = true;
        let decoded = &message[start..];
        self.message_len += decoded.len();
        self.frame_len += decoded.len();
        if kind == Kind::Text {
            self.utf8.push(decoded)?;
        }
        if ends >= Ends::Frame {
            self.frame_len = 0;
        }
        if ends == Ends::Message {
            self.message_len = 0;
            self.is_in_message = false;
            if kind == Kind::Text {
                self.utf8.finish()?;
            }
        }
        Ok(())
    }

    /// Decodes the payload of a control frame, if [all frames](Decoding::takes_all_frames) have to
    /// pass.
    ///
    /// # Errors
    ///
    /// What cannot be decoded, or is no control frame any more afterwards.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Decoding};
    /// use openline_proto::{Limits, Opcode, Rsv};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut decoding = Decoding::new(&agreed, Limits::default()).expect("there is an extension");
    /// let payload = decoding.control(Opcode::Ping, Rsv::NONE, b"as it is".to_vec())?;
    /// assert_eq!(payload, b"as it is");
    /// # Ok(()) }
    /// ```
    pub fn control(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>, ProtocolError> {
        let Coders::Frames { chain, .. } = &mut self.coders else { return Ok(payload) };
        let frame = Frame { opcode, fin: true, rsv, payload };
        let decoded = decode(chain, frame, None)?;
        if decoded.payload.len() > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        Ok(decoded.payload)
    }

    /// What the current frame may still be decoded to.
    fn left(&self) -> Option<Left> {
        let message = self.limits.max_message.map(|limit| Left {
            bytes: limit.saturating_sub(self.message_len),
            limit,
            is_of_fragment: false,
        });
        let fragment = self.limits.max_fragment.map(|limit| Left {
            bytes: limit.saturating_sub(self.frame_len),
            limit,
            is_of_fragment: true,
        });
        match (message, fragment) {
            (Some(message), Some(fragment)) if fragment.bytes < message.bytes => Some(fragment),
            (message, fragment) => message.or(fragment),
        }
    }
}

/// How much a frame may be decoded to, and for which of the limits.
#[derive(Clone, Copy)]
struct Left {
    bytes: usize,
    limit: usize,
    is_of_fragment: bool,
}

impl Left {
    fn exceeded(self) -> ProtocolError {
        let Left { limit, is_of_fragment, .. } = self;
        if is_of_fragment {
            ProtocolError::DecodedFragmentTooBig { limit }
        } else {
            ProtocolError::DecodedTooBig { limit }
        }
    }
}

/// The decompressor knows only what is left of the limit.
fn named_limit(error: ProtocolError, left: Option<Left>) -> ProtocolError {
    match (error, left) {
        (ProtocolError::DecodedTooBig { .. }, Some(left)) => left.exceeded(),
        (error, _) => error,
    }
}

/// Has a frame pass the chain, from its end on.
fn decode(
    chain: &mut [Coder],
    mut frame: Frame,
    left: Option<Left>,
) -> Result<Frame, ProtocolError> {
    let (opcode, fin) = (frame.opcode, frame.fin);
    let limit = left.map(|left| left.bytes);
    for coder in chain.iter_mut().rev() {
        match coder {
            Coder::Frames(coding) => coding.decode(&mut frame, limit)?,
            Coder::Deflate { decompressor, is_compressed } => {
                decompress(decompressor, is_compressed, &mut frame, limit)
                    .map_err(|error| named_limit(error, left))?;
            }
        }
        if (frame.opcode, frame.fin) != (opcode, fin) {
            return Err(ProtocolError::FrameChanged);
        }
    }
    if !frame.rsv.is_none() {
        return Err(ProtocolError::ReservedBits);
    }
    if let Some(left) = left.filter(|left| frame.payload.len() > left.bytes) {
        return Err(left.exceeded());
    }
    Ok(frame)
}

fn decompress(
    decompressor: &mut Decompressor,
    is_compressed: &mut bool,
    frame: &mut Frame,
    limit: Option<usize>,
) -> Result<(), ProtocolError> {
    if frame.opcode.is_control() {
        return Ok(());
    }
    let has_rsv1 = frame.rsv.contains(Rsv::RSV1);
    if frame.opcode != Opcode::Continuation {
        *is_compressed = has_rsv1;
        frame.rsv = frame.rsv.without(Rsv::RSV1);
    } else if has_rsv1 {
        // RFC 7692 §6.1: only the first frame of a message has it.
        return Err(ProtocolError::ReservedBits);
    }
    if *is_compressed {
        let mut out = Vec::new();
        decompressor.decompress(&frame.payload, &mut out, limit)?;
        if frame.fin {
            decompressor.end_message(&mut out, limit)?;
        } else {
            decompressor.keep(&out);
        }
        frame.payload = out;
    }
    Ok(())
}
