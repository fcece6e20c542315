//! `getsockopt(TCP_INFO)` of Linux.

use std::os::fd::BorrowedFd;
use std::sync::LazyLock;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, sockopt_impl};
use rustix::system::uname;

use super::{ByteCounts, SentBytes};

/// How it stands with what was sent; `None` if it is not a socket of TCP.
pub(crate) fn sent_bytes(socket: BorrowedFd<'_>) -> Option<SentBytes> {
    static COUNTS_BYTES: LazyLock<bool> = LazyLock::new(counts_bytes);
    if *COUNTS_BYTES {
        let info = getsockopt(&socket, TcpInfoWithCounts).ok()?;
        Some(SentBytes { counts: Some(byte_counts(&info)), ..times(&info) })
    } else {
        Some(times(&getsockopt(&socket, TcpInfo).ok()?))
    }
}

fn times(info: &[u32]) -> SentBytes {
    let [.., probes] = info[PROBES].to_ne_bytes();
    SentBytes {
        // One probe is on its way now and then while the peer's window is closed, and Linux answers some of
        // them only the second time.
        are_unacknowledged: info[UNACKED] > 0 || probes > 1,
        last_acknowledgement: Duration::from_millis(info[LAST_ACK_RECV].into()),
        counts: None,
    }
}

fn byte_counts(info: &[u32; LEN_WITH_COUNTS]) -> ByteCounts {
    let [first, second] = [info[BYTES_ACKED], info[BYTES_ACKED + 1]].map(u64::from);
    let acknowledged =
        if cfg!(target_endian = "big") { first << 32 | second } else { second << 32 | first };
    let in_flight = u64::from(info[UNACKED]) * u64::from(info[SND_MSS]);
    ByteCounts { acknowledged, queued: in_flight + u64::from(info[NOTSENT_BYTES]) }
}

/// Whether this system counts bytes: Linux since 4.6.
fn counts_bytes() -> bool {
    let system = uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    (next(), next()) >= (Some(4), Some(6))
}

// nix panics if the system gives less than the whole of such a type.
sockopt_impl!(TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, [u32; LEN]);
sockopt_impl!(
    TcpInfoWithCounts,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u32; LEN_WITH_COUNTS]
);

/// Of `struct tcp_info`, in words, what every kernel since 2.6 has: eight bytes and 24 words.
const LEN: usize = 26;

/// `tcpi_probes` is the last byte of this word: probes without an answer.
const PROBES: usize = 0;

/// `tcpi_snd_mss`: bytes in a segment.
const SND_MSS: usize = 4;

/// `tcpi_unacked`: segments without an acknowledgement.
const UNACKED: usize = 6;

/// `tcpi_last_ack_recv`: milliseconds since the last acknowledgement.
const LAST_ACK_RECV: usize = 14;

/// `tcpi_bytes_acked`, in two words.
const BYTES_ACKED: usize = 30;

/// `tcpi_notsent_bytes`: what has not been sent at all.
const NOTSENT_BYTES: usize = 36;

const LEN_WITH_COUNTS: usize = NOTSENT_BYTES + 1;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
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
    fn bytes_are_queued_until_the_peer_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let counts = |socket: &TcpStream| sent_bytes(socket.as_fd()).unwrap().counts.unwrap();
        assert_eq!(counts(&socket).queued, 0);
        let before = counts(&socket).acknowledged;
        socket.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(len) = socket.write(&[0; 65_536]) {
            sent += len;
        }
        assert!(counts(&socket).queued > 0);
        peer.read_exact(&mut vec![0; sent]).unwrap();
        while counts(&socket).queued > 0 {
            std::thread::yield_now();
        }
        assert_eq!(counts(&socket).acknowledged - before, sent as u64);
    }

    #[test]
    fn other_sockets_tell_nothing() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        assert!(sent_bytes(socket.as_fd()).is_none());
    }
}
