//! The receiving direction of a connection: bytes in, [`Event`]s out (RFC 6455 §5).
//!
//! [`Inbound`] parses, unmasks and validates in place, in the buffer of its owner, and owns no
//! memory for payloads. It does not answer: its owner carries replies to
//! [`Outbound`](crate::Outbound).
//!
//! ```text
//!                    ┌─ whole frame in the buffer ─▶ Message, Data, Ping, Pong or Close
//!  input ─▶ header ──┤
//!                    └─ part of a data frame ─▶ Begin ─▶ Data … Data      (from the buffer)
//!                                                   └──▶ accept … accept  (the payload sink)
//! ```
//!
//! After [`Event::Begin`] the rest of the frame may be read straight from the transport into the
//! memory where it is to stay, and shown to [`Inbound::accept`], which unmasks and validates it
//! there: that is the payload sink, and large messages are never copied.

use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode, Role, Rsv};
use crate::mask::{self, MaskKey};
use crate::message::{Kind, MessageRef};
use crate::tally::Tally;
use crate::utf8::Validator;

/// What the bytes of the peer mean.
///
/// ```
/// use openline_proto::{Event, Inbound, Limits, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// match inbound.receive(&mut b"\x89\x02hi".to_vec())?.event {
///     Some(Event::Ping(payload)) => assert_eq!(payload, b"hi"), // answer with a Pong
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A data frame begins whose payload is not all in the input. `Data` events follow, or
    /// [`Inbound::accept`] takes the payload.
    Begin(Begin),
    /// The peer closes. Whatever follows it is ignored (RFC 6455 §5.5.1).
    Close(CloseFrame),
    /// A control frame that extensions have to decode first; only after
    /// [`Inbound::leave_to_extensions`]. What follows a Close is ignored, as above.
    Control {
        /// Which one it is.
        opcode: Opcode,
        /// The reserved bits, for extensions.
        rsv: Rsv,
        /// The payload as it came.
        payload: &'b [u8],
    },
    /// A part of a message, unmasked, and valid UTF-8 as far as it goes if it is text that no extension
    /// has to decode.
    Data(Data<'b>),
    /// A whole message in one frame that lay in the input.
    Message {
        /// Text or binary.
        kind: Kind,
        /// The reserved bits, for extensions.
        rsv: Rsv,
        /// The payload; valid UTF-8 if it is text that no extension has to decode.
        payload: &'b [u8],
    },
    /// A Ping with its payload: a Pong with the same is due (§5.5.2).
    Ping(&'b [u8]),
    /// A Pong with its payload.
    Pong(&'b [u8]),
}

/// The start of a data frame whose payload is still to come.
///
/// ```
/// use openline_proto::{Event, Inbound, Limits, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// let mut input = *b"\x82\x7e\x10\x00the first of 4096 bytes";
/// let Some(Event::Begin(begin)) = inbound.receive(&mut input)?.event else { panic!() };
/// assert_eq!((begin.payload_len, begin.is_whole_message), (4096, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Text or binary.
    pub kind: Kind,
    /// The reserved bits, for extensions: of the message's first frame, but after
    /// [`Inbound::leave_to_extensions`] of this frame.
    pub rsv: Rsv,
    /// Bytes of payload in this frame; within the limits.
    pub payload_len: u64,
    /// Whether this frame is the whole message.
    pub is_whole_message: bool,
}

/// A part of a message.
///
/// ```
/// use openline_proto::{Ends, Event, Inbound, Limits, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// let mut input = *b"\x01\x03Hel"; // a fragment
/// let Some(Event::Data(data)) = inbound.receive(&mut input)?.event else { panic!() };
/// assert_eq!((data.payload, data.ends), (&b"Hel"[..], Ends::Frame));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'b> {
    /// Text or binary.
    pub kind: Kind,
    /// The reserved bits, for extensions: of the message's first frame, but after
    /// [`Inbound::leave_to_extensions`] of this frame.
    pub rsv: Rsv,
    /// The bytes. A character of a text may be cut at their ends.
    pub payload: &'b [u8],
    /// What these bytes end.
    pub ends: Ends,
}

/// What the last byte of a piece of payload ended.
///
/// ```
/// use openline_proto::{Ends, Inbound, Limits, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// inbound.receive(&mut [0x82, 3])?; // a binary message of three bytes begins
/// assert_eq!(inbound.accept(&mut [1, 2])?, Ends::Nothing);
/// assert_eq!(inbound.accept(&mut [3])?, Ends::Message);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ends {
    /// Nothing: the frame goes on.
    Nothing,
    /// The frame; the message goes on.
    Frame,
    /// The frame and its message.
    Message,
}

/// The result of [`Inbound::receive`].
///
/// ```
/// use openline_proto::{Event, Inbound, Limits, Received, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// let mut input = *b"\x89\x02hi\x81"; // a ping and half a header
/// let Received { consumed, event } = inbound.receive(&mut input)?;
/// assert_eq!((consumed, event), (4, Some(Event::Ping(b"hi"))));
/// assert_eq!(inbound.receive(&mut input[4..])?, Received { consumed: 0, event: None });
/// # Ok(()) }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'b> {
    /// Bytes of the input that are done with: the next call starts after them.
    pub consumed: usize,
    /// What they mean; `None` when more bytes are needed.
    pub event: Option<Event<'b>>,
}

/// How much a peer may send in one message. `None` is no limit.
///
/// ```
/// use openline_proto::{Inbound, Limits, ProtocolError, Role};
/// let limits = Limits { max_message: Some(4), ..Limits::default() };
/// let outcome = Inbound::new(Role::Client, limits).receive(&mut [0x81, 5]).map(|_| ());
/// assert_eq!(outcome, Err(ProtocolError::MessageTooBig { size: 5, limit: 4 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message. Default 1 MiB: what `websockets` has, and enough for most uses.
    pub max_message: Option<usize>,
    /// Bytes of one frame of a message. Default none: the message's limit holds for it.
    pub max_fragment: Option<usize>,
    /// Frames of one message. Default 131,072: twice what Autobahn's case 9.3.1 sends, while a
    /// stream of empty fragments still ends.
    pub max_fragments: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_message: Some(1 << 20), max_fragment: None, max_fragments: 1 << 17 }
    }
}

/// The receiving half of the protocol.
///
/// ```
/// use openline_proto::{Event, Inbound, Kind, Limits, Role, Rsv};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// let mut input = *b"\x81\x05Hello\x89\x00\x82";
/// let first = inbound.receive(&mut input)?;
/// assert_eq!(first.consumed, 7);
/// assert_eq!(
///     first.event,
///     Some(Event::Message { kind: Kind::Text, rsv: Rsv::NONE, payload: b"Hello" })
/// );
/// assert_eq!(inbound.receive(&mut input[7..])?.event, Some(Event::Ping(b"")));
/// assert_eq!(inbound.receive(&mut input[9..])?.event, None); // half a header
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Inbound {
    role: Role,
    limits: Limits,
    negotiated_rsv: Rsv,
    /// Whether extensions see every frame before its bits and its content are judged.
    is_left_to_extensions: bool,
    /// The message whose last frame has not begun.
    message: Option<Message>,
    /// The data frame whose payload is not all read.
    frame: Option<Frame>,
    utf8: Validator,
    ended: Option<Ended>,
    tally: Tally,
    /// Messages of this many bytes and more are not for [`Inbound::receive_whole`].
    whole_end: u64,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    rsv: Rsv,
    /// Bytes of payload in the frames so far, the current one included.
    len: u64,
    fragments: usize,
    /// Whether an extension has to decode the payload.
    is_encoded: bool,
}

impl Message {
    fn is_plain_text(&self) -> bool {
        self.kind == Kind::Text && !self.is_encoded
    }
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    message: Message,
    fin: bool,
    mask: Option<MaskKey>,
    remaining: u64,
}

/// Why nothing more is understood.
#[derive(Clone, Debug)]
enum Ended {
    Closed,
    Failed(ProtocolError),
}

impl Inbound {
    /// The receiving half of a connection that has just been opened.
    ///
    /// ```
    /// use openline_proto::{Inbound, Limits, Role};
    /// let inbound = Inbound::new(Role::Client, Limits::default());
    /// assert_eq!(inbound.remaining(), 0);
    /// ```
    pub fn new(role: Role, limits: Limits) -> Inbound {
        let lens = [limits.max_fragment, limits.max_message, Some(WHOLE_LEN)];
        let shortest = lens.into_iter().flatten().min().unwrap_or(WHOLE_LEN);
        Inbound {
            role,
            limits,
            negotiated_rsv: Rsv::NONE,
            is_left_to_extensions: false,
            message: None,
            frame: None,
            utf8: Validator::default(),
            ended: None,
            tally: Tally::default(),
            whole_end: if limits.max_fragments > 0 { shortest as u64 + 1 } else { 0 },
        }
    }

    /// Allows reserved bits on the first frames of messages, for an extension that was negotiated.
    /// Text with such a bit is not validated as UTF-8: the extension does that after decoding it.
    ///
    /// ```
    /// use openline_proto::{Event, Inbound, Limits, Role, Rsv};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// inbound.allow_rsv(Rsv::RSV1); // permessage-deflate was negotiated
    /// let mut input = [0xc1, 0x01, 0x00];
    /// let Some(Event::Message { rsv, .. }) = inbound.receive(&mut input)?.event else { panic!() };
    /// assert_eq!(rsv, Rsv::RSV1);
    /// # Ok(()) }
    /// ```
    pub fn allow_rsv(&mut self, rsv: Rsv) {
        self.negotiated_rsv = self.negotiated_rsv.union(rsv);
    }

    /// Leaves every frame to extensions: reserved bits may stand anywhere, no text is validated, and
    /// control frames come as [`Event::Control`]. [`Decoding`](crate::extension::Decoding) judges
    /// what the extensions leave.
    ///
    /// ```
    /// use openline_proto::{Event, Inbound, Limits, Opcode, Role, Rsv};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// inbound.leave_to_extensions();
    /// let mut input = *b"\xa9\x01p"; // a Ping with RSV2
    /// assert_eq!(
    ///     inbound.receive(&mut input)?.event,
    ///     Some(Event::Control { opcode: Opcode::Ping, rsv: Rsv::RSV2, payload: b"p" })
    /// );
    /// # Ok(()) }
    /// ```
    pub fn leave_to_extensions(&mut self) {
        self.is_left_to_extensions = true;
        self.whole_end = 0;
    }

    /// Understands the start of `input`, at most one event of it.
    ///
    /// # Errors
    ///
    /// A violation of the protocol or of the limits. It sticks: every later call returns it again.
    ///
    /// ```
    /// use openline_proto::{Event, Inbound, Limits, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// let mut input = *b"\x8a\x00\x89\x00";
    /// let received = inbound.receive(&mut input)?;
    /// assert_eq!((received.consumed, received.event), (2, Some(Event::Pong(b""))));
    /// assert_eq!(inbound.receive(&mut input[2..])?.event, Some(Event::Ping(b"")));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn receive<'b>(&mut self, input: &'b mut [u8]) -> Result<Received<'b>, ProtocolError> {
        if let Some(ended) = &self.ended {
            return match ended {
                Ended::Closed => Ok(Received { consumed: input.len(), event: None }),
                Ended::Failed(error) => Err(error.clone()),
            };
        }
        self.parse(input).inspect_err(|error| self.ended = Some(Ended::Failed(error.clone())))
    }

    /// The message at the start of `input`, and how many bytes its frame has. It is what
    /// [`receive`](Inbound::receive) finds most often, for a fraction of what that costs: a message of
    /// less than 64 KiB that is there as a whole, in one frame without reserved bits. `None`: there is
    /// anything else, of which nothing is consumed, and `receive` says what.
    ///
    /// ```
    /// use openline_proto::{Event, Inbound, Limits, MessageRef, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// let mut input = *b"\x81\x05hello\x89\x00";
    /// assert_eq!(inbound.receive_whole(&mut input), Some((MessageRef::Text("hello"), 7)));
    /// assert_eq!(inbound.receive_whole(&mut input[7..]), None);
    /// assert_eq!(inbound.receive(&mut input[7..])?.event, Some(Event::Ping(b"")));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn receive_whole<'b>(&mut self, input: &'b mut [u8]) -> Option<(MessageRef<'b>, usize)> {
        let [first, second, ..] = *input else { return None };
        let opcode = match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        let is_masked = second & 0x80 != 0;
        let (payload_len, header_len) = match second & 0x7f {
            126 => {
                let len = u16::from_be_bytes([*input.get(2)?, *input.get(3)?]);
                // A shorter one has to be refused.
                (if len >= 126 { u64::from(len) } else { u64::MAX }, 4)
            }
            127 => return None,
            len => (u64::from(len), 2),
        };
        let is_expected = self.ended.is_none() && self.frame.is_none() && self.message.is_none();
        let is_masked_rightly = is_masked == (self.role == Role::Server);
        if !is_expected || !is_masked_rightly || payload_len >= self.whole_end {
            return None;
        }
        let start = header_len + if is_masked { 4 } else { 0 };
        let frame_len = start + payload_len as usize;
        let (header, payload) = input.get_mut(..frame_len)?.split_at_mut(start);
        if let Some(key) = header[header_len..].first_chunk() {
            mask::apply(MaskKey::new(*key), payload);
        }
        let message = match opcode {
            Opcode::Text => match simdutf8::basic::from_utf8(payload) {
                Ok(text) => MessageRef::Text(text),
                Err(_) => {
                    self.ended = Some(Ended::Failed(ProtocolError::InvalidUtf8));
                    return None;
                }
            },
            _ => MessageRef::Binary(payload),
        };
        let rsv = Rsv::NONE;
        self.tally.frame(&FrameHeader { fin: true, rsv, opcode, mask: None, payload_len });
        self.tally.messages += 1;
        Some((message, frame_len))
    }

    /// What came so far.
    ///
    /// ```
    /// use openline_proto::{Inbound, Limits, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// inbound.receive(&mut [0x02, 1, b'a'])?; // a fragment
    /// assert_eq!((inbound.tally().frames, inbound.tally().messages), (1, 0));
    /// # Ok(()) }
    /// ```
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Bytes of payload still to come in the current data frame: what [`accept`](Inbound::accept)
    /// may be given at most. 0 between frames.
    ///
    /// ```
    /// use openline_proto::{Inbound, Limits, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// inbound.receive(&mut [0x82, 5])?;
    /// inbound.accept(&mut [1, 2])?;
    /// assert_eq!(inbound.remaining(), 3);
    /// # Ok(()) }
    /// ```
    pub fn remaining(&self) -> u64 {
        self.frame.map_or(0, |frame| frame.remaining)
    }

    /// Takes payload of the current frame that was read from the transport to where it is to stay:
    /// unmasks and validates it there, and says what its last byte ended.
    ///
    /// # Errors
    ///
    /// Invalid UTF-8.
    ///
    /// # Panics
    ///
    /// If `payload` is longer than [`remaining`](Inbound::remaining): the caller's fault.
    ///
    /// ```
    /// use openline_proto::{Ends, Event, Inbound, Limits, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut inbound = Inbound::new(Role::Client, Limits::default());
    /// let Some(Event::Begin(begin)) = inbound.receive(&mut b"\x82\x05".to_vec())?.event else {
    ///     panic!()
    /// };
    /// let mut message = vec![0; begin.payload_len as usize];
    /// message.copy_from_slice(b"Hello"); // what a read from the transport would do
    /// assert_eq!(inbound.accept(&mut message)?, Ends::Message);
    /// # Ok(()) }
    /// ```
    pub fn accept(&mut self, payload: &mut [u8]) -> Result<Ends, ProtocolError> {
        if let Some(Ended::Failed(error)) = &self.ended {
            return Err(error.clone());
        }
        self.take_payload(payload)
            .inspect_err(|error| self.ended = Some(Ended::Failed(error.clone())))
    }

    #[inline]
    fn parse<'b>(&mut self, input: &'b mut [u8]) -> Result<Received<'b>, ProtocolError> {
        let incomplete = Ok(Received { consumed: 0, event: None });
        if let Some(frame) = self.frame {
            if input.is_empty() {
                return incomplete;
            }
            let consumed = frame.remaining.min(input.len() as u64) as usize;
            let payload = &mut input[..consumed];
            let ends = self.take_payload(payload)?;
            return Ok(Received { consumed, event: Some(data(frame.message, payload, ends)) });
        }

        self.check_mask(input)?;
        let Some((header, header_len)) = FrameHeader::parse(input)? else { return incomplete };
        let buffered = (input.len() - header_len) as u64;
        if header.opcode.is_control() {
            if !header.rsv.is_none() && !self.is_left_to_extensions {
                return Err(ProtocolError::ReservedBits);
            }
            if buffered < header.payload_len {
                return incomplete;
            }
            self.tally.frame(&header);
            let consumed = header_len + header.payload_len as usize;
            let payload = &mut input[header_len..consumed];
            if let Some(key) = header.mask {
                mask::apply(key, payload);
            }
            let event = if self.is_left_to_extensions {
                if header.opcode == Opcode::Close {
                    self.ended = Some(Ended::Closed);
                }
                Event::Control { opcode: header.opcode, rsv: header.rsv, payload }
            } else {
                self.control(header.opcode, payload)?
            };
            return Ok(Received { consumed, event: Some(event) });
        }

        self.tally.frame(&header);
        let message = self.message_of(&header)?;
        let starts = message.fragments == 1;
        self.message = (!header.fin).then_some(message);
        let frame =
            Frame { message, fin: header.fin, mask: header.mask, remaining: header.payload_len };
        if buffered < header.payload_len {
            self.frame = Some(frame);
            let begin = Begin {
                kind: message.kind,
                rsv: message.rsv,
                payload_len: header.payload_len,
                is_whole_message: header.fin && starts,
            };
            return Ok(Received { consumed: header_len, event: Some(Event::Begin(begin)) });
        }
        let consumed = header_len + header.payload_len as usize;
        let payload = &mut input[header_len..consumed];
        if header.fin && starts {
            // The common case: no state but the tally is touched.
            if let Some(key) = header.mask {
                mask::apply(key, payload);
            }
            if message.is_plain_text() && simdutf8::basic::from_utf8(payload).is_err() {
                return Err(ProtocolError::InvalidUtf8);
            }
            self.tally.messages += 1;
            let Message { kind, rsv, .. } = message;
            return Ok(Received { consumed, event: Some(Event::Message { kind, rsv, payload }) });
        }
        self.frame = Some(frame);
        let ends = self.take_payload(payload)?;
        Ok(Received { consumed, event: Some(data(message, payload, ends)) })
    }

    /// Judges the mask bit as soon as it is there: the rest of the header may never come.
    fn check_mask(&self, input: &[u8]) -> Result<(), ProtocolError> {
        let [_, second, ..] = input else { return Ok(()) };
        // RFC 6455 §5.1: each side MUST close on a frame that is masked the wrong way.
        match (self.role, second & 0x80 != 0) {
            (Role::Client, true) => Err(ProtocolError::Masked),
            (Role::Server, false) => Err(ProtocolError::Unmasked),
            _ => Ok(()),
        }
    }

    fn control<'b>(
        &mut self,
        opcode: Opcode,
        payload: &'b [u8],
    ) -> Result<Event<'b>, ProtocolError> {
        Ok(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let close = CloseFrame::parse(payload)?;
                self.ended = Some(Ended::Closed);
                Event::Close(close)
            }
        })
    }

    /// The message that a data frame starts or goes on with, its length and count included.
    fn message_of(&self, header: &FrameHeader) -> Result<Message, ProtocolError> {
        let kind = match header.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        let mut message = match (kind, self.message) {
            (Some(_), Some(_)) => return Err(ProtocolError::MessageInterrupted),
            (None, None) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(kind), None) => {
                if !self.negotiated_rsv.contains(header.rsv) && !self.is_left_to_extensions {
                    return Err(ProtocolError::ReservedBits);
                }
                let is_encoded = self.is_left_to_extensions || !header.rsv.is_none();
                Message { kind, rsv: header.rsv, len: 0, fragments: 0, is_encoded }
            }
            (None, Some(message)) if self.is_left_to_extensions => {
                Message { rsv: header.rsv, ..message }
            }
            (None, Some(message)) => {
                // RFC 7692 §6.1: only the first frame of a message has RSV1.
                if !header.rsv.is_none() {
                    return Err(ProtocolError::ReservedBits);
                }
                message
            }
        };
        // Both lengths are below 2^63, so they cannot overflow.
        message.len += header.payload_len;
        message.fragments += 1;
        let exceeded = |size: u64, limit: Option<usize>| {
            let allowance = |limit: usize| if message.is_encoded { expansion(limit) } else { 0 };
            limit.filter(|limit| size > (*limit as u64).saturating_add(allowance(*limit)))
        };
        if let Some(limit) = exceeded(header.payload_len, self.limits.max_fragment) {
            return Err(ProtocolError::FragmentTooBig { size: header.payload_len, limit });
        }
        if let Some(limit) = exceeded(message.len, self.limits.max_message) {
            return Err(ProtocolError::MessageTooBig { size: message.len, limit });
        }
        if message.fragments > self.limits.max_fragments {
            return Err(ProtocolError::TooManyFragments { limit: self.limits.max_fragments });
        }
        Ok(message)
    }

    fn take_payload(&mut self, payload: &mut [u8]) -> Result<Ends, ProtocolError> {
        let len = payload.len() as u64;
        assert!(len <= self.remaining(), "payload beyond the end of its frame");
        let Some(frame) = &mut self.frame else { return Ok(Ends::Nothing) };
        if let Some(key) = frame.mask {
            mask::apply(key, payload);
            frame.mask = Some(key.after(payload.len()));
        }
        frame.remaining -= len;
        let Frame { message, fin, remaining, .. } = *frame;
        let ends = match (remaining, fin) {
            (0, true) => Ends::Message,
            (0, false) => Ends::Frame,
            _ => Ends::Nothing,
        };
        if ends >= Ends::Frame {
            self.frame = None;
        }
        if message.is_plain_text() {
            self.utf8.push(payload)?;
            if ends == Ends::Message {
                self.utf8.finish()?;
            }
        }
        self.tally.messages += u64::from(ends == Ends::Message);
        Ok(ends)
    }
}

fn data(message: Message, payload: &[u8], ends: Ends) -> Event<'_> {
    Event::Data(Data { kind: message.kind, rsv: message.rsv, payload, ends })
}

/// How much longer than the limit an encoded payload may be: what cannot be compressed grows, most of all
/// in small fragments, and other extensions make more of it. What is decoded keeps the limit itself.
fn expansion(limit: usize) -> u64 {
    (limit as u64).saturating_add(64 * 1024)
}

/// The length of the longest message for [`Inbound::receive_whole`]: beyond it the time goes into the payload.
const WHOLE_LEN: usize = u16::MAX as usize;

#[cfg(test)]
mod tests;
