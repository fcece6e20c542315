//! Connections through a proxy: which one, and the conversation with it. What is said there is the
//! core's business (`openline_proto::proxy`).

mod environment;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use openline_proto::Uri;
use openline_proto::proxy::{Destination, ProxyHandshake, ProxyProgress};

use crate::address;
use crate::dial::{self, Callee, Dialing};
use crate::error::{Error, Result, TlsError};
use crate::opening::Opening;
use crate::timings::{Timings, timed};
use crate::transport::{Carried, Interest, Secure, Socket, Transport};

pub use openline_proto::proxy::{InvalidProxy, ProxyError, ProxyScheme, ProxyUri};

/// Which proxy to use.
#[derive(Clone)]
pub(crate) enum Choice {
    By(Arc<Choose>),
    Direct,
    Environment,
    Fixed(ProxyUri),
}

type Choose = dyn Fn(&Uri) -> Result<Option<ProxyUri>> + Send + Sync;

impl Choice {
    pub(crate) fn choose(&self, uri: &Uri) -> Result<Option<ProxyUri>> {
        match self {
            Choice::By(choose) => choose(uri),
            Choice::Direct => Ok(None),
            Choice::Environment => Ok(environment::proxy_for(uri, std::env::vars_os())?),
            Choice::Fixed(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::By(_) => f.write_str("By"),
            Choice::Direct => f.write_str("Direct"),
            Choice::Environment => f.write_str("Environment"),
            Choice::Fixed(proxy) => f.debug_tuple("Fixed").field(proxy).finish(),
        }
    }
}

/// What is needed to have a proxy make a connection.
#[derive(Debug)]
pub(crate) struct Tunnel<'a> {
    pub(crate) proxy: &'a ProxyUri,
    pub(crate) tls: &'a dyn Secure,
    /// For the TLS to the proxy.
    pub(crate) server_name: &'a str,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) dialing: &'a Dialing,
}

impl Tunnel<'_> {
    /// A stream to `host` at `port`.
    pub(crate) fn open(
        &self,
        (host, port): (&str, u16),
        opening: &Opening<'_>,
        timings: &mut Timings,
    ) -> Result<Carried> {
        let name = Destination::Name { host: host.to_owned(), port };
        if !self.proxy.resolves_locally() {
            return self.open_to(&name, opening, timings);
        }
        let addresses = dial::resolve((host, port), Callee::Server, opening, timings)?;
        let (last, others) = match self.candidates(&addresses) {
            candidates if candidates.is_empty() => return self.open_to(&name, opening, timings),
            mut candidates => (candidates.pop(), candidates),
        };
        for address in others {
            match self.open_to(&Destination::Address(address), opening, timings) {
                // The proxy may reach another address of the same name.
                Err(Error::Proxy(ProxyError::Refused { .. })) => {}
                outcome => return outcome,
            }
        }
        let destination = last.map_or(name, Destination::Address);
        self.open_to(&destination, opening, timings)
    }

    /// The addresses that the proxy's protocol can express.
    fn candidates(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let is_v4_only = self.proxy.scheme() == ProxyScheme::Socks4;
        addresses.iter().filter(|address| !is_v4_only || address.is_ipv4()).copied().collect()
    }

    fn open_to(
        &self,
        destination: &Destination,
        opening: &Opening<'_>,
        timings: &mut Timings,
    ) -> Result<Carried> {
        let handshake = ProxyHandshake::new(self.proxy, destination, self.user_agent)?;
        let target = (self.proxy.host(), self.proxy.port());
        let socket = dial::tcp(target, Callee::Proxy, self.dialing, opening, timings)?;
        let addresses = address::of(&socket, None);
        let mut transport: Arc<dyn Transport> = Arc::new(Socket::new(socket));
        timed(&mut timings.proxy, || {
            if self.proxy.scheme() == ProxyScheme::Https {
                transport = self.tls.secure(transport.clone(), self.server_name, opening)?;
            }
            self.converse(&*transport, handshake, opening)
        })
        .map_err(|error| match error {
            // Two hosts may be spoken TLS with here: say which one it is.
            Error::Tls(error) => Error::Tls(error.of_proxy()),
            error => error,
        })?;
        Ok(Carried { transport, addresses })
    }

    fn converse(
        &self,
        transport: &dyn Transport,
        mut handshake: ProxyHandshake,
        opening: &Opening<'_>,
    ) -> Result<()> {
        let mut output = Vec::new();
        let mut sent = 0;
        let mut buffer = vec![0; REPLY_READ_LEN];
        loop {
            handshake.take_output(&mut output);
            let interest = push(transport, &output, &mut sent);
            match transport.try_read(&mut buffer) {
                Ok(0) => return Err(handshake.receive_eof().into()),
                Ok(len) => match handshake.receive(&buffer[..len])? {
                    ProxyProgress::Open => return Ok(()),
                    ProxyProgress::Pending(pending) => handshake = pending,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    opening.wait(transport, interest)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Error::Tls(TlsError::new(self.server_name, error)));
                }
                Err(_) => return Err(handshake.receive_eof().into()),
            }
            opening.check()?;
        }
    }
}

/// Writes what it can of what is left; what to wait for then. Trouble with writing shows in reading,
/// where the peer's reason may be found.
pub(crate) fn push(transport: &dyn Transport, bytes: &[u8], sent: &mut usize) -> Interest {
    loop {
        let outcome = match bytes.get(*sent..) {
            Some(rest) if !rest.is_empty() => transport.try_write(rest).map(|len| *sent += len),
            _ => match transport.try_flush() {
                Ok(()) => return Interest::Read,
                Err(error) => Err(error),
            },
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Interest::ReadOrWrite;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Interest::Read,
        }
    }
}

/// Read at once from a proxy.
const REPLY_READ_LEN: usize = 4096;
