//! Why a handshake failed, and what a server answers then.

use std::error::Error as _;

use thiserror::Error;

use crate::http::{Fault, InvalidField, Response};

/// The handshake failed, or never could succeed.
///
/// The variants and their texts match the exceptions of Python's `websockets` one to one.
///
/// # Examples
///
/// ```
/// use openline_proto::handshake::HandshakeError;
///
/// let error = HandshakeError::InvalidHeader { name: "Sec-WebSocket-Key".into(), value: None };
/// assert_eq!(error.to_string(), "missing Sec-WebSocket-Key header");
/// assert_eq!(error.response().status_code, 400);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A parameter of an extension stands twice. Fault: the peer.
    #[error("duplicate parameter: {0}")]
    DuplicateParameter(String),
    /// A header line is longer than the limit. Fault: the peer, or a limit set too low.
    #[error("HTTP header line exceeds {limit} bytes")]
    HeaderLineTooLong {
        /// [`Limits::max_line_bytes`](crate::http::Limits::max_line_bytes).
        limit: usize,
    },
    /// A header, subprotocol or extension that was to be sent isn't valid. Fault: the caller.
    #[error(transparent)]
    InvalidField(#[from] InvalidField),
    /// A header is missing, empty, or repeated. Fault: the peer.
    #[error("{}", describe(name, value.as_deref()))]
    InvalidHeader {
        /// The name of the header.
        name: String,
        /// What was found; `None` when the header is missing.
        value: Option<String>,
    },
    /// A header doesn't follow its grammar. Fault: the peer.
    #[error("invalid {name} header: {error} at {position} in {header}")]
    InvalidHeaderFormat {
        /// The name of the header.
        name: String,
        /// What was expected.
        error: String,
        /// The value of the header.
        header: String,
        /// How many characters of the value stand before the mistake.
        position: usize,
    },
    /// A header has a value that isn't acceptable. Fault: the peer.
    #[error("{}", describe(name, Some(value)))]
    InvalidHeaderValue {
        /// The name of the header.
        name: String,
        /// The value.
        value: String,
    },
    /// The message isn't HTTP, or the connection ended in it; [`source`](std::error::Error::source)
    /// tells. Fault: the peer or the network.
    #[error("did not receive a valid HTTP {message}")]
    InvalidMessage {
        /// Which message was expected: `request` or `response`.
        message: &'static str,
        /// What is wrong with it.
        #[source]
        fault: MessageFault,
    },
    /// The request's method isn't GET. Fault: the peer.
    #[error("unsupported HTTP method: {0}")]
    InvalidMethod(String),
    /// The server doesn't accept requests from this origin. Fault: the peer.
    #[error("{}", describe("Origin", .0.as_deref()))]
    InvalidOrigin(Option<String>),
    /// The request's HTTP version isn't 1.1. Fault: the peer.
    #[error("unsupported HTTP version: {0}")]
    InvalidProtocol(String),
    /// An extension doesn't know a parameter. Fault: the peer.
    #[error("invalid parameter name: {0}")]
    InvalidParameterName(String),
    /// An extension can't accept the value of a parameter. Fault: the peer.
    #[error("{}", describe_parameter(name, value.as_deref()))]
    InvalidParameterValue {
        /// The name of the parameter.
        name: String,
        /// What was found; `None` when the value is missing.
        value: Option<String>,
    },
    /// The server answered with another status than 101; its response is here. Fault: the peer, or
    /// what was asked for.
    #[error("server rejected WebSocket connection: HTTP {}", .0.status_code)]
    InvalidStatus(Box<Response>),
    /// The `Upgrade` or `Connection` header doesn't announce a WebSocket. Fault: the peer.
    #[error("{}", describe(name, value.as_deref()))]
    InvalidUpgrade {
        /// The name of the header.
        name: String,
        /// What was found; `None` when the header is missing.
        value: Option<String>,
    },
    /// The two sides have no subprotocol or extension in common, or one was chosen that wasn't
    /// offered. Fault: the peer.
    #[error("{0}")]
    NegotiationError(String),
    /// The request line is longer than the limit. Fault: the peer, or a limit set too low.
    #[error("HTTP request line exceeds {limit} bytes")]
    RequestLineTooLong {
        /// [`Limits::max_line_bytes`](crate::http::Limits::max_line_bytes).
        limit: usize,
    },
    /// The message breaks a safety rule: a head or body over its limit, or a length that isn't one.
    /// Fault: the peer, or a limit set too low.
    #[error("{0}")]
    SecurityError(String),
    /// The status line is longer than the limit. Fault: the peer, or a limit set too low.
    #[error("HTTP status line exceeds {limit} bytes")]
    StatusLineTooLong {
        /// [`Limits::max_line_bytes`](crate::http::Limits::max_line_bytes).
        limit: usize,
    },
    /// The head has more header lines than the limit. Fault: the peer, or a limit set too low.
    #[error("expected no more than {limit} headers")]
    TooManyHeaders {
        /// [`Limits::max_headers`](crate::http::Limits::max_headers).
        limit: usize,
    },
}

/// What is wrong with a message that isn't valid HTTP.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// use openline_proto::handshake::server::ServerHandshake;
/// use openline_proto::http::Limits;
///
/// let error = ServerHandshake::new(Limits::default()).receive_eof();
/// assert_eq!(error.to_string(), "did not receive a valid HTTP request");
/// let cause = error.source().map(|cause| cause.to_string());
/// assert_eq!(cause, Some("connection closed while reading HTTP request line".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageFault {
    /// The connection ended before the message did. Fault: the network, or the peer.
    #[error("{0}")]
    Eof(String),
    /// A limit was exceeded in a response; on the server's side the inner error stands by itself.
    /// Fault: the peer, or a limit set too low.
    #[error(transparent)]
    Limit(Box<HandshakeError>),
    /// The message doesn't follow the grammar, or asks for what a handshake doesn't have. Fault:
    /// the peer.
    #[error("{0}")]
    Malformed(String),
}

impl HandshakeError {
    /// Makes the answer that a server gives to a request with this fault, with a body that a person
    /// can read.
    ///
    /// 400 in general; 403 for an origin, 405 for a method, 414 and 431 for what is too long, 426
    /// for a request that doesn't ask for a WebSocket of version 13, 505 for another HTTP
    /// version, and 500 when the fault is our own.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::handshake::HandshakeError;
    ///
    /// let response = HandshakeError::InvalidMethod("POST".into()).response();
    /// assert_eq!(response.status_code, 405);
    /// assert_eq!(response.headers.get("Allow"), Some("GET"));
    /// assert_eq!(response.headers.get("Connection"), Some("close"));
    /// assert_eq!(response.body, b"Failed to open a WebSocket connection: unsupported HTTP method: POST.\n");
    /// ```
    pub fn response(&self) -> Response {
        let (status_code, reason_phrase) = self.status();
        let mut response = Response::new(status_code, reason_phrase);
        let mut text = format!("Failed to open a WebSocket connection: {}.\n", self.chain());
        match status_code {
            // RFC 9110 §15.5.6: MUST generate an Allow header field.
            405 => response.headers.append_checked("Allow", "GET".into()),
            426 => {
                // RFC 9110 §15.5.22: MUST send an Upgrade header field; §7.8: and list it in
                // Connection.
                response.headers.append_checked("Upgrade", "websocket".into());
                response.headers.append_checked("Connection", "Upgrade, close".into());
                // RFC 6455 §4.4: the versions that the server understands.
                response.headers.append_checked("Sec-WebSocket-Version", "13".into());
                text.push_str(
                    "A WebSocket client is needed here; a browser's address bar isn't one.\n",
                );
            }
            500 => {
                text = "Failed to open a WebSocket connection.\nThe log of the server tells why.\n"
                    .into()
            }
            _ => {}
        }
        response.body = text.into_bytes();
        seal(&mut response);
        response
    }

    fn status(&self) -> (u16, &'static str) {
        match self {
            HandshakeError::InvalidOrigin(_) => (403, "Forbidden"),
            HandshakeError::InvalidMethod(_) => (405, "Method Not Allowed"),
            HandshakeError::RequestLineTooLong { .. } => (414, "URI Too Long"),
            HandshakeError::InvalidUpgrade { .. } => (426, "Upgrade Required"),
            HandshakeError::InvalidHeaderValue { name, .. } if name == "Sec-WebSocket-Version" => {
                (426, "Upgrade Required")
            }
            HandshakeError::HeaderLineTooLong { .. }
            | HandshakeError::SecurityError(_)
            | HandshakeError::TooManyHeaders { .. } => (431, "Request Header Fields Too Large"),
            HandshakeError::InvalidField(_) => (500, "Internal Server Error"),
            HandshakeError::InvalidProtocol(_) => (505, "HTTP Version Not Supported"),
            _ => (400, "Bad Request"),
        }
    }

    /// The error and its causes on one line.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!("; {error}"));
            cause = error.source();
        }
        text
    }
}

/// Completes a response that ends the connection: its body's length and type, and `Connection:
/// close`.
pub(super) fn seal(response: &mut Response) {
    let headers = &mut response.headers;
    if !headers.contains("Connection") {
        headers.append_checked("Connection", "close".into());
    }
    // The body is here whole, so its length is known better than by whoever wrote the headers.
    headers.remove("Transfer-Encoding");
    headers.remove("Content-Length");
    // RFC 9110 §8.6: no Content-Length with 204; with 304 it would describe another body.
    if matches!(response.status_code, 204 | 304) {
        response.body.clear();
        return;
    }
    headers.append_checked("Content-Length", response.body.len().to_string());
    if !response.body.is_empty() && !headers.contains("Content-Type") {
        headers.append_checked("Content-Type", "text/plain; charset=utf-8".into());
    }
}

/// The error for a faulty request.
pub(super) fn request_error(fault: Fault) -> HandshakeError {
    match fault {
        Fault::HeaderLineTooLong { limit } => HandshakeError::HeaderLineTooLong { limit },
        Fault::Malformed(text) => invalid_request(MessageFault::Malformed(text)),
        Fault::Security(text) => HandshakeError::SecurityError(text),
        Fault::StartLineTooLong { limit } => HandshakeError::RequestLineTooLong { limit },
        Fault::TooManyHeaders { limit } => HandshakeError::TooManyHeaders { limit },
        Fault::UnsupportedVersion(version) => HandshakeError::InvalidProtocol(version),
    }
}

/// The error for a faulty response. As in `websockets`, only a long status line stands by itself.
pub(crate) fn response_error(fault: Fault) -> HandshakeError {
    let limit = match fault {
        Fault::StartLineTooLong { limit } => return HandshakeError::StatusLineTooLong { limit },
        Fault::Malformed(text) => return invalid_response(MessageFault::Malformed(text)),
        other => request_error(other),
    };
    invalid_response(MessageFault::Limit(Box::new(limit)))
}

pub(super) fn invalid_request(fault: MessageFault) -> HandshakeError {
    HandshakeError::InvalidMessage { message: "request", fault }
}

pub(super) fn invalid_response(fault: MessageFault) -> HandshakeError {
    HandshakeError::InvalidMessage { message: "response", fault }
}

fn describe(name: &str, value: Option<&str>) -> String {
    match value {
        None => format!("missing {name} header"),
        Some("") => format!("empty {name} header"),
        Some(value) => format!("invalid {name} header: {value}"),
    }
}

fn describe_parameter(name: &str, value: Option<&str>) -> String {
    match value {
        None => format!("missing value for parameter {name}"),
        Some("") => format!("empty value for parameter {name}"),
        Some(value) => format!("invalid value for parameter {name}: {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_websockets() {
        let header = |value: Option<&str>| HandshakeError::InvalidHeader {
            name: "X".into(),
            value: value.map(String::from),
        };
        let table = [
            (header(None), "missing X header"),
            (header(Some("")), "empty X header"),
            (header(Some("a")), "invalid X header: a"),
            (HandshakeError::InvalidOrigin(None), "missing Origin header"),
            (HandshakeError::InvalidOrigin(Some("a".into())), "invalid Origin header: a"),
            (
                HandshakeError::InvalidStatus(Box::new(Response::new(404, ""))),
                "server rejected WebSocket connection: HTTP 404",
            ),
            (HandshakeError::TooManyHeaders { limit: 3 }, "expected no more than 3 headers"),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn limits_in_a_response_are_the_cause_of_an_invalid_message() {
        let error = response_error(Fault::TooManyHeaders { limit: 3 });
        assert_eq!(error.to_string(), "did not receive a valid HTTP response");
        assert_eq!(error.source().unwrap().to_string(), "expected no more than 3 headers");
        // The cause isn't named twice.
        assert_eq!(
            error.chain(),
            "did not receive a valid HTTP response; expected no more than 3 headers"
        );
    }

    // RFC 6455 §4.2.2: a server that doesn't accept sends an HTTP error.

    #[test]
    fn answers_have_the_fitting_status() {
        let limit = 1;
        let version = HandshakeError::InvalidHeaderValue {
            name: "Sec-WebSocket-Version".into(),
            value: "8".into(),
        };
        let key = HandshakeError::InvalidHeaderValue {
            name: "Sec-WebSocket-Key".into(),
            value: "x".into(),
        };
        let upgrade = HandshakeError::InvalidUpgrade { name: "Upgrade".into(), value: None };
        let table = [
            (key, 400),
            (invalid_request(MessageFault::Malformed("x".into())), 400),
            (HandshakeError::NegotiationError("x".into()), 400),
            (HandshakeError::InvalidOrigin(None), 403),
            (HandshakeError::InvalidMethod("PUT".into()), 405),
            (HandshakeError::RequestLineTooLong { limit }, 414),
            (upgrade, 426),
            (version, 426),
            (HandshakeError::HeaderLineTooLong { limit }, 431),
            (HandshakeError::TooManyHeaders { limit }, 431),
            (HandshakeError::SecurityError("x".into()), 431),
            (HandshakeError::InvalidField(InvalidField::Name { name: "a b".into() }), 500),
            (HandshakeError::InvalidProtocol("HTTP/1.0".into()), 505),
        ];
        for (error, status_code) in table {
            let response = error.response();
            assert_eq!(response.status_code, status_code, "{error}");
            let length = response.body.len().to_string();
            assert_eq!(response.headers.get("Content-Length"), Some(&*length));
            assert!(response.headers.get("Connection").unwrap().ends_with("close"));
            let is_426 = status_code == 426;
            assert_eq!(response.headers.get("Upgrade"), is_426.then_some("websocket"));
            assert_eq!(response.headers.get("Sec-WebSocket-Version"), is_426.then_some("13"));
        }
    }

    #[test]
    fn our_own_faults_are_not_told_to_the_peer() {
        let field = InvalidField::Reserved { name: "X-Internal".into() };
        let body = HandshakeError::InvalidField(field).response().body;
        assert_eq!(
            body,
            b"Failed to open a WebSocket connection.\nThe log of the server tells why.\n"
        );
    }
}
