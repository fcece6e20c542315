//! What went one way over a connection, counted: for reports, not for the protocol.

use crate::frame::{FrameHeader, Opcode, Rsv};

/// The frames and messages that went one way.
///
/// ```
/// use openline_proto::{Inbound, Limits, Opcode, Role};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut inbound = Inbound::new(Role::Client, Limits::default());
/// inbound.receive(&mut b"\x81\x05Hello".to_vec())?;
/// let tally = inbound.tally();
/// assert_eq!((tally.frames, tally.messages), (1, 1));
/// assert!(tally.last_frame.is_some_and(|frame| frame.opcode == Opcode::Text));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames, each from its header on.
    pub frames: u64,
    /// Whole messages.
    pub messages: u64,
    /// The latest frame.
    pub last_frame: Option<FrameSummary>,
}

impl Tally {
    /// Counts a frame.
    ///
    /// ```
    /// use openline_proto::{FrameHeader, Tally};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut tally = Tally::default();
    /// if let Some((header, _)) = FrameHeader::parse(b"\x89\x02")? {
    ///     tally.frame(&header);
    /// }
    /// assert_eq!((tally.frames, tally.messages), (1, 0)); // a Ping is no message
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn frame(&mut self, header: &FrameHeader) {
        self.frames += 1;
        let FrameHeader { opcode, fin, rsv, payload_len, .. } = *header;
        self.last_frame = Some(FrameSummary { opcode, fin, rsv, payload_len });
    }
}

/// What the header of a frame tells of it, without the mask.
///
/// ```
/// use openline_proto::{FrameSummary, Opcode, Rsv};
/// let ping = FrameSummary { opcode: Opcode::Ping, fin: true, rsv: Rsv::NONE, payload_len: 4 };
/// assert_eq!(ping.to_string(), "PING [4 bytes]");
/// let start = FrameSummary { opcode: Opcode::Text, fin: false, rsv: Rsv::RSV1, payload_len: 1 };
/// assert_eq!(start.to_string(), "TEXT, not the last fragment, RSV1 [1 byte]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameSummary {
    /// What it is for.
    pub opcode: Opcode,
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// The length of its payload.
    pub payload_len: u64,
}

impl std::fmt::Display for FrameSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.opcode {
            Opcode::Continuation => "CONT",
            Opcode::Text => "TEXT",
            Opcode::Binary => "BINARY",
            Opcode::Close => "CLOSE",
            Opcode::Ping => "PING",
            Opcode::Pong => "PONG",
        })?;
        if !self.fin {
            f.write_str(", not the last fragment")?;
        }
        for (bit, name) in [(Rsv::RSV1, "RSV1"), (Rsv::RSV2, "RSV2"), (Rsv::RSV3, "RSV3")] {
            if self.rsv.contains(bit) {
                write!(f, ", {name}")?;
            }
        }
        let plural = if self.payload_len == 1 { "" } else { "s" };
        write!(f, " [{} byte{plural}]", self.payload_len)
    }
}
