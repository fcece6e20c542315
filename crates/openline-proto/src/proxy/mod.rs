//! Having a proxy make a connection: HTTP CONNECT (RFC 9110 §9.3.6), SOCKS4 and 4a, SOCKS5 (RFC 1928,
//! RFC 1929). Like the rest of this crate it does no I/O: the caller carries the bytes, and speaks TLS to
//! an `https` proxy before.
//!
//! ```text
//! ProxyHandshake ── take_output, receive ──▶ Pending(ProxyHandshake) ──▶ … ──▶ Open
//! ```
//!
//! # Examples
//!
//! ```
//! use openline_proto::proxy::{Destination, ProxyHandshake, ProxyProgress, ProxyUri};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = ProxyUri::parse("http://localhost:3128")?;
//! let destination = Destination::Name { host: "example.com".into(), port: 443 };
//! let mut handshake = ProxyHandshake::new(&proxy, &destination, None)?;
//! let mut out = Vec::new();
//! handshake.take_output(&mut out);
//! assert_eq!(out, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
//! let progress = handshake.receive(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
//! assert!(matches!(progress, ProxyProgress::Open)); // now the destination speaks
//! # Ok(()) }
//! ```

mod connect;
mod error;
mod socks4;
mod socks5;
mod uri;

use std::net::{IpAddr, SocketAddr};

use connect::Connect;
use socks4::Socks4;
use socks5::Socks5;

pub use error::ProxyError;
pub use uri::{InvalidProxy, ProxyScheme, ProxyUri};

/// What the proxy is to connect to.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::Destination;
///
/// let name = Destination::Name { host: "example.com".into(), port: 443 };
/// assert_eq!(name.to_string(), "example.com:443");
/// assert_eq!(Destination::Address("[::1]:80".parse()?).to_string(), "[::1]:80");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An address, which the caller has resolved.
    Address(SocketAddr),
    /// A name, which the proxy resolves, or an address without brackets.
    Name {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Destination {
    /// The same, as an address if the name is one.
    fn normalized(&self) -> Destination {
        match self {
            Destination::Name { host, port } => match host.parse::<IpAddr>() {
                Ok(ip) => Destination::Address(SocketAddr::new(ip, *port)),
                Err(_) => self.clone(),
            },
            Destination::Address(_) => self.clone(),
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Address(address) => address.fmt(f),
            Destination::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// A conversation with a proxy, until it has made the connection.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::{Destination, ProxyHandshake, ProxyProgress, ProxyUri};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = ProxyUri::parse("socks5h://localhost")?;
/// let destination = Destination::Name { host: "example.com".into(), port: 443 };
/// let mut handshake = ProxyHandshake::new(&proxy, &destination, None)?;
/// let mut out = Vec::new();
/// handshake.take_output(&mut out);
/// assert_eq!(out, [5, 1, 0]); // one method: without authentication
/// let ProxyProgress::Pending(mut handshake) = handshake.receive(&[5, 0])? else { return Ok(()) };
/// handshake.take_output(&mut out);
/// assert_eq!(out[3..8], [5, 1, 0, 3, 11]); // connect to a name of 11 bytes
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ProxyHandshake {
    dialogue: Dialogue,
    output: Vec<u8>,
}

/// How far the conversation is.
///
/// # Examples
///
/// ```
/// use openline_proto::proxy::{Destination, ProxyHandshake, ProxyProgress, ProxyUri};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = ProxyUri::parse("socks4://localhost")?;
/// let destination = Destination::Address("192.0.2.1:443".parse()?);
/// let handshake = ProxyHandshake::new(&proxy, &destination, None)?;
/// let ProxyProgress::Pending(handshake) = handshake.receive(&[0])? else { return Ok(()) };
/// let progress = handshake.receive(&[90, 0, 0, 0, 0, 0, 0])?;
/// assert!(matches!(progress, ProxyProgress::Open));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum ProxyProgress {
    /// The connection is made: what follows is the destination's.
    Open,
    /// There is more to send, or to receive.
    Pending(ProxyHandshake),
}

#[derive(Debug)]
enum Dialogue {
    Connect(Connect),
    Socks4(Socks4),
    Socks5(Socks5),
}

impl ProxyHandshake {
    /// Begins the conversation. `user_agent` is for HTTP proxies.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Destination`] when the proxy's protocol cannot express the destination: a name
    /// for `socks4` and `socks5`, which want addresses, or an IPv6 address for SOCKS4.
    ///
    /// # Examples
    ///
    /// ```
    /// use openline_proto::proxy::{Destination, ProxyError, ProxyHandshake, ProxyUri};
    ///
    /// let proxy = ProxyUri::parse("socks4://localhost")?;
    /// let destination = Destination::Name { host: "::1".into(), port: 80 };
    /// let outcome = ProxyHandshake::new(&proxy, &destination, None);
    /// assert!(matches!(outcome, Err(ProxyError::Destination(_))));
    /// # Ok::<(), openline_proto::proxy::InvalidProxy>(())
    /// ```
    pub fn new(
        proxy: &ProxyUri,
        destination: &Destination,
        user_agent: Option<&str>,
    ) -> Result<ProxyHandshake, ProxyError> {
        let destination = destination.normalized();
        if proxy.resolves_locally() && matches!(destination, Destination::Name { .. }) {
            let scheme = proxy.scheme();
            return Err(ProxyError::Destination(format!(
                "a {scheme} proxy needs an address, not the name {destination}; resolve it first"
            )));
        }
        let mut output = Vec::new();
        let dialogue = match proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => {
                Dialogue::Connect(Connect::new(proxy, &destination, user_agent, &mut output)?)
            }
            ProxyScheme::Socks4 | ProxyScheme::Socks4a => {
                Dialogue::Socks4(Socks4::new(proxy, &destination, &mut output)?)
            }
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                Dialogue::Socks5(Socks5::new(proxy, &destination, &mut output)?)
            }
        };
        Ok(ProxyHandshake { dialogue, output })
    }

    /// Appends what is to be sent now.
    ///
    /// # Examples
    ///
    /// See [`ProxyHandshake`].
    ///
    /// ```
    /// # use openline_proto::proxy::{Destination, ProxyHandshake, ProxyUri};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let proxy = ProxyUri::parse("socks5h://localhost")?;
    /// # let destination = Destination::Name { host: "example.com".into(), port: 443 };
    /// let mut handshake = ProxyHandshake::new(&proxy, &destination, None)?;
    /// let mut out = Vec::new();
    /// handshake.take_output(&mut out);
    /// handshake.take_output(&mut out); // nothing more for now
    /// assert_eq!(out.len(), 3);
    /// # Ok(()) }
    /// ```
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    /// Takes what came from the proxy.
    ///
    /// # Errors
    ///
    /// All variants of [`ProxyError`] but the caller's.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::proxy::{Destination, ProxyError, ProxyHandshake, ProxyUri};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let proxy = ProxyUri::parse("socks4a://localhost")?;
    /// # let destination = Destination::Name { host: "example.com".into(), port: 443 };
    /// let handshake = ProxyHandshake::new(&proxy, &destination, None)?;
    /// let outcome = handshake.receive(&[0, 91, 0, 0, 0, 0, 0, 0]);
    /// assert!(matches!(outcome, Err(ProxyError::Refused(_))));
    /// # Ok(()) }
    /// ```
    pub fn receive(self, bytes: &[u8]) -> Result<ProxyProgress, ProxyError> {
        let mut output = self.output;
        let dialogue = match self.dialogue {
            Dialogue::Connect(machine) => machine.receive(bytes)?.map(Dialogue::Connect),
            Dialogue::Socks4(machine) => machine.receive(bytes)?.map(Dialogue::Socks4),
            Dialogue::Socks5(machine) => machine.receive(bytes, &mut output)?.map(Dialogue::Socks5),
        };
        Ok(match dialogue {
            None => ProxyProgress::Open,
            Some(dialogue) => ProxyProgress::Pending(ProxyHandshake { dialogue, output }),
        })
    }

    /// What it means that the proxy has ended the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// # use openline_proto::proxy::{Destination, ProxyError, ProxyHandshake, ProxyUri};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let proxy = ProxyUri::parse("socks5h://localhost")?;
    /// # let destination = Destination::Name { host: "example.com".into(), port: 443 };
    /// let handshake = ProxyHandshake::new(&proxy, &destination, None)?;
    /// assert!(matches!(handshake.receive_eof(), ProxyError::InvalidMessage { .. }));
    /// # Ok(()) }
    /// ```
    pub fn receive_eof(self) -> ProxyError {
        match self.dialogue {
            Dialogue::Connect(machine) => machine.receive_eof(),
            Dialogue::Socks4(_) => ProxyError::ended(socks4::REPLY),
            Dialogue::Socks5(_) => ProxyError::ended(socks5::REPLY),
        }
    }
}

#[cfg(test)]
mod tests;
