//! How many threads a server has. In a process of their own, since tests beside them have servers, too.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use openline::{Connection, Message, RunningServer, Server};

const LONG: Duration = Duration::from_secs(20);

/// One test at a time: each counts the threads of its own server.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads of this process with this name, of which Linux keeps 15 characters.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|comm| comm.trim_end().starts_with(name)).count()
}

fn uri(server: &RunningServer) -> String {
    format!("ws://{}/", server.address())
}

fn echo(connection: &Connection, message: Message) {
    let _ = connection.send(&message);
}

#[test]
fn idle_connections_have_no_thread_and_are_pinged() {
    let _alone = alone();
    let server =
        Server::bind("127.0.0.1:0").unwrap().workers(2).ping_interval(Duration::from_millis(20));
    let server = server.serve_messages(echo).unwrap();
    let uri = uri(&server);
    let lines: Vec<Connection> = (0..200).map(|_| openline::connect(&uri).unwrap()).collect();
    let start = Instant::now();
    let is_pinged = |connection: &Connection| !connection.latency().is_zero();
    while server.connections().len() < 200 || !server.connections().iter().all(is_pinged) {
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(5));
    }
    // Those of another test may be on their way out.
    while threads("openline-messa") > 2 {
        assert!(start.elapsed() < LONG);
    }
    for line in &lines {
        line.send("still there").unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap(), "still there".into());
    }
}

#[test]
fn callbacks_that_wait_hold_up_nobody_else_and_who_helps_leaves() {
    let _alone = alone();
    // More of them than there are workers wait for each other.
    let barrier = Arc::new(Barrier::new(8));
    let meeting = barrier.clone();
    let server = Server::bind("127.0.0.1:0").unwrap().workers(2);
    let server = server.serve_messages(move |connection: &Connection, message: Message| {
        if message.as_text() == Some("meet") {
            meeting.wait();
        }
        let _ = connection.send(&message);
    });
    let server = server.unwrap();
    let lines: Vec<Connection> =
        (0..8).map(|_| openline::connect(&uri(&server)).unwrap()).collect();
    for line in &lines[..7] {
        line.send("meet").unwrap();
    }
    // Seven are held up; this one is served, at the latest by one thread more.
    lines[7].send("hello").unwrap();
    assert_eq!(lines[7].recv_timeout(LONG).unwrap(), "hello".into());
    lines[7].send("meet").unwrap();
    for line in &lines {
        assert_eq!(line.recv_timeout(LONG).unwrap(), "meet".into());
    }
    let start = Instant::now();
    while threads("openline-messa") > 2 {
        assert!(start.elapsed() < LONG);
        for line in &lines {
            line.send("work").unwrap();
            line.recv_timeout(LONG).unwrap();
        }
    }
}

#[test]
fn clients_that_say_nothing_take_no_thread_and_hold_up_nobody() {
    let _alone = alone();
    let server = Server::bind("127.0.0.1:0").unwrap().open_timeout(LONG);
    let server = server
        .close_timeout(Duration::from_millis(100))
        .serve(|connection| {
            while let Ok(message) = connection.recv() {
                let _ = connection.send(&message);
            }
        })
        .unwrap();
    let mut silent: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.address().to_string()).unwrap()).collect();
    for stream in &mut silent[..100] {
        stream.write_all(&REQUEST[..40]).unwrap();
    }
    let line = openline::connect(&format!("ws://{}/", server.address())).unwrap();
    line.send("served").unwrap();
    assert_eq!(line.recv_timeout(LONG).unwrap(), "served".into());
    assert!(threads("openline-handle") < 10, "clients without a request have threads");
    // Those that go on are served, too.
    silent[0].write_all(&REQUEST[40..]).unwrap();
    let mut start = [0; 12];
    silent[0].read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
    let started = Instant::now();
    server.shutdown();
    assert!(started.elapsed() < LONG);
    let mut last = Vec::new();
    let _ = silent.pop().unwrap().read_to_end(&mut last); // a reset is an end, too
    let last = String::from_utf8(last).unwrap();
    assert!(last.starts_with("HTTP/1.1 503 ") && last.contains("shutting down"), "{last}");
}

#[test]
fn who_receives_by_itself_for_long_leaves_the_rest_to_the_callback() {
    let _alone = alone();
    let (sender, received) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.serve_messages(move |_: &Connection, message: Message| {
        sender.send(message).unwrap();
    });
    let server = server.unwrap();
    let line = openline::connect(&uri(&server)).unwrap();
    line.send("first").unwrap();
    assert_eq!(received.recv_timeout(LONG).unwrap(), "first".into());
    let connection = server.connections().pop().unwrap();
    let mut fragments = connection.recv_streaming().unwrap();
    line.send("by itself").unwrap();
    line.send("for the callback").unwrap();
    let before = cpu_time();
    thread::sleep(Duration::from_millis(200));
    assert!(cpu_time() - before < Duration::from_millis(150), "a thread runs in circles");
    assert!(received.try_recv().is_err());
    assert_eq!(fragments.next().unwrap().unwrap(), "by itself".into());
    drop(fragments);
    assert_eq!(received.recv_timeout(LONG).unwrap(), "for the callback".into());
}

/// What this process has used.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// A whole request.
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
