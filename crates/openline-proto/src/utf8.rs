//! Validation of UTF-8 that arrives in pieces (RFC 6455 §8.1), failing at the first bad byte.
//!
//! ```
//! use openline_proto::utf8::Validator;
//! let mut validator = Validator::default();
//! assert!(validator.push(b"\xf0\x9f").is_ok()); // may become an emoji
//! assert!(validator.push(b"!").is_err());
//! ```

use std::fmt;

/// A validator that carries at most three bytes from one piece to the next.
///
/// ```
/// use openline_proto::utf8::Validator;
/// # fn main() -> Result<(), openline_proto::utf8::InvalidUtf8> {
/// let mut validator = Validator::default();
/// validator.push(b"caf\xc3")?; // cut within the é
/// validator.push(b"\xa9")?;
/// validator.finish()?;
/// assert!(validator.push(b"\xff").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Validator {
    /// The first bytes of a character whose rest has not come.
    carry: [u8; 3],
    /// Invariant: `carry_len <= 3`, and `carry[..carry_len]` is a valid start of a character.
    carry_len: usize,
}

impl Validator {
    /// Validates the next piece.
    ///
    /// # Errors
    ///
    /// As soon as no continuation could make the text valid.
    ///
    /// ```
    /// use openline_proto::utf8::{InvalidUtf8, Validator};
    /// assert_eq!(Validator::default().push(b"\xc3"), Ok(())); // so far
    /// assert_eq!(Validator::default().push(b"\xc3\x28"), Err(InvalidUtf8));
    /// ```
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.carry_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            let mut character = [0; 4];
            let len = std::mem::take(&mut self.carry_len);
            character[..len].copy_from_slice(&self.carry[..len]);
            character[len] = byte;
            piece = rest;
            self.validate(&character[..=len])?;
        }
        self.validate(piece)
    }

    /// Ends the text and makes the validator ready for the next.
    ///
    /// # Errors
    ///
    /// If it ended within a character.
    ///
    /// ```
    /// use openline_proto::utf8::{InvalidUtf8, Validator};
    /// let mut validator = Validator::default();
    /// assert_eq!(validator.push(b"caf\xc3"), Ok(()));
    /// assert_eq!(validator.finish(), Err(InvalidUtf8));
    /// assert_eq!(validator.finish(), Ok(())); // the next text, an empty one
    /// ```
    pub fn finish(&mut self) -> Result<(), InvalidUtf8> {
        if std::mem::take(&mut self.carry_len) > 0 { Err(InvalidUtf8) } else { Ok(()) }
    }

    fn validate(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                self.carry[..rest.len()].copy_from_slice(rest);
                self.carry_len = rest.len();
                Ok(())
            }
        }
    }
}

/// The length of the longest prefix of `bytes` that ends with a whole character; `bytes` must be
/// the start of valid UTF-8.
///
/// ```
/// use openline_proto::utf8::whole_characters;
/// assert_eq!(whole_characters(b"caf\xc3"), 3);
/// assert_eq!(whole_characters("café".as_bytes()), 5);
/// ```
pub fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
    let Some(back) = last else { return bytes.len() };
    let start = bytes.len() - 1 - back;
    let wanted = match bytes[start] {
        0x00..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    if back + 1 < wanted { start } else { bytes.len() }
}

/// The text is not UTF-8. The peer's fault.
///
/// ```
/// use openline_proto::{ProtocolError, utf8::InvalidUtf8};
/// assert_eq!(InvalidUtf8.to_string(), "invalid UTF-8");
/// assert_eq!(ProtocolError::from(InvalidUtf8), ProtocolError::InvalidUtf8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid UTF-8")
    }
}

impl std::error::Error for InvalidUtf8 {}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pieces: &[&[u8]]) -> Result<(), InvalidUtf8> {
        let mut validator = Validator::default();
        for piece in pieces {
            validator.push(piece)?;
        }
        validator.finish()
    }

    #[test]
    fn every_split_in_three_has_the_verdict_of_the_whole() {
        let texts: [&[u8]; 12] = [
            b"",
            b"plain",
            "κόσμε".as_bytes(),
            "a\0b é € 😀 \u{10ffff}".as_bytes(),
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"\xf0\x9f\x98",
            b"\xed\xbf\xbf",
            b"\xc3\x00",
        ];
        for text in texts {
            let expected = std::str::from_utf8(text).map(drop).map_err(|_| InvalidUtf8);
            for a in 0..=text.len() {
                for b in a..=text.len() {
                    let pieces = [&text[..a], &text[a..b], &text[b..]];
                    assert_eq!(verdict(&pieces), expected, "{text:02x?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn fails_at_the_first_byte_that_cannot_be_continued() {
        // Autobahn 6.4: the surrogate is wrong at its second byte, long before the frame's end.
        for (good, bad) in
            [(&b"\xed"[..], &b"\xa0"[..]), (b"\xf4", b"\x90"), (b"\xe0", b"\x80"), (b"", b"\x80")]
        {
            let mut validator = Validator::default();
            assert_eq!(validator.push(good), Ok(()));
            assert_eq!(validator.push(bad), Err(InvalidUtf8));
        }
    }

    #[test]
    fn whole_characters_never_cuts_one() {
        let text = "aé€😀z".as_bytes();
        for end in 0..=text.len() {
            let prefix = whole_characters(&text[..end]);
            assert!(std::str::from_utf8(&text[..prefix]).is_ok());
            assert!(end - prefix < 4);
        }
    }
}
