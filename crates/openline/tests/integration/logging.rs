//! What connections log, by the facade and in journals.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use openline::{Client, Compress, Error, Journal, Kind, Outgoing};

use crate::peer::{Frame, LONG, close, open, open_with, read_head};

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what each thread logs.
struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("openline::")
    }

    fn log(&self, record: &log::Record<'_>) {
        assert_ne!(thread::current().name(), Some("openline-driver"), "{}", record.args());
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        LOGGED.with_borrow_mut(|logged| logged.push(line));
    }

    fn flush(&self) {}
}

fn install_logger() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
    });
}

/// What this thread has logged since the last call.
fn logged() -> Vec<String> {
    let lines = LOGGED.take();
    lines.into_iter().map(|line| line.replace("DEBUG openline::client ", "")).collect()
}

fn texts(journal: &Journal) -> Vec<String> {
    let mut texts = Vec::new();
    let outcome = journal.give_out(|record| {
        texts.push(record.to_string());
        Ok::<(), Infallible>(())
    });
    outcome.unwrap();
    texts
}

fn open_noted(client: Client) -> (openline::Connection, crate::peer::Peer, Journal) {
    let journal = Journal::new(None);
    let (line, peer) = open_with(client.journal(&journal));
    texts(&journal);
    (line, peer, journal)
}

fn answer_handshake(listener: &TcpListener, answer: &str) {
    let (mut stream, _) = listener.accept().unwrap();
    read_head(&mut stream);
    stream.write_all(answer.as_bytes()).unwrap();
}

#[test]
fn a_session_is_logged_to_the_facade() {
    install_logger();
    let (line, mut peer) = open();
    let opening = logged();
    assert_eq!(opening[..2], ["= connection is CONNECTING", "> GET / HTTP/1.1"]);
    assert!(opening[2].starts_with("> Host: 127.0.0.1:"));
    assert!(opening.contains(&"> User-Agent: openline/0.1.0".to_owned()), "{opening:?}");
    assert!(opening.contains(&"< HTTP/1.1 101 Switching Protocols".to_owned()));
    assert!(opening.contains(&"< Upgrade: websocket".to_owned()));
    assert_eq!(opening.last().unwrap(), "= connection is OPEN");
    line.send("hello").unwrap();
    assert_eq!(logged(), ["> TEXT 'hello' [5 bytes]"]);
    peer.expect_text("hello");
    peer.send(b"\x89\x01p");
    peer.send_text("there");
    assert_eq!(line.recv().unwrap(), "there".into());
    let expected =
        ["< PING 'p' [text, 1 byte]", "> PONG 'p' [text, 1 byte]", "< TEXT 'there' [5 bytes]"];
    assert_eq!(logged(), expected);
    let closing = thread::spawn(move || {
        while !matches!(peer.next(), Frame::Close(_)) {}
        peer.send_close(&close(1000, "bye"));
    });
    line.close(1000, "bye").unwrap();
    closing.join().unwrap();
    let expected = [
        "> CLOSE 1000 (OK) bye [5 bytes]",
        "= connection is CLOSING",
        "< CLOSE 1000 (OK) bye [5 bytes]",
        "> EOF",
        "= connection is CLOSED",
    ];
    assert_eq!(logged(), expected);
}

#[test]
fn a_handshake_that_fails_is_logged() {
    install_logger();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/secret", listener.local_addr().unwrap());
    let answers = [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n",
        "HTTP/1.1 101 Well\r\nUpgrade: other\r\n\r\n",
        "HTTP/1.1 200",
    ];
    let expected: [&[&str]; 3] = [
        &["< HTTP/1.1 403 Forbidden", "< Content-Length: 4", "< [body] (4 bytes)"],
        &["< HTTP/1.1 101 Well", "< Upgrade: other"],
        &[],
    ];
    for (answer, expected) in answers.into_iter().zip(expected) {
        thread::scope(|scope| {
            scope.spawn(|| answer_handshake(&listener, answer));
            let outcome = Client::new().user_agent(None).connect(&uri);
            assert!(matches!(outcome, Err(Error::Handshake(_))));
        });
        let lines = logged();
        assert_eq!(lines[..2], ["= connection is CONNECTING", "> GET /secret HTTP/1.1"]);
        let received = lines.iter().filter(|line| line.starts_with('<')).collect::<Vec<_>>();
        assert_eq!(received, expected);
        assert_eq!(lines[lines.len() - 2..], ["> EOF", "= connection is CLOSED"]);
    }
}

#[test]
fn fragments_are_noted_one_by_one_and_large_messages_in_short() {
    let (line, mut peer, journal) = open_noted(Client::new().max_size(None).compression(None));
    let mut message = line.send_fragments(Kind::Text);
    message.send(b"Hel", LONG).unwrap();
    message.finish(b"lo", LONG).unwrap();
    assert_eq!(
        texts(&journal),
        ["> TEXT 'Hel' [3 bytes, continued]", "> CONT 'lo' [text, 2 bytes]"]
    );
    peer.send(b"\x01\x03Hel\x00\x00\x80\x02lo");
    let expected = [
        "< TEXT 'Hel' [3 bytes, continued]",
        "< CONT '' [0 bytes, continued]",
        "< CONT 'lo' [text, 2 bytes]",
    ];
    assert_eq!(line.recv().unwrap(), "Hello".into());
    assert_eq!(texts(&journal), expected);

    let large = vec![0xab; 3 << 20];
    let shown = "BINARY ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ... \
                 ab ab ab ab ab ab ab ab [3145728 bytes]";
    let mut frame = vec![0x82, 127];
    frame.extend((large.len() as u64).to_be_bytes());
    frame.extend_from_slice(&large);
    for receives_into in [false, true] {
        thread::scope(|scope| {
            scope.spawn(|| peer.send(&frame));
            if receives_into {
                assert_eq!(line.recv_into(&mut vec![0; 4 << 20], LONG).unwrap(), large.len());
            } else {
                assert!(line.recv().unwrap().as_bytes() == large);
            }
        });
        assert_eq!(texts(&journal), [format!("< {shown}")]);
    }
    thread::scope(|scope| {
        scope.spawn(|| while peer.next() != Frame::Data(large.clone()) {});
        line.send(&large).unwrap();
    });
    assert_eq!(texts(&journal), [format!("> {shown}")]);
}

#[test]
fn frames_are_noted_as_they_are_without_compression() {
    let server = openline::testing::EchoServer::start().unwrap();
    let journal = Journal::new(None);
    let line = Client::new().journal(&journal).connect(server.uri()).unwrap();
    texts(&journal);
    let text = "compressed".repeat(20);
    line.send(Outgoing::from(&text).compress(Compress::Always)).unwrap();
    assert_eq!(line.recv().unwrap(), text.as_str().into());
    let shown = "TEXT 'compressedcompressedcompressedcompressedcompres...sedcompressedcompressed' [200 bytes]";
    assert_eq!(texts(&journal), [format!("> {shown}"), format!("< {shown}")]);
}

#[test]
fn what_the_driver_does_comes_with_the_next_call_in_order() {
    install_logger();
    let (line, mut peer) = open();
    logged();
    for n in [b'a', b'b'] {
        peer.send(&[0x89, 1, n]);
        assert_eq!(peer.next(), Frame::Pong(vec![n]));
    }
    assert!(logged().is_empty());
    line.send("x").unwrap();
    let expected = [
        "< PING 'a' [text, 1 byte]",
        "> PONG 'a' [text, 1 byte]",
        "< PING 'b' [text, 1 byte]",
        "> PONG 'b' [text, 1 byte]",
        "> TEXT 'x' [1 byte]",
    ];
    assert_eq!(logged(), expected);
}

#[test]
fn keepalive_is_noted() {
    let client =
        Client::new().ping_interval(Duration::from_millis(50)).ping_timeout(Duration::from_secs(1));
    let (line, mut peer, journal) = open_noted(client);
    let Frame::Ping(payload) = peer.next() else { panic!("no ping") };
    peer.send(&[&[0x8a, 4], &payload[..]].concat());
    assert!(line.wait_closed(LONG).unwrap()); // the other pings have no answer
    let lines = texts(&journal);
    let signs: Vec<_> = lines.iter().map(|line| line.split('[').next().unwrap()).collect();
    let of = |start: &str| signs.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(of("> PING") < of("< PONG") && of("< PONG") < of("% received keepalive pong"));
    assert!(signs.contains(&"% sent keepalive ping"));
    let end = &lines[of("- timed out waiting for keepalive pong")..];
    let expected = [
        "- timed out waiting for keepalive pong",
        "> CLOSE 1011 (internal error) keepalive ping timeout [24 bytes]",
        "= connection is CLOSING",
        "> EOF",
        "= connection is CLOSED",
    ];
    assert_eq!(end, expected);
}

#[test]
fn the_end_of_the_stream_and_errors_are_noted() {
    let (line, peer, journal) = open_noted(Client::new());
    drop(peer);
    assert!(line.recv().is_err());
    assert_eq!(texts(&journal), ["< EOF", "> EOF", "= connection is CLOSED"]);

    let (line, peer, journal) = open_noted(Client::new());
    // A socket that is closed with unread bytes in it resets the connection.
    line.send("unread").unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(peer);
    assert!(line.recv().is_err());
    let lines = texts(&journal);
    assert!(lines[1].starts_with("! error while receiving data: Connection reset by peer"));
    assert_eq!(lines[2..], ["< EOF", "> EOF", "= connection is CLOSED"]);
}

#[test]
fn a_full_journal_drops_the_oldest_records_and_says_how_many() {
    let (line, mut peer, journal) = open_noted(Client::new());
    for n in 0..2000_u16 {
        peer.send(&[&[0x8a, 2], &n.to_be_bytes()[..]].concat());
    }
    peer.send_text("end");
    line.recv().unwrap();
    let texts = texts(&journal);
    assert_eq!(texts.len(), 1025);
    assert_eq!(texts[0], "- 977 earlier records were dropped");
    assert_eq!(texts[1024], "< TEXT 'end' [3 bytes]");
}

#[test]
fn a_logger_may_use_the_connection_and_fail() {
    let (line, mut peer, journal) = open_noted(Client::new());
    line.send("one").unwrap();
    line.send("two").unwrap();
    let mut seen = Vec::new();
    let outcome = journal.give_out(|record| {
        seen.push(record.to_string());
        assert!(texts(&journal).is_empty(), "the turn is taken");
        if seen.len() == 1 {
            line.send("three").unwrap();
        }
        if seen.len() == 2 { Err("enough") } else { Ok(()) }
    });
    assert_eq!(outcome, Err("enough"));
    assert_eq!(texts(&journal), ["> TEXT 'three' [5 bytes]"]);
    for text in ["one", "two", "three"] {
        peer.expect_text(text);
    }
}
