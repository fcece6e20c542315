//! SOCKS5 (RFC 1928), with user name and password (RFC 1929).
//!
//! ```text
//! methods ──▶ selection ──▶ [user name and password ──▶ status] ──▶ request ──▶ reply
//! ```

use std::net::SocketAddr;

use super::{Destination, ProxyError, ProxyUri};

/// The conversation with a SOCKS5 proxy.
#[derive(Debug)]
pub(super) struct Socks5 {
    step: Step,
    credentials: Option<(String, String)>,
    /// What is to be sent when the proxy lets us.
    request: Vec<u8>,
    received: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Selection,
    Status,
    Reply,
}

impl Socks5 {
    pub(super) fn new(
        proxy: &ProxyUri,
        destination: &Destination,
        output: &mut Vec<u8>,
    ) -> Result<Socks5, ProxyError> {
        let request = request(destination)?;
        let credentials =
            proxy.user_info().map(|(user, password)| (user.to_owned(), password.to_owned()));
        match credentials {
            None => output.extend([VERSION, 1, NO_AUTHENTICATION]),
            Some(_) => output.extend([VERSION, 2, NO_AUTHENTICATION, USERNAME_PASSWORD]),
        }
        Ok(Socks5 { step: Step::Selection, credentials, request, received: Vec::new() })
    }

    /// `None` when the connection is made.
    pub(super) fn receive(
        mut self,
        bytes: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Socks5>, ProxyError> {
        self.received.extend_from_slice(bytes);
        let (step, len) = match self.step {
            Step::Selection => (self.select()?, Some(2)),
            Step::Status => (self.authenticate()?, Some(2)),
            Step::Reply => (Step::Reply, self.reply_len()?),
        };
        match len {
            Some(len) if self.received.len() > len => Err(ProxyError::after(REPLY)),
            Some(len) if self.received.len() == len => {
                self.received.clear();
                Ok(self.go_on(step, output))
            }
            _ => Ok(Some(self)),
        }
    }

    /// Says what is to be said after a reply; `None` after the last one.
    fn go_on(mut self, step: Step, output: &mut Vec<u8>) -> Option<Socks5> {
        match (self.step, step) {
            (Step::Reply, _) => return None,
            (_, Step::Reply) => output.append(&mut self.request),
            _ => {
                // RFC 1929 §2. The URL's parser has seen to the lengths.
                output.push(AUTHENTICATION_VERSION);
                for text in self.credentials.iter().flat_map(|(user, password)| [user, password]) {
                    output.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                    output.extend_from_slice(text.as_bytes());
                }
            }
        }
        self.step = step;
        Some(self)
    }

    /// What the proxy's choice of a method leads to.
    fn select(&self) -> Result<Step, ProxyError> {
        self.check_version(VERSION)?;
        match (self.received.get(1), &self.credentials) {
            (None, _) => Ok(Step::Selection),
            (Some(&NO_AUTHENTICATION), _) => Ok(Step::Reply),
            (Some(&USERNAME_PASSWORD), Some(_)) => Ok(Step::Status),
            (Some(&NO_ACCEPTABLE_METHOD), None) => {
                Err(refused("it wants authentication; add user:password@ to its URL"))
            }
            (Some(&NO_ACCEPTABLE_METHOD), Some(_)) => {
                Err(refused("it accepts no authentication by user name and password"))
            }
            (Some(method), _) => {
                let text = format!("method {method}, which was not offered");
                Err(ProxyError::malformed(REPLY, text))
            }
        }
    }

    /// What the proxy's opinion of the password leads to.
    fn authenticate(&self) -> Result<Step, ProxyError> {
        // Some proxies give the version of SOCKS in place of that of the authentication.
        if self.received.first() != Some(&VERSION) {
            self.check_version(AUTHENTICATION_VERSION)?;
        }
        match self.received.get(1) {
            None => Ok(Step::Status),
            Some(0) => Ok(Step::Reply),
            Some(_) => Err(refused("authentication failed")),
        }
    }

    /// The length of the reply, once it is known; it says yes then.
    fn reply_len(&self) -> Result<Option<usize>, ProxyError> {
        self.check_version(VERSION)?;
        match self.received.get(1) {
            None => return Ok(None),
            Some(0) => {}
            Some(&code) => return Err(refusal(code)),
        }
        // RFC 1928 §6: a reserved byte, then the kind and the bound address.
        Ok(match self.received.get(3..) {
            None | Some([]) => None,
            Some([IPV4, ..]) => Some(4 + 4 + 2),
            Some([IPV6, ..]) => Some(4 + 16 + 2),
            Some([NAME]) => None,
            Some([NAME, len, ..]) => Some(4 + 1 + usize::from(*len) + 2),
            Some([kind, ..]) => {
                let text = format!("unknown kind of address {kind}");
                return Err(ProxyError::malformed(REPLY, text));
            }
        })
    }

    fn check_version(&self, expected: u8) -> Result<(), ProxyError> {
        match self.received.first() {
            Some(version) if *version != expected => {
                let text = format!("expected version {expected}, got {version}");
                Err(ProxyError::malformed(REPLY, text))
            }
            _ => Ok(()),
        }
    }
}

fn request(destination: &Destination) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match destination {
        Destination::Address(SocketAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.ip().octets());
            address.port()
        }
        Destination::Address(SocketAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.ip().octets());
            address.port()
        }
        Destination::Name { host, port } => {
            let len = u8::try_from(host.len()).map_err(|_| {
                let text = "a SOCKS5 proxy takes names of at most 255 bytes, not";
                ProxyError::Destination(format!("{text} {}", host.len()))
            })?;
            request.extend([NAME, len]);
            request.extend_from_slice(host.as_bytes());
            *port
        }
    };
    request.extend(port.to_be_bytes());
    Ok(request)
}

/// RFC 1928 §6.
fn refusal(code: u8) -> ProxyError {
    let reason = match code {
        1 => "general SOCKS server failure",
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => return ProxyError::malformed(REPLY, format!("unknown reply code {code}")),
    };
    ProxyError::Refused(format!("{reason} (SOCKS5 code {code})"))
}

fn refused(reason: &str) -> ProxyError {
    ProxyError::Refused(reason.to_owned())
}

pub(super) const REPLY: &str = "SOCKS5 reply";
const VERSION: u8 = 5;
const AUTHENTICATION_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
