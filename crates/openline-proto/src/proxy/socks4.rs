//! SOCKS4 (Ying-Da Lee's memo "SOCKS: A protocol for TCP proxy across firewalls") and its extension 4a,
//! in which the proxy resolves names.
//!
//! ```text
//! request:  4, 1, port (2), address (4), user id, 0 [, name, 0]
//! reply:    0, code, port (2), address (4)
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use super::{Destination, ProxyError, ProxyUri};

/// The conversation with a SOCKS4 proxy: one request, one reply.
#[derive(Debug, Default)]
pub(super) struct Socks4 {
    received: Vec<u8>,
}

impl Socks4 {
    pub(super) fn new(
        proxy: &ProxyUri,
        destination: &Destination,
        output: &mut Vec<u8>,
    ) -> Result<Socks4, ProxyError> {
        let (address, port, name) = match destination {
            Destination::Address(SocketAddr::V4(address)) => (*address.ip(), address.port(), None),
            Destination::Address(SocketAddr::V6(address)) => {
                return Err(ProxyError::Destination(format!(
                    "a SOCKS4 proxy cannot connect to an IPv6 address, here {}; use socks5",
                    address.ip()
                )));
            }
            // 4a: an address 0.0.0.x that cannot be one says that a name follows.
            Destination::Name { host, port } => (Ipv4Addr::new(0, 0, 0, 1), *port, Some(host)),
        };
        output.extend([4, CONNECT]);
        output.extend(port.to_be_bytes());
        output.extend(address.octets());
        output.extend_from_slice(proxy.user_info().map_or("", |(user, _)| user).as_bytes());
        output.push(0);
        if let Some(name) = name {
            if name.len() > 255 || name.contains('\0') {
                return Err(ProxyError::Destination(format!(
                    "a SOCKS4a proxy takes names of at most 255 bytes, without NUL, not {name:?}"
                )));
            }
            output.extend_from_slice(name.as_bytes());
            output.push(0);
        }
        Ok(Socks4::default())
    }

    /// `None` when the connection is made.
    pub(super) fn receive(mut self, bytes: &[u8]) -> Result<Option<Socks4>, ProxyError> {
        self.received.extend_from_slice(bytes);
        // Some proxies give their own version, 4, in place of the reply's, 0.
        if let Some(version) = self.received.first().filter(|version| ![0, 4].contains(*version)) {
            let text = format!("expected version 0, got {version}");
            return Err(ProxyError::malformed(REPLY, text));
        }
        match self.received.get(1) {
            Some(&GRANTED) | None => {}
            Some(&code) => return Err(refusal(code)),
        }
        match self.received.len() {
            0..8 => Ok(Some(self)),
            8 => Ok(None),
            _ => Err(ProxyError::after(REPLY)),
        }
    }
}

fn refusal(code: u8) -> ProxyError {
    let reason = match code {
        91 => "request rejected or failed",
        92 => "it cannot reach an identd of ours to check the user id",
        93 => "identd reports another user id",
        _ => return ProxyError::malformed(REPLY, format!("unknown reply code {code}")),
    };
    ProxyError::Refused(format!("{reason} (SOCKS4 code {code})"))
}

pub(super) const REPLY: &str = "SOCKS4 reply";
const CONNECT: u8 = 1;
const GRANTED: u8 = 90;
