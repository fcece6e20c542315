//! The ways to a server: proxies, given streams, transports without a descriptor, redirects, again.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openline::handshake::HandshakeError;
use openline::http::Response;
use openline::proxy::ProxyError;
use openline::testing::EchoServer;
use openline::transport::{Interest, Readiness, Stream, Transport, wait_for};
use openline::{Address, Client, Connection, Deadline, Error, Role, Server};

use crate::peer::{LONG, read_head};

fn echoes(line: &Connection) {
    for payload in ["hello".to_owned(), "x".repeat(300_000)] {
        line.send_timeout(&*payload, LONG).unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap(), payload.into());
    }
    line.ping(None, LONG).unwrap();
    let outcome = line.recv_timeout(Duration::from_millis(5));
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
}

fn copy(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<()> {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    })
}

/// A proxy for one connection: `converse` reads what the client wants, and gives the stream to there.
fn proxy(
    converse: impl FnOnce(&mut TcpStream) -> TcpStream + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let running = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let server = converse(&mut client);
        let there = copy(client.try_clone().unwrap(), server.try_clone().unwrap());
        copy(server, client).join().unwrap();
        there.join().unwrap();
    });
    (authority, running)
}

fn port(server: &EchoServer) -> u16 {
    let Address::Tcp(address) = server.address() else { panic!("not TCP") };
    address.port()
}

#[test]
fn by_an_http_proxy_with_credentials() {
    let server = EchoServer::start().unwrap();
    let target = server.address().to_string();
    let (authority, running) = proxy(move |client| {
        let head = read_head(client);
        assert!(head.starts_with("CONNECT nowhere.invalid:80 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nProxy-Authorization: Basic bWU6cHc=\r\n"), "{head}");
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        TcpStream::connect(target).unwrap()
    });
    let client = Client::new().proxy(&format!("http://me:pw@{authority}")).unwrap();
    let line = client.connect("ws://nowhere.invalid/").unwrap();
    assert_eq!(line.request().headers.get("Proxy-Authorization"), None);
    assert!(line.timings().proxy.is_some());
    echoes(&line);
    line.close(1000, "").unwrap();
    running.join().unwrap();
}

#[test]
fn by_a_socks5_proxy_to_an_address_that_was_resolved_here() {
    let server = EchoServer::start().unwrap();
    let target = server.address().to_string();
    let (authority, running) = proxy(move |client| {
        let mut bytes = [0; 3];
        client.read_exact(&mut bytes).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut bytes = [0; 10];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes[..8], [5, 1, 0, 1, 127, 0, 0, 1]);
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        TcpStream::connect(target).unwrap()
    });
    let client = Client::new().proxy(&format!("socks5://{authority}")).unwrap();
    let line = client.connect(&format!("ws://127.0.0.1:{}/", port(&server))).unwrap();
    echoes(&line);
    line.close(1000, "").unwrap();
    running.join().unwrap();
}

#[test]
fn a_proxy_that_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap();
    let refusing = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        read_head(&mut client);
        client.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nwork").unwrap();
    });
    let client = Client::new().proxy(&format!("http://{authority}")).unwrap();
    let Err(Error::Proxy(ProxyError::InvalidStatus(response))) = client.connect("ws://x.invalid/")
    else {
        panic!("connected")
    };
    assert_eq!((response.status_code, &*response.body), (403, &b"work"[..]));
    refusing.join().unwrap();

    let client = Client::new().proxy("http://127.0.0.1:1").unwrap();
    let error = client.connect("ws://x.invalid/").unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to proxy 127.0.0.1:1: "), "{error}");
}

#[test]
fn over_given_sockets() {
    let server = EchoServer::start().unwrap();
    let socket = TcpStream::connect(server.address().to_string()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let line = Client::new().connect_over(socket, "ws://nowhere.invalid/").unwrap();
    assert_eq!(line.remote_address(), server.address());
    echoes(&line);

    let path = std::env::temp_dir().join(format!("openline-ways-{}.sock", std::process::id()));
    let _server = EchoServer::options().start_unix(&path).unwrap();
    let socket = UnixStream::connect(&path).unwrap();
    echoes(&Client::new().connect_over(socket, "ws://localhost/").unwrap());

    let unconnected = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let stream = Stream::from(std::os::fd::OwnedFd::from(unconnected.unwrap()));
    let outcome = Client::new().connect_over(stream, "ws://localhost/");
    assert!(matches!(outcome, Err(Error::Connect(_))), "{outcome:?}");
}

/// Tells when it is dropped.
struct Told<T>(T, mpsc::Sender<&'static str>, &'static str);

impl<T> Drop for Told<T> {
    fn drop(&mut self) {
        let _ = self.1.send(self.2);
    }
}

impl Read for Told<TcpStream> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Told<TcpStream> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn over_a_reader_and_a_writer() {
    let server = EchoServer::start().unwrap();
    let socket = TcpStream::connect(server.address().to_string()).unwrap();
    let (tell, told) = mpsc::channel();
    let reader = Told(socket.try_clone().unwrap(), tell.clone(), "reader");
    let writer = Told(socket, tell, "writer");
    let line =
        Client::new().connect_over(Stream::from_halves(reader, writer), "ws://localhost/").unwrap();
    echoes(&line);
    line.close(1000, "").unwrap();
    drop(line);
    let mut dropped: Vec<_> =
        (0..2).map(|_| told.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["reader", "writer"]);
}

/// A socket that does not tell the driver its descriptor.
#[derive(Debug)]
struct Hidden(TcpStream);

impl Transport for Hidden {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        // Little by little, as a full socket takes them.
        (&self.0).write(&bytes[..bytes.len().min(1000)])
    }

    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness> {
        wait_for(self.0.as_fd(), interest, deadline)
    }

    fn shutdown(&self, how: Shutdown) {
        let _ = self.0.shutdown(how);
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[test]
fn over_a_transport_without_a_descriptor() {
    let server = EchoServer::start().unwrap();
    let socket = TcpStream::connect(server.address().to_string()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = Stream::from_transport(Hidden(socket));
    let client = Client::new().ping_interval(Duration::from_millis(20));
    let line = client.connect_over(stream, "ws://localhost/").unwrap();
    echoes(&line);
    // The driver serves it too, though it has to look for itself.
    let begin = std::time::Instant::now();
    while line.latency().is_zero() {
        assert!(begin.elapsed() < Duration::from_secs(20), "no pong was seen");
        line.wait_closed(Duration::from_millis(20)).unwrap();
    }
    line.close(1000, "").unwrap();
}

#[test]
fn a_tail_follows_over_a_transport_without_a_descriptor_while_another_thread_receives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(LONG)).unwrap();
    socket.set_nonblocking(true).unwrap();
    // Without keepalive, whose pings would take the tail along.
    let client = Client::new().ping_interval(None).ping_timeout(None);
    let stream = Stream::from_transport(Hidden(socket));
    let line = client.upgraded(stream, Role::Client, b"").unwrap();
    let big = vec![7; 20_000_000];
    let outcome = line.send_timeout(&big, Duration::from_millis(100));
    assert!(matches!(outcome, Err(Error::Timeout { committed: true, .. })), "{outcome:?}");
    std::thread::scope(|scope| {
        // It has the right to read all the time.
        let receiver = scope.spawn(|| line.recv());
        let came = peer.read_exact(&mut vec![0; 14 + big.len()]);
        line.abort();
        assert!(matches!(receiver.join().unwrap(), Err(Error::Closed(_))));
        came.unwrap();
    });
}

#[test]
fn upgraded_by_somebody_else() {
    let (one, other) = UnixStream::pair().unwrap();
    let client = Client::new().ping_interval(None).max_size(10);
    let server = client.upgraded(one, Role::Server, b"").unwrap();
    let line = Client::new().upgraded(other, Role::Client, b"\x81\x05he").unwrap();
    // The rest of the frame whose start was read too far comes by the stream.
    let raw = server.transport().unwrap();
    assert_eq!(raw.try_write(b"llo").unwrap(), 3);
    assert_eq!(line.recv_timeout(LONG).unwrap(), "hello".into());
    assert_eq!((line.request().path.as_str(), line.response().status_code), ("", 0));

    line.send("0123456789").unwrap();
    assert_eq!(server.recv_timeout(LONG).unwrap(), "0123456789".into());
    line.send("0123456789a").unwrap();
    assert!(matches!(server.recv_timeout(LONG), Err(Error::Closed(closed)) if !closed.is_ok()));
    let Err(Error::Closed(closed)) = line.recv_timeout(LONG) else { panic!("it goes on") };
    assert_eq!(closed.received().map(|close| u16::from(close.code())), Some(1009));
}

#[test]
fn upgraded_but_not_connected() {
    let unconnected = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let fd = std::os::fd::OwnedFd::from(unconnected);
    let outcome = Client::new().upgraded(fd, Role::Client, b"");
    assert!(matches!(outcome, Err(Error::Connect(_))), "{outcome:?}");
}

#[test]
fn redirects_that_go_in_circles() {
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = Server::bind("127.0.0.1:0")
        .unwrap()
        .on_request(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut response = Response::new(302, "Found");
            response.headers.append("Location", "/again").unwrap();
            Some(response)
        })
        .serve(|_line| {})
        .unwrap();
    let outcome = openline::connect(&format!("ws://{}/", server.address()));
    let Err(Error::Handshake(HandshakeError::SecurityError(text))) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(text.starts_with("more than 10 redirects"), "{text}");
    assert_eq!(asked.load(Ordering::Relaxed), 11);
}

#[test]
fn again_after_each_loss_until_told_to_stop() {
    let server = EchoServer::options().close_after(1, 1001, "").start().unwrap();
    let mut lines = Client::new().reconnect(server.uri());
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        line.send("x").unwrap();
        assert_eq!(line.iter().count(), 1);
    }
    let held = lines.next().unwrap().unwrap();
    let next = lines.next().unwrap().unwrap();
    assert!(held.is_closed() && !next.is_closed());

    static STOP: AtomicUsize = AtomicUsize::new(0);
    let client = Client::new();
    let pauses = || std::iter::repeat(Duration::from_millis(1));
    let lines = client.reconnect("ws://127.0.0.1:1/").delays(pauses);
    let mut lines = lines.give_up_when(|| STOP.fetch_add(1, Ordering::Relaxed) > 20);
    assert!(matches!(lines.next(), Some(Err(Error::Interrupted { .. }))));
    assert!(lines.next().is_none());
}
