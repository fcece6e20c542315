use std::error::Error as _;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use openline::{Cause, Client, Connection, Error, ProtocolError, State};

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
    assert!(matches!(closed.cause(), Cause::Local));
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
    assert!(matches!(closed.cause(), Cause::CloseTimeout));
    assert_eq!(closed.to_string(), "sent 1000 (OK); no close frame received");
    drop(peer);
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_that_sends_on_after_close_timeout_is_reset() {
    let client = Client::new().close_timeout(Duration::from_millis(100)).ping_interval(None);
    for sends_on in [true, false] {
        let (line, mut peer) = open_with(client.clone());
        let thread = thread::spawn(move || {
            assert_eq!(peer.next(), Frame::Close(close(1000, "")));
            if sends_on {
                peer.send_text("still here");
            }
            assert_eq!(peer.next(), Frame::End);
            peer
        });
        line.close(1000, "").unwrap();
        let peer = thread.join().unwrap();
        // By a reset it is over both ways.
        let mut fds = [PollFd::new(&peer.stream, PollFlags::empty())];
        let wait = Timespec::try_from(if sends_on { LONG } else { Duration::ZERO }).unwrap();
        assert_eq!(poll(&mut fds, Some(&wait)).unwrap(), usize::from(sends_on));
    }
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
fn whatever_comes_after_our_close_is_received() {
    let (line, mut peer) = open();
    let message = "x".repeat(1 << 20);
    thread::scope(|scope| {
        let closing = scope.spawn(|| line.close(1000, ""));
        scope.spawn(move || {
            assert_eq!(peer.next(), Frame::Close(close(1000, "")));
            peer.stream.set_write_timeout(None).unwrap();
            for _ in 0..40 {
                peer.send_text(&message);
            }
            peer.send_close(&close(1000, ""));
        });
        while line.state() == State::Open {
            thread::yield_now();
        }
        let mut received = 0;
        while let Ok(message) = line.recv() {
            assert_eq!(message.as_bytes().len(), 1 << 20);
            received += 1;
            thread::sleep(Duration::from_millis(5)); // Somebody else reads meanwhile, as much as may wait.
        }
        assert_eq!(received, 40);
        closing.join().unwrap().unwrap();
    });
    assert!(line.how_closed().unwrap().is_ok());
}

#[test]
fn a_close_whose_answer_is_behind_too_many_messages_ends_with_its_timeout() {
    let (line, mut peer) = open_with(Client::new().close_timeout(Duration::from_secs(1)));
    let message = "x".repeat(1 << 20);
    let flooding = thread::spawn(move || {
        let _ = std::iter::repeat_with(|| peer.try_send_text(&message)).find(Result::is_err);
    });
    line.close(1000, "").unwrap();
    flooding.join().unwrap();
    let mut received = 0;
    let closed = loop {
        match line.recv() {
            Ok(message) => received += message.as_bytes().len() >> 20,
            Err(Error::Closed(closed)) => break closed,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(matches!(closed.cause(), Cause::CloseTimeout));
    // What waited before the close, and what may wait after it.
    assert!((16..=16 + 17).contains(&received), "{received}");
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
fn abort_ends_every_call_and_keeps_what_came() {
    let (line, mut peer) = open_with(Client::new().max_queue(None).ping_interval(None));
    let calls: [fn(Connection) -> Error; 4] = [
        |line| line.recv().unwrap_err(),
        |line| line.ping(None, LONG).unwrap_err(),
        |line| loop {
            if let Err(error) = line.send(&vec![0; 1 << 20]) {
                return error; // it waits for room: the peer does not read
            }
        },
        |line| {
            assert!(line.wait_closed(LONG).unwrap());
            line.send("late").unwrap_err()
        },
    ];
    let threads = calls.map(|call| {
        let line = line.clone();
        thread::spawn(move || call(line))
    });
    // The head of a frame of 1 MiB: all of the calls have begun, or will fail at once.
    peer.stream.read_exact(&mut [0; 1 << 10]).unwrap();
    line.abort();
    for thread in threads {
        let Error::Closed(closed) = thread.join().unwrap() else { panic!("not closed") };
        assert!(matches!(closed.cause(), Cause::Aborted), "{closed:?}");
    }
    line.abort();
    line.close(1000, "").unwrap();
}

#[test]
fn messages_that_came_before_an_abort_are_received() {
    let (line, mut peer) = open();
    for n in 0..100 {
        peer.send_text(&n.to_string());
    }
    assert_eq!(line.recv().unwrap(), "0".into());
    line.abort();
    assert!(line.is_closed());
    for n in 1..100 {
        assert_eq!(line.recv().unwrap(), n.to_string().into());
    }
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert!(matches!(closed.cause(), Cause::Aborted));
    assert_eq!(peer.next(), Frame::Close(close(1001, "")));
}

#[test]
fn abort_ends_a_close_that_waits_for_the_peer() {
    let (line, mut peer) = open();
    let closer = line.clone();
    let thread = thread::spawn(move || closer.close(1000, "bye"));
    assert_eq!(peer.next(), Frame::Close(close(1000, "bye")));
    line.abort();
    thread.join().unwrap().unwrap();
    let closed = line.how_closed().unwrap();
    assert!(matches!(closed.cause(), Cause::Aborted));
    assert_eq!(closed.to_string(), "sent 1000 (OK) bye; no close frame received");
}

#[test]
fn the_cause_is_the_first_thing_that_made_the_end_certain() {
    let (line, mut peer) = open();
    peer.send_close(&close(1000, ""));
    peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert!(matches!(closed.cause(), Cause::Peer));

    // The peer closes and goes away: that we cannot write any more is a consequence.
    let (line, mut peer) = open();
    peer.send_text("unread");
    peer.send_close(&close(4000, "done"));
    drop(peer);
    let error = loop {
        if let Err(error) = line.send("anybody there?") {
            break error;
        }
    };
    let Error::Closed(closed) = error else { panic!("not closed") };
    assert!(matches!(closed.cause(), Cause::Peer), "{closed:?}");
    assert!(closed.source().is_none());

    // We close, and what still comes is against the protocol.
    let (line, mut peer) = open();
    let thread = thread::spawn(move || {
        assert_eq!(peer.next(), Frame::Close(close(1000, "")));
        peer.send(b"\x83\x00");
    });
    line.close(1000, "").unwrap();
    thread.join().unwrap();
    let closed = line.how_closed().unwrap();
    assert!(matches!(closed.cause(), Cause::Protocol(_)), "{closed:?}");
    assert!(closed.source().unwrap().is::<ProtocolError>());

    let (line, peer) = open();
    socket2::SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert!(matches!(closed.cause(), Cause::Reset(_)));
    let source = closed.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
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

#[test]
fn a_close_that_crosses_that_of_a_peer_which_is_gone_is_no_reset() {
    let (line, mut peer) = open();
    peer.send_close(&close(1001, "restart"));
    // With unread bytes at its end, the socket of the peer answers with a reset.
    line.send_timeout("unread", Duration::ZERO).ok();
    drop(peer);
    line.start_ping(None).ok();
    line.close(1000, "").unwrap();
    let closed = line.how_closed().unwrap();
    assert_eq!(closed.received(), Some(&close(1001, "restart")));
    assert!(matches!(closed.cause(), Cause::Local | Cause::Peer), "{}", closed.cause());
}
