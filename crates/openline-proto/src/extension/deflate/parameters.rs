//! The parameters of permessage-deflate as they stand in a header (RFC 7692 §7.1).

use super::super::Parameter;
use crate::handshake::HandshakeError;

/// The four parameters of an offer or an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<u8>,
    pub(super) client_max_window_bits: Option<WindowBits>,
}

/// The value of `client_max_window_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowBits {
    /// None, which is for offers only: the client lets the server choose.
    Supported,
    AtMost(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Offer,
    Answer,
}

impl Parameters {
    /// Those of a client's offer.
    pub(super) fn of_offer(params: &[Parameter]) -> Result<Parameters, HandshakeError> {
        Parameters::parse(params, Side::Offer)
    }

    /// Those of a server's answer.
    pub(super) fn of_answer(params: &[Parameter]) -> Result<Parameters, HandshakeError> {
        Parameters::parse(params, Side::Answer)
    }

    /// The client's window, in an answer.
    pub(super) fn client_window(&self) -> Option<u8> {
        match self.client_max_window_bits {
            Some(WindowBits::AtMost(bits)) => Some(bits),
            _ => None,
        }
    }

    pub(super) fn to_list(&self) -> Vec<Parameter> {
        let mut list = Vec::new();
        let mut push = |name: &str, value: Option<u8>| {
            list.push((name.to_owned(), value.map(|bits| bits.to_string())));
        };
        if self.server_no_context_takeover {
            push(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            push(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if self.server_max_window_bits.is_some() {
            push(SERVER_MAX_WINDOW_BITS, self.server_max_window_bits);
        }
        if self.client_max_window_bits.is_some() {
            push(CLIENT_MAX_WINDOW_BITS, self.client_window());
        }
        list
    }

    /// RFC 7692 §7.1: unknown parameters, invalid values and names that repeat make the offer one to
    /// be declined, and the answer one to fail the connection for.
    fn parse(params: &[Parameter], side: Side) -> Result<Parameters, HandshakeError> {
        let mut parsed = Parameters::default();
        for (position, (name, value)) in params.iter().enumerate() {
            if params[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(HandshakeError::DuplicateParameter(name.clone()));
            }
            let bits = || window_bits(name, value.as_deref());
            match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    no_value(name, value.as_deref())?;
                    parsed.server_no_context_takeover = true;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    no_value(name, value.as_deref())?;
                    parsed.client_no_context_takeover = true;
                }
                SERVER_MAX_WINDOW_BITS => parsed.server_max_window_bits = Some(bits()?),
                CLIENT_MAX_WINDOW_BITS => {
                    parsed.client_max_window_bits = Some(match value {
                        None if side == Side::Offer => WindowBits::Supported,
                        _ => WindowBits::AtMost(bits()?),
                    });
                }
                _ => return Err(HandshakeError::InvalidParameterName(name.clone())),
            }
        }
        Ok(parsed)
    }
}

fn no_value(name: &str, value: Option<&str>) -> Result<(), HandshakeError> {
    if value.is_none() { Ok(()) } else { Err(invalid(name, value)) }
}

/// RFC 7692 §7.1.2.1: a decimal integer without leading zeroes, 8 to 15.
fn window_bits(name: &str, value: Option<&str>) -> Result<u8, HandshakeError> {
    match value {
        Some("8") => Ok(8),
        Some("9") => Ok(9),
        Some("10") => Ok(10),
        Some("11") => Ok(11),
        Some("12") => Ok(12),
        Some("13") => Ok(13),
        Some("14") => Ok(14),
        Some("15") => Ok(15),
        value => Err(invalid(name, value)),
    }
}

fn invalid(name: &str, value: Option<&str>) -> HandshakeError {
    HandshakeError::InvalidParameterValue { name: name.to_owned(), value: value.map(str::to_owned) }
}

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
