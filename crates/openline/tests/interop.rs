//! A conversation with an echo server that nobody here wrote. `tests/peers/` starts such servers and
//! runs this against each of them, with their address in `OPENLINE_PEER_URI` (and, for a Unix socket,
//! its path in `OPENLINE_PEER_PATH`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use openline::{Client, Connection, Error, Kind, Message};

const LONG: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs a foreign server; tests/peers/test_rust_client.py runs it"]
fn conversation_with_a_foreign_echo_server() {
    let line = connect();
    for text in ["", "hello", "Ünïcödé \u{0} 😀", &"x".repeat(70_000)] {
        line.send(text).unwrap();
        assert_eq!(line.recv_timeout(LONG).unwrap(), Message::from(text));
    }
    for len in [0, 1, 125, 126, 65_535, 65_536, 16 << 20] {
        let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        line.send_timeout(&payload, LONG).unwrap();
        assert!(line.recv_timeout(LONG).unwrap() == Message::Binary(payload), "{len}");
    }

    let mut message = line.send_fragments(Kind::Text);
    for fragment in ["in ", "", "several ", "parts"] {
        message.send(fragment.as_bytes(), LONG).unwrap();
    }
    message.finish(b"", LONG).unwrap();
    assert_eq!(line.recv_timeout(LONG).unwrap(), "in several parts".into());

    line.ping(None, LONG).unwrap();
    line.ping(Some(b"payload"), LONG).unwrap();

    let (sent, outcome) = line.send_many(["a", "b", "c"], LONG);
    outcome.unwrap();
    assert_eq!(sent, 3);
    for expected in ["a", "b", "c"] {
        assert_eq!(line.recv_timeout(LONG).unwrap(), expected.into());
    }

    line.close(1000, "bye").unwrap();
    let closed = line.how_closed().unwrap();
    assert!(closed.is_ok(), "{closed}");
    assert!(matches!(line.recv(), Err(Error::Closed(_))));
}

fn connect() -> Connection {
    let uri = std::env::var("OPENLINE_PEER_URI").expect("the address of the server");
    let client = Client::new().max_size(None);
    match std::env::var_os("OPENLINE_PEER_PATH") {
        Some(path) => client.connect_unix(path, &uri).unwrap(),
        None => client.connect(&uri).unwrap(),
    }
}
