//! `getsockopt(TCP_INFO)` of Linux.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, sockopt_impl};

use super::SentBytes;

/// How it stands with what was sent; `None` if it is not a socket of TCP.
pub(crate) fn sent_bytes(socket: BorrowedFd<'_>) -> Option<SentBytes> {
    let info = getsockopt(&socket, TcpInfo).ok()?;
    let [.., probes] = info[PROBES].to_ne_bytes();
    Some(SentBytes {
        // One probe is on its way now and then while the peer's window is closed, and Linux answers some of
        // them only the second time.
        are_unacknowledged: info[UNACKED] > 0 || probes > 1,
        last_acknowledgement: Duration::from_millis(info[LAST_ACK_RECV].into()),
    })
}

sockopt_impl!(TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, [u32; INFO_LEN]);

/// Of `struct tcp_info`, in words, what every kernel since 2.6 has: eight bytes and 24 words.
const INFO_LEN: usize = 26;

/// `tcpi_probes` is the last byte of this word: probes without an answer.
const PROBES: usize = 0;

/// `tcpi_unacked`: segments without an acknowledgement.
const UNACKED: usize = 6;

/// `tcpi_last_ack_recv`: milliseconds since the last acknowledgement.
const LAST_ACK_RECV: usize = 14;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_peer_with_a_closed_window_acknowledges() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.write(&[0; 65_536]).is_ok() {}
        // What fits the peer's window is acknowledged soon, though it is never read.
        while sent_bytes(socket.as_fd()).unwrap().are_unacknowledged {
            std::thread::yield_now();
        }
    }

    #[test]
    fn other_sockets_tell_nothing() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        assert!(sent_bytes(socket.as_fd()).is_none());
    }
}
