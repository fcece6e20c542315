//! The two messages of a handshake (RFC 9112 §3, §4).

use super::Limits;
use super::head::{HeadReader, Kind};
use super::headers::{Headers, encode_latin1};

/// The request that opens a connection.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Request;
///
/// let mut request = Request::new("GET", "/chat");
/// request.headers.append("Host", "localhost")?;
/// let mut out = Vec::new();
/// request.encode(&mut out);
/// assert_eq!(out, b"GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The method; a handshake has `GET`.
    pub method: String,
    /// The request target: path and query, ASCII.
    pub path: String,
    /// The header fields.
    pub headers: Headers,
}

impl Request {
    /// Makes a request without headers.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(openline_proto::http::Request::new("GET", "/").path, "/");
    /// ```
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Request {
        Request { method: method.into(), path: path.into(), headers: Headers::new() }
    }

    /// Appends the request as it is sent.
    ///
    /// Whatever the fields hold, it stays one request: a blank, a control character or one outside
    /// ASCII in the method or path is sent as `?`.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut out = Vec::new();
    /// openline_proto::http::Request::new("GET", "/").encode(&mut out);
    /// assert_eq!(out, b"GET / HTTP/1.1\r\n\r\n");
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        for part in [&self.method, &self.path] {
            out.extend(part.chars().map(|c| if c.is_ascii_graphic() { c as u8 } else { b'?' }));
            out.push(b' ');
        }
        out.extend_from_slice(b"HTTP/1.1\r\n");
        self.headers.encode(out);
    }
}

/// The answer to a request.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Response;
///
/// let mut response = Response::new(503, "Service Unavailable");
/// response.headers.append("Retry-After", "5")?;
/// let mut out = Vec::new();
/// response.encode(&mut out);
/// assert_eq!(out, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n");
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status code; 101 accepts the handshake.
    pub status_code: u16,
    /// The reason phrase, often empty; its characters are bytes read as ISO-8859-1.
    pub reason_phrase: String,
    /// The header fields.
    pub headers: Headers,
    /// The body, with its transfer coding removed; empty for a response that accepts.
    pub body: Vec<u8>,
}

impl Response {
    /// Makes a response without headers and body.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(openline_proto::http::Response::new(404, "Not Found").status_code, 404);
    /// ```
    pub fn new(status_code: u16, reason_phrase: impl Into<String>) -> Response {
        Response {
            status_code,
            reason_phrase: reason_phrase.into(),
            headers: Headers::new(),
            body: Vec::new(),
        }
    }

    /// Reads the head of a response; `None` unless it is there to its end and in order. The body is left
    /// out.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::http::Response;
    ///
    /// let response = Response::parse_head(b"HTTP/1.1 101 \r\nUpgrade: chat\r\n\r\n");
    /// let response = response.ok_or("the head is whole")?;
    /// assert_eq!((response.status_code, response.headers.get("Upgrade")), (101, Some("chat")));
    /// assert_eq!(Response::parse_head(b"HTTP/1.1 101 \r\nUpgra"), None);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn parse_head(bytes: &[u8]) -> Option<Response> {
        let mut reader = HeadReader::new(Kind::Response, Limits::default());
        let is_complete = reader.feed(bytes).ok()?;
        let head = if is_complete { reader.into_response().ok() } else { None };
        head.map(|head| head.message)
    }

    /// Appends the response as it is sent, body last.
    ///
    /// Whatever the reason phrase holds, it stays one response: a control character, or one outside
    /// ISO-8859-1, is sent as `?`.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut out = Vec::new();
    /// openline_proto::http::Response::new(200, "O\r\nK").encode(&mut out);
    /// assert_eq!(out, b"HTTP/1.1 200 O??K\r\n\r\n");
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("HTTP/1.1 {:03} ", self.status_code).as_bytes());
        let visible = |c: char| if c.is_ascii_control() { '?' } else { c };
        encode_latin1(&self.reason_phrase.chars().map(visible).collect::<String>(), out);
        out.extend_from_slice(b"\r\n");
        self.headers.encode(out);
        out.extend_from_slice(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_can_add_a_line() {
        let mut out = Vec::new();
        Request::new("GET\r\nX: y", "/ HTTP/1.1\r\né").encode(&mut out);
        assert_eq!(out, b"GET??X:?y /?HTTP/1.1??? HTTP/1.1\r\n\r\n");

        out.clear();
        Response::new(403, "é\n\u{10A}").encode(&mut out);
        assert_eq!(out, b"HTTP/1.1 403 \xE9??\r\n\r\n");
    }
}
