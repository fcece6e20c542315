//! Closing a connection: codes and reasons (RFC 6455 §5.5.1, §7.4) and the closing handshake as a
//! state machine (§7.1).
//!
//! ```text
//!          send / receive            both Close frames, then EOF
//!  Open ───────────────────▶ Closing ───────────────────────────▶ Closed
//!    └──────────────────────── the line is lost ────────────────────▲
//! ```

use std::fmt;

use crate::error::ProtocolError;

/// Why a connection is closed (RFC 6455 §7.4.1).
///
/// ```
/// use openline_proto::CloseCode;
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// assert_eq!(u16::from(CloseCode::GOING_AWAY), 1001);
/// assert_eq!(CloseCode::on_wire(1001)?, CloseCode::GOING_AWAY);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose has been fulfilled.
    pub const NORMAL_CLOSURE: CloseCode = CloseCode(1000);
    /// 1001: a server goes down, a page was left.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// 1005: the Close frame had no code. Never on the wire.
    pub const NO_STATUS_RCVD: CloseCode = CloseCode(1005);
    /// 1006: there was no Close frame. Never on the wire.
    pub const ABNORMAL_CLOSURE: CloseCode = CloseCode(1006);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_DATA: CloseCode = CloseCode(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: CloseCode = CloseCode(1008);
    /// 1009: a message was too big.
    pub const MESSAGE_TOO_BIG: CloseCode = CloseCode(1009);
    /// 1010: the client wanted an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: CloseCode = CloseCode(1010);
    /// 1011: the endpoint met an unexpected condition.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// 1013: the server is overloaded.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// 1014: a gateway got an invalid answer.
    pub const BAD_GATEWAY: CloseCode = CloseCode(1014);
    /// 1015: TLS failed. Never on the wire.
    pub const TLS_HANDSHAKE: CloseCode = CloseCode(1015);

    /// The code that may stand in a Close frame, or an error.
    ///
    /// # Errors
    ///
    /// Codes that RFC 6455 §7.4 keeps off the wire: below 1000, 1004–1006, 1015–2999, 5000 and above.
    ///
    /// ```
    /// use openline_proto::CloseCode;
    /// assert!(CloseCode::on_wire(1000).is_ok());
    /// assert!(CloseCode::on_wire(4401).is_ok());
    /// assert!(CloseCode::on_wire(1006).is_err());
    /// ```
    pub const fn on_wire(code: u16) -> Result<CloseCode, ProtocolError> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(CloseCode(code)),
            _ => Err(ProtocolError::InvalidCloseCode { code }),
        }
    }

    /// Whether the connection ended as it should: 1000, 1001 or no code at all.
    ///
    /// ```
    /// use openline_proto::CloseCode;
    /// assert!(CloseCode::NO_STATUS_RCVD.is_ok());
    /// assert!(!CloseCode::PROTOCOL_ERROR.is_ok());
    /// ```
    pub const fn is_ok(self) -> bool {
        matches!(
            self,
            CloseCode::NORMAL_CLOSURE | CloseCode::GOING_AWAY | CloseCode::NO_STATUS_RCVD
        )
    }

    /// What the code means, in the words of the registry.
    fn meaning(self) -> &'static str {
        match self.0 {
            1000 => "OK",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received [internal]",
            1006 => "abnormal closure [internal]",
            1007 => "invalid frame payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failure [internal]",
            3000..=3999 => "registered",
            4000..=4999 => "private use",
            _ => "unknown",
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The content of a Close frame. Once you hold one, its code and length are legal.
///
/// ```
/// use openline_proto::{CloseCode, CloseFrame};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let close = CloseFrame::new(1001, "see you")?;
/// assert_eq!(close.encode(), b"\x03\xe9see you");
/// assert_eq!(close.to_string(), "1001 (going away) see you");
/// assert_eq!(CloseFrame::parse(b"")?.code(), CloseCode::NO_STATUS_RCVD);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: String,
}

impl CloseFrame {
    /// The longest reason in bytes of UTF-8: a control frame has at most 125, two are the code.
    pub const MAX_REASON_LEN: usize = 123;

    /// A Close frame with this code and reason.
    ///
    /// # Errors
    ///
    /// A code that may not be sent (see [`CloseCode::on_wire`]), a reason over 123 bytes. The
    /// caller's fault.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ProtocolError};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let close = CloseFrame::new(4401, "log in first")?;
    /// assert_eq!(close.to_string(), "4401 (private use) log in first");
    /// assert_eq!(CloseFrame::new(1006, ""), Err(ProtocolError::InvalidCloseCode { code: 1006 }));
    /// # Ok(()) }
    /// ```
    pub fn new(code: u16, reason: impl Into<String>) -> Result<CloseFrame, ProtocolError> {
        let reason = reason.into();
        if reason.len() > CloseFrame::MAX_REASON_LEN {
            return Err(ProtocolError::CloseReasonTooLong { len: reason.len() });
        }
        Ok(CloseFrame { code: CloseCode::on_wire(code)?, reason })
    }

    /// A Close frame without code and reason.
    ///
    /// ```
    /// use openline_proto::{CloseCode, CloseFrame};
    /// assert_eq!(CloseFrame::without_code().code(), CloseCode::NO_STATUS_RCVD);
    /// assert!(CloseFrame::without_code().encode().is_empty());
    /// ```
    pub fn without_code() -> CloseFrame {
        CloseFrame { code: CloseCode::NO_STATUS_RCVD, reason: String::new() }
    }

    /// The Close frame for a fault of the peer or of ours; a reason that is too long is cut.
    ///
    /// # Panics
    ///
    /// If the code may not be sent: take one of the constants that may.
    ///
    /// ```
    /// use openline_proto::{CloseCode, CloseFrame};
    /// let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, &"é".repeat(100));
    /// assert_eq!(close.reason(), "é".repeat(61)); // 122 bytes: no character is cut in two
    /// ```
    pub fn for_fault(code: CloseCode, reason: &str) -> CloseFrame {
        assert!(CloseCode::on_wire(code.0).is_ok(), "close code {code} may not be sent");
        let mut end = reason.len().min(CloseFrame::MAX_REASON_LEN);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        CloseFrame { code, reason: reason[..end].to_owned() }
    }

    /// Parses the payload of a Close frame.
    ///
    /// # Errors
    ///
    /// One byte, an illegal code, a reason that is not UTF-8 (RFC 6455 §5.5.1). The peer's fault.
    ///
    /// ```
    /// use openline_proto::{CloseCode, CloseFrame, ProtocolError};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let close = CloseFrame::parse(b"\x03\xe8bye")?;
    /// assert_eq!((close.code(), close.reason()), (CloseCode::NORMAL_CLOSURE, "bye"));
    /// assert_eq!(CloseFrame::parse(b"\x03"), Err(ProtocolError::CloseTooShort));
    /// # Ok(()) }
    /// ```
    pub fn parse(payload: &[u8]) -> Result<CloseFrame, ProtocolError> {
        match payload {
            [] => Ok(CloseFrame::without_code()),
            [_] => Err(ProtocolError::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = CloseCode::on_wire(u16::from_be_bytes([*high, *low]))?;
                let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
                Ok(CloseFrame { code, reason: reason.to_owned() })
            }
        }
    }

    /// The payload of the frame.
    ///
    /// ```
    /// use openline_proto::CloseFrame;
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// assert_eq!(CloseFrame::new(1000, "bye")?.encode(), b"\x03\xe8bye");
    /// # Ok(()) }
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        if self.code == CloseCode::NO_STATUS_RCVD {
            return Vec::new();
        }
        let mut payload = u16::from(self.code).to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }

    /// The code; [`CloseCode::NO_STATUS_RCVD`] if the frame had none.
    ///
    /// ```
    /// use openline_proto::{CloseCode, CloseFrame};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// assert_eq!(CloseFrame::parse(b"\x03\xe9")?.code(), CloseCode::GOING_AWAY);
    /// # Ok(()) }
    /// ```
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, often empty.
    ///
    /// ```
    /// use openline_proto::CloseFrame;
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// assert_eq!(CloseFrame::new(1000, "bye")?.reason(), "bye");
    /// assert_eq!(CloseFrame::without_code().reason(), "");
    /// # Ok(()) }
    /// ```
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, self.code.meaning())?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        Ok(())
    }
}

/// Where a connection is on its way to the end (RFC 6455 §7.1).
///
/// ```
/// use openline_proto::{ClosingHandshake, State};
/// assert_eq!(ClosingHandshake::default().state(), State::Open);
/// assert!(State::Open < State::Closing && State::Closing < State::Closed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Messages may be sent and received.
    Open,
    /// A Close frame was sent or received, and the transport is not yet over.
    Closing,
    /// Over.
    Closed,
}

/// The closing handshake of one connection: who sent what first, and what is still due.
///
/// ```
/// use openline_proto::{CloseFrame, ClosingHandshake, State};
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut closing = ClosingHandshake::default();
/// let bye = CloseFrame::new(1000, "")?;
/// assert_eq!(closing.receive(bye.clone()), Some(bye)); // the peer's code is sent back
/// assert_eq!(closing.state(), State::Closing);
/// closing.end();
/// assert_eq!(closing.state(), State::Closed);
/// assert_eq!(closing.to_string(), "received 1000 (OK); then sent 1000 (OK)");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClosingHandshake {
    received: Option<CloseFrame>,
    sent: Option<CloseFrame>,
    /// Invariant: `Some` exactly when both frames are.
    received_first: Option<bool>,
    ended: bool,
}

impl ClosingHandshake {
    /// We want to close. Returns the frame to send, or `None` if one went out before.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut closing = ClosingHandshake::default();
    /// let bye = CloseFrame::new(1000, "bye")?;
    /// assert_eq!(closing.send(bye.clone()), Some(bye.clone()));
    /// assert_eq!(closing.send(bye), None);
    /// # Ok(()) }
    /// ```
    pub fn send(&mut self, close: CloseFrame) -> Option<CloseFrame> {
        if self.sent.is_some() || self.ended {
            return None;
        }
        if self.received.is_some() {
            self.received_first = Some(true);
        }
        self.sent = Some(close.clone());
        Some(close)
    }

    /// The peer closes. Returns the answer to send, or `None` if ours went out before.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut closing = ClosingHandshake::default();
    /// closing.send(CloseFrame::new(1000, "")?);
    /// assert_eq!(closing.receive(CloseFrame::new(1000, "")?), None); // no answer is due
    /// assert_eq!(closing.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    /// # Ok(()) }
    /// ```
    pub fn receive(&mut self, close: CloseFrame) -> Option<CloseFrame> {
        if self.received.is_some() || self.ended {
            return None;
        }
        if self.sent.is_some() {
            self.received_first = Some(false);
        }
        self.received = Some(close.clone());
        // RFC 6455 §5.5.1: "it typically echos the status code it received".
        self.send(close)
    }

    /// The transport is over, in whatever way.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake, State};
    /// let mut closing = ClosingHandshake::default();
    /// closing.end();
    /// assert_eq!(closing.state(), State::Closed);
    /// assert_eq!(closing.send(CloseFrame::without_code()), None); // too late
    /// ```
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The state of the connection.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake, State};
    /// let mut closing = ClosingHandshake::default();
    /// closing.send(CloseFrame::without_code());
    /// assert_eq!(closing.state(), State::Closing);
    /// ```
    pub fn state(&self) -> State {
        match (self.ended, self.received.is_some() || self.sent.is_some()) {
            (true, _) => State::Closed,
            (false, true) => State::Closing,
            (false, false) => State::Open,
        }
    }

    /// Whether both Close frames have been seen.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// let mut closing = ClosingHandshake::default();
    /// closing.send(CloseFrame::without_code());
    /// assert!(!closing.is_complete());
    /// closing.receive(CloseFrame::without_code());
    /// assert!(closing.is_complete());
    /// ```
    pub fn is_complete(&self) -> bool {
        self.received_first.is_some()
    }

    /// The Close frame that came.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut closing = ClosingHandshake::default();
    /// closing.receive(CloseFrame::new(1001, "")?);
    /// assert_eq!(closing.received(), Some(&CloseFrame::new(1001, "")?));
    /// # Ok(()) }
    /// ```
    pub fn received(&self) -> Option<&CloseFrame> {
        self.received.as_ref()
    }

    /// The Close frame that went out.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut closing = ClosingHandshake::default();
    /// assert_eq!(closing.sent(), None);
    /// closing.receive(CloseFrame::new(1001, "")?);
    /// assert_eq!(closing.sent(), closing.received()); // the answer
    /// # Ok(()) }
    /// ```
    pub fn sent(&self) -> Option<&CloseFrame> {
        self.sent.as_ref()
    }

    /// Whether the peer's frame came before ours went out; `None` unless there are both.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// let mut closing = ClosingHandshake::default();
    /// closing.send(CloseFrame::without_code());
    /// assert_eq!(closing.received_first(), None);
    /// closing.receive(CloseFrame::without_code());
    /// assert_eq!(closing.received_first(), Some(false));
    /// ```
    pub fn received_first(&self) -> Option<bool> {
        self.received_first
    }

    /// Whether both sides closed with 1000, 1001 or no code.
    ///
    /// ```
    /// use openline_proto::{CloseFrame, ClosingHandshake};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut closing = ClosingHandshake::default();
    /// closing.receive(CloseFrame::new(1000, "")?);
    /// assert!(closing.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn is_ok(&self) -> bool {
        let ok = |close: &Option<CloseFrame>| close.as_ref().is_some_and(|c| c.code().is_ok());
        ok(&self.received) && ok(&self.sent)
    }
}

impl fmt::Display for ClosingHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.received, &self.sent) {
            (None, None) => f.write_str("no close frame received or sent"),
            (None, Some(sent)) => write!(f, "sent {sent}; no close frame received"),
            (Some(received), None) => write!(f, "received {received}; no close frame sent"),
            (Some(received), Some(sent)) if self.received_first == Some(true) => {
                write!(f, "received {received}; then sent {sent}")
            }
            (Some(received), Some(sent)) => write!(f, "sent {sent}; then received {received}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(code: u16) -> CloseFrame {
        CloseFrame::new(code, "").unwrap()
    }

    #[test]
    fn section_7_4_codes_allowed_on_the_wire() {
        for code in 0..=u16::MAX {
            let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            assert_eq!(CloseFrame::new(code, "").is_ok(), legal, "{code}");
            assert_eq!(CloseFrame::parse(&code.to_be_bytes()).is_ok(), legal, "{code}");
        }
    }

    #[test]
    fn section_5_5_1_payloads() {
        assert_eq!(CloseFrame::parse(b"\x03"), Err(ProtocolError::CloseTooShort));
        assert_eq!(CloseFrame::parse(b"\x03\xe8\xff"), Err(ProtocolError::InvalidUtf8));
        let long = "x".repeat(123);
        assert_eq!(CloseFrame::new(1000, long.clone()).unwrap().encode().len(), 125);
        assert!(CloseFrame::new(1000, long + "x").is_err());
        assert_eq!(
            CloseFrame::for_fault(CloseCode::PROTOCOL_ERROR, &"é".repeat(90)).reason().len(),
            122
        );
    }

    #[test]
    fn every_order_of_the_closing_handshake() {
        #[derive(Clone, Copy, Debug)]
        enum Step {
            Send,
            Receive,
            End,
        }
        use Step::*;
        let table: [(&[Step], State, &str, bool); 8] = [
            (&[], State::Open, "no close frame received or sent", false),
            (&[End], State::Closed, "no close frame received or sent", false),
            (&[Send], State::Closing, "sent 1000 (OK); no close frame received", false),
            (&[Send, End], State::Closed, "sent 1000 (OK); no close frame received", false),
            (
                &[Receive],
                State::Closing,
                "received 1001 (going away); then sent 1001 (going away)",
                true,
            ),
            (
                &[Send, Receive],
                State::Closing,
                "sent 1000 (OK); then received 1001 (going away)",
                true,
            ),
            (
                &[Send, Receive, End],
                State::Closed,
                "sent 1000 (OK); then received 1001 (going away)",
                true,
            ),
            (&[End, Send, Receive], State::Closed, "no close frame received or sent", false),
        ];
        for (steps, state, text, ok) in table {
            let mut closing = ClosingHandshake::default();
            for step in steps {
                match step {
                    Send => drop(closing.send(close(1000))),
                    Receive => drop(closing.receive(close(1001))),
                    End => closing.end(),
                }
            }
            assert_eq!(closing.state(), state, "{steps:?}");
            assert_eq!(closing.to_string(), text, "{steps:?}");
            assert_eq!(closing.is_ok(), ok, "{steps:?}");
        }
    }

    #[test]
    fn only_one_close_frame_goes_out() {
        let mut closing = ClosingHandshake::default();
        assert!(closing.send(close(1000)).is_some());
        assert!(closing.send(close(1001)).is_none());
        assert!(closing.receive(close(1000)).is_none());
        assert!(closing.receive(close(1002)).is_none());
        assert_eq!(closing.received(), Some(&close(1000)));
    }
}
