//! A server that calls back for each message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use openline::{
    Address, Client, CloseCode, Closed, Connection, Error, Message, MessageHandler, Server,
};

use crate::peer::LONG;

fn echo(connection: &Connection, message: Message) {
    let _ = connection.send(&message);
}

fn uri(server: &openline::RunningServer) -> String {
    format!("ws://{}/", server.address())
}

#[test]
fn messages_of_each_come_in_order_from_many_at_once() {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(4).max_queue(4);
    let seen = Arc::new(Mutex::new(HashMap::<Address, u32>::new()));
    let order = seen.clone();
    let server = server.serve_messages(move |connection: &Connection, message: Message| {
        let number: u32 = message.as_text().unwrap().parse().unwrap();
        let next = order.lock().unwrap().insert(connection.remote_address().clone(), number + 1);
        assert_eq!(next.unwrap_or(0), number);
        connection.send(&message).unwrap();
    });
    let server = server.unwrap();
    let uri = uri(&server);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let line = openline::connect(&uri).unwrap();
                let texts: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
                for chunk in texts.chunks(100) {
                    line.send_many(chunk, LONG).1.unwrap();
                    for text in chunk {
                        assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Text(text.clone()));
                    }
                }
                line.close(1000, "").unwrap();
            });
        }
    });
    assert!(seen.lock().unwrap().values().all(|next| *next == 1000));
}

struct Told {
    log: mpsc::Sender<String>,
}

impl MessageHandler for Told {
    fn on_open(&self, connection: &Connection) {
        self.log.send(format!("open {}", connection.request().path)).unwrap();
        connection.send("welcome").unwrap();
    }

    fn on_message(&self, connection: &Connection, message: Message) {
        self.log.send(format!("message {message:?}")).unwrap();
        match message.as_text() {
            Some("close") => connection.close(4000, "as you like").unwrap(),
            Some("recv") => {
                let next = connection.recv_timeout(LONG).unwrap();
                self.log.send(format!("received {next:?}")).unwrap();
            }
            Some("abort") => connection.abort(),
            Some("panic") => panic!("as the test wants it"),
            _ => {}
        }
    }

    fn on_close(&self, _: &Connection, closed: &Closed) {
        self.log.send(format!("closed: {closed}")).unwrap();
    }
}

fn told() -> (openline::RunningServer, mpsc::Receiver<String>) {
    let (log, told) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").unwrap().serve_messages(Told { log }).unwrap();
    (server, told)
}

#[test]
fn every_way_to_end_is_told_once_and_last() {
    let (server, told) = told();
    let next = || told.recv_timeout(LONG).unwrap();
    let open = |path: &str| {
        let line = openline::connect(&format!("{}{path}", uri(&server))).unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap(), "welcome".into());
        assert_eq!(next(), format!("open /{path}"));
        line
    };
    let line = open("a");
    line.close(1000, "bye").unwrap();
    assert_eq!(next(), "closed: received 1000 (OK) bye; then sent 1000 (OK) bye");

    let line = open("b");
    line.send("close").unwrap();
    assert!(matches!(line.recv_timeout(LONG), Err(Error::Closed(_))));
    assert_eq!(next(), "message Text(\"close\")");
    let text = "4000 (private use) as you like";
    assert_eq!(next(), format!("closed: sent {text}; then received {text}"));

    let line = open("c");
    line.send("abort").unwrap();
    assert!(matches!(line.recv_timeout(LONG), Err(Error::Closed(_))));
    assert_eq!(next(), "message Text(\"abort\")");
    assert!(next().starts_with("closed: "));

    let line = open("d");
    line.send("panic").unwrap();
    line.send("more").unwrap();
    let Err(Error::Closed(closed)) = line.recv_timeout(LONG) else { panic!("not closed") };
    assert_eq!(closed.received().unwrap().code(), CloseCode::INTERNAL_ERROR);
    assert_eq!(next(), "message Text(\"panic\")");
    assert!(next().starts_with("closed: sent 1011"));

    let line = open("e");
    line.abort();
    assert!(next().starts_with("closed: "));

    let line = open("f");
    line.send("recv").unwrap();
    line.send("by itself").unwrap();
    line.send("again by callback").unwrap();
    assert_eq!(next(), "message Text(\"recv\")");
    assert_eq!(next(), "received Text(\"by itself\")");
    assert_eq!(next(), "message Text(\"again by callback\")");

    server.shutdown();
    let Err(Error::Closed(closed)) = line.recv_timeout(LONG) else { panic!("not closed") };
    assert_eq!(closed.received().unwrap().code(), CloseCode::GOING_AWAY);
    assert!(next().starts_with("closed: sent 1001"));
    assert!(told.try_recv().is_err());
}

#[test]
fn messages_with_the_request_in_one_packet_are_not_forgotten() {
    use std::io::{Read, Write};
    // The last number is more than one turn takes, the first of which is that of the thread that has answered.
    for count in [1, 2, 1000] {
        let server = Server::bind("127.0.0.1:0").unwrap().serve_messages(echo).unwrap();
        let mut raw = std::net::TcpStream::connect(server.address().to_string()).unwrap();
        raw.set_read_timeout(Some(LONG)).unwrap();
        let mut bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n"
            .to_vec();
        for _ in 0..count {
            bytes.extend(b"\x81\x82\0\0\0\0hi");
        }
        raw.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(&b"\x81\x02hi".repeat(count)) {
            let mut more = [0; 4096];
            let len = raw.read(&mut more).unwrap();
            assert_ne!(len, 0);
            answer.extend(&more[..len]);
        }
    }
}

#[test]
fn two_ends_that_send_without_reading_and_then_read() {
    // While the callback waits for room it reads on, into the queue: what it finds there is not lost.
    let server = Server::bind("127.0.0.1:0").unwrap().max_queue(None);
    let server = server.serve_messages(echo).unwrap();
    let line = Client::new().max_queue(None).connect(&uri(&server)).unwrap();
    let message = vec![7; 100_000];
    let received = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                line.send(&message).unwrap();
            }
        });
        // It begins late.
        thread::sleep(Duration::from_millis(200));
        while received.load(Ordering::Relaxed) < 300 {
            assert_eq!(line.recv_timeout(LONG).unwrap().as_bytes().len(), message.len());
            received.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[test]
fn pings_of_a_program_and_messages_do_not_miss_each_other() {
    // Who waits for a Pong reads messages too, which are for the callback.
    let (sender, counts) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.serve_messages(move |_: &Connection, _: Message| sender.send(()).unwrap());
    let server = server.unwrap();
    let line = openline::connect(&uri(&server)).unwrap();
    line.send("first").unwrap();
    counts.recv_timeout(LONG).unwrap();
    let connection = server.connections().pop().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                connection.ping(None, LONG).unwrap();
            }
        });
        for _ in 0..500 {
            line.send("message").unwrap();
            counts.recv_timeout(LONG).unwrap();
        }
    });
}
