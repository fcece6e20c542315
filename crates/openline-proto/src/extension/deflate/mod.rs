//! permessage-deflate: messages compressed with DEFLATE (RFC 7692).
//!
//! - [`PerMessageDeflate`]: how it is offered and answered.
//! - [`Settings`]: what both sides agreed on.
//! - [`Compressor`] and [`Decompressor`]: the two directions of one connection.
//!
//! Memory of a connection that has compressed and decompressed messages, with context takeover:
//! `docs/compression.md` has the figures.

mod codec;
mod parameters;
mod spares;

pub use self::codec::{Compressor, Decompressor, Flush};
use self::parameters::{Parameters, WindowBits};
use super::{Coding, Extension, Parameter};
use crate::handshake::HandshakeError;

/// The name of the extension (RFC 7692 §7).
///
/// ```
/// use openline_proto::extension::Extension;
/// use openline_proto::extension::deflate::{NAME, PerMessageDeflate};
/// assert_eq!(PerMessageDeflate::client().name(), NAME);
/// ```
pub const NAME: &str = "permessage-deflate";

/// How to negotiate permessage-deflate, and how to compress (RFC 7692 §7.1).
///
/// "Local" below is who uses this. All checks and results are those of Python's `websockets`.
///
/// ```
/// use openline_proto::extension::Extension;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// # fn main() -> Result<(), openline_proto::extension::deflate::OutOfRange> {
/// let deflate = PerMessageDeflate::client()
///     .server_no_context_takeover(true)
///     .client_max_window_bits(ClientWindow::AtMost(10))?
///     .level(1)?;
/// # use openline_proto::extension::deflate::ClientWindow;
/// let names: Vec<_> = deflate.offer().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["server_no_context_takeover", "client_max_window_bits"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerMessageDeflate {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: ClientWindow,
    requires_client_max_window_bits: bool,
    effort: Effort,
}

/// What is said of the client's window: `client_max_window_bits` (RFC 7692 §7.1.2.2).
///
/// ```
/// use openline_proto::extension::Extension;
/// use openline_proto::extension::deflate::{ClientWindow, PerMessageDeflate};
/// # fn main() -> Result<(), openline_proto::extension::deflate::OutOfRange> {
/// let silent = PerMessageDeflate::client().client_max_window_bits(ClientWindow::Unmentioned)?;
/// assert!(silent.offer().is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientWindow {
    /// Nothing: a client forbids the server to limit it, a server has no wish.
    Unmentioned,
    /// A client lets the server limit it. For a server as `Unmentioned`.
    Supported,
    /// At most this many bits: a client's hint, a server's wish.
    AtMost(u8),
}

/// How hard to compress.
///
/// ```
/// use openline_proto::extension::deflate::{Effort, Strategy};
/// let effort = Effort::default();
/// assert_eq!((effort.level, effort.mem_level, effort.strategy), (4, 5, Strategy::Default));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Effort {
    /// 0 stores, 1 is fast, 9 is small. Default 4: messages are as small as those of zlib's level 6,
    /// within 3 %, in less than half of the time.
    pub level: u8,
    /// 1 to 9: memory for the compressor. Default 5, as in `websockets`: messages compress as well as
    /// with zlib's 8, in 100 KiB less.
    pub mem_level: u8,
    /// What kind of data to expect.
    pub strategy: Strategy,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { level: 4, mem_level: 5, strategy: Strategy::Default }
    }
}

/// What kind of data the compressor expects: zlib's strategies.
///
/// ```
/// use openline_proto::extension::deflate::Strategy;
/// assert_eq!(Strategy::default(), Strategy::Default);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Anything.
    #[default]
    Default,
    /// Small values that are distributed at random.
    Filtered,
    /// Without looking for repetitions.
    HuffmanOnly,
    /// Only repetitions of the last byte.
    Rle,
    /// With fixed codes.
    Fixed,
}

/// What both sides agreed on, as it looks from ours.
///
/// ```
/// use openline_proto::extension::deflate::{Effort, Settings};
/// let settings = Settings {
///     remote_no_context_takeover: false,
///     local_no_context_takeover: true,
///     remote_max_window_bits: 15,
///     local_max_window_bits: 12,
///     effort: Effort::default(),
/// };
/// assert!(settings.local_no_context_takeover);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Whether the peer compresses each message by itself.
    pub remote_no_context_takeover: bool,
    /// Whether we compress each message by itself.
    pub local_no_context_takeover: bool,
    /// The peer's window in bits, 8 to 15: how far back what it sends refers.
    pub remote_max_window_bits: u8,
    /// Our window in bits, 9 to 15.
    pub local_max_window_bits: u8,
    /// How hard we compress.
    pub effort: Effort,
}

/// A number that DEFLATE does not allow. The caller's fault.
///
/// ```
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// let error = PerMessageDeflate::client().server_max_window_bits(Some(16)).unwrap_err();
/// assert_eq!(error.to_string(), "server_max_window_bits must be between 8 and 15, not 16");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be between {least} and {most}, not {found}")]
pub struct OutOfRange {
    /// Which parameter it is for.
    pub name: &'static str,
    /// The smallest that is allowed.
    pub least: u8,
    /// The largest that is allowed.
    pub most: u8,
    /// What was given.
    pub found: u8,
}

impl PerMessageDeflate {
    /// What a client offers by default: `permessage-deflate; client_max_window_bits`.
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// let offer = PerMessageDeflate::client().offer();
    /// assert_eq!(offer, [("client_max_window_bits".to_owned(), None)]);
    /// ```
    pub fn client() -> PerMessageDeflate {
        PerMessageDeflate {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: ClientWindow::Supported,
            requires_client_max_window_bits: false,
            effort: Effort::default(),
        }
    }

    /// What a server accepts by default: any offer, with windows of 12 bits, which bound the memory
    /// of its many connections.
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
    /// let (answer, _) = PerMessageDeflate::server().answer(&[])?;
    /// assert_eq!(answer, [("server_max_window_bits".to_owned(), Some("12".to_owned()))]);
    /// # Ok(()) }
    /// ```
    pub fn server() -> PerMessageDeflate {
        PerMessageDeflate {
            server_max_window_bits: Some(12),
            client_max_window_bits: ClientWindow::AtMost(12),
            ..PerMessageDeflate::client()
        }
    }

    /// Whether the server is to compress each message by itself (RFC 7692 §7.1.1.1).
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// let deflate = PerMessageDeflate::client().server_no_context_takeover(true);
    /// assert!(deflate.accept(&[]).is_err()); // the server must confirm it
    /// ```
    #[must_use]
    pub fn server_no_context_takeover(mut self, refuse: bool) -> PerMessageDeflate {
        self.server_no_context_takeover = refuse;
        self
    }

    /// Whether the client is to compress each message by itself (RFC 7692 §7.1.1.2).
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// let offer = PerMessageDeflate::client().client_no_context_takeover(true).offer();
    /// assert_eq!(offer[0].0, "client_no_context_takeover");
    /// ```
    #[must_use]
    pub fn client_no_context_takeover(mut self, refuse: bool) -> PerMessageDeflate {
        self.client_no_context_takeover = refuse;
        self
    }

    /// The server's window in bits at most, 8 to 15 (RFC 7692 §7.1.2.1). A server answers with 9 or
    /// more: no compressor of today has a window of 8 bits.
    ///
    /// # Errors
    ///
    /// Another number.
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// # fn main() -> Result<(), openline_proto::extension::deflate::OutOfRange> {
    /// let offer = PerMessageDeflate::client().server_max_window_bits(Some(8))?.offer();
    /// assert_eq!(offer[0].1.as_deref(), Some("8"));
    /// # Ok(()) }
    /// ```
    pub fn server_max_window_bits(
        mut self,
        bits: Option<u8>,
    ) -> Result<PerMessageDeflate, OutOfRange> {
        if let Some(bits) = bits {
            check("server_max_window_bits", bits, 8..=15)?;
        }
        self.server_max_window_bits = bits;
        Ok(self)
    }

    /// What is said of the client's window (RFC 7692 §7.1.2.2): for a client 9 to 15 bits, for a
    /// server 8 to 15.
    ///
    /// # Errors
    ///
    /// Another number than 8 to 15. A client that is to use 8 refuses the server's answer.
    ///
    /// ```
    /// use openline_proto::extension::deflate::{ClientWindow, PerMessageDeflate};
    /// assert!(PerMessageDeflate::client().client_max_window_bits(ClientWindow::AtMost(7)).is_err());
    /// ```
    pub fn client_max_window_bits(
        mut self,
        window: ClientWindow,
    ) -> Result<PerMessageDeflate, OutOfRange> {
        if let ClientWindow::AtMost(bits) = window {
            check("client_max_window_bits", bits, 8..=15)?;
        }
        self.client_max_window_bits = window;
        Ok(self)
    }

    /// Whether a server declines an offer that does not let it limit the client's window. By default
    /// it accepts it without that limit.
    ///
    /// ```
    /// use openline_proto::extension::Extension;
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// let strict = PerMessageDeflate::server().require_client_max_window_bits(true);
    /// assert!(strict.answer(&[]).is_err());
    /// assert!(strict.answer(&[("client_max_window_bits".into(), None)]).is_ok());
    /// ```
    #[must_use]
    pub fn require_client_max_window_bits(mut self, require: bool) -> PerMessageDeflate {
        self.requires_client_max_window_bits = require;
        self
    }

    /// How hard to compress: 0 stores, 1 is fast, 9 is small. Default 4.
    ///
    /// # Errors
    ///
    /// Another number.
    ///
    /// ```
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// assert!(PerMessageDeflate::client().level(10).is_err());
    /// ```
    pub fn level(mut self, level: u8) -> Result<PerMessageDeflate, OutOfRange> {
        check("level", level, 0..=9)?;
        self.effort.level = level;
        Ok(self)
    }

    /// How much memory the compressor may use, 1 to 9. Default 5.
    ///
    /// # Errors
    ///
    /// Another number.
    ///
    /// ```
    /// use openline_proto::extension::deflate::PerMessageDeflate;
    /// assert!(PerMessageDeflate::client().mem_level(0).is_err());
    /// ```
    pub fn mem_level(mut self, mem_level: u8) -> Result<PerMessageDeflate, OutOfRange> {
        check("mem_level", mem_level, 1..=9)?;
        self.effort.mem_level = mem_level;
        Ok(self)
    }

    /// What kind of data to expect.
    ///
    /// ```
    /// use openline_proto::extension::deflate::{PerMessageDeflate, Strategy};
    /// let deflate = PerMessageDeflate::client().strategy(Strategy::HuffmanOnly);
    /// # let _ = deflate;
    /// ```
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> PerMessageDeflate {
        self.effort.strategy = strategy;
        self
    }
}

impl Extension for PerMessageDeflate {
    fn name(&self) -> &str {
        NAME
    }

    fn offer(&self) -> Vec<Parameter> {
        Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: match self.client_max_window_bits {
                ClientWindow::Unmentioned => None,
                ClientWindow::Supported => Some(WindowBits::Supported),
                ClientWindow::AtMost(bits) => Some(WindowBits::AtMost(bits)),
            },
        }
        .to_list()
    }

    fn accept(&self, answer: &[Parameter]) -> Result<Coding, HandshakeError> {
        let answer = Parameters::of_answer(answer)?;
        let refuse = |text: &str| Err(HandshakeError::NegotiationError(text.to_owned()));

        // RFC 7692 §7.1.1.1: a server that accepts an offer with this parameter MUST confirm it.
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return refuse("expected server_no_context_takeover");
        }
        // §7.1.2.1: and it MUST answer with the same or a smaller window.
        match (self.server_max_window_bits, answer.server_max_window_bits) {
            (Some(_), None) => return refuse("expected server_max_window_bits"),
            (Some(ours), Some(theirs)) if theirs > ours => {
                return refuse("unsupported server_max_window_bits");
            }
            _ => {}
        }
        // §7.1.2.2: without the parameter in the offer, the server MUST NOT limit the client.
        let ours = answer.client_window();
        let local_max_window_bits = match (self.client_max_window_bits, ours) {
            (ClientWindow::Unmentioned, Some(_)) => {
                return refuse("unexpected client_max_window_bits");
            }
            (ClientWindow::AtMost(offered), Some(answered)) if answered > offered => {
                return refuse("unsupported client_max_window_bits");
            }
            (ClientWindow::AtMost(offered), None) => offered,
            (_, answered) => answered.unwrap_or(15),
        };
        if local_max_window_bits == 8 {
            return refuse("unsupported client_max_window_bits = 8, use 9");
        }
        Ok(Coding::Deflate(Settings {
            remote_no_context_takeover: answer.server_no_context_takeover,
            // §7.1.1.2: the client may do so although the server does not ask for it.
            local_no_context_takeover: self.client_no_context_takeover
                || answer.client_no_context_takeover,
            remote_max_window_bits: answer.server_max_window_bits.unwrap_or(15),
            local_max_window_bits,
            effort: self.effort,
        }))
    }

    fn answer(&self, offer: &[Parameter]) -> Result<(Vec<Parameter>, Coding), HandshakeError> {
        let offer = Parameters::of_offer(offer)?;
        let refuse = |text: &str| Err(HandshakeError::NegotiationError(text.to_owned()));

        let server_max_window_bits =
            match (self.server_max_window_bits, offer.server_max_window_bits) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            };
        if server_max_window_bits == Some(8) {
            return refuse("unsupported server_max_window_bits = 8, use 9");
        }
        // RFC 7692 §7.1.2.2: the answer may have it only if the offer has.
        let wish = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => Some(bits),
            ClientWindow::Unmentioned | ClientWindow::Supported => None,
        };
        let client_max_window_bits = match (wish, offer.client_max_window_bits) {
            (Some(_), None) if self.requires_client_max_window_bits => {
                return refuse("required client_max_window_bits");
            }
            (_, None) => None,
            (wish, Some(WindowBits::Supported)) => wish,
            (None, Some(WindowBits::AtMost(theirs))) => Some(theirs),
            (Some(wish), Some(WindowBits::AtMost(theirs))) => Some(wish.min(theirs)),
        };
        let answer = Parameters {
            server_no_context_takeover: self.server_no_context_takeover
                || offer.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || offer.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits: client_max_window_bits.map(WindowBits::AtMost),
        };
        let settings = Settings {
            remote_no_context_takeover: answer.client_no_context_takeover,
            local_no_context_takeover: answer.server_no_context_takeover,
            remote_max_window_bits: client_max_window_bits.unwrap_or(15),
            local_max_window_bits: server_max_window_bits.unwrap_or(15),
            effort: self.effort,
        };
        Ok((answer.to_list(), Coding::Deflate(settings)))
    }
}

fn check(
    name: &'static str,
    found: u8,
    range: std::ops::RangeInclusive<u8>,
) -> Result<(), OutOfRange> {
    if range.contains(&found) {
        return Ok(());
    }
    Err(OutOfRange { name, least: *range.start(), most: *range.end(), found })
}

#[cfg(test)]
mod tests;
