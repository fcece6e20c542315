//! How a frame looks in a log: as in Python's `websockets`, whose programs know that shape. Of a large
//! payload only the ends are kept.

use openline_proto::{CloseFrame, Opcode};

/// The start and the end of a payload, as much as is shown.
#[derive(Debug)]
pub(super) struct Excerpt {
    max_log_size: usize,
    len: usize,
    /// The first `4 * max_log_size` bytes.
    head: Vec<u8>,
    /// The last bytes of what follows them, as many as may be shown.
    tail: Vec<u8>,
}

impl Excerpt {
    pub(super) fn new(max_log_size: usize) -> Excerpt {
        Excerpt { max_log_size, len: 0, head: Vec::new(), tail: Vec::new() }
    }

    /// Takes the next bytes of the payload in.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.len += piece.len();
        let (head, tail) = piece.split_at(piece.len().min(4 * self.max_log_size - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(&tail[tail.len().saturating_sub(self.tail_len())..]);
        self.tail.drain(..self.tail.len().saturating_sub(self.tail_len()));
    }

    /// The frame in one line: `TEXT 'hello' [5 bytes]`.
    pub(super) fn describe(&self, opcode: Opcode, fin: bool) -> String {
        let (name, expects_text) = match opcode {
            Opcode::Continuation => ("CONT", None),
            Opcode::Text => ("TEXT", Some(true)),
            Opcode::Binary => ("BINARY", Some(false)),
            Opcode::Close => ("CLOSE", Some(true)),
            Opcode::Ping => ("PING", None),
            Opcode::Pong => ("PONG", None),
        };
        let (shown, is_text) = self.payload(opcode, fin);
        let shown = self.elided(shown);
        let kind = match is_text {
            Some(is_text) if Some(is_text) != expects_text && self.len > 0 => {
                if is_text {
                    "text, "
                } else {
                    "binary, "
                }
            }
            _ => "",
        };
        let plural = if self.len == 1 { "" } else { "s" };
        let continued = if fin { "" } else { ", continued" };
        format!("{name} {shown} [{kind}{} byte{plural}{continued}]", self.len)
    }

    /// The payload as text, if it is text, and otherwise in hexadecimal digits.
    fn payload(&self, opcode: Opcode, fin: bool) -> (String, Option<bool>) {
        if self.len == 0 {
            return ("''".to_owned(), None);
        }
        let text = match opcode {
            Opcode::Close => CloseFrame::parse(&self.head).ok().map(|close| close.to_string()),
            // Of random bytes, four are UTF-8 by chance too often.
            Opcode::Ping | Opcode::Pong => {
                let is_ascii = self.head.iter().all(|byte| matches!(byte, 9..=13 | 32..=126));
                is_ascii.then(|| quoted(&String::from_utf8_lossy(&self.head)))
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => self.text(opcode, fin),
        };
        match text {
            Some(text) => (text, Some(true)),
            None => (self.hexadecimal(opcode), Some(false)),
        }
    }

    /// The payload of a data frame, if it looks like text, whatever the opcode says. A fragment may begin
    /// and end within a character.
    fn text(&self, opcode: Opcode, fin: bool) -> Option<String> {
        let is_continued = opcode == Opcode::Continuation;
        if self.tail.is_empty() {
            let is_text = is_text_fragment(&self.head, is_continued, !fin);
            return is_text.then(|| quoted(&String::from_utf8_lossy(&self.head)));
        }
        let start = &self.head[..8 * self.max_log_size / 3];
        let end = self.last(self.tail_len());
        let is_text =
            is_text_fragment(start, is_continued, true) && is_text_fragment(&end, true, !fin);
        is_text.then(|| quoted(&String::from_utf8_lossy(&[start, &end].concat())))
    }

    fn hexadecimal(&self, opcode: Opcode) -> String {
        if opcode.is_control() || self.len <= self.max_log_size / 3 {
            return hexadecimal(&self.head);
        }
        let cut = (self.max_log_size / 3).saturating_sub(1) / 3;
        // The two bytes in the middle are not shown: they make it long enough for the ellipsis.
        hexadecimal(&[&self.head[..2 * cut], &[0, 0], &self.last(cut)].concat())
    }

    /// Without its middle, if it is too long.
    fn elided(&self, shown: String) -> String {
        let len = shown.chars().count();
        if len <= self.max_log_size {
            return shown;
        }
        let cut = (self.max_log_size / 3).saturating_sub(1);
        let start = shown.chars().take(2 * cut);
        start.chain("...".chars()).chain(shown.chars().skip(len - cut)).collect()
    }

    /// The last bytes of the payload.
    fn last(&self, len: usize) -> Vec<u8> {
        let from_head = len.saturating_sub(self.tail.len()).min(self.head.len());
        let tail = &self.tail[self.tail.len() - len.min(self.tail.len())..];
        [&self.head[self.head.len() - from_head..], tail].concat()
    }

    fn tail_len(&self) -> usize {
        (4 * self.max_log_size).div_ceil(3)
    }
}

/// Whether bytes are printable text, but for a character that may be cut at their start or end.
fn is_text_fragment(bytes: &[u8], may_start_within: bool, may_end_within: bool) -> bool {
    let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let start =
        if may_start_within { bytes.iter().take(3).take_while(is_continuation).count() } else { 0 };
    match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => is_printable(text),
        Err(error) if may_end_within && error.error_len().is_none() => {
            let valid = &bytes[start..start + error.valid_up_to()];
            is_printable(&String::from_utf8_lossy(valid))
        }
        Err(_) => false,
    }
}

/// Whether text has nothing that would be shown as `\x…`, as binary data has.
fn is_printable(text: &str) -> bool {
    !quoted(text).contains("\\x")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Text as Python's `repr` shows it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\\' => shown.push_str("\\\\"),
            c if c == quote => shown.extend(['\\', c]),
            c if !needs_escape(c) => shown.push(c),
            c => shown.push_str(&match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02x}"),
                code @ ..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    shown.push(quote);
    shown
}

/// Whether a character is not printable: by the standard library's table, which has the same categories
/// as Python's. That is asked of a character that is not the first of its string: a first one that
/// combines with the one before would be escaped too.
fn needs_escape(c: char) -> bool {
    let mut text = [0; 8];
    text[0] = b' ';
    let len = 1 + c.encode_utf8(&mut text[1..]).len();
    let text = std::str::from_utf8(&text[..len]).unwrap_or_default();
    text.escape_debug().nth(2) == Some('u') || c == '\0'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(opcode: Opcode, fin: bool, payload: &[u8]) -> String {
        let mut whole = Excerpt::new(75);
        whole.push(payload);
        let whole = whole.describe(opcode, fin);
        for size in [1, 7, 64, 300] {
            let mut pieces = Excerpt::new(75);
            payload.chunks(size).for_each(|piece| pieces.push(piece));
            assert_eq!(pieces.describe(opcode, fin), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn text_is_quoted_as_python_does() {
        let show = |text: &str| describe(Opcode::Text, true, text.as_bytes());
        assert_eq!(show("hello"), "TEXT 'hello' [5 bytes]");
        assert_eq!(show(""), "TEXT '' [0 bytes]");
        assert_eq!(show("x"), "TEXT 'x' [1 byte]");
        assert_eq!(show("it's"), "TEXT \"it's\" [4 bytes]");
        assert_eq!(show("'\"\\"), "TEXT '\\'\"\\\\' [3 bytes]");
        assert_eq!(show("a\tb\r\n"), "TEXT 'a\\tb\\r\\n' [5 bytes]");
        assert_eq!(show("é日🙂"), "TEXT 'é日🙂' [9 bytes]");
        assert_eq!(show("\u{2028}\u{e0001}"), "TEXT '\\u2028\\U000e0001' [7 bytes]");
        assert_eq!(show("e\u{301}"), "TEXT 'e\u{301}' [3 bytes]");
        assert_eq!(show("\u{301}"), "TEXT '\u{301}' [2 bytes]");
    }

    #[test]
    fn what_is_not_printable_is_shown_in_hexadecimal() {
        assert_eq!(describe(Opcode::Text, true, b"a\0"), "TEXT 61 00 [binary, 2 bytes]");
        assert_eq!(describe(Opcode::Text, true, b"\x7f"), "TEXT 7f [binary, 1 byte]");
        assert_eq!(describe(Opcode::Binary, true, &[0, 1]), "BINARY 00 01 [2 bytes]");
        assert_eq!(describe(Opcode::Binary, true, b"abc"), "BINARY 'abc' [text, 3 bytes]");
        assert_eq!(describe(Opcode::Continuation, true, &[0xff]), "CONT ff [binary, 1 byte]");
        assert_eq!(describe(Opcode::Continuation, true, b""), "CONT '' [0 bytes]");
    }

    #[test]
    fn a_fragment_may_begin_and_end_within_a_character() {
        let euro = "€".as_bytes();
        assert_eq!(
            describe(Opcode::Text, false, &euro[..2]),
            "TEXT '\u{fffd}' [2 bytes, continued]"
        );
        assert_eq!(
            describe(Opcode::Continuation, true, &euro[2..]),
            "CONT '\u{fffd}' [text, 1 byte]"
        );
        assert_eq!(describe(Opcode::Text, true, &euro[..2]), "TEXT e2 82 [binary, 2 bytes]");
    }

    #[test]
    fn the_middle_of_what_is_long_is_left_out() {
        assert_eq!(
            describe(Opcode::Text, true, "0123456789".repeat(100).as_bytes()),
            "TEXT '01234567890123456789012345678901234567890123456...\
             78901234567890123456789' [1000 bytes]"
        );
        assert_eq!(
            describe(Opcode::Binary, true, &[0xab; 26]),
            "BINARY ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ... \
             ab ab ab ab ab ab ab ab [26 bytes]"
        );
    }

    #[test]
    fn control_frames_show_their_content() {
        assert_eq!(describe(Opcode::Close, true, b"\x03\xe8"), "CLOSE 1000 (OK) [2 bytes]");
        assert_eq!(
            describe(Opcode::Close, true, b"\x03\xe9bye"),
            "CLOSE 1001 (going away) bye [5 bytes]"
        );
        assert_eq!(describe(Opcode::Close, true, b""), "CLOSE '' [0 bytes]");
        assert_eq!(describe(Opcode::Close, true, b"\x03"), "CLOSE 03 [binary, 1 byte]");
        assert_eq!(describe(Opcode::Ping, true, b"ping"), "PING 'ping' [text, 4 bytes]");
        assert_eq!(describe(Opcode::Pong, true, "é".as_bytes()), "PONG c3 a9 [binary, 2 bytes]");
        assert_eq!(describe(Opcode::Ping, true, b""), "PING '' [0 bytes]");
    }
}
