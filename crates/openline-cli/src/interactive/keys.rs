//! What a terminal sends, as keys. No I/O: bytes go in, in whatever pieces they come.

/// What is pressed, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Backspace,
    /// To be inserted, whatever it is.
    Char(char),
    ClearScreen,
    Complete,
    /// Ctrl-D: the end, or the character under the cursor goes.
    DeleteOrEnd,
    Delete,
    Down,
    End,
    Enter,
    Home,
    Interrupt,
    KillNextWord,
    KillToEnd,
    KillToStart,
    KillWord,
    Left,
    NextWord,
    PreviousWord,
    Right,
    Up,
    Yank,
}

/// The bytes that are no whole key yet.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pending: Vec<u8>,
    /// After Ctrl-V: the next character is inserted as it is.
    is_literal: bool,
}

impl Keys {
    /// Takes bytes, and gives the keys that are complete with them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut start = 0;
        while let Some((key, len)) = self.parse(&self.pending[start..]) {
            self.is_literal = !self.is_literal && self.pending[start] == CTRL_V;
            start += len;
            keys.extend(key);
        }
        self.pending.drain(..start);
        keys
    }

    /// The first key, if it is one that means something, and its length; `None` if more has to come.
    fn parse(&self, bytes: &[u8]) -> Option<(Option<Key>, usize)> {
        let first = *bytes.first()?;
        match first {
            0x80.. => parse_utf8(bytes),
            0x00..=0x1f | 0x7f if self.is_literal => Some((Some(Key::Char(first.into())), 1)),
            ESCAPE => parse_escape(bytes),
            0x00..=0x1f | 0x7f => Some((control(first), 1)),
            _ => Some((Some(Key::Char(first.into())), 1)),
        }
    }
}

fn parse_utf8(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let len = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((None, 1)),
    };
    let bytes = &bytes[..len.min(bytes.len())];
    match std::str::from_utf8(bytes) {
        Ok(text) => Some((text.chars().next().map(Key::Char), len)),
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some((None, 1)),
    }
}

/// Escape sequences (ECMA-48 §5.4). Of one that is not known, nothing is inserted.
fn parse_escape(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    match *bytes.get(1)? {
        b'[' => {
            let is_final = |byte: &u8| (0x40..=0x7e).contains(byte);
            let len = 3 + bytes[2..].iter().position(is_final)?;
            let key = match &bytes[2..len] {
                b"A" => Some(Key::Up),
                b"B" => Some(Key::Down),
                b"C" => Some(Key::Right),
                b"D" => Some(Key::Left),
                b"F" | b"4~" | b"8~" => Some(Key::End),
                b"H" | b"1~" | b"7~" => Some(Key::Home),
                b"3~" => Some(Key::Delete),
                b"1;3C" | b"1;5C" => Some(Key::NextWord),
                b"1;3D" | b"1;5D" => Some(Key::PreviousWord),
                _ => None,
            };
            Some((key, len))
        }
        b'O' => {
            let key = match *bytes.get(2)? {
                b'A' => Some(Key::Up),
                b'B' => Some(Key::Down),
                b'C' => Some(Key::Right),
                b'D' => Some(Key::Left),
                b'F' => Some(Key::End),
                b'H' => Some(Key::Home),
                _ => None,
            };
            Some((key, 3))
        }
        b'b' => Some((Some(Key::PreviousWord), 2)),
        b'd' => Some((Some(Key::KillNextWord), 2)),
        b'f' => Some((Some(Key::NextWord), 2)),
        0x7f => Some((Some(Key::KillWord), 2)),
        // The key Escape does nothing, and what follows is a key of its own.
        _ => Some((None, 1)),
    }
}

fn control(byte: u8) -> Option<Key> {
    match byte | 0x40 {
        b'A' => Some(Key::Home),
        b'B' => Some(Key::Left),
        b'C' => Some(Key::Interrupt),
        b'D' => Some(Key::DeleteOrEnd),
        b'E' => Some(Key::End),
        b'F' => Some(Key::Right),
        b'H' | 0x7f => Some(Key::Backspace),
        b'I' => Some(Key::Complete),
        b'J' | b'M' => Some(Key::Enter),
        b'K' => Some(Key::KillToEnd),
        b'L' => Some(Key::ClearScreen),
        b'N' => Some(Key::Down),
        b'P' => Some(Key::Up),
        b'U' => Some(Key::KillToStart),
        b'W' => Some(Key::KillWord),
        b'Y' => Some(Key::Yank),
        _ => None,
    }
}

const CTRL_V: u8 = 0x16;
const ESCAPE: u8 = 0x1b;

#[cfg(test)]
mod tests {
    use super::*;

    const TYPED: &[u8] = "aä€😀\x1b[D\x1b[1;5C\x1bOH\x16\x1b\x7f\x1b[200~\x1bd\r".as_bytes();

    fn expected() -> Vec<Key> {
        let mut keys: Vec<Key> = "aä€😀".chars().map(Key::Char).collect();
        keys.extend([Key::Left, Key::NextWord, Key::Home, Key::Char('\x1b'), Key::Backspace]);
        keys.extend([Key::KillNextWord, Key::Enter]);
        keys
    }

    #[test]
    fn keys_are_found_wherever_a_read_ends() {
        for split in 0..=TYPED.len() {
            let mut keys = Keys::default();
            let mut found = keys.feed(&TYPED[..split]);
            found.extend(keys.feed(&TYPED[split..]));
            assert_eq!(found, expected(), "split at {split}");
        }
        let mut keys = Keys::default();
        let found: Vec<Key> = TYPED.iter().flat_map(|byte| keys.feed(&[*byte])).collect();
        assert_eq!(found, expected());
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let found = Keys::default().feed(b"\xff\xc2x\x00\x1a\x1b[99;9u\xed\xa0\x80y");
        assert_eq!(found, [Key::Char('x'), Key::Char('y')]);
    }
}
