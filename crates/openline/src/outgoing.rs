//! Messages on their way out, as callers give them.

use openline_proto::extension::Compress;
use openline_proto::{Kind, Message};

/// A message to send: borrowed text or bytes. Made from `&str`, `&String`, byte slices and
/// [`&Message`](Message), so that `send` takes them as they are.
///
/// ```
/// use openline::{Kind, Outgoing};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("text")?;
/// line.send(Outgoing::new(Kind::Text, b"text too"))?;
/// assert_eq!(line.recv()?.kind(), line.recv()?.kind());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'m> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'m [u8],
    pub(crate) compress: Compress,
    /// What a compressor with an empty context has made of it, for a connection that has compression and no
    /// other extension.
    pub(crate) compressed: Option<&'m [u8]>,
}

impl<'m> Outgoing<'m> {
    /// UTF-8 or bytes that are sent as the given kind. Text that is not UTF-8 would make the peer
    /// fail the connection.
    ///
    /// ```
    /// use openline::{Kind, Outgoing};
    /// let json = br#"{"already": "encoded"}"#;
    /// let message = Outgoing::new(Kind::Text, json);
    /// # let _ = message;
    /// ```
    pub fn new(kind: Kind, payload: &'m [u8]) -> Outgoing<'m> {
        Outgoing { kind, payload, compress: Compress::Auto, compressed: None }
    }

    /// Whether to compress it, on a connection with permessage-deflate. Default
    /// [`Compress::Auto`].
    ///
    /// ```
    /// use openline::{Compress, Outgoing};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let picture = vec![0x89; 10_000]; // compressed already, say
    /// line.send(Outgoing::from(&picture).compress(Compress::Never))?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Outgoing<'m> {
        self.compress = compress;
        self
    }
}

impl<'m> From<&'m str> for Outgoing<'m> {
    fn from(text: &'m str) -> Outgoing<'m> {
        Outgoing::new(Kind::Text, text.as_bytes())
    }
}

impl<'m> From<&'m String> for Outgoing<'m> {
    fn from(text: &'m String) -> Outgoing<'m> {
        Outgoing::new(Kind::Text, text.as_bytes())
    }
}

impl<'m> From<&'m [u8]> for Outgoing<'m> {
    fn from(bytes: &'m [u8]) -> Outgoing<'m> {
        Outgoing::new(Kind::Binary, bytes)
    }
}

impl<'m, const N: usize> From<&'m [u8; N]> for Outgoing<'m> {
    fn from(bytes: &'m [u8; N]) -> Outgoing<'m> {
        Outgoing::new(Kind::Binary, bytes)
    }
}

impl<'m> From<&'m Vec<u8>> for Outgoing<'m> {
    fn from(bytes: &'m Vec<u8>) -> Outgoing<'m> {
        Outgoing::new(Kind::Binary, bytes)
    }
}

impl<'m> From<&'m Message> for Outgoing<'m> {
    fn from(message: &'m Message) -> Outgoing<'m> {
        Outgoing::new(message.kind(), message.as_bytes())
    }
}
