//! TCP and Unix sockets. They stay in blocking mode: a plain `recv` without a time-out is one system
//! call; everything else passes `MSG_DONTWAIT` and waits in `poll`. (`SO_RCVTIMEO` is rounded to
//! jiffies and starts again after each signal, so it is not used.)

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{self, RecvFlags, SendFlags};

use super::{Interest, Readiness, Transport};
use crate::deadline::Deadline;

/// A connected stream socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// A socket that is connected and in blocking mode.
    pub(crate) fn new(fd: OwnedFd) -> Socket {
        Socket(fd)
    }

    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        let (len, _) = net::recv(&self.0, buffer, flags)?;
        Ok(len)
    }
}

impl Transport for Socket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, RecvFlags::DONTWAIT)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.receive(buffer, RecvFlags::empty()) {
                // Who gave us the socket has another descriptor for it, and can change the mode.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(Interest::Read, Deadline::NEVER)?;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        wait_for(self.0.as_fd(), interest, deadline)
    }

    fn shutdown(&self, how: Shutdown) {
        let how = match how {
            Shutdown::Read => net::Shutdown::Read,
            Shutdown::Write => net::Shutdown::Write,
            Shutdown::Both => net::Shutdown::Both,
        };
        // A peer that has gone already is no error: the stream is at its end.
        let _ = net::shutdown(&self.0, how);
    }

    fn give_up_sending(&self) {
        // A close resets the connection then.
        let _ = net::sockopt::set_socket_linger(&self.0, Some(Duration::ZERO));
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    fn as_socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// Has TCP acknowledge at once what has come; it goes back to its own ways by itself. Other transports have nothing
/// to acknowledge.
pub(crate) fn acknowledge_now(transport: &dyn Transport) {
    #[cfg(target_os = "linux")]
    if let Some(source) = transport.source() {
        let _ = net::sockopt::set_tcp_quickack(source, true);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = transport;
}

pub(super) fn wait_for(
    descriptor: BorrowedFd<'_>,
    interest: Interest,
    deadline: Deadline,
) -> io::Result<Readiness> {
    if let Some(readiness) = wait_in_milliseconds(descriptor, interest, deadline)? {
        return Ok(readiness);
    }
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.reads());
    flags.set(PollFlags::OUT, interest.writes());
    let mut fds = [PollFd::from_borrowed_fd(descriptor, flags)];
    poll_until(&mut fds, deadline)?;
    let ready = fds[0].revents();
    // An error or a hang-up shows in the next read or write, whichever was asked for.
    let failed = ready.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    Ok(Readiness {
        readable: interest.reads() && (failed || ready.contains(PollFlags::IN)),
        writable: interest.writes() && (failed || ready.contains(PollFlags::OUT)),
    })
}

/// Waits but for the last millisecond; `None` if nothing was ready by then.
///
/// Linux's `ppoll` goes on with the rest of its time after the process stood still (SIGSTOP, a
/// debugger), however long that was; `poll` looks at the clock.
fn wait_in_milliseconds(
    descriptor: BorrowedFd<'_>,
    interest: Interest,
    deadline: Deadline,
) -> io::Result<Option<Readiness>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let Some(left) = deadline.remaining() else { return Ok(None) };
    let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
    if milliseconds == 0 {
        return Ok(None);
    }
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, interest.reads());
    flags.set(PollFlags::POLLOUT, interest.writes());
    let mut fds = [PollFd::new(descriptor, flags)];
    let timeout = PollTimeout::try_from(milliseconds).expect("bug: a time-out is not negative");
    if poll(&mut fds, timeout)? == 0 {
        return Ok(None);
    }
    let ready = fds[0].revents().unwrap_or(PollFlags::POLLERR);
    let failed = ready.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL);
    Ok(Some(Readiness {
        readable: interest.reads() && (failed || ready.contains(PollFlags::POLLIN)),
        writable: interest.writes() && (failed || ready.contains(PollFlags::POLLOUT)),
    }))
}

/// `poll` with a deadline instead of a time-out, in nanoseconds and rounded up, never early.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<usize> {
    let timeout = deadline.remaining().map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    });
    Ok(poll(fds, timeout.as_ref())?)
}
