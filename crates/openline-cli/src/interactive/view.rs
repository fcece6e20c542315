//! Messages as they are shown to somebody. What a peer sends is never written to a terminal as it is.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openline::{Closed, Kind, Message};

use super::json;
use super::width::{Lines, harmless};

#[derive(Debug)]
pub(super) struct View {
    is_coloured: bool,
    has_times: AtomicBool,
    kept: Mutex<Kept>,
}

/// Messages that were cut, by their numbers: the last few, since they may be large.
#[derive(Debug, Default)]
struct Kept {
    count: u64,
    messages: VecDeque<(u64, Message)>,
}

impl View {
    pub(super) fn new(is_coloured: bool) -> View {
        View { is_coloured, has_times: AtomicBool::new(false), kept: Mutex::default() }
    }

    pub(super) fn show_times(&self, yes: bool) {
        self.has_times.store(yes, Ordering::Relaxed);
    }

    /// A message that came, or as much of it as one wants to see.
    pub(super) fn message(&self, message: &Message) -> String {
        let mark = self.colour(GREEN, &format!("{}<", self.time()));
        let (mut shown, rest) = self.content(message, Some(message.kind()));
        if rest > 0 {
            let number = self.keep(message);
            let note = format!("… {rest} {} more: /all {number}", bytes(rest));
            let _ = write!(shown, "\n{INDENT}{}", self.colour(DIM, &note));
        }
        format!("{mark} {shown}")
    }

    /// One that was cut, in full.
    pub(super) fn whole(&self, number: Option<u64>) -> Result<String, String> {
        let kept = self.kept.lock().unwrap_or_else(|error| error.into_inner());
        let found = match number {
            None => kept.messages.back(),
            Some(number) => kept.messages.iter().find(|(of, _)| *of == number),
        };
        match (found, number) {
            (Some((_, message)), _) => {
                let (shown, _) = self.content(message, None);
                Ok(format!("{} {shown}", self.colour(GREEN, "<")))
            }
            (None, None) => Err("no message was cut".to_owned()),
            (None, Some(number)) => {
                Err(format!("message {number} is not there; the last {KEPT} that were cut are"))
            }
        }
    }

    /// Something that happened, in our words; what is in it of the peer is made harmless.
    pub(super) fn note(&self, text: &str) -> String {
        self.colour(DIM, &format!("{}* {}", self.time(), harmless(text, Lines::Escape)))
    }

    /// A text of our own.
    pub(super) fn paragraph(&self, text: &str) -> String {
        self.colour(DIM, text)
    }

    pub(super) fn closed(&self, closed: &Closed) -> String {
        let text = match (closed.received_first(), closed.received(), closed.sent()) {
            (Some(true), Some(close), _) => format!("closed by the server: {close}"),
            (Some(false), _, Some(close)) => format!("closed by this side: {close}"),
            _ => format!("connection lost: {}", closed.cause()),
        };
        self.note(&text)
    }

    /// What is shown of a message, and how many bytes of it follow; all of it if `limit` is `None`.
    fn content(&self, message: &Message, limit: Option<Kind>) -> (String, usize) {
        let payload = message.as_bytes();
        let most = match limit {
            None => payload.len(),
            Some(Kind::Text) => MAX_TEXT.min(payload.len()),
            Some(Kind::Binary) => MAX_BINARY.min(payload.len()),
        };
        let text = match message.kind() {
            Kind::Binary => None,
            Kind::Text => std::str::from_utf8(payload).ok(),
        };
        let Some(text) = text else {
            return (dump(payload, most), payload.len() - most);
        };
        let shown = &text[..(0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
        let rest = text.len() - shown.len();
        match json::is_structure(text) {
            true => (json::pretty(shown, INDENT, self.is_coloured), rest),
            false => (harmless(shown, Lines::Keep(INDENT)), rest),
        }
    }

    fn keep(&self, message: &Message) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(|error| error.into_inner());
        kept.count += 1;
        let number = kept.count;
        kept.messages.push_back((number, message.clone()));
        if kept.messages.len() > KEPT {
            kept.messages.pop_front();
        }
        number
    }

    fn time(&self) -> String {
        if self.has_times.load(Ordering::Relaxed) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{} ", time_of_day(now))
        } else {
            String::new()
        }
    }

    fn colour(&self, colour: &str, text: &str) -> String {
        if self.is_coloured { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

/// Unix time as the time of the day, in UTC.
fn time_of_day(unix: Duration) -> String {
    let seconds = unix.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, unix.subsec_millis())
}

/// Offset, bytes, and what they are in ASCII, for the first bytes of a payload.
fn dump(payload: &[u8], most: usize) -> String {
    let mut text = format!("{} {}", payload.len(), bytes(payload.len()));
    for (row, chunk) in payload[..most].chunks(BYTES_PER_ROW).enumerate() {
        let mut hex = String::new();
        for (n, byte) in chunk.iter().enumerate() {
            let gap = if n == BYTES_PER_ROW / 2 { "  " } else { " " };
            // Into a String, which takes everything.
            let _ = write!(hex, "{gap}{byte:02x}");
        }
        let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        let ascii =
            chunk.iter().map(|byte| if is_printable(byte) { char::from(*byte) } else { '.' });
        let ascii: String = ascii.collect();
        let offset = row * BYTES_PER_ROW;
        let _ = write!(text, "\n{INDENT}{offset:08x} {hex:HEX_WIDTH$}  {ascii}");
    }
    text
}

fn bytes(count: usize) -> &'static str {
    if count == 1 { "byte" } else { "bytes" }
}

pub(super) const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RESET: &str = "\x1b[0m";

/// Before each line of a message but the first, which has a mark.
const INDENT: &str = "  ";

/// Bytes of a message that are shown at first: about what fits on a screen.
const MAX_TEXT: usize = 2000;
const MAX_BINARY: usize = 320;

/// Messages that were cut and can still be seen.
const KEPT: usize = 8;

const BYTES_PER_ROW: usize = 16;
/// Three columns for each byte, and one more in the middle.
const HEX_WIDTH: usize = 3 * BYTES_PER_ROW + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_dumped() {
        let payload: Vec<u8> = (0x58..0x69).chain([0, 0x1b, 0xff]).collect();
        let expected = "20 bytes\n  \
            00000000  58 59 5a 5b 5c 5d 5e 5f  60 61 62 63 64 65 66 67  XYZ[\\]^_`abcdefg\n  \
            00000010  68 00 1b ff                                       h...";
        assert_eq!(dump(&payload, payload.len()), expected);
        assert_eq!(dump(&[], 0), "0 bytes");
        assert_eq!(dump(&[0; 20], 16).lines().count(), 2);
    }

    #[test]
    fn times_are_those_of_the_day() {
        assert_eq!(time_of_day(Duration::from_millis(1_000_000_000_042)), "01:46:40.042");
        assert_eq!(time_of_day(Duration::ZERO), "00:00:00.000");
    }
}
