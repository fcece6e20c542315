use std::thread;
use std::time::{Duration, Instant};

use openline::{Cause, Client, Error, State};

use crate::peer::{Frame, LONG, close, open, open_with};

#[test]
fn we_close_and_the_peer_answers() {
    let (line, mut peer) = open();
    let thread = thread::spawn(move || {
        assert_eq!(peer.next(), Frame::Close(close(1000, "bye")));
        peer.send_close(&close(1000, "bye"));
    });
    line.close(1000, "bye").unwrap();
    thread.join().unwrap();
    assert_eq!(line.state(), State::Closed);
    let closed = line.how_closed().unwrap();
    assert!(closed.is_ok());
    assert_eq!(closed.to_string(), "sent 1000 (OK) bye; then received 1000 (OK) bye");
    assert!(closed.cause().is_none());
    line.close(1000, "again").unwrap();
}

#[test]
fn the_peer_closes_while_we_receive() {
    let (line, mut peer) = open();
    peer.send_close(&close(4401, "who are you"));
    let thread = thread::spawn(move || {
        assert_eq!(peer.next(), Frame::Close(close(4401, "who are you")));
    });
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    thread.join().unwrap();
    assert_eq!(closed.received(), Some(&close(4401, "who are you")));
    assert_eq!(closed.received_first(), Some(true));
    assert!(!closed.is_ok());
}

#[test]
fn the_driver_completes_a_close_while_nobody_calls() {
    let (line, mut peer) = open();
    peer.send_text("unread");
    peer.send_close(&close(1001, ""));
    assert_eq!(peer.next(), Frame::Close(close(1001, "")));
    drop(peer);
    assert!(line.wait_closed(LONG).unwrap());
    assert_eq!(line.recv().unwrap(), "unread".into());
    assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
}

#[test]
fn a_peer_that_never_answers_is_cut_after_close_timeout() {
    let client = Client::new().close_timeout(Duration::from_millis(100)).ping_interval(None);
    let (line, peer) = open_with(client);
    let receiver = line.clone();
    let thread = thread::spawn(move || receiver.recv());
    let start = Instant::now();
    line.close(1000, "").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(start.elapsed() < Duration::from_secs(5));
    let Err(Error::Closed(closed)) = thread.join().unwrap() else { panic!("not closed") };
    assert!(matches!(closed.cause(), Some(Cause::CloseTimeout)));
    assert_eq!(closed.to_string(), "sent 1000 (OK); no close frame received");
    drop(peer);
}

#[test]
fn a_peer_that_closes_but_keeps_tcp_open_is_cut_after_close_timeout() {
    let client = Client::new().close_timeout(Duration::from_millis(100)).ping_interval(None);
    for receives in [true, false] {
        let (line, mut peer) = open_with(client.clone());
        peer.send_close(&close(1000, ""));
        if receives {
            assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
        } else {
            assert!(line.wait_closed(LONG).unwrap());
        }
        assert!(line.how_closed().unwrap().is_ok());
    }
}

#[test]
fn a_close_with_an_unread_backlog_is_quick_and_keeps_it() {
    let (line, mut peer) = open();
    for n in 0..1000 {
        peer.send_text(&n.to_string());
    }
    let thread = thread::spawn(move || {
        assert_eq!(peer.next(), Frame::Close(close(1000, "")));
        peer.send_close(&close(1000, ""));
    });
    let start = Instant::now();
    line.close(1000, "").unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
    thread.join().unwrap();
    let received: Vec<_> = line.iter().map(Result::unwrap).collect();
    assert_eq!(received.len(), 1000);
    assert_eq!(received[999], "999".into());
}

#[test]
fn both_close_at_once() {
    let (line, mut peer) = open();
    let thread = thread::spawn(move || {
        peer.send_close(&close(1001, ""));
        assert!(matches!(peer.next(), Frame::Close(_)));
    });
    line.close(1000, "").unwrap();
    thread.join().unwrap();
    assert!(line.how_closed().unwrap().is_ok());
}

#[test]
fn nothing_goes_out_after_close() {
    let (line, mut peer) = open();
    let thread = thread::spawn(move || {
        assert_eq!(peer.next(), Frame::Close(close(1000, "")));
        peer.send(b"\x89\x01p\x81\x01x");
        peer.send_close(&close(1000, ""));
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer.next(), Frame::End);
    });
    line.close(1000, "").unwrap();
    assert!(matches!(line.send("late"), Err(Error::Closed(_))));
    assert!(matches!(line.pong(b""), Err(Error::Closed(_))));
    assert_eq!(line.recv().unwrap(), "x".into());
    thread.join().unwrap();
}

#[test]
fn illegal_closes_are_refused_and_change_nothing() {
    let (line, mut peer) = open();
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert!(matches!(line.close(code, ""), Err(Error::Protocol(_))), "{code}");
    }
    assert!(matches!(line.close(1000, &"é".repeat(62)), Err(Error::Protocol(_))));
    assert_eq!(line.state(), State::Open);
    line.send("open").unwrap();
    peer.expect_text("open");
}

#[test]
fn dropping_the_last_handle_ends_the_connection() {
    let (line, mut peer) = open();
    let other = line.clone();
    drop(line);
    other.send("still open").unwrap();
    peer.expect_text("still open");
    drop(other);
    assert_eq!(peer.next(), Frame::Close(close(1001, "")));
    assert_eq!(peer.next(), Frame::End);
}

#[test]
fn the_descriptor_is_closed_with_the_connection() {
    let (line, peer) = open();
    assert!(line.raw_fd().is_some());
    drop(peer);
    assert!(matches!(line.recv(), Err(Error::Closed(_))));
    assert!(line.raw_fd().is_none());
    assert_eq!(line.local_address().to_string().split(':').next(), Some("127.0.0.1"));
}
