//! The sending direction of a connection: which frame may go out next (RFC 6455 §5.4, §5.5), and
//! its bytes.
//!
//! An owner who wants to mask in pieces, or to write header and payload apart, takes the
//! [`FrameHeader`] and does the rest with [`mask`]; the `encode_*` methods do it all.

use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Opcode, Role, Rsv};
use crate::mask::{self, MaskKey};
use crate::message::Kind;

/// The sending half of the protocol. Mask keys come from the caller: unpredictable ones for a
/// client (RFC 6455 §10.3); a server does not use them.
///
/// ```
/// use openline_proto::{Kind, MaskKey, Outbound, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut outbound = Outbound::new(Role::Client);
/// let mut out = Vec::new();
/// let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
/// outbound.encode_message(Kind::Text, b"Hello", key, &mut out);
/// assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // RFC 6455 §5.7
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Outbound {
    role: Role,
    /// Whether a fragmented message has begun and not ended.
    in_message: bool,
}

/// Which part of a message a frame is.
///
/// ```
/// use openline_proto::{Kind, MaskKey, Outbound, Part, Role};
/// let mut outbound = Outbound::new(Role::Server);
/// let key = MaskKey::new([0; 4]);
/// assert!(outbound.data_header(Kind::Text, Part::Whole, 5, key).fin);
/// assert!(!outbound.data_header(Kind::Text, Part::Fragment, 5, key).fin);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// A fragment after which others come.
    Fragment,
    /// The last fragment.
    Last,
}

impl Outbound {
    /// The sending half of a connection that has just been opened.
    ///
    /// ```
    /// use openline_proto::{Outbound, Role};
    /// assert!(!Outbound::new(Role::Client).is_in_message());
    /// ```
    pub fn new(role: Role) -> Outbound {
        Outbound { role, in_message: false }
    }

    /// Whether a fragmented message has begun: only its fragments and control frames may follow.
    ///
    /// ```
    /// use openline_proto::{Kind, MaskKey, Outbound, Part, Role};
    /// let mut outbound = Outbound::new(Role::Server);
    /// outbound.data_header(Kind::Text, Part::Fragment, 3, MaskKey::new([0; 4]));
    /// assert!(outbound.is_in_message());
    /// outbound.data_header(Kind::Text, Part::Last, 2, MaskKey::new([0; 4]));
    /// assert!(!outbound.is_in_message());
    /// ```
    pub fn is_in_message(&self) -> bool {
        self.in_message
    }

    /// The header of a data frame. `kind` matters on the first frame of a message.
    ///
    /// # Panics
    ///
    /// If a whole message is to be sent within a fragmented one; see
    /// [`is_in_message`](Outbound::is_in_message).
    ///
    /// ```
    /// use openline_proto::{Kind, MaskKey, Outbound, Part, Role};
    /// let mut outbound = Outbound::new(Role::Client);
    /// let header = outbound.data_header(Kind::Text, Part::Whole, 5, MaskKey::new(*b"abcd"));
    /// assert_eq!(header.encode().as_ref(), b"\x81\x85abcd");
    /// ```
    pub fn data_header(&mut self, kind: Kind, part: Part, len: usize, key: MaskKey) -> FrameHeader {
        let opcode = if self.in_message { Opcode::Continuation } else { kind.opcode() };
        assert!(
            !(part == Part::Whole && self.in_message),
            "a whole message within a fragmented one"
        );
        self.in_message = part == Part::Fragment;
        self.header(opcode, part != Part::Fragment, len, key)
    }

    /// The header of a control frame.
    ///
    /// # Errors
    ///
    /// A payload over 125 bytes.
    ///
    /// # Panics
    ///
    /// If `opcode` is not that of a control frame.
    ///
    /// ```
    /// use openline_proto::{MaskKey, Opcode, Outbound, ProtocolError, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let (outbound, key) = (Outbound::new(Role::Server), MaskKey::new([0; 4]));
    /// assert_eq!(outbound.control_header(Opcode::Pong, 5, key)?.encode().as_ref(), b"\x8a\x05");
    /// let too_long = outbound.control_header(Opcode::Pong, 126, key);
    /// assert_eq!(too_long, Err(ProtocolError::ControlTooLong));
    /// # Ok(()) }
    /// ```
    pub fn control_header(
        &self,
        opcode: Opcode,
        len: usize,
        key: MaskKey,
    ) -> Result<FrameHeader, ProtocolError> {
        assert!(opcode.is_control(), "{opcode:?} is not a control frame");
        if len > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        Ok(self.header(opcode, true, len, key))
    }

    /// Appends a whole message in one frame.
    ///
    /// # Panics
    ///
    /// As [`data_header`](Outbound::data_header).
    ///
    /// ```
    /// use openline_proto::{Kind, MaskKey, Outbound, Role};
    /// let mut out = Vec::new();
    /// let key = MaskKey::new([0; 4]);
    /// Outbound::new(Role::Server).encode_message(Kind::Text, b"Hi", key, &mut out);
    /// assert_eq!(out, b"\x81\x02Hi");
    /// ```
    pub fn encode_message(&mut self, kind: Kind, payload: &[u8], key: MaskKey, out: &mut Vec<u8>) {
        let header = self.data_header(kind, Part::Whole, payload.len(), key);
        encode(&header, payload, out);
    }

    /// Appends a fragment of a message.
    ///
    /// # Panics
    ///
    /// As [`data_header`](Outbound::data_header).
    ///
    /// ```
    /// use openline_proto::{Kind, MaskKey, Outbound, Part, Role};
    /// let mut outbound = Outbound::new(Role::Server);
    /// let (mut out, key) = (Vec::new(), MaskKey::new([0; 4]));
    /// outbound.encode_fragment(Kind::Text, Part::Fragment, b"Hel", key, &mut out);
    /// outbound.encode_fragment(Kind::Text, Part::Last, b"lo", key, &mut out);
    /// assert_eq!(out, b"\x01\x03Hel\x80\x02lo"); // RFC 6455 §5.7
    /// ```
    pub fn encode_fragment(
        &mut self,
        kind: Kind,
        part: Part,
        payload: &[u8],
        key: MaskKey,
        out: &mut Vec<u8>,
    ) {
        let header = self.data_header(kind, part, payload.len(), key);
        encode(&header, payload, out);
    }

    /// Appends a Close, Ping or Pong frame.
    ///
    /// # Errors
    ///
    /// A payload over 125 bytes; nothing is appended.
    ///
    /// # Panics
    ///
    /// If `opcode` is not that of a control frame.
    ///
    /// ```
    /// use openline_proto::{MaskKey, Opcode, Outbound, Role};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut out = Vec::new();
    /// let outbound = Outbound::new(Role::Server);
    /// outbound.encode_control(Opcode::Ping, b"Hello", MaskKey::new([0; 4]), &mut out)?;
    /// assert_eq!(out, b"\x89\x05Hello");
    /// # Ok(()) }
    /// ```
    pub fn encode_control(
        &self,
        opcode: Opcode,
        payload: &[u8],
        key: MaskKey,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        let header = self.control_header(opcode, payload.len(), key)?;
        encode(&header, payload, out);
        Ok(())
    }

    fn header(&self, opcode: Opcode, fin: bool, len: usize, key: MaskKey) -> FrameHeader {
        let mask = (self.role == Role::Client).then_some(key);
        FrameHeader { fin, rsv: Rsv::NONE, opcode, mask, payload_len: len as u64 }
    }
}

fn encode(header: &FrameHeader, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(header.encode().as_ref());
    match header.mask {
        None => out.extend_from_slice(payload),
        Some(key) => {
            let start = out.len();
            out.resize(start + payload.len(), 0);
            mask::copy(key, payload, &mut out[start..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Seen, run};

    const KEY: MaskKey = MaskKey::new([9, 8, 7, 6]);

    #[test]
    fn what_goes_out_comes_in_at_the_other_end() {
        for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            for len in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
                let payload = vec![b'x'; len];
                let mut outbound = Outbound::new(role);
                let mut out = Vec::new();
                outbound.encode_message(Kind::Text, &payload, KEY, &mut out);
                outbound.encode_fragment(Kind::Binary, Part::Fragment, &payload, KEY, &mut out);
                outbound.encode_control(Opcode::Ping, b"p", KEY, &mut out).unwrap();
                outbound.encode_fragment(Kind::Binary, Part::Fragment, b"", KEY, &mut out);
                outbound.encode_fragment(Kind::Binary, Part::Last, b"end", KEY, &mut out);
                let expected = vec![
                    Seen::Message(Kind::Text, payload.clone()),
                    Seen::Ping(b"p".to_vec()),
                    Seen::Message(Kind::Binary, [&payload[..], b"end"].concat()),
                ];
                assert_eq!(run(peer, &[&out]), (expected, None), "{role:?} {len}");
            }
        }
    }

    #[test]
    fn section_5_5_long_control_frames_are_not_sent() {
        let outbound = Outbound::new(Role::Client);
        let mut out = Vec::new();
        let outcome = outbound.encode_control(Opcode::Ping, &[0; 126], KEY, &mut out);
        assert_eq!(outcome, Err(ProtocolError::ControlTooLong));
        assert!(out.is_empty());
    }
}
