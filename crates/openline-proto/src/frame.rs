//! The header of a WebSocket frame: parsing and encoding (RFC 6455 §5.2).
//!
//! Payloads are not handled here: see [`mask`](crate::mask) for their masking and
//! [`Inbound`](crate::Inbound) for what a stream of frames means.

use crate::error::ProtocolError;
use crate::mask::MaskKey;

/// Which end of the line this is; it decides who masks (RFC 6455 §5.1).
///
/// ```
/// use openline_proto::{Inbound, Limits, ProtocolError, Role};
/// let mut server = Inbound::new(Role::Server, Limits::default());
/// assert_eq!(server.receive(&mut [0x89, 0x00]), Err(ProtocolError::Unmasked));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Masks every frame it sends, accepts only unmasked ones.
    Client,
    /// Masks nothing, accepts only masked frames.
    Server,
}

/// What a frame is for (RFC 6455 §11.8).
///
/// ```
/// use openline_proto::{FrameHeader, Opcode};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let Some((header, _)) = FrameHeader::parse(b"\x89\x00")? else { panic!() };
/// assert_eq!(header.opcode, Opcode::Ping);
/// assert_eq!(Opcode::Ping as u8, 9);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation = 0,
    /// A text message, or its first part.
    Text = 1,
    /// A binary message, or its first part.
    Binary = 2,
    /// The closing handshake.
    Close = 8,
    /// A question for a [`Pong`](Opcode::Pong).
    Ping = 9,
    /// The answer to a [`Ping`](Opcode::Ping), or a one-way heartbeat.
    Pong = 10,
}

impl Opcode {
    /// Whether this is a Close, a Ping or a Pong: short, never fragmented.
    ///
    /// ```
    /// use openline_proto::Opcode;
    /// assert!(Opcode::Ping.is_control());
    /// assert!(!Opcode::Text.is_control());
    /// ```
    pub const fn is_control(self) -> bool {
        self as u8 & 0b1000 != 0
    }

    /// The opcode of this number; `None` for the reserved ones.
    ///
    /// ```
    /// use openline_proto::Opcode;
    /// assert_eq!(Opcode::from_number(9), Some(Opcode::Ping));
    /// assert_eq!(Opcode::from_number(3), None);
    /// ```
    pub const fn from_number(number: u8) -> Option<Opcode> {
        Some(match number {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }
}

/// The three reserved bits of a frame, which extensions give a meaning (RFC 6455 §5.2, §9).
///
/// ```
/// use openline_proto::{FrameHeader, Rsv};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let Some((header, _)) = FrameHeader::parse(b"\xc1\x00")? else { panic!() };
/// assert_eq!(header.rsv, Rsv::RSV1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit set: what every frame has when no extension was negotiated.
    pub const NONE: Rsv = Rsv(0);
    /// RSV1, claimed by permessage-deflate (RFC 7692 §6).
    pub const RSV1: Rsv = Rsv(0b0100_0000);
    /// RSV2.
    pub const RSV2: Rsv = Rsv(0b0010_0000);
    /// RSV3.
    pub const RSV3: Rsv = Rsv(0b0001_0000);

    /// The bits of a frame's first byte.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// assert_eq!(Rsv::from_bits(0xc1), Rsv::RSV1); // FIN, RSV1, Text
    /// ```
    pub const fn from_bits(first_byte: u8) -> Rsv {
        Rsv(first_byte & 0b0111_0000)
    }

    /// The bits where they stand in a frame's first byte.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// assert_eq!(Rsv::RSV1.bits(), 0b0100_0000);
    /// ```
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether no bit is set.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// assert!(Rsv::NONE.is_none());
    /// assert!(!Rsv::RSV1.is_none());
    /// ```
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is set in `self`.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// assert!(Rsv::RSV1.union(Rsv::RSV3).contains(Rsv::RSV3));
    /// ```
    pub const fn contains(self, other: Rsv) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// let both = Rsv::RSV1.union(Rsv::RSV2);
    /// assert!(both.contains(Rsv::RSV1) && both.contains(Rsv::RSV2));
    /// ```
    pub const fn union(self, other: Rsv) -> Rsv {
        Rsv(self.0 | other.0)
    }

    /// The bits of `self` that are not in `other`.
    ///
    /// ```
    /// use openline_proto::Rsv;
    /// assert_eq!(Rsv::RSV1.union(Rsv::RSV2).without(Rsv::RSV1), Rsv::RSV2);
    /// ```
    pub const fn without(self, other: Rsv) -> Rsv {
        Rsv(self.0 & !other.0)
    }
}

/// A frame's header.
///
/// ```
/// use openline_proto::{FrameHeader, MaskKey, Opcode, Rsv};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let header = FrameHeader {
///     fin: true,
///     rsv: Rsv::NONE,
///     opcode: Opcode::Text,
///     mask: Some(MaskKey::new(*b"mask")),
///     payload_len: 5,
/// };
/// assert_eq!(FrameHeader::parse(header.encode().as_ref())?, Some((header, 6)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is for.
    pub opcode: Opcode,
    /// The masking key, on frames that a client sends.
    pub mask: Option<MaskKey>,
    /// Bytes of payload that follow.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The longest header in bytes: 2, an 8-byte length, a 4-byte mask.
    pub const MAX_LEN: usize = 14;

    /// Parses the header at the start of `input`: the header and its length in bytes, or `None`
    /// while more bytes are needed.
    ///
    /// # Errors
    ///
    /// A reserved opcode, a length of 2^63 or more or not in its shortest form, a control frame that
    /// is fragmented or longer than 125 bytes (RFC 6455 §5.2, §5.5). Masks and reserved bits are
    /// judged by [`Inbound`](crate::Inbound), which knows its role and its extensions.
    ///
    /// ```
    /// use openline_proto::{FrameHeader, Opcode};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// assert_eq!(FrameHeader::parse(b"\x81")?, None);
    /// let Some((header, len)) = FrameHeader::parse(b"\x81\x05Hello")? else { panic!() };
    /// assert_eq!((header.opcode, header.fin, header.payload_len, len), (Opcode::Text, true, 5, 2));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn parse(input: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        let opcode = Opcode::from_number(first & 0x0f)
            .ok_or(ProtocolError::ReservedOpcode { opcode: first & 0x0f })?;
        let fin = first & 0x80 != 0;
        let short_len = second & 0x7f;
        if opcode.is_control() {
            // RFC 6455 §5.5: control frames MUST have at most 125 bytes and MUST NOT be fragmented.
            if short_len > 125 {
                return Err(ProtocolError::ControlTooLong);
            }
            if !fin {
                return Err(ProtocolError::ControlFragmented);
            }
        }
        let (payload_len, rest) = match short_len {
            126 => {
                let Some((bytes, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*bytes)), rest)
            }
            127 => {
                let Some((bytes, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                (u64::from_be_bytes(*bytes), rest)
            }
            len => (u64::from(len), rest),
        };
        // RFC 6455 §5.2: the most significant bit MUST be 0, and "the minimal number of bytes MUST
        // be used to encode the length".
        if payload_len > i64::MAX as u64 {
            return Err(ProtocolError::LengthTooLarge);
        }
        if (short_len == 126 && payload_len < 126) || (short_len == 127 && payload_len < 65_536) {
            return Err(ProtocolError::LengthNotMinimal { payload_len });
        }
        let (mask, rest) = if second & 0x80 != 0 {
            let Some((key, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
            (Some(MaskKey::new(*key)), rest)
        } else {
            (None, rest)
        };
        let header = FrameHeader { fin, rsv: Rsv(first & 0x70), opcode, mask, payload_len };
        Ok(Some((header, input.len() - rest.len())))
    }

    /// The header's bytes.
    ///
    /// ```
    /// use openline_proto::{FrameHeader, Opcode, Rsv};
    /// let header = FrameHeader {
    ///     fin: true, rsv: Rsv::NONE, opcode: Opcode::Binary, mask: None, payload_len: 256,
    /// };
    /// assert_eq!(header.encode().as_ref(), b"\x82\x7e\x01\x00");
    /// ```
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let mut bytes = [0; FrameHeader::MAX_LEN];
        bytes[0] = u8::from(self.fin) << 7 | self.rsv.0 | self.opcode as u8;
        let mut len = match self.payload_len {
            short @ 0..=125 => {
                bytes[1] = short as u8;
                2
            }
            medium @ 126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(medium as u16).to_be_bytes());
                4
            }
            long => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&long.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[1] |= 0x80;
            bytes[len..len + 4].copy_from_slice(&key.bytes());
            len += 4;
        }
        EncodedHeader { bytes, len }
    }
}

/// A [`FrameHeader`] as bytes, on the stack.
///
/// ```
/// use openline_proto::FrameHeader;
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let Some((header, _)) = FrameHeader::parse(b"\x81\x05")? else { panic!() };
/// assert_eq!(header.encode().as_ref(), b"\x81\x05");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; FrameHeader::MAX_LEN],
    len: usize,
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>, payload_len: u64) -> FrameHeader {
        FrameHeader { fin, rsv: Rsv::NONE, opcode, mask: mask.map(MaskKey::new), payload_len }
    }

    #[test]
    fn section_5_7_examples_parse_and_encode() {
        let table: &[(&[u8], FrameHeader)] = &[
            (b"\x81\x05", header(true, Opcode::Text, None, 5)),
            (
                b"\x81\x85\x37\xfa\x21\x3d",
                header(true, Opcode::Text, Some([0x37, 0xfa, 0x21, 0x3d]), 5),
            ),
            (b"\x01\x03", header(false, Opcode::Text, None, 3)),
            (b"\x80\x02", header(true, Opcode::Continuation, None, 2)),
            (b"\x89\x05", header(true, Opcode::Ping, None, 5)),
            (b"\x82\x7e\x01\x00", header(true, Opcode::Binary, None, 256)),
            (b"\x82\x7f\0\0\0\0\0\x01\0\0", header(true, Opcode::Binary, None, 65_536)),
        ];
        for (bytes, expected) in table {
            assert_eq!(FrameHeader::parse(bytes), Ok(Some((*expected, bytes.len()))));
            assert_eq!(expected.encode().as_ref(), *bytes);
        }
    }

    #[test]
    fn every_length_round_trips_and_every_prefix_is_incomplete() {
        for payload_len in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 1 << 40, (1 << 63) - 1] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = header(true, Opcode::Binary, mask, payload_len);
                let encoded = header.encode();
                let bytes = encoded.as_ref();
                for end in 0..bytes.len() {
                    assert_eq!(FrameHeader::parse(&bytes[..end]), Ok(None));
                }
                assert_eq!(FrameHeader::parse(bytes), Ok(Some((header, bytes.len()))));
            }
        }
    }

    #[test]
    fn section_5_2_and_5_5_violations_are_refused() {
        let table: &[(&[u8], ProtocolError)] = &[
            (b"\x83\x00", ProtocolError::ReservedOpcode { opcode: 3 }),
            (b"\x8b\x00", ProtocolError::ReservedOpcode { opcode: 11 }),
            (b"\x8f\x00", ProtocolError::ReservedOpcode { opcode: 15 }),
            (b"\x09\x00", ProtocolError::ControlFragmented),
            (b"\x89\x7e", ProtocolError::ControlTooLong),
            (b"\x88\x7f", ProtocolError::ControlTooLong),
            (b"\x82\x7e\x00\x7d", ProtocolError::LengthNotMinimal { payload_len: 125 }),
            (
                b"\x82\x7f\0\0\0\0\0\0\xff\xff",
                ProtocolError::LengthNotMinimal { payload_len: 65_535 },
            ),
            (b"\x82\x7f\x80\0\0\0\0\0\0\0", ProtocolError::LengthTooLarge),
            (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", ProtocolError::LengthTooLarge),
        ];
        for (bytes, expected) in table {
            assert_eq!(FrameHeader::parse(bytes).unwrap_err(), *expected, "{bytes:02x?}");
        }
    }
}
