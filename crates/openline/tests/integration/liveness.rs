//! What ends a connection whose peer gives no sign of life, or too few, and what must not.

use std::thread;
use std::time::{Duration, Instant};

use openline::{Cause, Client, CloseFrame, Connection, Deadline, Error, Waiting};

use crate::peer::{Frame, LONG, Peer, SHORT, close, open_with};

/// A time-out short enough to wait for, and longer than a busy machine pauses a thread.
const TIMEOUT: Duration = Duration::from_millis(300);

#[test]
fn a_peer_that_only_answers_pings_is_idle() {
    let client = Client::new().ping_interval(TIMEOUT / 20).idle_timeout(TIMEOUT);
    let start = Instant::now();
    let (line, mut peer) = open_with(client);
    let mut pings = 0;
    let closed_with = loop {
        match peer.next() {
            Frame::Ping(payload) => {
                pings += 1;
                peer.send(&[&[0x8a, 4], &payload[..]].concat());
            }
            Frame::Close(close) => break close,
            frame => panic!("{frame:?}"),
        }
    };
    assert!(start.elapsed() >= TIMEOUT);
    assert!(pings > 0);
    assert_eq!(closed_with, CloseFrame::new(1011, "idle timeout").unwrap());
    // It has the time of a closing handshake to answer.
    peer.send_close(&closed_with);
    peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(line.wait_closed(LONG).unwrap());
    let closed = line.how_closed().unwrap();
    assert!(matches!(closed.cause(), Cause::IdleTimeout));
    assert_eq!(closed.received(), Some(&closed_with));
}

#[test]
fn parts_of_messages_and_our_own_pause_are_not_idle() {
    let client = Client::new().idle_timeout(TIMEOUT).max_queue(2).close_timeout(SHORT);
    let (line, mut peer) = open_with(client);
    let start = Instant::now();
    // One message of 200 bytes, byte by byte, takes longer than the time-out.
    peer.send(b"\x82\x7e\x00\xc8");
    for _ in 0..200 {
        peer.send(b"x");
        thread::sleep(TIMEOUT / 60);
    }
    assert!(start.elapsed() > TIMEOUT * 2);
    peer.send_text("second");
    peer.send_text("third");
    thread::sleep(TIMEOUT * 3); // With a queue that is full.
    assert!(!line.is_closed());
    for len in [200, 6, 5] {
        assert_eq!(line.recv_timeout(LONG).unwrap().as_bytes().len(), len);
    }
    // Now it is the peer that is silent.
    assert!(line.wait_closed(LONG).unwrap());
    assert!(matches!(line.how_closed().unwrap().cause(), Cause::IdleTimeout));
}

/// A client whose queue of 32 is full, from which it reads again when 8 are left, and its peer.
fn open_full() -> (Connection, Peer) {
    let timeout = TIMEOUT * 3;
    let client = Client::new().ping_interval(timeout).ping_timeout(timeout).max_queue(32);
    let (line, mut peer) = open_with(client);
    for _ in 0..33 {
        peer.send_text("waits");
    }
    (line, peer)
}

/// Receives of what waits in [`open_full`], so that it stays as full: slowly, but always before the time-out.
fn receive_slowly(line: &Connection) {
    for _ in 0..22 {
        thread::sleep(TIMEOUT / 3);
        assert_eq!(line.recv().unwrap(), "waits".into());
    }
}

#[test]
fn a_send_waits_for_room_while_somebody_receives() {
    let (line, _peer) = open_full();
    thread::scope(|scope| {
        let send = scope.spawn(|| line.send(&vec![0; 64 << 20]));
        receive_slowly(&line);
        line.abort();
        let Err(Error::Closed(closed)) = send.join().unwrap() else { panic!("all was sent") };
        assert!(matches!(closed.cause(), Cause::Aborted), "{}", closed.cause());
    });
}

#[test]
fn a_ping_without_a_timeout_waits_while_somebody_receives() {
    let (line, mut peer) = open_full();
    thread::scope(|scope| {
        let ping = scope.spawn(|| line.ping(Some(b"here"), Deadline::NEVER));
        assert_eq!(peer.next(), Frame::Ping(b"here".to_vec()));
        peer.send(b"\x8a\x04here");
        receive_slowly(&line);
        for _ in 22..33 {
            assert_eq!(line.recv().unwrap(), "waits".into());
        }
        ping.join().unwrap().unwrap();
    });
}

#[test]
fn a_send_ends_when_neither_end_reads() {
    let client = Client::new().ping_interval(TIMEOUT).ping_timeout(TIMEOUT).max_queue(1);
    let (line, mut peer) = open_with(client);
    peer.send_text("fills the queue");
    peer.send_text("is not read any more");
    let outcome = line.send(&vec![0; 64 << 20]);
    let Err(Error::Closed(closed)) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(closed.cause(), Cause::PingTimeout));
    // What came before is not lost.
    assert_eq!(line.recv().unwrap(), "fills the queue".into());
    assert_eq!(line.recv().unwrap(), "is not read any more".into());
    assert!(matches!(line.recv(), Err(Error::Closed(_))));
}

#[test]
fn a_send_goes_on_while_its_peer_takes_some_and_our_queue_is_full() {
    let client = Client::new().ping_interval(TIMEOUT).ping_timeout(TIMEOUT).max_queue(1);
    let (line, mut peer) = open_with(client);
    peer.send_text("fills the queue");
    peer.send_text("is not read yet");
    let payload = vec![0; 64 << 20];
    thread::scope(|scope| {
        let sending = scope.spawn(|| line.send(&payload));
        for _ in 0..12 {
            thread::sleep(TIMEOUT / 4);
            peer.take(4 << 20);
        }
        peer.take((64 << 20) + 14 - 12 * (4 << 20));
        sending.join().unwrap().unwrap();
    });
    assert_eq!(line.recv().unwrap(), "fills the queue".into());
    assert!(!line.is_closed());
}

#[test]
fn a_ping_behind_messages_that_nobody_receives_ends_after_the_ping_timeout() {
    let client = Client::new().ping_interval(None).ping_timeout(TIMEOUT).max_queue(2);
    let (line, mut peer) = open_with(client);
    for text in ["one", "two", "three"] {
        peer.send_text(text);
    }
    let outcome = line.ping(None, None::<Duration>);
    let Err(Error::Timeout { during, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(during, Waiting::PongBehind { messages: 2 });
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "timed out while waiting for a pong; 2 messages wait to be received first"
    );
    // The connection goes on.
    for text in ["one", "two", "three"] {
        assert_eq!(line.recv().unwrap(), text.into());
    }
    peer.next();
    let outcome = line.ping(None, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout { during: Waiting::Pong, .. })));
    peer.send_close(&close(1000, ""));
}

#[test]
fn pings_and_pongs_to_a_peer_that_does_not_read_are_bounded_and_the_newest_goes_out() {
    let (line, mut peer) = open_with(Client::new().ping_interval(None).max_queue(1));
    let payload = vec![0; 64 << 20];
    assert!(matches!(line.send_timeout(&payload, SHORT), Err(Error::Timeout { .. })));
    let mut last = 0;
    for n in 0..10_000_u32 {
        last = line.send_ping(Some(&n.to_be_bytes())).unwrap();
        line.pong(&n.to_be_bytes()).unwrap();
    }
    assert!(!line.wait_answered(0, Duration::ZERO).unwrap());
    assert!(matches!(peer.next(), Frame::Data(_)));
    let mut pings = Vec::new();
    let mut pongs = 0;
    while pings.last() != Some(&9999_u32.to_be_bytes().to_vec()) {
        match peer.next() {
            Frame::Ping(payload) => pings.push(payload),
            Frame::Pong(_) => pongs += 1,
            frame => panic!("{frame:?}"),
        }
    }
    assert!(pings.len() < 200 && pongs < 200, "{} pings, {pongs} pongs", pings.len());
    // Its Pong answers all of them.
    peer.send(&[&[0x8a, 4], &9999_u32.to_be_bytes()[..]].concat());
    assert!(line.wait_answered(last, LONG).unwrap());
}

#[test]
fn the_pong_of_a_ping_that_was_never_sent_is_not_waited_for() {
    let (line, _peer) = open_with(Client::new().ping_interval(None));
    let id = line.send_ping(None).unwrap();
    assert!(!line.wait_answered(id, Duration::ZERO).unwrap());
    assert!(matches!(line.wait_answered(id + 1, Deadline::NEVER), Err(Error::Argument(_))));
}
