//! Getting a connected socket: name resolution and connecting, under one deadline.
//!
//! All addresses of a name are tried, IPv6 and IPv4 in turn, each 250 ms after the one before or as
//! soon as that has failed (RFC 8305 §5); the first that answers wins.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use socket2::{SockAddr, Socket, Type};

use crate::deadline::Deadline;
use crate::error::{ConnectError, Error, Result, Waiting};
use crate::status::SLICE;
use crate::transport::poll_until;

/// Asked now and then while a connection is opened, at the latest 50 ms after a signal: whether to
/// give up.
pub(crate) type GiveUp<'a> = &'a dyn Fn() -> bool;

/// A TCP connection to `host`, which may be an address, at `port`.
pub(crate) fn tcp(
    host: &str,
    port: u16,
    deadline: Deadline,
    give_up: GiveUp<'_>,
) -> Result<OwnedFd> {
    let target = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match resolve(host, port, deadline, give_up)? {
            Ok(addresses) => addresses,
            Err(error) => {
                let resolution = Some(error);
                return Err(Error::Connect(ConnectError { target, attempts: vec![], resolution }));
            }
        },
    };
    let socket = race(interleave(addresses), target, deadline, give_up)?;
    // Messages are written whole, so waiting for more to send only adds latency. A socket that does
    // not support it is still a good one.
    let _ = socket.set_tcp_nodelay(true);
    Ok(socket.into())
}

/// A connection to the Unix socket at `path`. On Linux, a path that starts with NUL is abstract.
pub(crate) fn unix(path: &Path, deadline: Deadline, give_up: GiveUp<'_>) -> Result<OwnedFd> {
    let target = path.display().to_string();
    let fail = |error| {
        let attempts = vec![(target.clone(), error)];
        Error::Connect(ConnectError { target: target.clone(), attempts, resolution: None })
    };
    let address = SockAddr::unix(path).map_err(fail)?;
    loop {
        let mut attempt = match Attempt::start(&address) {
            Ok(attempt) => attempt,
            // The server's backlog is full; only a blocking socket could wait for room there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(&mut [], deadline.min(Deadline::from(UNIX_RETRY)), deadline, give_up)?;
                continue;
            }
            Err(error) => return Err(fail(error)),
        };
        while !attempt.is_connected {
            let mut fds = [PollFd::new(&attempt.socket, PollFlags::OUT)];
            wait(&mut fds, deadline, deadline, give_up)?;
            attempt.check().map_err(fail)?;
        }
        return Ok(attempt.into_blocking().map_err(fail)?.into());
    }
}

/// The addresses of a name, asked for in a thread of its own that is left behind at the deadline:
/// `getaddrinfo` cannot be stopped.
fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
    give_up: GiveUp<'_>,
) -> Result<io::Result<Vec<SocketAddr>>> {
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
        let slice = deadline.min(Deadline::from(SLICE)).remaining().unwrap_or(SLICE);
        match receiver.recv_timeout(slice) {
            Ok(Ok(addresses)) if addresses.is_empty() => {
                return Ok(Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
            }
            Ok(addresses) => return Ok(addresses),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Ok(Err(io::Error::other("the resolver's thread ended early")));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => check(deadline, give_up)?,
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

fn race(
    addresses: Vec<SocketAddr>,
    target: String,
    deadline: Deadline,
    give_up: GiveUp<'_>,
) -> Result<Socket> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<(SocketAddr, Attempt)> = Vec::new();
    let mut failed: Vec<(String, io::Error)> = Vec::new();
    let mut next_start = Instant::now();
    loop {
        if running.is_empty() || Instant::now() >= next_start {
            match waiting.next() {
                Some(address) => {
                    match Attempt::start(&address.into()) {
                        Ok(attempt) => running.push((address, attempt)),
                        Err(error) => {
                            failed.push((address.to_string(), error));
                            continue; // The next one need not wait.
                        }
                    }
                    next_start = Instant::now() + STAGGER;
                }
                None if running.is_empty() => {
                    return Err(Error::Connect(ConnectError {
                        target,
                        attempts: failed,
                        resolution: None,
                    }));
                }
                None => {}
            }
        }
        if let Some(winner) = running.iter().position(|(_, attempt)| attempt.is_connected) {
            let (address, attempt) = running.swap_remove(winner);
            match attempt.into_blocking() {
                Ok(socket) => return Ok(socket),
                Err(error) => failed.push((address.to_string(), error)),
            }
            continue;
        }
        let until = if waiting.len() > 0 { Deadline::from(next_start) } else { Deadline::NEVER };
        let mut fds: Vec<PollFd<'_>> = running
            .iter()
            .map(|(_, attempt)| PollFd::new(&attempt.socket, PollFlags::OUT))
            .collect();
        wait(&mut fds, deadline.min(until), deadline, give_up)?;
        let mut still_running = Vec::with_capacity(running.len());
        for (address, mut attempt) in running {
            match attempt.check() {
                Ok(()) => still_running.push((address, attempt)),
                Err(error) => {
                    failed.push((address.to_string(), error));
                    next_start = Instant::now(); // The next one need not wait.
                }
            }
        }
        running = still_running;
    }
}

/// A socket that is connecting.
#[derive(Debug)]
struct Attempt {
    socket: Socket,
    is_connected: bool,
}

impl Attempt {
    fn start(address: &SockAddr) -> io::Result<Attempt> {
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
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

/// Polls until something is ready or `until` has come; fails at the deadline or when told to give up.
fn wait(
    fds: &mut [PollFd<'_>],
    until: Deadline,
    deadline: Deadline,
    give_up: GiveUp<'_>,
) -> Result<()> {
    if let Err(error) = poll_until(fds, until)
        && error.kind() != io::ErrorKind::Interrupted
    {
        return Err(Error::Connect(ConnectError {
            target: "a socket".to_owned(),
            attempts: vec![("poll".to_owned(), error)],
            resolution: None,
        }));
    }
    check(deadline, give_up)
}

/// Fails at the deadline or when told to give up.
pub(crate) fn check(deadline: Deadline, give_up: GiveUp<'_>) -> Result<()> {
    if give_up() {
        return Err(Error::Interrupted { committed: false });
    }
    if deadline.has_passed() {
        return Err(Error::Timeout { during: Waiting::Connect, committed: false });
    }
    Ok(())
}

/// After how long the next address is tried beside the ones before (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// How often a Unix socket with a full backlog is tried again.
const UNIX_RETRY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const NEVER: GiveUp<'static> = &|| false;

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
        let deadline = Deadline::from(Duration::from_secs(10));
        let socket = race(vec![refused, good], "x".to_owned(), deadline, NEVER).unwrap();
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
        race(addresses, "x".to_owned(), Deadline::NEVER, NEVER).unwrap();
        assert!(start.elapsed() < STAGGER);
    }

    #[test]
    fn the_error_lists_every_address_with_its_reason() {
        let ports = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let deadline = Deadline::from(Duration::from_secs(10));
        let error = race(ports.to_vec(), "host:1".to_owned(), deadline, NEVER).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to host:1: "), "{text}");
        for port in ports {
            assert!(text.contains(&format!("{port}: Connection refused")), "{text}");
        }
    }

    #[test]
    fn giving_up_ends_the_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let outcome = resolve("localhost", port, Deadline::NEVER, &|| true);
        // Either the resolver was faster, or the wait ended.
        assert!(matches!(outcome, Ok(Ok(_)) | Err(Error::Interrupted { .. })), "{outcome:?}");
    }
}
