//! The server's side of the handshake (RFC 6455 §4.2).
//!
//! # Examples
//!
//! See the [handshake module](crate::handshake) for a whole handshake.
//!
//! ```
//! use openline_proto::handshake::HandshakeError;
//! use openline_proto::handshake::server::ServerHandshake;
//! use openline_proto::http::Limits;
//!
//! let handshake = ServerHandshake::new(Limits::default());
//! let outcome = handshake.receive(b"HELO example.com\r\n");
//! assert!(matches!(outcome, Err(HandshakeError::InvalidMessage { .. }))); // another protocol
//! ```

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
/// let Err(error) = handshake.receive(b"GET / HTTP/2.0\r\n\r\n") else { return };
/// assert_eq!(error, HandshakeError::InvalidProtocol("HTTP/2.0".into()));
///
/// // Send this, then close.
/// let mut out = Vec::new();
/// error.response().encode(&mut out);
/// assert!(out.starts_with(b"HTTP/1.1 505 HTTP Version Not Supported\r\n"));
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
    /// A request that wants an answer: for a WebSocket, or for anything else.
    Request(ReceivedRequest),
}

/// An HTTP request, not necessarily for a WebSocket: a server may answer others itself, such as those
/// that ask whether it is well.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::HandshakeError;
/// use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
/// use openline_proto::http::{Limits, Response};
///
/// let progress = ServerHandshake::new(Limits::default())
///     .receive(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let ServerProgress::Request(request) = progress else { panic!("the request is complete") };
/// let bytes = match request.request().path.as_str() {
///     "/health" => request.reject(Response::new(200, "OK")),
///     _ => return request.check().map(|_| ()),
/// };
/// assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    request: Request,
    minor_version: u8,
    leftover: Vec<u8>,
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
/// let request = request.check()?;
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
/// # let request = request.check()?;
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
    /// let flood = vec![b'a'; 100_000];
    /// let result = ServerHandshake::new(Limits::default()).receive(&flood);
    /// assert_eq!(result.map_err(|error| error.response().status_code).err(), Some(414));
    /// ```
    pub fn receive(mut self, bytes: &[u8]) -> Result<ServerProgress, HandshakeError> {
        if !self.reader.feed(bytes).map_err(request_error)? {
            return Ok(ServerProgress::Pending(self));
        }
        let Head { message, minor_version, rest } =
            self.reader.into_request().map_err(request_error)?;
        let received = ReceivedRequest { request: message, minor_version, leftover: rest };
        Ok(ServerProgress::Request(received))
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

impl ReceivedRequest {
    /// Makes a request of HTTP/1.1 that somebody else has read.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ReceivedRequest;
    /// use openline_proto::http::Request;
    ///
    /// let error = ReceivedRequest::new(Request::new("POST", "/")).check().unwrap_err();
    /// assert_eq!(error.to_string(), "unsupported HTTP method: POST");
    /// ```
    pub fn new(request: Request) -> ReceivedRequest {
        ReceivedRequest { request, minor_version: 1, leftover: Vec::new() }
    }

    /// Returns the request.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ReceivedRequest;
    /// use openline_proto::http::Request;
    ///
    /// assert_eq!(ReceivedRequest::new(Request::new("GET", "/chat")).request().path, "/chat");
    /// ```
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the version of HTTP: `HTTP/1.1`, or `HTTP/1.0`, which no WebSocket is opened with.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ReceivedRequest;
    /// use openline_proto::http::Request;
    ///
    /// assert_eq!(ReceivedRequest::new(Request::new("GET", "/")).version(), "HTTP/1.1");
    /// ```
    pub fn version(&self) -> &'static str {
        if self.minor_version == 1 { "HTTP/1.1" } else { "HTTP/1.0" }
    }

    /// Returns what followed the request: frames of a client that didn't wait for the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ReceivedRequest;
    /// use openline_proto::http::Request;
    ///
    /// assert!(ReceivedRequest::new(Request::new("GET", "/")).leftover().is_empty());
    /// ```
    pub fn leftover(&self) -> &[u8] {
        &self.leftover
    }

    /// Checks whether it asks for a WebSocket, in the order of RFC 6455 §4.2.1.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; [`response`](HandshakeError::response) makes the answer to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::{ServerHandshake, ServerProgress};
    /// use openline_proto::http::Limits;
    ///
    /// // A browser that was pointed here.
    /// let progress = ServerHandshake::new(Limits::default())
    ///     .receive(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")?;
    /// let ServerProgress::Request(request) = progress else { panic!("the request is complete") };
    /// assert_eq!(request.check().map_err(|error| error.response().status_code).err(), Some(426));
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn check(self) -> Result<ServerRequest, HandshakeError> {
        let version = self.version();
        let ReceivedRequest { request, leftover, .. } = self;
        let headers = &request.headers;
        if request.method != "GET" {
            return Err(HandshakeError::InvalidMethod(request.method));
        }
        if version != "HTTP/1.1" {
            return Err(HandshakeError::InvalidProtocol(version.into()));
        }
        check_no_body(headers)?;
        check_host(headers)?;
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
        Ok(ServerRequest { request, accept_key, subprotocols, extensions, leftover })
    }

    /// Rejects, or answers a request for something else: returns the bytes to send before closing.
    ///
    /// `Connection: close` and `Content-Type` are added when missing, and `Content-Length` is set
    /// to the length of the body, which the answer to `HEAD` goes without. A status that isn't final
    /// (below 200) or isn't valid (above 599) is sent as 500.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::server::ReceivedRequest;
    /// use openline_proto::http::{Request, Response};
    ///
    /// let mut response = Response::new(403, "Forbidden");
    /// response.body = b"go away\n".to_vec();
    /// assert_eq!(
    ///     ReceivedRequest::new(Request::new("GET", "/")).reject(response),
    ///     b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 8\r\n\
    ///       Content-Type: text/plain; charset=utf-8\r\n\r\ngo away\n"
    /// );
    /// ```
    pub fn reject(self, response: Response) -> Vec<u8> {
        refusal(&self.request.method, response)
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
    /// # let request = request.check()?;
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

    /// Rejects: returns the bytes to send before closing, as [`ReceivedRequest::reject`] does.
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
    /// # let request = request.check()?;
    /// let mut response = Response::new(403, "Forbidden");
    /// response.body = b"go away\n".to_vec();
    /// assert_eq!(
    ///     request.reject(response),
    ///     b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 8\r\n\
    ///       Content-Type: text/plain; charset=utf-8\r\n\r\ngo away\n"
    /// );
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn reject(self, response: Response) -> Vec<u8> {
        refusal(&self.request.method, response)
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
    /// # let request = request.check()?;
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
    /// # let request = request.check()?;
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
    /// # let request = request.check()?;
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
    /// # let request = request.check()?;
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
    /// # let request = request.check()?;
    /// assert_eq!(request.basic_auth(), Some(("Aladdin".into(), "open sesame".into())));
    /// # Ok::<(), openline_proto::handshake::HandshakeError>(())
    /// ```
    pub fn basic_auth(&self) -> Option<(String, String)> {
        optional(&self.request.headers, "Authorization").ok()?.and_then(parse_basic_auth)
    }
}

fn refusal(method: &str, mut response: Response) -> Vec<u8> {
    if !(200..=599).contains(&response.status_code) {
        response.status_code = 500;
        response.reason_phrase = "Internal Server Error".into();
    }
    seal(&mut response);
    if method == "HEAD" {
        // RFC 9110 §9.3.2: the server MUST NOT send content in the response.
        response.body.clear();
    }
    let mut out = Vec::new();
    response.encode(&mut out);
    out
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

/// RFC 9112 §3.2: a server MUST respond with 400 to a request without Host, with several, or with one
/// that is no host.
fn check_host(headers: &Headers) -> Result<(), HandshakeError> {
    let host = single(headers, "Host")?;
    // RFC 3986 §3.2: what hosts and ports consist of. Which of them stand where is left open: nothing
    // is done with the value.
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte);
    if host.bytes().all(is_allowed) { Ok(()) } else { Err(invalid_value("Host", host)) }
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
mod tests;
