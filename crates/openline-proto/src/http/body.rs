//! Reads the body of a response that refuses a handshake (RFC 9112 §6, §7), up to a limit.
//!
//! The body is there to be shown in an error: trailers are read and dropped, and no content coding
//! is undone.

use super::{Fault, Limits, Response};

#[derive(Debug)]
pub(crate) struct BodyReader {
    framing: Framing,
    max_line_bytes: usize,
    max_body_bytes: usize,
    body: Vec<u8>,
}

#[derive(Debug)]
enum Framing {
    Chunked(Chunked),
    Length { total: usize },
    None,
    UntilEof,
}

#[derive(Debug)]
struct Chunked {
    part: Part,
    /// The line being read, without its end; always within `max_line_bytes`.
    line: Vec<u8>,
    /// How many more bytes of chunk extensions are borne. RFC 9112 §7.1.1: a recipient ought to
    /// limit them.
    extension_budget: usize,
    /// How many more trailer lines are borne.
    trailer_budget: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Size,
    Data { remaining: usize },
    DataEnd,
    Trailers,
    Done,
}

impl BodyReader {
    /// Finds out how the body of `response` is framed.
    pub(crate) fn new(response: &Response, limits: &Limits) -> Result<BodyReader, Fault> {
        Ok(BodyReader {
            framing: framing(response, limits)?,
            max_line_bytes: limits.max_line_bytes,
            max_body_bytes: limits.max_body_bytes,
            body: Vec::new(),
        })
    }

    /// Takes bytes in and tells whether the body is complete. What follows it is dropped: the
    /// connection is of no more use.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Fault> {
        match &mut self.framing {
            Framing::None => Ok(true),
            Framing::Length { total } => {
                let missing = *total - self.body.len();
                self.body.extend_from_slice(&bytes[..missing.min(bytes.len())]);
                Ok(self.body.len() == *total)
            }
            Framing::UntilEof => {
                let limit = self.max_body_bytes;
                if bytes.len() > limit - self.body.len() {
                    return Err(Fault::Security(format!("response body exceeds {limit} bytes")));
                }
                self.body.extend_from_slice(bytes);
                Ok(false)
            }
            Framing::Chunked(chunked) => {
                while let ([first, rest @ ..], true) = (bytes, chunked.part != Part::Done) {
                    if let Part::Data { remaining } = chunked.part {
                        let (data, after) = bytes.split_at(remaining.min(bytes.len()));
                        self.body.extend_from_slice(data);
                        bytes = after;
                        chunked.part = match remaining - data.len() {
                            0 => Part::DataEnd,
                            remaining => Part::Data { remaining },
                        };
                    } else {
                        bytes = rest;
                        let space = self.max_body_bytes - self.body.len();
                        chunked.feed_line(*first, self.max_line_bytes, space)?;
                    }
                }
                Ok(chunked.part == Part::Done)
            }
        }
    }

    /// Returns the body of a connection that has ended, or what was missing.
    pub(crate) fn eof(self) -> Result<Vec<u8>, String> {
        match self.framing {
            Framing::UntilEof => Ok(self.body),
            Framing::Length { total } => Err(format!(
                "connection closed while reading HTTP body: {} of {total} bytes",
                self.body.len()
            )),
            _ => Err("connection closed while reading HTTP body".into()),
        }
    }

    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl Chunked {
    /// Takes one byte of a line in: a chunk size, the end of a chunk, or a trailer.
    fn feed_line(&mut self, byte: u8, max_line: usize, space: usize) -> Result<(), Fault> {
        if byte != b'\n' {
            if self.line.len() + 1 >= max_line {
                return Err(Fault::Security(format!(
                    "line in chunked body exceeds {max_line} bytes"
                )));
            }
            self.line.push(byte);
            return Ok(());
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        self.part = match self.part {
            Part::DataEnd if line.is_empty() => Part::Size,
            Part::DataEnd => return Err(Fault::Malformed("chunk without CRLF".into())),
            Part::Trailers if line.is_empty() => Part::Done,
            Part::Trailers => {
                self.trailer_budget = self
                    .trailer_budget
                    .checked_sub(1)
                    .ok_or_else(|| Fault::Security("too many trailers".into()))?;
                Part::Trailers
            }
            _ => {
                let digits = line.split(|&b| b == b';').next().unwrap_or_default();
                self.extension_budget = self
                    .extension_budget
                    .checked_sub(line.len() - digits.len())
                    .ok_or_else(|| Fault::Security("too many chunk extensions".into()))?;
                let is_blank = |b: &u8| b" \t".contains(b);
                let len = digits.iter().rposition(|b| !is_blank(b)).map_or(0, |last| last + 1);
                let size = chunk_size(&digits[..len])?;
                match usize::try_from(size) {
                    Ok(0) => Part::Trailers,
                    Ok(size) if size <= space => Part::Data { remaining: size },
                    _ => {
                        return Err(Fault::Security(format!(
                            "chunk of {size} bytes exceeds the {space} bytes left for the body"
                        )));
                    }
                }
            }
        };
        self.line.clear();
        Ok(())
    }
}

fn framing(response: &Response, limits: &Limits) -> Result<Framing, Fault> {
    // RFC 9110 §6.4.1: these have no content.
    if matches!(response.status_code, 100..=199 | 204 | 304) {
        return Ok(Framing::None);
    }
    let coding = response.headers.get_all("Transfer-Encoding").collect::<Vec<_>>().join(", ");
    // RFC 9112 §6.3: Transfer-Encoding overrides Content-Length. "identity" was a coding until RFC
    // 7230 and means none.
    if coding.eq_ignore_ascii_case("chunked") {
        return Ok(Framing::Chunked(Chunked {
            part: Part::Size,
            line: Vec::new(),
            extension_budget: limits.max_head_bytes,
            trailer_budget: limits.max_headers,
        }));
    }
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        return Err(Fault::Malformed(format!("transfer coding {coding} isn't supported")));
    }
    let lengths = response.headers.get_all("Content-Length").flat_map(|v| v.split(','));
    // Not `str::trim`: the bytes 85 and A0 would be blanks then.
    let mut lengths = lengths.map(|length| length.trim_matches([' ', '\t']));
    let Some(length) = lengths.next() else { return Ok(Framing::UntilEof) };
    // RFC 9110 §8.6: a list of the same number may be taken for that number.
    if !is_number(length) || lengths.any(|other| other != length) {
        let all: Vec<&str> = response.headers.get_all("Content-Length").collect();
        return Err(Fault::Security(format!("invalid content length: {}", all.join(", "))));
    }
    let limit = limits.max_body_bytes;
    match length.parse::<usize>() {
        Ok(0) => Ok(Framing::None),
        Ok(total) if total <= limit => Ok(Framing::Length { total }),
        _ => Err(Fault::Security(format!("response body of {length} bytes exceeds {limit} bytes"))),
    }
}

/// Tells whether `text` is 1 to 18 digits, as many as always fit into 64 bits.
fn is_number(text: &str) -> bool {
    (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn chunk_size(digits: &[u8]) -> Result<u64, Fault> {
    let text = str::from_utf8(digits).unwrap_or_default();
    // `from_str_radix` also takes a sign, hence the check. 15 digits always fit.
    if !(1..=15).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Fault::Security(format!("invalid chunk size: {}", digits.escape_ascii())));
    }
    Ok(u64::from_str_radix(text, 16).expect("bug: up to 15 hexadecimal digits are a u64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status_code: u16, headers: &[(&str, &str)]) -> Response {
        let mut response = Response::new(status_code, "");
        for (name, value) in headers {
            response.headers.append(name, value).unwrap();
        }
        response
    }

    fn limits() -> Limits {
        Limits { max_line_bytes: 16, max_headers: 2, max_head_bytes: 20, max_body_bytes: 10 }
    }

    /// The body: `Ok(None)` while it is pending.
    fn read(response: &Response, chunks: &[&[u8]]) -> Result<Option<Vec<u8>>, Fault> {
        let mut reader = BodyReader::new(response, &limits())?;
        if reader.feed(b"")? {
            return Ok(Some(reader.into_body()));
        }
        for chunk in chunks {
            if reader.feed(chunk)? {
                return Ok(Some(reader.into_body()));
            }
        }
        Ok(None)
    }

    /// Reads whole and byte by byte, which must give the same.
    fn read_both(response: &Response, wire: &str) -> Result<Option<Vec<u8>>, Fault> {
        let whole = read(response, &[wire.as_bytes()]);
        assert_eq!(
            read(response, &wire.as_bytes().chunks(1).collect::<Vec<_>>()),
            whole,
            "{wire:?}"
        );
        whole
    }

    fn security<T>(text: &str) -> Result<T, Fault> {
        Err(Fault::Security(text.into()))
    }

    // RFC 9112 §6.3: message body length.

    #[test]
    fn framing_follows_the_headers() {
        let length = ("Content-Length", "3");
        let chunked = ("Transfer-Encoding", "Chunked");
        let table: [(Response, &str, Option<&str>); 11] = [
            (response(204, &[length]), "", Some("")),
            (response(304, &[length]), "", Some("")),
            (response(403, &[length]), "abcd", Some("abc")),
            (response(403, &[length]), "ab", None),
            (response(403, &[length, length]), "abc", Some("abc")),
            (response(403, &[("Content-Length", "3, 3")]), "abc", Some("abc")),
            (response(403, &[("Content-Length", "0")]), "", Some("")),
            (response(403, &[chunked]), "3\r\nabc\r\n0\r\n\r\n", Some("abc")),
            (response(403, &[length, chunked]), "1\r\na\r\n0\r\n\r\n", Some("a")),
            (response(403, &[("Transfer-Encoding", "identity"), length]), "abc", Some("abc")),
            (response(403, &[]), "abc", None),
        ];
        for (response, wire, body) in table {
            let expected = Ok(body.map(|body| body.as_bytes().to_vec()));
            assert_eq!(read_both(&response, wire), expected, "{response:?}");
        }
    }

    #[test]
    fn impossible_framing_is_refused() {
        let table = [
            ("Content-Length", "", "invalid content length: "),
            ("Content-Length", "-1", "invalid content length: -1"),
            ("Content-Length", "+1", "invalid content length: +1"),
            ("Content-Length", "1, 2", "invalid content length: 1, 2"),
            ("Content-Length", "\u{a0}1", "invalid content length: \u{a0}1"),
            (
                "Content-Length",
                "9999999999999999999",
                "invalid content length: 9999999999999999999",
            ),
            ("Content-Length", "11", "response body of 11 bytes exceeds 10 bytes"),
        ];
        for (name, value, text) in table {
            assert_eq!(read(&response(403, &[(name, value)]), &[]), security(text));
        }
        let fault = Fault::Malformed("transfer coding gzip, chunked isn't supported".into());
        let response =
            response(403, &[("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]);
        assert_eq!(read(&response, &[]), Err(fault));
    }

    // RFC 9112 §7.1: chunked transfer coding.

    #[test]
    fn chunked_bodies() {
        let response = response(403, &[("Transfer-Encoding", "chunked")]);
        let table = [
            ("0\r\n\r\n", ""),
            ("00A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("1;x=y\r\na\r\n2 ; z\r\nbc\r\n0;\r\n\r\n", "abc"),
            ("1\na\n0\n\n", "a"),
            ("3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0"),
            ("1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\nmore", "a"),
        ];
        for (wire, body) in table {
            assert_eq!(read_both(&response, wire), Ok(Some(body.into())), "{wire:?}");
            for end in 0..wire.trim_end_matches("more").len() {
                assert_eq!(read(&response, &[&wire.as_bytes()[..end]]), Ok(None), "{wire:?} {end}");
            }
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        let response = response(403, &[("Transfer-Encoding", "chunked")]);
        let table = [
            ("\r\n", security("invalid chunk size: ")),
            ("g\r\n", security("invalid chunk size: g")),
            ("+1\r\n", security("invalid chunk size: +1")),
            (" 1\r\n", security("invalid chunk size:  1")),
            ("1 1\r\n", security("invalid chunk size: 1 1")),
            ("1\r1\r\n", security("invalid chunk size: 1\\r1")),
            ("1\r\r\n", security("invalid chunk size: 1\\r")),
            ("b\r\n", security("chunk of 11 bytes exceeds the 10 bytes left for the body")),
            (
                "9\r\n123456789\r\n2\r\n",
                security("chunk of 2 bytes exceeds the 1 bytes left for the body"),
            ),
            ("1;aaaaaaaaaaa\r\na\r\n1;aaaaaaaaaaa\r\n", security("too many chunk extensions")),
            ("1;aaaaaaaaaaaaaa\r\n", security("line in chunked body exceeds 16 bytes")),
            ("0\r\na: b\r\na: b\r\na: b\r\n", security("too many trailers")),
            ("1\r\nab\r\n", Err(Fault::Malformed("chunk without CRLF".into()))),
        ];
        for (wire, expected) in table {
            assert_eq!(read_both(&response, wire), expected, "{wire:?}");
        }
        let huge = "fffffffffffffff\r\n";
        let text = "chunk of 1152921504606846975 bytes exceeds the 10 bytes left for the body";
        let mut wide =
            BodyReader::new(&response, &Limits { max_line_bytes: 99, ..limits() }).unwrap();
        assert_eq!(wide.feed(huge.as_bytes()), security(text));
    }

    // RFC 9112 §8: incomplete messages.

    #[test]
    fn eof_ends_only_a_body_without_length() {
        let table = [
            (response(502, &[]), Ok(b"<a>".to_vec())),
            (
                response(502, &[("Content-Length", "9")]),
                Err("connection closed while reading HTTP body: 3 of 9 bytes".into()),
            ),
            (
                response(502, &[("Transfer-Encoding", "chunked")]),
                Err("connection closed while reading HTTP body".into()),
            ),
        ];
        for (response, expected) in table {
            let mut reader = BodyReader::new(&response, &limits()).unwrap();
            assert_eq!(reader.feed(b"<a>"), Ok(false));
            assert_eq!(reader.eof(), expected);
        }
        let response = response(502, &[]);
        assert_eq!(read_both(&response, "12345678901"), security("response body exceeds 10 bytes"));
    }
}
