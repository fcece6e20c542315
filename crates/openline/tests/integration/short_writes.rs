//! Sockets that take little at a time: what goes out is the same.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use openline::transport::{Interest, Readiness, Stream, Transport, wait_for};
use openline::{Client, Connection, Deadline, Error, Kind};

use crate::peer::{Frame, LONG, Peer};

/// A socket that takes a byte at a time, and at every second attempt none.
#[derive(Debug)]
struct Dribbling {
    socket: TcpStream,
    attempts: std::sync::atomic::AtomicUsize,
}

impl Transport for Dribbling {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        (&self.socket).read(&mut buffer[..len])
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let attempt = self.attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if attempt.is_multiple_of(2) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        (&self.socket).write(&bytes[..bytes.len().min(1)])
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        wait_for(self.socket.as_fd(), interest, deadline)
    }

    fn shutdown(&self, how: Shutdown) {
        let _ = self.socket.shutdown(how);
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

fn open(stream: impl FnOnce(TcpStream) -> Stream) -> (Connection, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    thread::scope(|scope| {
        let peer = scope.spawn(|| Peer::accept(&listener, b""));
        let line = Client::new().connect_over(stream(socket), "ws://localhost/").unwrap();
        (line, peer.join().unwrap())
    })
}

fn dribbling(socket: TcpStream) -> Stream {
    socket.set_nonblocking(true).unwrap();
    Stream::from_transport(Dribbling { socket, attempts: 0.into() })
}

/// The kernel makes that 4,608 bytes, with all that belongs to them.
fn with_a_small_buffer(socket: TcpStream) -> Stream {
    socket2::SockRef::from(&socket).set_send_buffer_size(1).unwrap();
    Stream::from(socket)
}

/// Eight threads send whole messages, fragments, pongs and pings, all at once.
fn eight_senders(line: &Connection, mut peer: Peer, rounds: u8, step: usize) {
    thread::scope(|scope| {
        for id in 0..8_u8 {
            scope.spawn(move || {
                for n in 0..rounds {
                    let payload = vec![id; 1 + usize::from(n) * step];
                    if n % 3 == 0 {
                        let mut message = line.send_fragments(Kind::Binary);
                        for piece in payload.chunks(1 + payload.len() / 4) {
                            message.send(piece, LONG).unwrap();
                        }
                        message.finish(b"", LONG).unwrap();
                    } else {
                        line.send_timeout(&payload, LONG).unwrap();
                    }
                    line.pong(&[id]).unwrap();
                    line.send_ping(Some(&[id, n])).unwrap();
                }
            });
        }
        let mut next = [0; 8];
        let (mut pongs, mut pings) = (0, 0);
        let count = 8 * usize::from(rounds);
        while next.iter().sum::<usize>() < count || pongs < count || pings < count {
            match peer.next() {
                Frame::Data(bytes) => {
                    let id = bytes[0];
                    assert!(bytes.iter().all(|byte| *byte == id));
                    let next = &mut next[usize::from(id)];
                    assert_eq!(bytes.len(), 1 + *next * step);
                    *next += 1;
                }
                Frame::Pong(payload) => {
                    assert_eq!(payload.len(), 1);
                    pongs += 1;
                }
                Frame::Ping(payload) => {
                    assert_eq!(payload.len(), 2);
                    pings += 1;
                }
                frame => panic!("{frame:?}"),
            }
        }
    });
}

#[test]
fn eight_senders_a_byte_at_a_time() {
    let (line, peer) = open(dribbling);
    eight_senders(&line, peer, 12, 40);
}

#[test]
fn eight_senders_with_a_small_buffer() {
    let (line, peer) = open(with_a_small_buffer);
    eight_senders(&line, peer, 30, 1500);
}

#[test]
fn everything_comes_back_a_byte_at_a_time() {
    let server = openline::testing::EchoServer::start().unwrap();
    let socket = TcpStream::connect(server.address().to_string()).unwrap();
    let line = Client::new().connect_over(dribbling(socket), "ws://localhost/").unwrap();
    for len in [0, 1, 125, 126, 20_000] {
        line.send(&vec![7; len]).unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap().as_bytes(), vec![7; len]);
    }
    line.ping(None, LONG).unwrap();
    line.close(1000, "").unwrap();
    assert!(line.how_closed().unwrap().is_ok());
}

#[test]
fn time_outs_with_a_small_buffer_leave_the_stream_whole() {
    let (line, mut peer) = open(with_a_small_buffer);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut committed = Vec::new();
            for n in 0..400_u32 {
                let message = n.to_be_bytes().repeat(1 + n as usize * 5);
                match line.send_timeout(&message, Duration::from_micros(u64::from(n % 7) * 50)) {
                    Ok(()) | Err(Error::Timeout { committed: true, .. }) => committed.push(message),
                    Err(Error::Timeout { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            line.send_timeout("end", LONG).unwrap();
            committed
        });
        let mut received = Vec::new();
        loop {
            match peer.next() {
                Frame::Data(message) if message == b"end" => break,
                Frame::Data(message) => received.push(message),
                frame => panic!("{frame:?}"),
            }
        }
        assert!(sender.join().unwrap() == received);
    });
}
