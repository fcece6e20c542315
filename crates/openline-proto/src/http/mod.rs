//! HTTP/1.1 messages, as far as an opening handshake needs them (RFC 9110, RFC 9112).
//!
//! [`Headers`], [`Request`] and [`Response`] are plain data that the handshakes and the proxy code
//! share. Heads are parsed by `httparse` once their end has arrived; limits are enforced on the
//! way, so a peer cannot make us buffer without end, and a head that comes byte by byte costs
//! linear work. This is not an HTTP client: one request, one final response.
//!
//! What we accept beyond the grammar, because real servers send it: blank lines before the first
//! line, a bare LF in place of CR LF (RFC 9112 §2.2), several blanks in a status line, a missing
//! reason phrase, and blanks around header values. What we refuse although some parsers don't:
//! folded header lines, a blank in or after a header name, and NUL, bare CR or any other control
//! character but tab.
//!
//! # Examples
//!
//! ```
//! use openline_proto::http::Response;
//!
//! let mut response = Response::new(503, "Service Unavailable");
//! response.headers.append("Retry-After", "60")?;
//! assert_eq!(response.headers.get("retry-after"), Some("60"));
//! # Ok::<(), openline_proto::http::InvalidField>(())
//! ```

mod body;
mod head;
mod headers;
mod message;

pub(crate) use self::body::BodyReader;
pub(crate) use self::head::{Head, HeadReader, Kind};
pub(crate) use self::headers::is_token;
pub use self::headers::{Headers, InvalidField};
pub use self::message::{Request, Response};

/// How much of a handshake message is read before the peer is refused.
///
/// # Examples
///
/// ```
/// use openline_proto::http::Limits;
///
/// let mut limits = Limits::default();
/// limits.max_headers = 32;
/// assert_eq!(limits.max_line_bytes, 8192);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes in one line of a head, line end included. Default: 8192, as most HTTP servers have
    /// it.
    pub max_line_bytes: usize,
    /// Header lines in one head. Default: 128, as in Python's `websockets`.
    pub max_headers: usize,
    /// Bytes in a whole head. Default: 1 MiB, which is what the two limits above allow anyway; it
    /// exists to be lowered, and to bound blank lines before the head.
    pub max_head_bytes: usize,
    /// Bytes in the body of a response that refuses the handshake. Default: 1 MiB, since it is
    /// read to be shown in an error.
    pub max_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_line_bytes: 8192,
            max_headers: 128,
            max_head_bytes: 1024 * 1024,
            max_body_bytes: 1024 * 1024,
        }
    }
}

/// What is wrong with a message from the peer. The handshake turns it into its own error, according
/// to the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    HeaderLineTooLong { limit: usize },
    Malformed(String),
    Security(String),
    StartLineTooLong { limit: usize },
    TooManyHeaders { limit: usize },
    UnsupportedVersion(String),
}
