//! Header fields: ordered, repeatable, and impossible to inject lines through (RFC 9110 §5).

use std::iter::Map;
use std::slice;

use thiserror::Error;

/// The header fields of a message, in the order in which they are sent.
///
/// Names are found whatever their case, and may be repeated. The characters of a value are its
/// bytes read as ISO-8859-1, which keeps any bytes intact; decode and encode again if a peer uses
/// another encoding.
///
/// A `Headers` never holds a name that isn't a token or a value with a line end, NUL or another
/// control character but tab, so encoding one cannot add lines to a message.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("Cookie", "a=1")?;
/// headers.append("Cookie", "b=2")?;
/// assert_eq!(headers.get("cookie"), Some("a=1"));
/// assert_eq!(headers.get_all("COOKIE").collect::<Vec<_>>(), ["a=1", "b=2"]);
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Invariant: names are tokens; values hold tab, space, U+0021-U+007E and U+0080-U+00FF.
    ///
    /// A list is faster than a map at the dozen entries that a handshake has.
    fields: Vec<(String, String)>,
}

impl Headers {
    /// Makes an empty list.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(openline_proto::http::Headers::new().is_empty());
    /// ```
    pub fn new() -> Headers {
        Headers::default()
    }

    /// Adds a field at the end and keeps those of the same name.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] when the name isn't a token, or when the value has a character that no
    /// header can carry.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::http::Headers;
    ///
    /// let mut headers = Headers::new();
    /// assert!(headers.append("X-Note", "fine").is_ok());
    /// assert!(headers.append("X-Note", "two\r\nlines").is_err());
    /// ```
    pub fn append(&mut self, name: &str, value: &str) -> Result<(), InvalidField> {
        check(name, value)?;
        self.append_checked(name, value.to_owned());
        Ok(())
    }

    /// Replaces all fields of this name by one, in the place of the first; adds it at the end if
    /// there was none.
    ///
    /// # Errors
    ///
    /// As [`append`](Headers::append); the list is then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::http::Headers;
    ///
    /// let mut headers = Headers::new();
    /// headers.append("Host", "a.example")?;
    /// headers.set("host", "b.example")?;
    /// assert_eq!(headers.iter().collect::<Vec<_>>(), [("host", "b.example")]);
    /// # Ok::<(), openline_proto::http::InvalidField>(())
    /// ```
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidField> {
        check(name, value)?;
        let first = self.fields.iter().position(|(held, _)| held.eq_ignore_ascii_case(name));
        self.remove(name);
        let at = first.unwrap_or(self.fields.len());
        self.fields.insert(at, (name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Removes all fields of this name and tells whether there were any.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::http::Headers;
    ///
    /// let mut headers = Headers::new();
    /// headers.append("Cookie", "a=1")?;
    /// assert!(headers.remove("cookie"));
    /// assert!(!headers.remove("cookie"));
    /// # Ok::<(), openline_proto::http::InvalidField>(())
    /// ```
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
        self.fields.len() < before
    }

    /// Returns the first value of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(openline_proto::http::Headers::new().get("Host"), None);
    /// ```
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Returns all values of this name, in order.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(openline_proto::http::Headers::new().get_all("Host").count(), 0);
    /// ```
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Tells whether there is a field of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!openline_proto::http::Headers::new().contains("Host"));
    /// ```
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Goes through names and values in order.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::http::Headers;
    ///
    /// let mut headers = Headers::new();
    /// headers.append("Host", "localhost")?;
    /// for (name, value) in &headers {
    ///     assert_eq!((name, value), ("Host", "localhost"));
    /// }
    /// # Ok::<(), openline_proto::http::InvalidField>(())
    /// ```
    pub fn iter(&self) -> <&Headers as IntoIterator>::IntoIter {
        self.into_iter()
    }

    /// Counts the fields, each repetition of a name included.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(openline_proto::http::Headers::new().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Tells whether there are no fields.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(openline_proto::http::Headers::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Appends the fields as lines, with the blank line that ends a head.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for (name, value) in self {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            encode_latin1(value, out);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Adds a field that keeps the invariant for certain: our own constant, or one that `httparse`
    /// let through.
    pub(crate) fn append_checked(&mut self, name: &str, value: String) {
        debug_assert_eq!(check(name, &value), Ok(()));
        self.fields.push((name.to_owned(), value));
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a str, &'a str);
    type IntoIter = Map<slice::Iter<'a, (String, String)>, fn(&'a (String, String)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.iter().map(|(name, value)| (name, value))
    }
}

/// A header that cannot be sent, or a part of one. Fault: the caller.
///
/// Values aren't shown, since they are often secrets.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Headers;
///
/// let error = Headers::new().append("X-Token", "abc\n").map_err(|error| error.to_string());
/// assert_eq!(error, Err("invalid value for header X-Token: character '\\n' at 3".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidField {
    /// The name or a parameter of an extension isn't a token.
    #[error("invalid extension {text:?}: names and values must be tokens")]
    Extension {
        /// The extension as it would have been sent.
        text: String,
    },
    /// The name isn't a token (RFC 9110 §5.6.2).
    #[error("invalid header name {name:?}: expected letters, digits and !#$%&'*+-.^_`|~")]
    Name {
        /// The name given.
        name: String,
    },
    /// The field may stand only once in a message, and was given several times.
    #[error("header {name} is given more than once")]
    Repeated {
        /// The name of the header.
        name: String,
    },
    /// The handshake sets this field itself, or it would make the message invalid.
    #[error("header {name} can't be added: it belongs to the handshake itself")]
    Reserved {
        /// The name of the header.
        name: String,
    },
    /// The subprotocol isn't a token (RFC 6455 §4.1).
    #[error("invalid subprotocol {name:?}: expected letters, digits and !#$%&'*+-.^_`|~")]
    Subprotocol {
        /// The subprotocol given.
        name: String,
    },
    /// The value has a line end, NUL or another control character but tab, or a character above
    /// U+00FF.
    #[error("invalid value for header {name}: character {character:?} at {position}")]
    Value {
        /// The name of the header.
        name: String,
        /// The first character that can't be sent.
        character: char,
        /// How many characters stand before it.
        position: usize,
    },
}

fn check(name: &str, value: &str) -> Result<(), InvalidField> {
    if !is_token(name) {
        return Err(InvalidField::Name { name: name.to_owned() });
    }
    // RFC 9110 §5.5: visible ASCII, blank, tab, and obs-text.
    let bad = |c: char| !matches!(c, '\t' | ' '..='~' | '\u{80}'..='\u{FF}');
    match value.chars().enumerate().find(|(_, c)| bad(*c)) {
        Some((position, character)) => {
            Err(InvalidField::Value { name: name.to_owned(), character, position })
        }
        None => Ok(()),
    }
}

/// Tells whether `text` is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads bytes as ISO-8859-1: each becomes the character of the same number.
pub(crate) fn decode_latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Undoes [`decode_latin1`]. A character that has no byte becomes `?`.
pub(crate) fn encode_latin1(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        headers
    }

    #[test]
    fn lookup_ignores_case_and_order_is_kept() {
        let headers = headers(&[("B", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(headers.get("b"), Some("1"));
        assert_eq!(headers.get_all("B").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("B", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn set_replaces_all_in_the_place_of_the_first() {
        let mut headers = headers(&[("a", "1"), ("b", "2"), ("A", "3")]);
        headers.set("A", "4").unwrap();
        headers.set("c", "5").unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("A", "4"), ("b", "2"), ("c", "5")]);
        assert!(headers.set("b", "\n").is_err());
        assert_eq!(headers.get("b"), Some("2"));
    }

    // RFC 9110 §5.1, §5.5: names and values that would change the message.

    #[test]
    fn names_that_are_not_tokens_are_refused() {
        for name in ["", " ", "a b", "a:", "a\r\nb", "a\0", "é", "a\t", "(a)", "a,b", "\u{7F}"] {
            let error = Headers::new().append(name, "x").unwrap_err();
            assert_eq!(error, InvalidField::Name { name: name.into() });
        }
        assert!(Headers::new().append("!#$%&'*+-.^_`|~09azAZ", "x").is_ok());
    }

    #[test]
    fn values_that_break_the_line_are_refused() {
        let table = [
            ("\r\nX: y", '\r', 0),
            ("a\nb", '\n', 1),
            ("a\rb", '\r', 1),
            ("a\0", '\0', 1),
            ("é\u{1}", '\u{1}', 1),
            ("\u{7F}", '\u{7F}', 0),
            ("ab€", '€', 2),
            // Would be LF if cut to one byte.
            ("\u{10A}", '\u{10A}', 0),
        ];
        for (value, character, position) in table {
            let expected = InvalidField::Value { name: "N".into(), character, position };
            assert_eq!(Headers::new().append("N", value), Err(expected.clone()));
            assert_eq!(Headers::new().set("N", value), Err(expected));
        }
    }

    #[test]
    fn values_are_kept_and_sent_as_they_are() {
        let headers = headers(&[("A", ""), ("B", " x\t"), ("C", "é\u{80}ÿ")]);
        let mut out = Vec::new();
        headers.encode(&mut out);
        assert_eq!(out, b"A: \r\nB:  x\t\r\nC: \xE9\x80\xFF\r\n\r\n");
    }

    #[test]
    fn latin1_round_trips_every_byte() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        encode_latin1(&decode_latin1(&bytes), &mut out);
        assert_eq!(out, bytes);
    }
}
