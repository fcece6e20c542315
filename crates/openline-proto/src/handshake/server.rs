//! The server's side of the handshake (RFC 6455 §4.2).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::error::{invalid_request, request_error, seal};
use super::fields::{
    check_upgrade, encode_extensions, optional, parse_all, parse_basic_auth, parse_extensions,
    parse_subprotocols, single,
};
use super::{ExtensionParams, HandshakeError, MessageFault, accept_key};
use crate::http::{Head, HeadReader, Headers, InvalidField, Kind, Limits, Request, Response};

/// A handshake whose request hasn't arrived completely.
///
/// # Examples
///
/// See the [handshake module](crate::handshake) for a whole handshake.
///
/// ```
/// use openline_proto::handshake::HandshakeError;
/// use openline_proto::handshake::server::ServerHandshake;
/// use openline_proto::http::Limits;
///
/// let handshake = ServerHandshake::new(Limits::default());
/// let Err(error) = handshake.receive(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n") else { return };
/// assert_eq!(error, HandshakeError::InvalidMethod("POST".into()));
///
/// // Send this, then close.
/// let mut out = Vec::new();
/// error.response().encode(&mut out);
/// assert!(out.starts_with(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"));
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    reader: HeadReader,
}

/// How far a server's handshake is.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
/// use openline_proto::http::Limits;
///
/// let progress = ServerHandshake::new(Limits::default()).receive(b"GET / HTT")?;
/// assert!(matches!(progress, ServerProgress::Pending(_)));
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
#[derive(Debug)]
pub enum ServerProgress {
    /// More bytes are needed.
    Pending(ServerHandshake),
    /// A valid request that wants an answer.
    Request(ServerRequest),
}

/// A valid request for a WebSocket, to be accepted or rejected.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::server::{ServerHandshake, ServerProgress, ServerReply};
/// use openline_proto::http::{Limits, Response};
///
/// let progress = ServerHandshake::new(Limits::default()).receive(
///     b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
/// )?;
/// let ServerProgress::Request(request) = progress else { panic!("the request is complete") };
/// let bytes = if request.request().path == "/chat" {
///     request.accept(ServerReply::default())?.0
/// } else {
///     request.reject(Response::new(404, "Not Found"))
/// };
/// assert!(bytes.starts_with(b"HTTP/1.1 101 "));
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRequest {
    request: Request,
    accept_key: String,
    subprotocols: Vec<String>,
    extensions: Vec<ExtensionParams>,
    leftover: Vec<u8>,
}

/// What a server chooses when it accepts.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::server::ServerReply;
///
/// let mut reply = ServerReply::default();
/// reply.subprotocol = Some("chat".into());
/// reply.headers.append("Server", "example/1.0")?;
/// # Ok::<(), openline_proto::http::InvalidField>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReply {
    /// The subprotocol, one of the offered. Default: none.
    pub subprotocol: Option<String>,
    /// The extensions, their names among the offered. Default: none.
    pub extensions: Vec<ExtensionParams>,
    /// Sent after our own headers, repeated names kept. Those that belong to the handshake are
    /// refused. `Date` is the caller's to add, since there is no clock here.
    pub headers: Headers,
}

/// The outcome of a server's handshake.
///
/// # Examples
///
/// ```
/// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress, ServerReply};
/// # use openline_proto::http::Limits;
/// # let progress = ServerHandshake::new(Limits::default()).receive(
/// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
/// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
/// # )?;
/// # let ServerProgress::Request(request) = progress else { panic!() };
/// let (bytes, open) = request.accept(ServerReply::default())?;
/// assert_eq!(open.response.status_code, 101);
/// assert_eq!(open.subprotocol, None);
/// # Ok::<(), openline_proto::handshake::HandshakeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOpen {
    /// The request.
    pub request: Request,
    /// The response that accepts it.
    pub response: Response,
    /// The subprotocol that was chosen.
    pub subprotocol: Option<String>,
    /// The extensions that were accepted.
    pub extensions: Vec<ExtensionParams>,
    /// What followed the request: frames of a client that didn't wait for the answer.
    pub leftover: Vec<u8>,
}

impl ServerHandshake {
    /// Makes a handshake that waits for a request.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ServerHandshake;
    /// use openline_proto::http::Limits;
    ///
    /// let handshake = ServerHandshake::new(Limits::default());
    /// # let _ = handshake;
    /// ```
    pub fn new(limits: Limits) -> ServerHandshake {
        ServerHandshake { reader: HeadReader::new(Kind::Request, limits) }
    }

    /// Takes bytes from the client in.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; [`response`](HandshakeError::response) makes the answer to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ServerHandshake;
    /// use openline_proto::http::Limits;
    ///
    /// // A browser that was pointed here.
    /// let result = ServerHandshake::new(Limits::default())
    ///     .receive(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    /// assert_eq!(result.map_err(|error| error.response().status_code).err(), Some(426));
    /// ```
    pub fn receive(mut self, bytes: &[u8]) -> Result<ServerProgress, HandshakeError> {
        if !self.reader.feed(bytes).map_err(request_error)? {
            return Ok(ServerProgress::Pending(self));
        }
        let head = self.reader.into_request().map_err(request_error)?;
        ServerRequest::check(head).map(ServerProgress::Request)
    }

    /// Takes the end of the connection in: the request is cut off.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ServerHandshake;
    /// use openline_proto::http::Limits;
    ///
    /// let error = ServerHandshake::new(Limits::default()).receive_eof();
    /// assert_eq!(error.to_string(), "did not receive a valid HTTP request");
    /// ```
    pub fn receive_eof(self) -> HandshakeError {
        invalid_request(MessageFault::Eof(self.reader.eof()))
    }
}

impl ServerRequest {
    /// Accepts: returns the bytes to send and the open connection's parameters.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NegotiationError`] when the reply has a subprotocol or extension that
    /// wasn't offered, and [`HandshakeError::InvalidField`] when it has a header that can't be
    /// sent. Nothing has been sent then; [`HandshakeError::response`] makes an answer.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress, ServerReply};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// let mut reply = ServerReply::default();
    /// reply.subprotocol = Some("never-offered".into());
    /// assert!(request.accept(reply).is_err());
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn accept(self, reply: ServerReply) -> Result<(Vec<u8>, ServerOpen), HandshakeError> {
        // RFC 6455 §4.2.2: both must be derived from what the client offered.
        if let Some(name) = &reply.subprotocol
            && !self.subprotocols.contains(name)
        {
            let text = format!("subprotocol {name} isn't offered by the client");
            return Err(HandshakeError::NegotiationError(text));
        }
        let is_offered = |name: &str| self.extensions.iter().any(|offered| offered.name == name);
        if let Some(extension) = reply.extensions.iter().find(|e| !is_offered(&e.name)) {
            let text = format!("extension {} isn't offered by the client", extension.name);
            return Err(HandshakeError::NegotiationError(text));
        }
        let mut response = Response::new(101, "Switching Protocols");
        let headers = &mut response.headers;
        headers.append("Upgrade", "websocket")?;
        headers.append("Connection", "Upgrade")?;
        headers.append("Sec-WebSocket-Accept", &self.accept_key)?;
        if !reply.extensions.is_empty() {
            headers.append("Sec-WebSocket-Extensions", &encode_extensions(&reply.extensions)?)?;
        }
        if let Some(name) = &reply.subprotocol {
            headers.append("Sec-WebSocket-Protocol", name)?;
        }
        for (name, value) in &reply.headers {
            if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
                return Err(InvalidField::Reserved { name: name.to_owned() }.into());
            }
            headers.append(name, value)?;
        }
        let mut out = Vec::new();
        response.encode(&mut out);
        let open = ServerOpen {
            request: self.request,
            response,
            subprotocol: reply.subprotocol,
            extensions: reply.extensions,
            leftover: self.leftover,
        };
        Ok((out, open))
    }

    /// Rejects: returns the bytes to send before closing.
    ///
    /// `Connection: close` and `Content-Type` are added when missing, and `Content-Length` is set
    /// to the length of the body. A status that isn't final (below 200) or isn't valid (above
    /// 599) is sent as 500.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::{Limits, Response};
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// let mut response = Response::new(403, "Forbidden");
    /// response.body = b"go away\n".to_vec();
    /// assert_eq!(
    ///     request.reject(response),
    ///     b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 8\r\n\
    ///       Content-Type: text/plain; charset=utf-8\r\n\r\ngo away\n"
    /// );
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn reject(self, mut response: Response) -> Vec<u8> {
        if !(200..=599).contains(&response.status_code) {
            response.status_code = 500;
            response.reason_phrase = "Internal Server Error".into();
        }
        seal(&mut response);
        let mut out = Vec::new();
        response.encode(&mut out);
        out
    }

    /// Returns the request.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// assert_eq!(request.request().path, "/chat");
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the subprotocols that the client offers, in its order of preference.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    /// #       Sec-WebSocket-Protocol: chat, superchat\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// assert_eq!(request.subprotocols(), ["chat", "superchat"]);
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns the extensions that the client offers, in its order of preference.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    /// #       Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// assert_eq!(request.extensions()[0].name, "permessage-deflate");
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn extensions(&self) -> &[ExtensionParams] {
        &self.extensions
    }

    /// Returns the value of the `Origin` header; there is at most one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    /// #       Origin: http://example.com\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// assert_eq!(request.origin(), Some("http://example.com"));
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn origin(&self) -> Option<&str> {
        self.request.headers.get("Origin")
    }

    /// Returns user name and password of an `Authorization` header for basic authentication; `None`
    /// when there is none, more than one, or an invalid one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// # use openline_proto::http::Limits;
    /// # let progress = ServerHandshake::new(Limits::default()).receive(
    /// #     b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    /// #       Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
    /// # )?;
    /// # let ServerProgress::Request(request) = progress else { panic!() };
    /// assert_eq!(request.basic_auth(), Some(("Aladdin".into(), "open sesame".into())));
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn basic_auth(&self) -> Option<(String, String)> {
        optional(&self.request.headers, "Authorization").ok()?.and_then(parse_basic_auth)
    }

    /// Checks a request, in the order of RFC 6455 §4.2.1.
    fn check(head: Head<Request>) -> Result<ServerRequest, HandshakeError> {
        let request = head.message;
        let headers = &request.headers;
        if request.method != "GET" {
            return Err(HandshakeError::InvalidMethod(request.method));
        }
        if head.minor_version != 1 {
            return Err(HandshakeError::InvalidProtocol("HTTP/1.0".into()));
        }
        check_no_body(headers)?;
        // RFC 9112 §3.2: a server MUST respond with 400 to a request without Host or with several.
        single(headers, "Host")?;
        check_upgrade(headers)?;
        let key = single(headers, "Sec-WebSocket-Key")?;
        check_key(key)?;
        let version = single(headers, "Sec-WebSocket-Version")?;
        if version != "13" {
            return Err(invalid_value("Sec-WebSocket-Version", version));
        }
        optional(headers, "Origin")?;
        let accept_key = accept_key(key);
        let subprotocols = parse_all(headers, "Sec-WebSocket-Protocol", parse_subprotocols)?;
        let extensions = parse_all(headers, "Sec-WebSocket-Extensions", parse_extensions)?;
        Ok(ServerRequest { request, accept_key, subprotocols, extensions, leftover: head.rest })
    }
}

fn check_no_body(headers: &Headers) -> Result<(), HandshakeError> {
    // A body would be taken for frames: the start of request smuggling. Some devices send a length
    // of 0, which is harmless.
    let has_length = headers.get_all("Content-Length").any(|length| length != "0");
    if has_length || headers.contains("Transfer-Encoding") {
        let text = "request has a body; a handshake has none";
        return Err(invalid_request(MessageFault::Malformed(text.into())));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), HandshakeError> {
    // RFC 6455 §4.2.1: a base64-encoded value that, when decoded, is 16 bytes in length.
    match KEY_BASE64.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(()),
        _ => Err(invalid_value("Sec-WebSocket-Key", key)),
    }
}

fn invalid_value(name: &str, value: &str) -> HandshakeError {
    HandshakeError::InvalidHeaderValue { name: name.to_owned(), value: value.to_owned() }
}

/// Clients with a made-up key leave bits in its last character that encode nothing; no other server
/// minds.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Headers of a reply that the handshake sets itself, or that have no place in a 101 response.
const RESERVED: &[&str] = &[
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
    "Transfer-Encoding",
    "Upgrade",
];

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use proptest::prelude::*;

    use super::*;
    use crate::handshake::testing::{REQUESTED, every_split, run_server};

    fn run(wire: &str) -> Result<ServerRequest, HandshakeError> {
        every_split(wire.as_bytes(), |chunks| {
            run_server(&Limits::default(), chunks).map(|(mut request, more)| {
                request.leftover.extend(more);
                request
            })
        })
    }

    fn valid(headers: &str) -> ServerRequest {
        run(&format!("GET / HTTP/1.1\r\n{REQUESTED}{headers}\r\n")).unwrap()
    }

    fn reply(fields: &[(&str, &str)]) -> ServerReply {
        let mut reply = ServerReply::default();
        for (name, value) in fields {
            reply.headers.append(name, value).unwrap();
        }
        reply
    }

    // RFC 6455 §4.2.1: the request.

    #[test]
    fn pending_at_every_prefix() {
        let head = format!("GET /chat HTTP/1.1\r\n{REQUESTED}\r\n");
        for end in 0..head.len() {
            let handshake = ServerHandshake::new(Limits::default());
            let progress = handshake.receive(&head.as_bytes()[..end]).unwrap();
            let ServerProgress::Pending(pending) = progress else { panic!("early at {end}") };
            let cause = pending.receive_eof().source().unwrap().to_string();
            let part = if end < 20 { "request line" } else { "headers" };
            assert_eq!(cause, format!("connection closed while reading HTTP {part}"), "{end}");
        }
    }

    #[test]
    fn request_tells_what_the_client_offers() {
        let request = run(&format!(
            "GET /chat?a=b HTTP/1.1\r\n{REQUESTED}Origin: https://a.example\r\n\
             Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat,v2\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-b; c=\"1\"\r\n\
             Authorization: basic YTpi\r\nContent-Length: 0\r\n\r\n\u{81}early"
        ))
        .unwrap();
        assert_eq!(request.request().path, "/chat?a=b");
        assert_eq!(request.subprotocols(), ["chat", "superchat", "v2"]);
        let extensions: Vec<String> = request.extensions().iter().map(|e| e.to_string()).collect();
        assert_eq!(extensions, ["permessage-deflate; client_max_window_bits", "x-b; c=1"]);
        assert_eq!(request.origin(), Some("https://a.example"));
        assert_eq!(request.basic_auth(), Some(("a".into(), "b".into())));
        assert_eq!(request.leftover, "\u{81}early".as_bytes());
    }

    #[test]
    fn odd_clients_are_understood() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let table = [
            // Firefox.
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ),
            // The spelling of RFC 6455 §11.2, names in lower case, no blanks.
            format!(
                "GET / HTTP/1.1\r\nhost:a\r\nconnection:upgrade\r\nupgrade:WebSocket\r\n\
                 sec-websocket-version:13\r\nsec-websocket-key:{key}\r\n\r\n"
            ),
            // Blank line first, bare line feeds, empty Host.
            format!(
                "\r\nGET / HTTP/1.1\nHost:\nConnection: Upgrade\nUpgrade: websocket\n\
                 Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {key}\n\n"
            ),
            // A made-up key with bits left over; absolute form of the target; an empty offer.
            "GET ws://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==\r\n\
             Sec-WebSocket-Protocol:\r\n\r\n"
                .into(),
        ];
        for wire in table {
            let request = run(&wire).unwrap_or_else(|error| panic!("{error}: {wire}"));
            assert_eq!((request.origin(), request.basic_auth()), (None, None));
            assert!(request.subprotocols().is_empty());
        }
    }

    #[test]
    fn faulty_requests_fail_with_their_own_error_and_answer() {
        let (host, upgrade) = ("Host: a\r\n", "Upgrade: websocket\r\n");
        let (connection, version) = ("Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n");
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let get = |headers: &[&str]| format!("GET / HTTP/1.1\r\n{}\r\n", headers.concat());
        let table = [
            (format!("HEAD / HTTP/1.1\r\n{REQUESTED}\r\n"), 405, "unsupported HTTP method: HEAD"),
            (format!("get / HTTP/1.1\r\n{REQUESTED}\r\n"), 405, "unsupported HTTP method: get"),
            (
                format!("GET / HTTP/1.0\r\n{REQUESTED}\r\n"),
                505,
                "unsupported HTTP version: HTTP/1.0",
            ),
            ("PRI * HTTP/2.0\r\n\r\n".into(), 505, "unsupported HTTP version: HTTP/2.0"),
            (get(&[upgrade, connection, key, version]), 400, "missing Host header"),
            (
                get(&[host, host, upgrade, connection, key, version]),
                400,
                "invalid Host header: multiple values",
            ),
            (get(&[host]), 426, "missing Connection header"),
            (get(&[host, "Connection: close\r\n"]), 426, "invalid Connection header: close"),
            (get(&[host, connection, key, version]), 426, "missing Upgrade header"),
            (get(&[host, connection, "Upgrade: h2c\r\n"]), 426, "invalid Upgrade header: h2c"),
            (
                get(&[host, "Connection: \"\r\n"]),
                400,
                "invalid Connection header: expected token at 0 in \"",
            ),
            (get(&[host, upgrade, connection, version]), 400, "missing Sec-WebSocket-Key header"),
            (
                get(&[host, upgrade, connection, key, key, version]),
                400,
                "invalid Sec-WebSocket-Key header: multiple values",
            ),
            (
                get(&[host, upgrade, connection, "Sec-WebSocket-Key:\r\n", version]),
                400,
                "empty Sec-WebSocket-Key header",
            ),
            (
                get(&[host, upgrade, connection, "Sec-WebSocket-Key: !\r\n", version]),
                400,
                "invalid Sec-WebSocket-Key header: !",
            ),
            (
                get(&[host, upgrade, connection, "Sec-WebSocket-Key: AAAA\r\n", version]),
                400,
                "invalid Sec-WebSocket-Key header: AAAA",
            ),
            (get(&[host, upgrade, connection, key]), 400, "missing Sec-WebSocket-Version header"),
            (
                get(&[host, upgrade, connection, key, "Sec-WebSocket-Version: 8\r\n"]),
                426,
                "invalid Sec-WebSocket-Version header: 8",
            ),
            (
                get(&[REQUESTED, "Origin: a\r\nOrigin: b\r\n"]),
                400,
                "invalid Origin header: multiple values",
            ),
            (
                get(&[REQUESTED, "Sec-WebSocket-Protocol: a b\r\n"]),
                400,
                "invalid Sec-WebSocket-Protocol header: expected comma at 2 in a b",
            ),
            (
                get(&[REQUESTED, "Sec-WebSocket-Extensions: ;\r\n"]),
                400,
                "invalid Sec-WebSocket-Extensions header: expected token at 0 in ;",
            ),
        ];
        for (wire, status_code, text) in table {
            let error = run(&wire).unwrap_err();
            assert_eq!(error.to_string(), text);
            let response = error.response();
            assert_eq!(response.status_code, status_code, "{text}");
            assert!(String::from_utf8(response.body).unwrap().contains(text));
        }
    }

    #[test]
    fn requests_with_a_body_or_bad_syntax_are_refused() {
        let table = [
            ("Content-Length: 1", "request has a body; a handshake has none"),
            ("Content-Length: 0\r\nContent-Length: 5", "request has a body; a handshake has none"),
            ("Transfer-Encoding: chunked", "request has a body; a handshake has none"),
            ("Bad Name: x", "invalid HTTP header line: Bad Name: x"),
            ("A: b\r\n c", "invalid HTTP header line:  c"),
            ("A: \0", "invalid HTTP header line: A: \\x00"),
        ];
        for (header, cause) in table {
            let error = run(&format!("GET / HTTP/1.1\r\n{REQUESTED}{header}\r\n\r\n")).unwrap_err();
            assert_eq!(error.to_string(), "did not receive a valid HTTP request");
            assert_eq!(error.source().unwrap().to_string(), cause);
            assert_eq!(error.response().status_code, 400);
        }
    }

    #[test]
    fn limits_have_their_own_errors() {
        let long = "a".repeat(8192);
        let many = "a: b\r\n".repeat(129);
        let (limit, count) = (8192, 128);
        let table = [
            (format!("GET /{long}"), 414, HandshakeError::RequestLineTooLong { limit }),
            (
                format!("GET / HTTP/1.1\r\na: {long}"),
                431,
                HandshakeError::HeaderLineTooLong { limit },
            ),
            (
                format!("GET / HTTP/1.1\r\n{many}"),
                431,
                HandshakeError::TooManyHeaders { limit: count },
            ),
            (
                "\r\n".repeat(600_000),
                431,
                HandshakeError::SecurityError("HTTP head exceeds 1048576 bytes".into()),
            ),
        ];
        for (wire, status_code, error) in table {
            assert_eq!(error.response().status_code, status_code);
            for size in [usize::MAX, 1000, 1] {
                let chunks: Vec<&[u8]> = wire.as_bytes().chunks(size).collect();
                let result = run_server(&Limits::default(), &chunks);
                assert_eq!(result.unwrap_err(), error);
            }
        }
    }

    // RFC 6455 §4.2.2: the response.

    #[test]
    fn accepting_sends_what_was_chosen() {
        let request = valid(
            "Sec-WebSocket-Protocol: chat, superchat\r\n\
             Sec-WebSocket-Extensions: permessage-deflate, x-b\r\n",
        );
        let mut deflate = ExtensionParams::new("permessage-deflate");
        deflate.params.push(("server_max_window_bits".into(), Some("10".into())));
        let reply = ServerReply {
            subprotocol: Some("superchat".into()),
            extensions: vec![deflate.clone()],
            ..reply(&[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        };
        let (out, open) = request.accept(reply).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\
             Sec-WebSocket-Protocol: superchat\r\n\
             Set-Cookie: a=1\r\n\
             Set-Cookie: b=2\r\n\
             \r\n"
        );
        assert_eq!(open.subprotocol.as_deref(), Some("superchat"));
        assert_eq!(open.extensions, [deflate]);
        assert_eq!(open.response.status_code, 101);
    }

    #[test]
    fn replies_outside_the_offer_are_refused() {
        let negotiation = |text: &str| HandshakeError::NegotiationError(text.into());
        let offered = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-a\r\n";
        let table = [
            (
                ServerReply { subprotocol: Some("other".into()), ..reply(&[]) },
                negotiation("subprotocol other isn't offered by the client"),
            ),
            (
                ServerReply { subprotocol: Some("chat\r\nX: y".into()), ..reply(&[]) },
                negotiation("subprotocol chat\r\nX: y isn't offered by the client"),
            ),
            (
                ServerReply { extensions: vec![ExtensionParams::new("x-b")], ..reply(&[]) },
                negotiation("extension x-b isn't offered by the client"),
            ),
            (
                reply(&[("sec-websocket-accept", "x")]),
                InvalidField::Reserved { name: "sec-websocket-accept".into() }.into(),
            ),
        ];
        for (reply, error) in table {
            assert_eq!(valid(offered).accept(reply).unwrap_err(), error);
        }
        let bad = ("a".to_owned(), Some("b\r\nX: y".to_owned()));
        let extension = ExtensionParams { name: "x-a".into(), params: vec![bad] };
        let reply = ServerReply { extensions: vec![extension], ..reply(&[]) };
        let error = valid(offered).accept(reply).unwrap_err();
        assert!(matches!(error, HandshakeError::InvalidField(InvalidField::Extension { .. })));
    }

    #[test]
    fn rejecting_completes_the_response() {
        let with = |status_code, fields: &[(&str, &str)], body: &str| {
            let mut response = Response::new(status_code, "X");
            response.body = body.into();
            for (name, value) in fields {
                response.headers.append(name, value).unwrap();
            }
            response
        };
        let table = [
            (with(404, &[], ""), "404 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            (
                with(403, &[("Content-Type", "a/b"), ("Content-Length", "99")], "é"),
                "403 X\r\nContent-Type: a/b\r\nConnection: close\r\nContent-Length: 2\r\n\r\né",
            ),
            (
                with(301, &[("Location", "/b"), ("connection", "close")], ""),
                "301 X\r\nLocation: /b\r\nconnection: close\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                with(403, &[("Transfer-Encoding", "chunked")], "a"),
                "403 X\r\nConnection: close\r\nContent-Length: 1\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\r\na",
            ),
            (with(204, &[], "a"), "204 X\r\nConnection: close\r\n\r\n"),
            (
                with(101, &[], ""),
                "500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            ),
        ];
        for (response, text) in table {
            let out = String::from_utf8(valid("").reject(response)).unwrap();
            assert_eq!(out, format!("HTTP/1.1 {text}"));
        }
    }

    // RFC 7617, RFC 9110 §11.6.2.

    #[test]
    fn doubtful_credentials_are_none() {
        let table = [
            "",
            "Authorization: Bearer x\r\n",
            "Authorization: Basic !\r\n",
            "Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n",
        ];
        for headers in table {
            assert_eq!(valid(headers).basic_auth(), None, "{headers}");
        }
    }

    proptest! {
        #[test]
        fn chunked_equals_whole(
            start in "(GET / HTTP/1.[01]\r\n)?",
            lines in prop::collection::vec(prop::sample::select(
                REQUESTED.split_inclusive('\n').chain(["\r\n", "Origin: a\r\n"]).collect::<Vec<_>>()
            ), 0..9),
            end in prop::collection::vec(any::<u8>(), 0..20),
            is_valid in any::<bool>(),
            cut in 0..300_usize,
        ) {
            let middle = if is_valid { format!("{REQUESTED}\r\n") } else { lines.concat() };
            let bytes = [start.as_bytes(), middle.as_bytes(), &end].concat();
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            let run = |chunks: &[&[u8]]| {
                run_server(&Limits::default(), chunks).map(|(mut request, more)| {
                    request.leftover.extend(more);
                    request
                })
            };
            prop_assert_eq!(run(&[left, right]), run(&[&bytes]));
            prop_assert_eq!(run(&bytes.chunks(1).collect::<Vec<_>>()), run(&[&bytes]));
        }
    }
}
