//! Getting a connected socket: name resolution and connecting, under one deadline.
//!
//! All addresses of a name are tried, IPv6 and IPv4 in turn, each 250 ms after the one before or as
//! soon as that has failed (RFC 8305 §5); the first that answers wins.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use socket2::{SockAddr, Socket, Type};

use crate::deadline::Deadline;
use crate::error::{ConnectError, Error, Result};
use crate::opening::Opening;
use crate::status::SLICE;
use crate::sync;
use crate::timings::{Timings, timed};
use crate::transport::poll_until;

/// How to dial: what of a [`Client`](crate::Client) matters here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialing {
    /// What to bind to, at most one address per family; empty: what the system chooses.
    pub(crate) local_addresses: Vec<SocketAddr>,
    /// For TCP alone, within the deadline of the opening.
    pub(crate) connect_timeout: Option<Duration>,
}

/// Who is dialled, for the error's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    Proxy,
    Server,
}

/// A TCP connection to `host`, which may be an address, at `port`.
pub(crate) fn tcp(
    (host, port): (&str, u16),
    callee: Callee,
    dialing: &Dialing,
    opening: &Opening<'_>,
    timings: &mut Timings,
) -> Result<OwnedFd> {
    let addresses = resolve((host, port), callee, opening, timings)?;
    let target = target(host, port, callee);
    let within = dialing.connect_timeout.map(Deadline::from);
    let opening = &opening.within(within.unwrap_or(Deadline::NEVER));
    let socket = timed(&mut timings.tcp, || race(interleave(addresses), target, dialing, opening))?;
    // Messages are written whole, so waiting for more to send only adds latency. A socket that does
    // not support it is still a good one.
    let _ = socket.set_tcp_nodelay(true);
    Ok(socket.into())
}

/// A connection to the Unix socket at `path`. On Linux, a path that starts with NUL is abstract.
pub(crate) fn unix(path: &Path, opening: &Opening<'_>, timings: &mut Timings) -> Result<OwnedFd> {
    timed(&mut timings.tcp, || {
        let fail = |error| Error::not_connected(&path.display().to_string(), error);
        let address = SockAddr::unix(path).map_err(fail)?;
        loop {
            let mut attempt = match Attempt::start(&address, None) {
                Ok(attempt) => attempt,
                // The server's backlog is full; only a blocking socket could wait for room there.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&mut [], Deadline::from(UNIX_RETRY), opening)?;
                    continue;
                }
                Err(error) => return Err(fail(error)),
            };
            while !attempt.is_connected {
                let mut fds = [PollFd::new(&attempt.socket, PollFlags::OUT)];
                wait(&mut fds, Deadline::NEVER, opening)?;
                attempt.check().map_err(fail)?;
            }
            return Ok(attempt.into_blocking().map_err(fail)?.into());
        }
    })
}

/// The addresses of `host`, which may be one itself.
pub(crate) fn resolve(
    (host, port): (&str, u16),
    callee: Callee,
    opening: &Opening<'_>,
    timings: &mut Timings,
) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    timed(&mut timings.dns, || look_up(host, port, opening))?.map_err(|error| {
        let mut failure = target(host, port, callee);
        failure.resolution = Some(error);
        Error::Connect(failure)
    })
}

/// An error of nothing yet, to be filled with what goes wrong.
fn target(host: &str, port: u16, callee: Callee) -> ConnectError {
    let target = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    let is_proxy = callee == Callee::Proxy;
    ConnectError { target, is_proxy, attempts: Vec::new(), resolution: None }
}

/// Asks the system for the addresses of a name, in a thread of its own that is left behind at the
/// deadline: `getaddrinfo` cannot be stopped.
fn look_up(host: &str, port: u16, opening: &Opening<'_>) -> Result<io::Result<Vec<SocketAddr>>> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    let spawned =
        std::thread::Builder::new().name("openline-resolver".to_owned()).spawn(move || {
            let addresses =
                (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody listens any more if the deadline has passed.
            let _ = sender.send(addresses);
        });
    if let Err(error) = spawned {
        return Ok(Err(error));
    }
    loop {
        let slice = opening.deadline().min(Deadline::from(SLICE)).remaining().unwrap_or(SLICE);
        match receiver.recv_timeout(slice) {
            Ok(Ok(addresses)) if addresses.is_empty() => {
                return Ok(Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
            }
            Ok(addresses) => return Ok(addresses),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Ok(Err(io::Error::other("the resolver's thread ended early")));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => opening.check()?,
        }
    }
}

/// The addresses in the order in which to try them: families in turn, the resolver's first choice
/// first (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return addresses };
    let first_is_v6 = first.is_ipv6();
    let (a, b): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    loop {
        let before = order.len();
        order.extend(a.next());
        order.extend(b.next());
        if order.len() == before {
            return order;
        }
    }
}

/// Tries the addresses; `failure` takes down what is wrong with each.
fn race(
    addresses: Vec<SocketAddr>,
    mut failure: ConnectError,
    dialing: &Dialing,
    opening: &Opening<'_>,
) -> Result<Socket> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<(SocketAddr, Attempt)> = Vec::new();
    let mut next_start = sync::now();
    loop {
        if running.is_empty() || sync::now() >= next_start {
            match waiting.next() {
                Some(address) => {
                    match dialing.start(address) {
                        Ok(attempt) => running.push((address, attempt)),
                        Err(error) => {
                            failure.attempts.push((address.to_string(), error));
                            continue; // The next one need not wait.
                        }
                    }
                    next_start = sync::now() + STAGGER;
                }
                None if running.is_empty() => return Err(Error::Connect(failure)),
                None => {}
            }
        }
        if let Some(winner) = running.iter().position(|(_, attempt)| attempt.is_connected) {
            let (address, attempt) = running.swap_remove(winner);
            match attempt.into_blocking() {
                Ok(socket) => return Ok(socket),
                Err(error) => failure.attempts.push((address.to_string(), error)),
            }
            continue;
        }
        let until = if waiting.len() > 0 { Deadline::from(next_start) } else { Deadline::NEVER };
        let mut fds: Vec<PollFd<'_>> = running
            .iter()
            .map(|(_, attempt)| PollFd::new(&attempt.socket, PollFlags::OUT))
            .collect();
        wait(&mut fds, until, opening)?;
        let mut still_running = Vec::with_capacity(running.len());
        for (address, mut attempt) in running {
            match attempt.check() {
                Ok(()) => still_running.push((address, attempt)),
                Err(error) => {
                    failure.attempts.push((address.to_string(), error));
                    next_start = sync::now(); // The next one need not wait.
                }
            }
        }
        running = still_running;
    }
}

impl Dialing {
    fn start(&self, address: SocketAddr) -> io::Result<Attempt> {
        let mut local = self.local_addresses.iter();
        let local = local.find(|local| local.is_ipv4() == address.is_ipv4()).copied();
        if local.is_none() && !self.local_addresses.is_empty() {
            let text = "the local address is not of this family";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        Attempt::start(&address.into(), local.map(Into::into).as_ref())
    }
}

/// A socket that is connecting.
#[derive(Debug)]
struct Attempt {
    socket: Socket,
    is_connected: bool,
}

impl Attempt {
    fn start(address: &SockAddr, local: Option<&SockAddr>) -> io::Result<Attempt> {
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Some(local) = local {
            socket.bind(local)?;
        }
        let is_connected = match socket.connect(address) {
            Ok(()) => true,
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Attempt { socket, is_connected })
    }

    /// Looks whether it is connected by now, or has failed.
    fn check(&mut self) -> io::Result<()> {
        let mut fds = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::OUT)];
        poll_until(&mut fds, Deadline::from(Duration::ZERO))?;
        if fds[0].revents().is_empty() {
            return Ok(());
        }
        match self.socket.take_error()? {
            Some(error) => Err(error),
            None => {
                self.is_connected = true;
                Ok(())
            }
        }
    }

    fn into_blocking(self) -> io::Result<Socket> {
        self.socket.set_nonblocking(false)?;
        Ok(self.socket)
    }
}

/// Polls until something is ready or `until` has come, or a slice of that time, and asks whether to
/// go on.
fn wait(fds: &mut [PollFd<'_>], until: Deadline, opening: &Opening<'_>) -> Result<()> {
    let until = until.min(opening.deadline()).min(Deadline::from(SLICE));
    match poll_until(fds, until) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
            Err(Error::System { action: "wait for a socket".to_owned(), error })
        }
        _ => opening.check(),
    }
}

/// After how long the next address is tried beside the ones before (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// How often a Unix socket with a full backlog is tried again.
const UNIX_RETRY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    fn opening() -> Opening<'static> {
        Opening::new(Deadline::from(Duration::from_secs(10)), &|| false)
    }

    fn try_all(addresses: Vec<SocketAddr>) -> Result<Socket> {
        let failure = target("host", 1, Callee::Server);
        race(addresses, failure, &Dialing::default(), &opening())
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rfc_8305_section_4_families_take_turns() {
        let order =
            interleave(["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(address).to_vec());
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(address));
    }

    #[test]
    fn an_address_that_refuses_does_not_hold_the_next_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let start = Instant::now();
        let socket = try_all(vec![refused, good]).unwrap();
        assert_eq!(socket.peer_addr().unwrap().as_socket(), Some(good));
        assert!(start.elapsed() < STAGGER);
    }

    #[test]
    fn an_address_that_fails_at_once_does_not_either() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let start = Instant::now();
        // No TCP connection can be made to the broadcast address; `connect` itself says so.
        let addresses = vec![address("255.255.255.255:1"), good];
        try_all(addresses).unwrap();
        assert!(start.elapsed() < STAGGER);
    }

    #[test]
    fn the_error_lists_every_address_with_its_reason() {
        let ports = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let error = try_all(ports.to_vec()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to host:1: "), "{text}");
        for port in ports {
            assert!(text.contains(&format!("{port}: Connection refused")), "{text}");
        }
    }

    #[test]
    fn a_local_address_of_the_other_family_is_named_as_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialing = Dialing { local_addresses: vec![address("[::1]:0")], connect_timeout: None };
        let good = vec![listener.local_addr().unwrap()];
        let failure = target("host", 1, Callee::Server);
        let error = race(good, failure, &dialing, &opening()).unwrap_err();
        assert!(error.to_string().contains("the local address is not of this family"), "{error}");
    }

    #[test]
    fn the_socket_is_bound_to_the_local_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local_addresses = vec![address("127.0.0.2:0"), address("[::1]:0")];
        let dialing = Dialing { local_addresses, connect_timeout: None };
        let good = vec![listener.local_addr().unwrap()];
        let failure = target("host", 1, Callee::Server);
        let _socket = race(good, failure, &dialing, &opening()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), address("127.0.0.2:0").ip());
    }

    #[test]
    fn giving_up_ends_the_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let outcome = look_up("localhost", port, &Opening::new(Deadline::NEVER, &|| true));
        // Either the resolver was faster, or the wait ended.
        assert!(matches!(outcome, Ok(Ok(_)) | Err(Error::Interrupted { .. })), "{outcome:?}");
    }
}
