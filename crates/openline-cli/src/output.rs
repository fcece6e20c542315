//! Messages on standard output.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline::{CloseFrame, Closed, Kind, Message};
use serde_json::json;

use crate::failure::Failure;
use crate::line::Ending;

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A line of base64.
    Base64,
    /// Its bytes, and nothing between two of them.
    Bytes,
    /// A line with a JSON object. Sent messages are shown too, and ends.
    Json,
    /// Its bytes as a line.
    Lines,
}

impl Output {
    pub(crate) fn received(self, message: &Message) -> Result<(), Ending> {
        let payload = message.as_bytes();
        match self {
            Output::Base64 => print(&[STANDARD.encode(payload).as_bytes(), b"\n"]),
            Output::Bytes => print(&[payload]),
            Output::Json => print_json("received", message.kind(), payload),
            Output::Lines => print(&[payload, b"\n"]),
        }
    }

    /// A message goes out.
    pub(crate) fn sent(self, kind: Kind, payload: &[u8]) -> Result<(), Ending> {
        match self {
            Output::Json => print_json("sent", kind, payload),
            _ => Ok(()),
        }
    }

    /// A connection has ended.
    pub(crate) fn closed(self, closed: &Closed) -> Result<(), Ending> {
        if self != Output::Json {
            return Ok(());
        }
        let frame = |close: Option<&CloseFrame>| {
            close.map(|close| json!({"code": u16::from(close.code()), "reason": close.reason()}))
        };
        let (sent, received) = (frame(closed.sent()), frame(closed.received()));
        let cause = closed.cause().to_string();
        let line = format!(
            "{{\"time_ns\":{},\"kind\":\"close\",\"sent\":{},\"received\":{},\"cause\":{}}}\n",
            now(),
            json!(sent),
            json!(received),
            json!(cause)
        );
        print(&[line.as_bytes()])
    }
}

/// By hand but for the texts, so that the names stay in this order.
fn print_json(direction: &str, kind: Kind, payload: &[u8]) -> Result<(), Ending> {
    let content = match (kind, std::str::from_utf8(payload)) {
        (Kind::Text, Ok(text)) => format!("\"kind\":\"text\",\"data\":{}", json!(text)),
        _ => format!("\"kind\":\"binary\",\"base64\":\"{}\"", STANDARD.encode(payload)),
    };
    let line = format!("{{\"time_ns\":{},\"direction\":\"{direction}\",{content}}}\n", now());
    print(&[line.as_bytes()])
}

/// Nanoseconds of Unix time.
pub(crate) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// Writes the parts to standard output, with nothing of another thread between them.
pub(crate) fn print(parts: &[&[u8]]) -> Result<(), Ending> {
    let mut output = io::stdout().lock();
    let outcome = parts.iter().try_for_each(|part| output.write_all(part));
    outcome.and_then(|()| output.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ending::BrokenPipe,
        _ => Ending::Failed(Failure::system("write to standard output")(error)),
    })
}

/// Prints a text at the end of a command. That nobody reads it is no failure.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    print(&[text.as_bytes()]).or_else(Ending::into_outcome)
}
