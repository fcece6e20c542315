//! The addresses of a connection's two ends, kept for the time after it.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use socket2::{SockAddr, SockRef};

/// The address of one end of a connection.
///
/// ```
/// use openline::Address;
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// let Address::Tcp(address) = line.remote_address() else { panic!("not over TCP") };
/// assert!(address.ip().is_loopback());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket; empty for an end without a name.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Local and remote address of a socket; `path` is the remote one of a Unix socket if it is known.
pub(crate) fn of(socket: &impl AsFd, path: Option<&Path>) -> (Address, Address) {
    let socket = SockRef::from(socket);
    let remote = match path {
        Some(path) => Address::Unix(path.to_owned()),
        None => from_system(socket.peer_addr().ok()),
    };
    (from_system(socket.local_addr().ok()), remote)
}

fn from_system(address: Option<SockAddr>) -> Address {
    let tcp = address.as_ref().and_then(SockAddr::as_socket);
    match (tcp, address) {
        (Some(tcp), _) => Address::Tcp(tcp),
        (None, Some(address)) => {
            Address::Unix(address.as_pathname().map(Path::to_owned).unwrap_or_default())
        }
        (None, None) => Address::Unix(PathBuf::new()),
    }
}
