//! One message to many connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use openline::extension::deflate::PerMessageDeflate;
use openline::{
    Client, Compress, Connection, Error, Kind, Message, Outgoing, RunningServer, Server, broadcast,
};

use crate::peer::LONG;

/// A server that holds its connections, and answers what it is asked.
fn hold() -> (RunningServer, String) {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.serve_messages(|connection: &Connection, message: Message| {
        let _ = connection.send(&message);
    });
    let server = server.unwrap();
    let uri = format!("ws://{}/", server.address());
    (server, uri)
}

fn await_connections(server: &RunningServer, count: usize) -> Vec<Connection> {
    let start = Instant::now();
    while server.connections().len() < count {
        assert!(start.elapsed() < LONG, "{} of {count} connections", server.connections().len());
        std::thread::yield_now();
    }
    server.connections()
}

#[test]
fn compressed_for_all_alike_between_messages_of_each() {
    let (server, uri) = hold();
    let deflates = [
        Some(PerMessageDeflate::client()),
        Some(PerMessageDeflate::client().server_max_window_bits(Some(9)).unwrap()),
        Some(PerMessageDeflate::client().server_no_context_takeover(true)),
        None,
    ];
    let lines: Vec<Connection> = deflates
        .iter()
        .flat_map(|deflate| [deflate.clone(), deflate.clone()])
        .map(|deflate| Client::new().compression(deflate).connect(&uri).unwrap())
        .collect();
    let connections = await_connections(&server, lines.len());
    let text =
        |number: usize| format!("news {number} of the day, and of the day before; ").repeat(20);
    for number in 0..20 {
        let own = format!("{number} {}", text(number + 1));
        for line in &lines {
            line.send(&own).unwrap();
            assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Text(own.clone()));
        }
        assert!(broadcast(&connections, &text(number)).is_empty());
        assert!(broadcast(&connections, Outgoing::new(Kind::Binary, &[7; 100])).is_empty());
        for line in &lines {
            assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Text(text(number)));
            assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Binary(vec![7; 100]));
        }
    }
    for compress in [Compress::Never, Compress::Always] {
        assert!(broadcast(&connections, Outgoing::from("tiny").compress(compress)).is_empty());
        for line in &lines {
            assert_eq!(line.recv_timeout(LONG).unwrap(), "tiny".into());
        }
    }
}

#[test]
fn a_peer_that_does_not_read_holds_up_nobody_and_gets_whole_messages() {
    let (server, uri) = hold();
    let slow = Client::new().compression(None).max_queue(1).connect(&uri).unwrap();
    let connections = await_connections(&server, 1);
    let quick = Client::new().compression(None).max_queue(None).connect(&uri).unwrap();
    let all = await_connections(&server, 2);
    let mut skipped = 0;
    for number in 0..40_u8 {
        let mut message = vec![0; 500_000];
        message[0] = number;
        for (connection, error) in broadcast(&all, &message) {
            assert_eq!(connection, connections[0]);
            assert!(matches!(error, Error::Timeout { committed: false, .. }), "{error}");
            skipped += 1;
        }
        assert_eq!(quick.recv_timeout(LONG).unwrap().as_bytes()[0], number);
    }
    assert!(skipped > 10, "only {skipped} of 40 were skipped");
    let mut last = None;
    for _ in skipped..40 {
        let message = slow.recv_timeout(LONG).unwrap();
        assert_eq!(message.as_bytes().len(), 500_000);
        assert!(last < Some(message.as_bytes()[0]));
        last = Some(message.as_bytes()[0]);
    }
}

#[test]
fn a_connection_in_the_middle_of_a_message_is_skipped_and_one_that_closes_left_out() {
    let (server, uri) = hold();
    let fragmented = openline::connect(&uri).unwrap();
    let in_fragments = await_connections(&server, 1);
    let closing = openline::connect(&uri).unwrap();
    let all = await_connections(&server, 2);
    let mut message = in_fragments[0].send_fragments(Kind::Text);
    message.send(b"half", LONG).unwrap();
    let closed = all.iter().find(|it| it.remote_address() == closing.local_address()).unwrap();
    closed.start_close(1000, "").unwrap();
    let skipped = broadcast(&all, "news");
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].0.remote_address(), fragmented.local_address());
    message.finish(b" and half", LONG).unwrap();
    assert_eq!(fragmented.recv_timeout(LONG).unwrap(), "half and half".into());
    assert!(closing.recv_timeout(LONG).is_err());
    assert!(broadcast(&in_fragments, "news").is_empty());
    assert_eq!(fragmented.recv_timeout(LONG).unwrap(), "news".into());
}

#[test]
fn what_is_compressed_for_all_refers_to_nothing() {
    let (server, _) = hold();
    let mut raw = TcpStream::connect(server.address().to_string()).unwrap();
    raw.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    raw.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        raw.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let connections = await_connections(&server, 1);
    let mut frames = Vec::new();
    for _ in 0..3 {
        broadcast(&connections, "the same, the same, the same, the same");
        let mut header = [0; 2];
        raw.read_exact(&mut header).unwrap();
        assert_eq!(header[0], 0xc1); // FIN, RSV1, text
        let mut payload = vec![0; header[1].into()];
        raw.read_exact(&mut payload).unwrap();
        frames.push(payload);
    }
    assert!(frames.iter().all(|frame| *frame == frames[0] && frame.len() < 30));
}
