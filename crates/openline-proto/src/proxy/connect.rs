//! HTTP CONNECT (RFC 9110 §9.3.6).

use super::{Destination, ProxyError, ProxyUri};
use crate::handshake::MessageFault;
use crate::handshake::fields::encode_basic_auth;
use crate::http::{BodyReader, HeadReader, Headers, Kind, Limits, Response};

/// The conversation with an HTTP proxy: one request, one response.
#[derive(Debug)]
pub(super) struct Connect(State);

#[derive(Debug)]
enum State {
    Head { reader: HeadReader, interim: usize },
    Refused(Response, BodyReader),
}

impl Connect {
    pub(super) fn new(
        proxy: &ProxyUri,
        destination: &Destination,
        user_agent: Option<&str>,
        output: &mut Vec<u8>,
    ) -> Result<Connect, ProxyError> {
        let host = destination.to_string();
        let mut headers = Headers::new();
        let mut add = |name: &str, value: &str| {
            // A name in a URI is checked; one that a caller made up may be anything.
            headers.append(name, value).map_err(|error| ProxyError::Destination(error.to_string()))
        };
        add("Host", &host)?;
        if let Some(user_agent) = user_agent {
            add("User-Agent", user_agent)?;
        }
        if let Some((username, password)) = proxy.user_info() {
            add("Proxy-Authorization", &encode_basic_auth(username, password))?;
        }
        output.extend_from_slice(format!("CONNECT {host} HTTP/1.1\r\n").as_bytes());
        for (name, value) in headers.iter() {
            output.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(Connect(State::Head { reader: reader(), interim: 0 }))
    }

    /// `None` when the connection is made.
    pub(super) fn receive(self, bytes: &[u8]) -> Result<Option<Connect>, ProxyError> {
        match self.0 {
            State::Head { mut reader, interim } => {
                if !reader.feed(bytes).map_err(ProxyError::http)? {
                    return Ok(Some(Connect(State::Head { reader, interim })));
                }
                let head = reader.into_response().map_err(ProxyError::http)?;
                match head.message.status_code {
                    // A client MUST ignore what the headers say of a body here.
                    200..=299 if head.rest.is_empty() => Ok(None),
                    200..=299 => Err(ProxyError::after(RESPONSE)),
                    100..=199 if interim < MAX_INTERIM_RESPONSES => {
                        let reader = self::reader();
                        Connect(State::Head { reader, interim: interim + 1 }).receive(&head.rest)
                    }
                    _ => {
                        let body = BodyReader::new(&head.message, &Limits::default())
                            .map_err(ProxyError::http)?;
                        Connect(State::Refused(head.message, body)).receive(&head.rest)
                    }
                }
            }
            State::Refused(response, mut body) => {
                if body.feed(bytes).map_err(ProxyError::http)? {
                    return Err(refused(response, body.into_body()));
                }
                Ok(Some(Connect(State::Refused(response, body))))
            }
        }
    }

    pub(super) fn receive_eof(self) -> ProxyError {
        let text = match self.0 {
            State::Head { reader, .. } => reader.eof(),
            State::Refused(response, body) => match body.eof() {
                Ok(body) => return refused(response, body),
                Err(text) => text,
            },
        };
        ProxyError::InvalidMessage { reply: RESPONSE, fault: MessageFault::Eof(text) }
    }
}

fn reader() -> HeadReader {
    HeadReader::new(Kind::Response, Limits::default())
}

fn refused(mut response: Response, body: Vec<u8>) -> ProxyError {
    response.body = body;
    ProxyError::InvalidStatus(Box::new(response))
}

const RESPONSE: &str = "HTTP response";

/// As in the opening handshake.
const MAX_INTERIM_RESPONSES: usize = 16;
