//! The client's side of the handshake (RFC 6455 §4.1).
//!
//! # Examples
//!
//! See the [handshake module](crate::handshake) for a whole handshake.
//!
//! ```
//! use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
//! use openline_proto::uri::Uri;
//!
//! let uri = Uri::parse("ws://localhost/feed")?;
//! let handshake = ClientHandshake::new(&uri, ClientOffer::default(), *b"sixteen  bytes!!")?;
//! let mut out = Vec::new();
//! handshake.encode_request(&mut out);
//! assert!(out.starts_with(b"GET /feed HTTP/1.1\r\nHost: localhost\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod request;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::request::ClientOffer;
use self::request::build_request;
use crate::handshake::error::{invalid_response, response_error};
use crate::handshake::fields::{
    check_upgrade, parse_all, parse_extensions, parse_subprotocols, single,
};
use crate::handshake::{ExtensionParams, HandshakeError, MessageFault, accept_key};
use crate::http::{BodyReader, Fault, Head, HeadReader, Headers, Kind, Limits, Request, Response};
use crate::uri::Uri;

/// A handshake whose response hasn't arrived completely.
///
/// # Examples
///
/// See the [handshake module](crate::handshake) for a whole handshake.
///
/// ```
/// use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
/// use openline_proto::uri::Uri;
///
/// let uri = Uri::parse("ws://localhost/")?;
/// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), *b"sixteen  bytes!!")?;
/// assert_eq!(handshake.request().headers.get("Host"), Some("localhost"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    sent: Sent,
    state: State,
    /// Interim responses that have been skipped.
    interim: usize,
}

/// How far a client's handshake is.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
/// use openline_proto::uri::Uri;
///
/// let uri = Uri::parse("ws://localhost/")?;
/// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), [0; 16])?;
/// let progress = handshake.receive(b"HTTP/1.1 101 Swit")?;
/// assert!(matches!(progress, ClientProgress::Pending(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum ClientProgress {
    /// More bytes are needed.
    Pending(ClientHandshake),
    /// The connection is open.
    Open(ClientOpen),
}

/// The outcome of a client's handshake.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
/// use openline_proto::uri::Uri;
///
/// let uri = Uri::parse("ws://localhost/")?;
/// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), *b"the sample nonce")?;
/// let progress = handshake.receive(
///     b"HTTP/1.1 101 Switching Protocols\r\n\
///       Upgrade: websocket\r\n\
///       Connection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///       \r\n\x81\x02Hi",
/// )?;
/// let ClientProgress::Open(open) = progress else { panic!("the response is complete") };
/// assert_eq!(open.subprotocol, None);
/// assert_eq!(open.leftover, b"\x81\x02Hi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOpen {
    /// The request as it was sent.
    pub request: Request,
    /// The response that accepted it.
    pub response: Response,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted. Their names are among the offered ones; their
    /// parameters are for the extension to judge.
    pub extensions: Vec<ExtensionParams>,
    /// What followed the response: the server's first frames.
    pub leftover: Vec<u8>,
}

/// What the response is checked against.
#[derive(Debug)]
struct Sent {
    request: Request,
    accept_key: String,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    limits: Limits,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    /// The response refuses; its body is being read.
    Refused(Response, BodyReader),
}

impl ClientHandshake {
    /// Makes the request. `nonce` must be random for each connection (RFC 6455 §4.1).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidField`] when the offer has a header, subprotocol, extension or
    /// origin that can't be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
    /// use openline_proto::uri::Uri;
    ///
    /// let uri = Uri::parse("ws://localhost/")?;
    /// let mut offer = ClientOffer::default();
    /// offer.origin = Some("http://localhost\r\nX: y".into());
    /// assert!(ClientHandshake::new(&uri, offer, [0; 16]).is_err());
    /// # Ok::<(), openline_proto::uri::InvalidUri>(())
    /// ```
    pub fn new(
        uri: &Uri,
        offer: ClientOffer,
        nonce: [u8; 16],
    ) -> Result<ClientHandshake, HandshakeError> {
        let key = STANDARD.encode(nonce);
        let request = build_request(uri, &offer, &key)?;
        // Also what the additional headers offer; if they can't be read, only the caller knows what
        // they mean.
        let subprotocols =
            parse_all(&request.headers, "Sec-WebSocket-Protocol", parse_subprotocols)
                .unwrap_or(offer.subprotocols);
        let sent = Sent {
            request,
            accept_key: accept_key(&key),
            subprotocols,
            extensions: offer.extensions.into_iter().map(|extension| extension.name).collect(),
            limits: offer.limits,
        };
        let state = State::Head(HeadReader::new(Kind::Response, sent.limits.clone()));
        Ok(ClientHandshake { sent, state, interim: 0 })
    }

    /// Returns the request.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
    /// use openline_proto::uri::Uri;
    ///
    /// let uri = Uri::parse("ws://localhost/chat?room=1")?;
    /// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), [0; 16])?;
    /// assert_eq!(handshake.request().path, "/chat?room=1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(&self) -> &Request {
        &self.sent.request
    }

    /// Appends the request as it is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
    /// use openline_proto::uri::Uri;
    ///
    /// let uri = Uri::parse("ws://localhost/")?;
    /// let mut out = Vec::new();
    /// ClientHandshake::new(&uri, ClientOffer::default(), [0; 16])?.encode_request(&mut out);
    /// assert!(out.starts_with(b"GET / HTTP/1.1\r\nHost: localhost\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_request(&self, out: &mut Vec<u8>) {
        self.sent.request.encode(out);
    }

    /// Takes bytes from the server in.
    ///
    /// Interim responses (100, 102, 103) before the final one are skipped, up to 16 of them, as RFC
    /// 9110 §15.2 wants; Python's `websockets` takes them for refusals. A refusal is reported
    /// when its body has arrived, by [`receive_eof`](ClientHandshake::receive_eof) if it has no
    /// length; its version may be HTTP/1.0.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; [`InvalidStatus`](HandshakeError::InvalidStatus) holds the response
    /// of a server that refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::HandshakeError;
    /// use openline_proto::handshake::client::{ClientHandshake, ClientOffer};
    /// use openline_proto::uri::Uri;
    ///
    /// let uri = Uri::parse("ws://localhost/")?;
    /// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), [0; 16])?;
    /// let result = handshake.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nsorry");
    /// let Err(HandshakeError::InvalidStatus(response)) = result else { panic!("it refuses") };
    /// assert_eq!((response.status_code, &*response.body), (403, &b"sorry"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(self, bytes: &[u8]) -> Result<ClientProgress, HandshakeError> {
        match self.state {
            State::Head(mut reader) => {
                if !reader.feed(bytes).map_err(response_error)? {
                    return Ok(ClientProgress::Pending(ClientHandshake {
                        state: State::Head(reader),
                        ..self
                    }));
                }
                let head = reader.into_response().map_err(response_error)?;
                match head.message.status_code {
                    101 => self.sent.open(head).map(ClientProgress::Open),
                    100..=199 => ClientHandshake::skip(self.sent, self.interim + 1, &head.rest),
                    _ => {
                        let body = BodyReader::new(&head.message, &self.sent.limits)
                            .map_err(response_error)?;
                        let state = State::Refused(head.message, body);
                        ClientHandshake { state, ..self }.receive(&head.rest)
                    }
                }
            }
            State::Refused(response, mut body) => {
                if body.feed(bytes).map_err(response_error)? {
                    return Err(refused(response, body.into_body()));
                }
                let state = State::Refused(response, body);
                Ok(ClientProgress::Pending(ClientHandshake { state, ..self }))
            }
        }
    }

    /// Takes the end of the connection in, which is always an error: a refusal whose body goes up
    /// to the end is complete now, all else is cut off.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::client::{ClientHandshake, ClientOffer, ClientProgress};
    /// use openline_proto::uri::Uri;
    ///
    /// let uri = Uri::parse("ws://localhost/")?;
    /// let handshake = ClientHandshake::new(&uri, ClientOffer::default(), [0; 16])?;
    /// let progress = handshake.receive(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")?;
    /// let ClientProgress::Pending(handshake) = progress else { panic!("the body has no end") };
    /// let error = handshake.receive_eof();
    /// assert_eq!(error.to_string(), "server rejected WebSocket connection: HTTP 502");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive_eof(self) -> HandshakeError {
        match self.state {
            State::Head(reader) => invalid_response(MessageFault::Eof(reader.eof())),
            State::Refused(response, body) => match body.eof() {
                Ok(body) => refused(response, body),
                Err(text) => invalid_response(MessageFault::Eof(text)),
            },
        }
    }

    /// Goes on after an interim response.
    fn skip(sent: Sent, interim: usize, rest: &[u8]) -> Result<ClientProgress, HandshakeError> {
        if interim > MAX_INTERIM_RESPONSES {
            let text = format!("more than {MAX_INTERIM_RESPONSES} interim responses");
            return Err(response_error(Fault::Security(text)));
        }
        let state = State::Head(HeadReader::new(Kind::Response, sent.limits.clone()));
        ClientHandshake { sent, state, interim }.receive(rest)
    }
}

impl Sent {
    /// Checks a response with status 101, in the order of RFC 6455 §4.1.
    fn open(self, head: Head<Response>) -> Result<ClientOpen, HandshakeError> {
        if head.minor_version != 1 {
            let text = "unsupported protocol; expected HTTP/1.1; got HTTP/1.0";
            return Err(invalid_response(MessageFault::Malformed(text.into())));
        }
        let headers = &head.message.headers;
        check_upgrade(headers)?;
        let accept = single(headers, "Sec-WebSocket-Accept")?;
        if accept != self.accept_key {
            return Err(HandshakeError::InvalidHeaderValue {
                name: "Sec-WebSocket-Accept".into(),
                value: accept.to_owned(),
            });
        }
        let extensions = self.check_extensions(headers)?;
        let subprotocol = self.check_subprotocol(headers)?;
        Ok(ClientOpen {
            request: self.request,
            response: head.message,
            subprotocol,
            extensions,
            leftover: head.rest,
        })
    }

    fn check_extensions(&self, headers: &Headers) -> Result<Vec<ExtensionParams>, HandshakeError> {
        let accepted = parse_all(headers, "Sec-WebSocket-Extensions", parse_extensions)?;
        // RFC 6455 §4.1: an extension that wasn't asked for MUST fail the connection.
        match accepted.iter().find(|extension| !self.extensions.contains(&extension.name)) {
            None => Ok(accepted),
            Some(_) if self.extensions.is_empty() => {
                Err(HandshakeError::NegotiationError("no extensions supported".into()))
            }
            Some(extension) => {
                let text = format!("Unsupported extension: {extension}");
                Err(HandshakeError::NegotiationError(text))
            }
        }
    }

    fn check_subprotocol(&self, headers: &Headers) -> Result<Option<String>, HandshakeError> {
        let name = "Sec-WebSocket-Protocol";
        let mut chosen = parse_all(headers, name, parse_subprotocols)?;
        if chosen.len() > 1 {
            return Err(HandshakeError::InvalidHeader {
                name: name.into(),
                value: Some(format!("multiple values: {}", chosen.join(", "))),
            });
        }
        let Some(subprotocol) = chosen.pop() else { return Ok(None) };
        // RFC 6455 §4.1: a subprotocol that wasn't asked for MUST fail the connection.
        if self.subprotocols.is_empty() {
            return Err(HandshakeError::NegotiationError("no subprotocols supported".into()));
        }
        if !self.subprotocols.contains(&subprotocol) {
            let text = format!("unsupported subprotocol: {subprotocol}");
            return Err(HandshakeError::NegotiationError(text));
        }
        Ok(Some(subprotocol))
    }
}

fn refused(mut response: Response, body: Vec<u8>) -> HandshakeError {
    response.body = body;
    HandshakeError::InvalidStatus(Box::new(response))
}

/// No server is known to send more than two. It also bounds the recursion in
/// [`ClientHandshake::receive`].
const MAX_INTERIM_RESPONSES: usize = 16;

#[cfg(test)]
mod tests;
