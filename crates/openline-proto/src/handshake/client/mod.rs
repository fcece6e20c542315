//! The client's side of the handshake (RFC 6455 §4.1).

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
mod tests {
    use std::error::Error as _;

    use proptest::prelude::*;

    use super::*;
    use crate::handshake::testing::{ACCEPTED, client, every_split, run_client};

    fn chat_and_deflate() -> ClientOffer {
        ClientOffer {
            subprotocols: vec!["chat".into(), "superchat".into()],
            extensions: vec![ExtensionParams::new("permessage-deflate")],
            ..ClientOffer::default()
        }
    }

    fn run(response: &str) -> Result<ClientOpen, HandshakeError> {
        every_split(response.as_bytes(), |chunks| run_client(&ClientOffer::default(), chunks))
    }

    // RFC 6455 §4.1: the response.

    #[test]
    fn pending_at_every_prefix_and_open_at_every_split() {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\n{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"
        );
        let offer = chat_and_deflate();
        for end in 0..head.len() {
            let progress = client(&offer).receive(&head.as_bytes()[..end]).unwrap();
            let ClientProgress::Pending(pending) = progress else { panic!("open after {end}") };
            let cause = pending.receive_eof().source().unwrap().to_string();
            let part = if end < 34 { "status line" } else { "headers" };
            assert_eq!(cause, format!("connection closed while reading HTTP {part}"), "{end}");
        }
        let wire = [head.as_bytes(), b"\x81\x02Hi\x88\x00\r\n\r\n"].concat();
        let open = every_split(&wire, |chunks| run_client(&offer, chunks)).unwrap();
        assert_eq!(open.leftover, b"\x81\x02Hi\x88\x00\r\n\r\n");
        assert_eq!(open.subprotocol.as_deref(), Some("chat"));
        assert_eq!(open.extensions[0].to_string(), "permessage-deflate; server_max_window_bits=10");
        assert_eq!(open.request, *client(&offer).request());
        assert_eq!(open.response.reason_phrase, "Switching Protocols");
        assert_eq!(open.response.headers.len(), 5);
    }

    #[test]
    fn real_and_odd_servers_are_understood() {
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let table = [
            // nginx as a proxy.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.24.0\r\n\
                 Date: Mon, 06 Jan 2025 10:00:00 GMT\r\nConnection: upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            ),
            // Apache, mod_proxy_wstunnel.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nServer: Apache/2.4.57 (Debian)\r\n\
                 Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
                 Vary: Accept-Encoding\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
            ),
            // IIS and ASP.NET.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nCache-Control: private\r\nUpgrade: Websocket\r\n\
                 Server: Microsoft-IIS/10.0\r\nX-AspNet-Version: 4.0.30319\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nConnection: Upgrade\r\n\
                 X-Powered-By: ASP.NET\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\r\n"
            ),
            // Node, ws.
            format!("HTTP/1.1 101 Switching Protocols\r\n{ACCEPTED}\r\n"),
            // aiohttp.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\
                 Server: Python/3.11 aiohttp/3.9.1\r\n\r\n"
            ),
            // Go, gorilla/websocket.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            ),
            // Jetty and Tomcat.
            format!(
                "HTTP/1.1 101 \r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: \r\n\r\n"
            ),
            // Autobahn|Python.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nServer: AutobahnPython/23.6.2\r\n\
                 X-Powered-By: AutobahnPython/23.6.2\r\nUpgrade: WebSocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            ),
            // Tornado.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nServer: TornadoServer/6.4\r\n\
                 Upgrade: websocket\r\nConnection: Upgrade\r\nSec-Websocket-Accept: {accept}\r\n\r\n"
            ),
            // Cloudflare in front of an origin.
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nDate: Mon, 06 Jan 2025 10:00:00 GMT\r\n\
                 Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
                 CF-Cache-Status: DYNAMIC\r\nReport-To: {{\"endpoints\":[]}}\r\nCF-RAY: 8f-FRA\r\n\r\n"
            ),
            // Old firmware: the words of the drafts.
            format!("HTTP/1.1 101 Web Socket Protocol Handshake\r\n{ACCEPTED}\r\n"),
            // No reason phrase, no blank after the code.
            format!("HTTP/1.1 101\r\n{ACCEPTED}\r\n"),
            // Names in lower case, no blanks.
            format!(
                "HTTP/1.1 101 OK\r\nupgrade:websocket\r\nconnection:upgrade\r\n\
                 sec-websocket-accept:{accept}\r\n\r\n"
            ),
            // Names in upper case, blanks everywhere.
            format!(
                "HTTP/1.1  101  OK  \r\nUPGRADE: \t websocket \r\nCONNECTION:  Upgrade\t\r\n\
                 SEC-WEBSOCKET-ACCEPT:   {accept}   \r\n\r\n"
            ),
            // Connection with other options, in two lines, with empty elements.
            format!(
                "HTTP/1.1 101 OK\r\nUpgrade: websocket,\r\nConnection: keep-alive\r\n\
                 Connection: ,Upgrade , close\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            ),
            // Bare line feeds, after a blank line.
            format!(
                "\nHTTP/1.1 101 OK\nUpgrade: websocket\nConnection: Upgrade\n\
                 Sec-WebSocket-Accept: {accept}\n\n"
            ),
            // Headers that mean nothing in a 101.
            format!(
                "HTTP/1.1 101 OK\r\n{ACCEPTED}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            // Bytes outside ASCII.
            format!("HTTP/1.1 101 é\r\n{ACCEPTED}Server: café\r\n\r\n"),
            // An empty list of extensions.
            format!("HTTP/1.1 101 OK\r\n{ACCEPTED}Sec-WebSocket-Extensions:\r\n\r\n"),
        ];
        for head in table {
            let open = run(&format!("{head}\u{81}glued")).unwrap_or_else(|e| panic!("{e}: {head}"));
            assert_eq!(open.leftover, "\u{81}glued".as_bytes(), "{head}");
            assert_eq!((open.subprotocol, open.extensions.len()), (None, 0), "{head}");
        }
    }

    // RFC 9110 §15.2: interim responses.

    #[test]
    fn interim_responses_are_skipped() {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let wire =
            format!("HTTP/1.1 100 Continue\r\n\r\n{early}HTTP/1.1 101 OK\r\n{ACCEPTED}\r\nx");
        assert_eq!(run(&wire).unwrap().leftover, b"x");

        let refusal = run(&format!("{early}HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"));
        assert!(matches!(refusal, Err(HandshakeError::InvalidStatus(_))));

        let error = run(&early.repeat(17)).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "more than 16 interim responses");
    }

    // RFC 9110 §15: refusals.

    #[test]
    fn refusals_hold_the_response() {
        let challenge = "<!DOCTYPE html><title>Just a moment...</title>";
        let table = [
            // A challenge of Cloudflare.
            (
                format!(
                    "HTTP/1.1 403 Forbidden\r\nServer: cloudflare\r\nCf-Mitigated: challenge\r\n\
                     Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{challenge}\r\n0\r\n\r\n",
                    challenge.len()
                ),
                403,
                challenge,
            ),
            (
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                 Content-Length: 4\r\n\r\nno\r\nignored"
                    .into(),
                401,
                "no\r\n",
            ),
            (
                "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\
                 Content-Length: 0\r\n\r\n"
                    .into(),
                426,
                "",
            ),
            // nginx whose upstream is down; up to the end of the connection.
            (
                "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Type: text/html\r\n\
                 Connection: close\r\n\r\n<html>\r\n</html>\r\n"
                    .into(),
                502,
                "<html>\r\n</html>\r\n",
            ),
            ("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n".into(), 302, ""),
            ("HTTP/1.1 204 No Content\r\n\r\n".into(), 204, ""),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".into(), 304, ""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into(), 200, "ok"),
            // python -m http.server
            ("HTTP/1.0 404 File not found\r\nContent-Length: 1\r\n\r\nx".into(), 404, "x"),
            (
                "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n1;e\r\na\r\n0\r\nT: x\r\n\r\n"
                    .into(),
                503,
                "a",
            ),
        ];
        for (wire, status_code, body) in table {
            let Err(HandshakeError::InvalidStatus(response)) = run(&wire) else {
                panic!("not refused: {wire}")
            };
            assert_eq!(response.status_code, status_code);
            assert_eq!(response.body.escape_ascii().to_string(), body.escape_default().to_string());
        }
    }

    // RFC 6455 §4.1: what makes the client fail the connection.

    #[test]
    fn hostile_responses_fail_with_their_own_error() {
        let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let upgrade = "Upgrade: websocket\r\n";
        let connection = "Connection: Upgrade\r\n";
        let table = [
            (format!("{upgrade}{accept}"), "missing Connection header"),
            (format!("Connection:\r\n{upgrade}{accept}"), "missing Connection header"),
            (
                format!("Connection: keep-alive, x\r\n{upgrade}{accept}"),
                "invalid Connection header: keep-alive, x",
            ),
            (
                format!("Connection: a b\r\n{upgrade}{accept}"),
                "invalid Connection header: expected comma at 2 in a b",
            ),
            (format!("{connection}{accept}"), "missing Upgrade header"),
            (format!("{connection}Upgrade: h2c\r\n{accept}"), "invalid Upgrade header: h2c"),
            (
                format!("{connection}Upgrade: websocket, h2c\r\n{accept}"),
                "invalid Upgrade header: websocket, h2c",
            ),
            (
                format!("{connection}{upgrade}{upgrade}{accept}"),
                "invalid Upgrade header: websocket, websocket",
            ),
            (
                format!("{connection}Upgrade: @\r\n{accept}"),
                "invalid Upgrade header: expected protocol at 0 in @",
            ),
            (format!("{upgrade}{connection}"), "missing Sec-WebSocket-Accept header"),
            (
                format!("{upgrade}{connection}Sec-WebSocket-Accept:\r\n"),
                "empty Sec-WebSocket-Accept header",
            ),
            (
                format!("{upgrade}{connection}Sec-WebSocket-Accept: AAAA\r\n"),
                "invalid Sec-WebSocket-Accept header: AAAA",
            ),
            (
                format!("{upgrade}{connection}{}", accept.to_lowercase()),
                "invalid Sec-WebSocket-Accept header: s3pplmbitxaq9kygzzhzrbk+xoo=",
            ),
            (
                format!("{upgrade}{connection}{accept}{accept}"),
                "invalid Sec-WebSocket-Accept header: multiple values",
            ),
            (format!("{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n"), "no subprotocols supported"),
            (
                format!("{ACCEPTED}Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                "no extensions supported",
            ),
            (
                format!("{ACCEPTED}Sec-WebSocket-Extensions: x; =\r\n"),
                "invalid Sec-WebSocket-Extensions header: expected token at 3 in x; =",
            ),
        ];
        for (headers, text) in table {
            let error = run(&format!("HTTP/1.1 101 OK\r\n{headers}\r\n")).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn choices_outside_the_offer_fail() {
        let table = [
            ("Sec-WebSocket-Protocol: other", "unsupported subprotocol: other"),
            ("Sec-WebSocket-Protocol: Chat", "unsupported subprotocol: Chat"),
            (
                "Sec-WebSocket-Protocol: chat, superchat",
                "invalid Sec-WebSocket-Protocol header: multiple values: chat, superchat",
            ),
            (
                "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
                "invalid Sec-WebSocket-Protocol header: multiple values: chat, chat",
            ),
            (
                "Sec-WebSocket-Extensions: permessage-deflate, x-foo; a; b=1",
                "Unsupported extension: x-foo; a; b=1",
            ),
        ];
        for (header, text) in table {
            let wire = format!("HTTP/1.1 101 OK\r\n{ACCEPTED}{header}\r\n\r\n");
            let error = run_client(&chat_and_deflate(), &[wire.as_bytes()]).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn subprotocols_in_additional_headers_count_as_offered() {
        let mut offer = ClientOffer::default();
        offer.additional_headers.append("sec-websocket-protocol", "token.abc, chat").unwrap();
        let wire = format!("HTTP/1.1 101 OK\r\n{ACCEPTED}Sec-WebSocket-Protocol: chat\r\n\r\n");
        let open = run_client(&offer, &[wire.as_bytes()]).unwrap();
        assert_eq!(open.subprotocol.as_deref(), Some("chat"));
    }

    #[test]
    fn what_is_not_http_fails_at_once_with_its_cause() {
        let long = "a".repeat(9000);
        let many = "a: b\r\n".repeat(129);
        let table = [
            ("SSH-2.0-x\r\n".into(), "invalid HTTP status line: SSH-2.0-x"),
            (
                "\x15\x03\x01".into(),
                "invalid HTTP status line: \\x15; the server seems to speak TLS",
            ),
            ("HTTP/1.1 101 OK\r\nno colon\r\n\r\n".into(), "invalid HTTP header line: no colon"),
            ("HTTP/1.1 101 OK\r\na: b\r\n c\r\n\r\n".into(), "invalid HTTP header line:  c"),
            (
                format!("HTTP/1.0 101 OK\r\n{ACCEPTED}\r\n"),
                "unsupported protocol; expected HTTP/1.1; got HTTP/1.0",
            ),
            (format!("HTTP/1.1 101 OK\r\na: {long}"), "HTTP header line exceeds 8192 bytes"),
            (format!("HTTP/1.1 101 OK\r\n{many}"), "expected no more than 128 headers"),
            (
                "HTTP/1.1 403 No\r\nContent-Length: 1048577\r\n\r\n".into(),
                "response body of 1048577 bytes exceeds 1048576 bytes",
            ),
            ("HTTP/1.1 403 No\r\nContent-Length: x\r\n\r\n".into(), "invalid content length: x"),
            (
                "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
                "transfer coding gzip isn't supported",
            ),
            (
                "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n".into(),
                "chunk of 268435455 bytes exceeds the 1048576 bytes left for the body",
            ),
            (
                "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nabc".into(),
                "connection closed while reading HTTP body: 3 of 9 bytes",
            ),
            (String::new(), "connection closed while reading HTTP status line"),
        ];
        for (wire, cause) in table {
            let error = run_client(&ClientOffer::default(), &[wire.as_bytes()]).unwrap_err();
            assert_eq!(error.to_string(), "did not receive a valid HTTP response");
            assert_eq!(error.source().unwrap().to_string(), cause);
            let bytes: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
            assert_eq!(run_client(&ClientOffer::default(), &bytes), Err(error));
        }
        let error = run_client(&ClientOffer::default(), &[long.as_bytes()]).unwrap_err();
        assert_eq!(error, HandshakeError::StatusLineTooLong { limit: 8192 });
    }

    proptest! {
        #[test]
        fn chunked_equals_whole(
            start in "(HTTP/1.[01] (101|101|100|204|403) ?\r\n)?",
            middle in prop::collection::vec(prop::sample::select(vec![
                "Upgrade: websocket\r\n",
                "Connection: Upgrade\r\n",
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
                "Sec-WebSocket-Protocol: chat\r\n",
                "Content-Length: 3\r\n",
                "Transfer-Encoding: chunked\r\n",
                "\r\n",
                "3\r\nabc\r\n0\r\n",
                "HTTP/1.1 101 OK\r\n",
            ]), 0..8),
            end in prop::collection::vec(any::<u8>(), 0..20),
            cuts in prop::collection::vec(0..200_usize, 0..4),
        ) {
            let bytes = [start.as_bytes(), middle.concat().as_bytes(), &end].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let offer = chat_and_deflate();
            let whole = run_client(&offer, &[&bytes]);
            prop_assert_eq!(run_client(&offer, &chunks), whole);
        }
    }
}
