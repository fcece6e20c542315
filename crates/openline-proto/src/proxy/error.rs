//! Why a proxy did not make a connection.

use thiserror::Error;

use crate::handshake::error::response_error;
use crate::handshake::{HandshakeError, MessageFault};
use crate::http::{Fault, Response};

/// Why a proxy did not make a connection.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Response;
/// use openline_proto::proxy::ProxyError;
///
/// let error = ProxyError::InvalidStatus(Box::new(Response::new(407, "Who are you?")));
/// assert_eq!(error.to_string(), "proxy rejected connection: HTTP 407");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy's protocol cannot express the destination. Fault: the caller.
    #[error("{0}")]
    Destination(String),
    /// What came is no reply of such a proxy, or not all of one. Fault: the proxy, or a URL that
    /// names another kind of it.
    #[error("did not receive a valid {reply} from proxy")]
    InvalidMessage {
        /// What was expected.
        reply: &'static str,
        /// What is wrong with it.
        #[source]
        fault: MessageFault,
    },
    /// An HTTP proxy answered with another status than 2xx. Fault: the proxy, or the credentials for
    /// it if the status is 407.
    #[error("proxy rejected connection: HTTP {}", .0.status_code)]
    InvalidStatus(Box<Response>),
    /// A SOCKS proxy refused, with this reason. Fault: the proxy, or the credentials for it.
    #[error("proxy rejected connection: {0}")]
    Refused(String),
}

impl ProxyError {
    pub(super) fn http(fault: Fault) -> ProxyError {
        let fault = match response_error(fault) {
            HandshakeError::InvalidMessage { fault, .. } => fault,
            error => MessageFault::Limit(Box::new(error)),
        };
        ProxyError::InvalidMessage { reply: "HTTP response", fault }
    }

    pub(super) fn malformed(reply: &'static str, text: String) -> ProxyError {
        ProxyError::InvalidMessage { reply, fault: MessageFault::Malformed(text) }
    }

    pub(super) fn ended(reply: &'static str) -> ProxyError {
        let fault = MessageFault::Eof(format!("connection closed while reading {reply}"));
        ProxyError::InvalidMessage { reply, fault }
    }

    /// A proxy that sends more than its reply: nobody but us speaks first, so that cannot be the
    /// destination's, and to take it for such would let a proxy answer in its place.
    pub(super) fn after(reply: &'static str) -> ProxyError {
        ProxyError::malformed(reply, format!("bytes after the {reply}"))
    }
}
