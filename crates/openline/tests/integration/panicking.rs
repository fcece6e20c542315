//! A transport or an extension that panics, which is the end of its connection, and of no other.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use openline::testing::EchoServer;
use openline::transport::{Interest, Readiness, Stream, Transport, wait_for};
use openline::{Cause, Client, Connection, Deadline, Error};

use crate::peer::LONG;

/// A socket that panics when it is told to.
#[derive(Debug)]
struct Explosive {
    socket: TcpStream,
    fuse: Arc<AtomicU8>,
}

const NOWHERE: u8 = 0;
const IN_READ: u8 = 1;
const IN_WRITE: u8 = 2;
const EVERYWHERE: u8 = 3;

impl Explosive {
    fn check(&self, place: u8) {
        let fuse = self.fuse.load(Ordering::Relaxed);
        assert!(fuse != place && fuse != EVERYWHERE, "this is part of the test");
    }
}

impl Transport for Explosive {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check(IN_READ);
        (&self.socket).read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.check(IN_WRITE);
        (&self.socket).write(bytes)
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        wait_for(self.socket.as_fd(), interest, deadline)
    }

    fn shutdown(&self, how: Shutdown) {
        self.check(EVERYWHERE);
        let _ = self.socket.shutdown(how);
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

fn open(server: &EchoServer, client: &Client) -> (Connection, Arc<AtomicU8>) {
    let socket = TcpStream::connect(server.address().to_string()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let fuse = Arc::new(AtomicU8::new(NOWHERE));
    let stream = Stream::from_transport(Explosive { socket, fuse: fuse.clone() });
    (client.connect_over(stream, "ws://localhost/").unwrap(), fuse)
}

#[test]
fn a_panic_in_the_driver_ends_the_one_connection() {
    let server = EchoServer::start().unwrap();
    let client = Client::new().ping_interval(Duration::from_millis(10));
    let other = client.connect(server.uri()).unwrap();
    for place in [IN_READ, IN_WRITE, EVERYWHERE] {
        let (line, fuse) = open(&server, &client.clone().close_timeout(Duration::from_secs(1)));
        fuse.store(place, Ordering::Relaxed);
        while !line.is_closed() {
            std::thread::yield_now();
        }
        let closed = line.how_closed().unwrap();
        assert!(
            matches!(closed.cause(), Cause::Io(error) if error.to_string().contains("panicked"))
        );
        assert!(matches!(line.recv(), Err(Error::Closed(_))));
        assert!(matches!(line.send("x"), Err(Error::Closed(_))));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(line)));
    }
    // The driver lives, or nobody would answer these pings.
    let before = client.connect(server.uri()).unwrap();
    for line in [&other, &before] {
        line.send("still there").unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap(), "still there".into());
        while line.latency().is_zero() {
            assert!(!line.is_closed());
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_panic_in_a_call_ends_its_connection() {
    let server = EchoServer::start().unwrap();
    let client = Client::new().ping_interval(None).close_timeout(Duration::from_secs(1));
    for place in [IN_READ, IN_WRITE] {
        let (line, fuse) = open(&server, &client);
        line.send("received before").unwrap();
        line.await_buffered(false, LONG).unwrap();
        fuse.store(place, Ordering::Relaxed);
        let call =
            || if place == IN_WRITE { line.send("x") } else { line.ping(None, LONG).map(drop) };
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        fuse.store(NOWHERE, Ordering::Relaxed);
        assert_eq!(line.recv().unwrap(), "received before".into());
        let outcome = line.recv_timeout(LONG);
        let Err(Error::Closed(closed)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(closed.cause(), Cause::Io(_)), "{closed:?}");
        assert!(matches!(line.send("x"), Err(Error::Closed(_))));
        line.close(1000, "").unwrap();
    }
}
