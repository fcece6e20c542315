//! Reads the head of a message as it arrives (RFC 9112 §2).
//!
//! Every byte is looked at once to find line ends and to enforce the limits; `httparse` sees the
//! start line when it is complete, so that a peer which isn't HTTP at all is refused at once, and
//! the whole head when it is complete. All verdicts depend on the bytes alone, never on how they
//! were cut into reads.

use super::headers::decode_latin1;
use super::{Fault, Headers, Limits, Request, Response};

/// Which message is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// A complete head.
#[derive(Debug)]
pub(crate) struct Head<M> {
    pub(crate) message: M,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(crate) minor_version: u8,
    /// What came after the head.
    pub(crate) rest: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct HeadReader {
    kind: Kind,
    limits: Limits,
    buffer: Vec<u8>,
    /// Invariant: start <= line_start <= examined <= buffer.len().
    examined: usize,
    line_start: usize,
    /// Where the start line begins, after blank lines.
    start: usize,
    has_start_line: bool,
    header_lines: usize,
}

impl HeadReader {
    pub(crate) fn new(kind: Kind, limits: Limits) -> HeadReader {
        HeadReader {
            kind,
            limits,
            buffer: Vec::new(),
            examined: 0,
            line_start: 0,
            start: 0,
            has_start_line: false,
            header_lines: 0,
        }
    }

    /// Takes bytes in and tells whether the head is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        self.buffer.extend_from_slice(bytes);
        while let Some(&byte) = self.buffer.get(self.examined) {
            self.examined += 1;
            if self.examined - self.line_start > self.limits.max_line_bytes {
                let limit = self.limits.max_line_bytes;
                return Err(match self.has_start_line {
                    true => Fault::HeaderLineTooLong { limit },
                    false => Fault::StartLineTooLong { limit },
                });
            }
            let limit = self.limits.max_head_bytes;
            if self.examined > limit {
                return Err(Fault::Security(format!("HTTP head exceeds {limit} bytes")));
            }
            if byte == b'\n' {
                if self.end_line()? {
                    return Ok(true);
                }
            } else if !self.has_start_line && byte.is_ascii_control() && !b"\t\r".contains(&byte) {
                // Don't wait for a line end that a peer with another protocol may never send.
                return Err(self.invalid_start_line());
            }
        }
        Ok(false)
    }

    /// Says what was being read, for a connection that ends now.
    pub(crate) fn eof(&self) -> String {
        let part = match (self.has_start_line, self.kind) {
            (true, _) => "headers",
            (false, Kind::Request) => "request line",
            (false, Kind::Response) => "status line",
        };
        format!("connection closed while reading HTTP {part}")
    }

    /// Parses the complete head of a request.
    pub(crate) fn into_request(mut self) -> Result<Head<Request>, Fault> {
        let rest = self.buffer.split_off(self.examined);
        let mut fields = vec![httparse::EMPTY_HEADER; self.header_lines];
        let mut parsed = httparse::Request::new(&mut fields);
        let status = parsed.parse(&self.buffer[self.start..]);
        if !matches!(status, Ok(httparse::Status::Complete(_))) {
            return Err(self.invalid_header());
        }
        let mut message =
            Request::new(parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
        message.headers = collect(parsed.headers);
        let minor_version = parsed.version.unwrap_or_default();
        Ok(Head { message, minor_version, rest })
    }

    /// Parses the complete head of a response; its body is still empty.
    pub(crate) fn into_response(mut self) -> Result<Head<Response>, Fault> {
        let rest = self.buffer.split_off(self.examined);
        let mut fields = vec![httparse::EMPTY_HEADER; self.header_lines];
        let mut parsed = httparse::Response::new(&mut fields);
        let status = lenient().parse_response(&mut parsed, &self.buffer[self.start..]);
        if !matches!(status, Ok(httparse::Status::Complete(_))) {
            return Err(self.invalid_header());
        }
        let code = parsed.code.unwrap_or_default();
        // RFC 9110 §15: values outside the range 100..599 are invalid.
        if !(100..=599).contains(&code) {
            return Err(Fault::Malformed(format!(
                "invalid status code; expected 100-599; got {code:03}"
            )));
        }
        let mut message = Response::new(code, self.reason_phrase());
        message.headers = collect(parsed.headers);
        let minor_version = parsed.version.unwrap_or_default();
        Ok(Head { message, minor_version, rest })
    }

    /// Handles the line that ends at `examined` and tells whether it ends the head.
    fn end_line(&mut self) -> Result<bool, Fault> {
        let line = self.line_start..self.examined;
        let is_blank = matches!(&self.buffer[line], b"\n" | b"\r\n");
        if self.has_start_line {
            if is_blank {
                return Ok(true);
            }
            self.header_lines += 1;
            let limit = self.limits.max_headers;
            if self.header_lines > limit {
                return Err(Fault::TooManyHeaders { limit });
            }
        } else if is_blank {
            // RFC 9112 §2.2: a server SHOULD ignore at least one empty line before the request
            // line.
            self.start = self.examined;
        } else {
            self.check_start_line()?;
            self.has_start_line = true;
        }
        self.line_start = self.examined;
        Ok(false)
    }

    fn check_start_line(&self) -> Result<(), Fault> {
        let line = &self.buffer[self.start..self.examined];
        let mut request = httparse::Request::new(&mut []);
        let status = match self.kind {
            Kind::Request => request.parse(line),
            Kind::Response => lenient().parse_response(&mut httparse::Response::new(&mut []), line),
        };
        match (status, self.kind) {
            (Err(httparse::Error::Version), Kind::Request) => Err(match other_version(line) {
                Some(version) => Fault::UnsupportedVersion(version.escape_ascii().to_string()),
                None => self.invalid_start_line(),
            }),
            (Err(_), _) => Err(self.invalid_start_line()),
            // RFC 9112 §3.2: a request target is ASCII; httparse also lets UTF-8 through.
            (Ok(_), Kind::Request) if !line.is_ascii() || !has_target(&request) => {
                Err(self.invalid_start_line())
            }
            (Ok(_), _) => Ok(()),
        }
    }

    fn invalid_start_line(&self) -> Fault {
        let line = self.buffer[self.start..self.examined].trim_ascii_end();
        let (part, peer) = match self.kind {
            Kind::Request => ("request", "client"),
            Kind::Response => ("status", "server"),
        };
        // TLS records of a handshake and of an alert begin with these bytes.
        let hint = match self.buffer[self.start] {
            0x15 | 0x16 => format!("; the {peer} seems to speak TLS"),
            _ => String::new(),
        };
        Fault::Malformed(format!("invalid HTTP {part} line: {}{hint}", line.escape_ascii()))
    }

    /// Names the header line that `httparse` didn't like.
    fn invalid_header(&self) -> Fault {
        let lines = self.buffer[self.start..].split_inclusive(|&b| b == b'\n').skip(1);
        let line = lines
            .filter(|line| httparse::parse_headers(line, &mut [httparse::EMPTY_HEADER]).is_err())
            .map(|line| line.trim_ascii_end().escape_ascii().to_string())
            .next();
        Fault::Malformed(format!("invalid HTTP header line: {}", line.unwrap_or_default()))
    }

    /// Cuts out the reason phrase, which `httparse` drops when it isn't ASCII.
    fn reason_phrase(&self) -> String {
        let line = self.buffer[self.start..].split(|&b| b == b'\n').next().unwrap_or_default();
        let code = line.get("HTTP/1.1".len()..).unwrap_or_default().trim_ascii();
        decode_latin1(code.get("101".len()..).unwrap_or_default().trim_ascii())
    }
}

/// RFC 9112 §3.2: what a GET asks for is a path, or an absolute URI. A fragment has no place in either, and does no
/// harm.
fn has_target(request: &httparse::Request<'_, '_>) -> bool {
    let target = request.path.unwrap_or("/");
    request.method != Some("GET") || target.starts_with('/') || target.contains("://")
}

/// The version of a request line that is well-formed but for it. A line with a blank too many is no
/// matter of versions: RFC 9112 §3 wants 400 for it, not 505.
fn other_version(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut words = line.strip_suffix(b"\r").unwrap_or(line).split(|&b| b == b' ');
    let (_method, _target) = (words.next()?, words.next()?);
    let version = words.next().filter(|_| words.next().is_none())?;
    let is_other = version.starts_with(b"HTTP/") && version.iter().all(u8::is_ascii_graphic);
    is_other.then_some(version)
}

fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config.allow_multiple_spaces_in_response_status_delimiters(true);
    config
}

fn collect(fields: &[httparse::Header<'_>]) -> Headers {
    let mut headers = Headers::new();
    for field in fields {
        headers.append_checked(field.name, decode_latin1(field.value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(line: usize, headers: usize, head: usize) -> Limits {
        Limits {
            max_line_bytes: line,
            max_headers: headers,
            max_head_bytes: head,
            ..Limits::default()
        }
    }

    /// Feeds chunks to a new reader: the parsed message as text, `None` while it is pending.
    fn read(kind: Kind, limits: &Limits, chunks: &[&[u8]]) -> Result<Option<String>, Fault> {
        let mut reader = HeadReader::new(kind, limits.clone());
        for chunk in chunks {
            if reader.feed(chunk)? {
                return match kind {
                    Kind::Request => {
                        reader.into_request().map(|h| Some(format!("{:?}", h.message)))
                    }
                    Kind::Response => {
                        reader.into_response().map(|h| Some(format!("{:?}", h.message)))
                    }
                };
            }
        }
        Ok(None)
    }

    fn response(head: &str) -> Result<Response, Fault> {
        let mut reader = HeadReader::new(Kind::Response, Limits::default());
        assert!(reader.feed(head.as_bytes())?, "pending: {head:?}");
        reader.into_response().map(|head| head.message)
    }

    fn malformed(text: &str) -> Fault {
        Fault::Malformed(text.into())
    }

    // RFC 9112 §4: status line.

    #[test]
    fn odd_status_lines_are_accepted() {
        let table = [
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "Switching Protocols"),
            ("HTTP/1.1 101 \r\n\r\n", 101, ""),
            ("HTTP/1.1 101\r\n\r\n", 101, ""),
            ("HTTP/1.1  101   Two  Words \r\n\r\n", 101, "Two  Words"),
            ("HTTP/1.1 101 OK\n\n", 101, "OK"),
            ("\r\n\nHTTP/1.1 101 OK\r\n\r\n", 101, "OK"),
            ("HTTP/1.0 404 Not\tFound\r\n\r\n", 404, "Not\tFound"),
            ("HTTP/1.1 599 é\r\n\r\n", 599, "Ã©"),
        ];
        for (head, code, reason) in table {
            let response = response(head).unwrap();
            assert_eq!(
                (response.status_code, &*response.reason_phrase),
                (code, reason),
                "{head:?}"
            );
        }
    }

    #[test]
    fn broken_status_lines_are_refused() {
        let table = [
            ("SSH-2.0-OpenSSH_9.2\r\n", "invalid HTTP status line: SSH-2.0-OpenSSH_9.2"),
            ("HTTP/2 200 OK\r\n", "invalid HTTP status line: HTTP/2 200 OK"),
            ("http/1.1 200 OK\r\n", "invalid HTTP status line: http/1.1 200 OK"),
            ("HTTP/1.1\r\n", "invalid HTTP status line: HTTP/1.1"),
            ("HTTP/1.1 20 OK\r\n", "invalid HTTP status line: HTTP/1.1 20 OK"),
            ("HTTP/1.1 +20 OK\r\n", "invalid HTTP status line: HTTP/1.1 +20 OK"),
            ("HTTP/1.1 2000 OK\r\n", "invalid HTTP status line: HTTP/1.1 2000 OK"),
            ("HTTP/1.1 200 a\rb\r\n", "invalid HTTP status line: HTTP/1.1 200 a\\rb"),
            ("HTTP/1.1 200 a\0", "invalid HTTP status line: HTTP/1.1 200 a\\x00"),
            ("\x15", "invalid HTTP status line: \\x15; the server seems to speak TLS"),
            ("\0\0", "invalid HTTP status line: \\x00"),
            ("HTTP/1.1 099 Low\r\n\r\n", "invalid status code; expected 100-599; got 099"),
            ("HTTP/1.1 600 High\r\n\r\n", "invalid status code; expected 100-599; got 600"),
        ];
        for (head, text) in table {
            assert_eq!(response(head), Err(malformed(text)), "{head:?}");
        }
    }

    // RFC 9112 §3: request line.

    #[test]
    fn broken_request_lines_are_refused() {
        let table = [
            ("GET /\r\n", malformed("invalid HTTP request line: GET /")),
            ("GET / HTTP/1.1 x\r\n", malformed("invalid HTTP request line: GET / HTTP/1.1 x")),
            ("GET  / HTTP/1.1\r\n", malformed("invalid HTTP request line: GET  / HTTP/1.1")),
            ("GET /  HTTP/1.1\r\n", malformed("invalid HTTP request line: GET /  HTTP/1.1")),
            ("GET /a b HTTP/1.1\r\n", malformed("invalid HTTP request line: GET /a b HTTP/1.1")),
            ("GET / HTTP/1.1 \r\n", malformed("invalid HTTP request line: GET / HTTP/1.1")),
            ("GET / HTTP/2.0\r\r\n", malformed("invalid HTTP request line: GET / HTTP/2.0")),
            (
                "GET /é HTTP/1.1\r\n",
                malformed(r"invalid HTTP request line: GET /\xc3\xa9 HTTP/1.1"),
            ),
            ("G(T / HTTP/1.1\r\n", malformed("invalid HTTP request line: G(T / HTTP/1.1")),
            ("GET / HTTP/0.9\r\n", Fault::UnsupportedVersion("HTTP/0.9".into())),
            ("PRI * HTTP/2.0\r\n", Fault::UnsupportedVersion("HTTP/2.0".into())),
            (
                "\x16\x03",
                malformed("invalid HTTP request line: \\x16; the client seems to speak TLS"),
            ),
        ];
        for (head, fault) in table {
            let read = read(Kind::Request, &Limits::default(), &[head.as_bytes()]);
            assert_eq!(read, Err(fault), "{head:?}");
        }
    }

    // RFC 9112 §5: header lines.

    #[test]
    fn odd_header_lines_are_accepted() {
        let table = [
            ("A:b", "A", "b"),
            ("a: \t b \t", "a", "b"),
            ("a:", "a", ""),
            ("a:   ", "a", ""),
            ("a: b\tc  d", "a", "b\tc  d"),
            ("a: :", "a", ":"),
            ("a: é", "a", "Ã©"),
        ];
        for (line, name, value) in table {
            let response = response(&format!("HTTP/1.1 101 OK\r\n{line}\r\n\r\n")).unwrap();
            assert_eq!(response.headers.iter().collect::<Vec<_>>(), [(name, value)], "{line:?}");
        }
    }

    #[test]
    fn broken_header_lines_are_refused() {
        let table = [
            ("a", "a"),
            ("a : b", "a : b"),
            (" a: b", " a: b"),
            ("a b: c", "a b: c"),
            (": b", ": b"),
            ("é: b", "\\xc3\\xa9: b"),
            ("a: b\0c", "a: b\\x00c"),
            ("a: b\rc", "a: b\\rc"),
            ("a: b\x1Bc", "a: b\\x1bc"),
            ("a: b\x7F", "a: b\\x7f"),
            // RFC 9112 §5.2: obs-fold.
            ("a: b\r\n c", " c"),
            ("a: b\r\n\tc: d", "\\tc: d"),
        ];
        for (line, shown) in table {
            for kind in [Kind::Request, Kind::Response] {
                let start = match kind {
                    Kind::Request => "GET / HTTP/1.1",
                    Kind::Response => "HTTP/1.1 200 OK",
                };
                let head = format!("{start}\r\nOk: x\r\n{line}\r\nOk: y\r\n\r\n");
                let fault = malformed(&format!("invalid HTTP header line: {}", shown.trim_end()));
                assert_eq!(read(kind, &Limits::default(), &[head.as_bytes()]), Err(fault));
            }
        }
    }

    // Limits.

    #[test]
    fn limits_hold_to_the_byte() {
        let head = b"HTTP/1.1 101 OK\r\nName: 12345678\r\nB: c\r\n\r\n";
        let (start_line, header_line, all) = (17, 16, head.len());
        assert_eq!(all, start_line + header_line + 6 + 2);
        let fine = read(Kind::Response, &limits(17, 2, all), &[head]).unwrap();
        assert!(fine.is_some());

        let table = [
            (limits(16, 9, 999), Fault::StartLineTooLong { limit: 16 }),
            (limits(17, 1, 999), Fault::TooManyHeaders { limit: 1 }),
            (limits(17, 0, 999), Fault::TooManyHeaders { limit: 0 }),
            (limits(17, 9, all - 1), Fault::Security("HTTP head exceeds 40 bytes".into())),
            (limits(17, 9, 0), Fault::Security("HTTP head exceeds 0 bytes".into())),
            (limits(0, 9, 0), Fault::StartLineTooLong { limit: 0 }),
        ];
        for (limits, fault) in table {
            assert_eq!(read(Kind::Response, &limits, &[head]), Err(fault.clone()));
            let bytes: Vec<&[u8]> = head.chunks(1).collect();
            assert_eq!(read(Kind::Response, &limits, &bytes), Err(fault));
        }
        let long = b"HTTP/1.1 101 OK\r\nName: 1234567890\r\n\r\n";
        assert_eq!(
            read(Kind::Response, &limits(17, 9, 999), &[long]),
            Err(Fault::HeaderLineTooLong { limit: 17 })
        );
    }

    #[test]
    fn endless_lines_are_refused_before_they_end() {
        let limits = limits(100, 3, 1000);
        let mut reader = HeadReader::new(Kind::Request, limits.clone());
        assert_eq!(reader.feed(&[b'a'; 100]), Ok(false));
        assert_eq!(reader.feed(b"a"), Err(Fault::StartLineTooLong { limit: 100 }));

        let mut reader = HeadReader::new(Kind::Request, limits);
        assert_eq!(reader.feed(&b"\r\n".repeat(500)), Ok(false));
        assert!(matches!(reader.feed(b"\r"), Err(Fault::Security(_))));
    }

    #[test]
    fn eof_names_the_part_that_was_being_read() {
        let table = [
            (Kind::Response, "", "status line"),
            (Kind::Response, "HTTP/1.1 101 OK\r", "status line"),
            (Kind::Response, "HTTP/1.1 101 OK\r\n", "headers"),
            (Kind::Request, "GET", "request line"),
            (Kind::Request, "GET / HTTP/1.1\r\nHost: a\r\n\r", "headers"),
        ];
        for (kind, head, part) in table {
            let mut reader = HeadReader::new(kind, Limits::default());
            assert_eq!(reader.feed(head.as_bytes()), Ok(false));
            assert_eq!(reader.eof(), format!("connection closed while reading HTTP {part}"));
        }
    }

    proptest! {
        #[test]
        fn chunked_equals_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            start in "(HTTP/1.1 [0-9]{3}[ -~]{0,4}\r?\n|GET / HTTP/1.[019]\r?\n)?",
            fields in "([a-c ]:[ -~]{0,4}\r?\n){0,4}",
            cut in 0..80_usize,
            line in 1..40_usize,
            head in 1..80_usize,
        ) {
            let all = [start.as_bytes(), fields.as_bytes(), &bytes].concat();
            let cut = cut.min(all.len());
            let singles: Vec<&[u8]> = all.chunks(1).collect();
            let limits = limits(line, 2, head);
            for kind in [Kind::Request, Kind::Response] {
                let whole = read(kind, &limits, &[&all]);
                prop_assert_eq!(&read(kind, &limits, &[&all[..cut], &all[cut..]]), &whole);
                prop_assert_eq!(&read(kind, &limits, &singles), &whole);
            }
        }
    }
}
