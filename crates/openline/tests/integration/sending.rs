use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use openline::{Client, Error, Kind, Message, State};

use crate::peer::{Frame, LONG, SHORT, open, open_with};

#[test]
fn every_kind_and_length_goes_out_in_one_frame() {
    let (line, mut peer) = open();
    for len in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let expected = payload.clone();
        thread::scope(|scope| {
            scope.spawn(|| line.send(&payload).unwrap());
            assert_eq!(peer.next(), Frame::Data(expected));
        });
    }
    line.send("text").unwrap();
    peer.expect_text("text");
}

#[test]
fn many_messages_go_out_in_order() {
    let (line, mut peer) = open();
    let messages: Vec<Message> = (0..1000)
        .map(|n| if n == 500 { "big".repeat(100_000).into() } else { n.to_string().into() })
        .collect();
    thread::scope(|scope| {
        let sender = scope.spawn(|| line.send_many(&messages, LONG));
        for message in &messages {
            assert_eq!(peer.next(), Frame::Data(message.as_bytes().to_vec()));
        }
        let (sent, outcome) = sender.join().unwrap();
        outcome.unwrap();
        assert_eq!(sent, 1000);
    });
}

#[test]
fn a_send_that_times_out_leaves_the_stream_whole() {
    let (line, mut peer) = open();
    let big = vec![7; 300_000];
    let mut expected = Vec::new();
    let mut kinds = [0, 0];
    // Fill the way to a peer that does not read, until both kinds of time-out were seen.
    for n in 0.. {
        let message = if n % 3 == 2 { format!("small {n}").into_bytes() } else { big.clone() };
        match line.send_timeout(&message, SHORT) {
            Ok(()) => expected.push(message),
            Err(Error::Timeout { committed, .. }) => {
                kinds[usize::from(committed)] += 1;
                if committed {
                    expected.push(message);
                }
            }
            Err(error) => panic!("{error}"),
        }
        if kinds[1] >= 1 && kinds[0] >= 3 {
            break;
        }
    }
    assert_eq!(line.state(), State::Open);
    expected.push(b"last".to_vec());
    thread::scope(|scope| {
        scope.spawn(|| line.send(b"last").unwrap());
        for message in &expected {
            assert!(peer.next() == Frame::Data(message.clone()));
        }
    });
}

#[test]
fn the_tail_of_a_timed_out_message_follows_without_another_call() {
    let (line, mut peer) = open();
    let big = vec![7; 20_000_000];
    let outcome = line.send_timeout(&big, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout { committed: true, .. })), "{outcome:?}");
    assert!(peer.next() == Frame::Data(big));
}

#[test]
fn the_tail_of_a_timed_out_message_follows_while_another_thread_receives() {
    // Without keepalive, whose pings would take the tail along.
    let client = Client::new().compression(None).ping_interval(None).ping_timeout(None);
    let (line, mut peer) = open_with(client);
    let big = vec![7; 20_000_000];
    let outcome = line.send_timeout(&big, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout { committed: true, .. })), "{outcome:?}");
    // The driver sees that nobody uses the connection, and watches it for bytes and for room.
    thread::sleep(Duration::from_millis(500));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(line.recv_timeout(LONG).unwrap(), "for the receiver".into());
            // It goes on to receive, so the driver does not read.
            let outcome = line.recv_timeout(LONG);
            assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
        });
        thread::sleep(Duration::from_millis(50));
        peer.send_text("for the receiver");
        thread::sleep(Duration::from_millis(50));
        assert!(peer.next() == Frame::Data(big));
        line.abort();
    });
}

#[test]
fn send_many_tells_how_many_are_on_their_way() {
    let (line, mut peer) = open();
    let messages = vec![vec![1; 40_000]; 1000];
    let (sent, outcome) = line.send_many(&messages, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
    assert!(sent < 1000);
    thread::scope(|scope| {
        scope.spawn(|| line.send("end").unwrap());
        for _ in 0..sent {
            assert_eq!(peer.next(), Frame::Data(vec![1; 40_000]));
        }
        peer.expect_text("end");
    });
}

#[test]
fn two_peers_that_send_at_once_do_not_block_each_other() {
    let server = openline::Server::bind("127.0.0.1:0").unwrap().max_size(None);
    let server = server
        .serve(|connection| {
            for _ in 0..16 {
                connection.send(&vec![1; 1 << 20]).unwrap();
            }
            let mut received = 0;
            while let Ok(message) = connection.recv() {
                received += message.as_bytes().len();
            }
            assert_eq!(received, 16 << 20);
        })
        .unwrap();
    // Both queues hold everything: neither side receives before it has sent.
    let uri = format!("ws://{}/", server.address());
    let line = Client::new().max_queue(None).max_size(None).connect(&uri).unwrap();
    let start = Instant::now();
    for _ in 0..16 {
        line.send_timeout(&vec![2; 1 << 20], LONG).unwrap();
    }
    for _ in 0..16 {
        assert_eq!(line.recv_timeout(LONG).unwrap().as_bytes().len(), 1 << 20);
    }
    line.close(1000, "").unwrap();
    assert!(start.elapsed() < LONG);
}

#[test]
fn eight_senders_pings_and_fragments_never_interleave() {
    let (line, mut peer) = open();
    let line = Arc::new(line);
    let threads: Vec<_> = (0..8_u8)
        .map(|id| {
            let line = line.clone();
            thread::spawn(move || {
                for n in 0..30_u8 {
                    let payload = vec![id; 1 + usize::from(n) * 1500];
                    if n % 3 == 0 {
                        let mut message = line.send_fragments(Kind::Binary);
                        for piece in payload.chunks(700) {
                            message.send(piece, LONG).unwrap();
                        }
                        message.finish(b"", LONG).unwrap();
                    } else {
                        line.send(&payload).unwrap();
                    }
                    line.pong(&[id]).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0_usize; 8];
    let (mut messages, mut pongs) = (0, 0);
    while messages < 240 || pongs < 240 {
        match peer.next() {
            Frame::Data(bytes) => {
                let id = bytes[0];
                assert!(bytes.iter().all(|byte| *byte == id));
                assert_eq!(bytes.len(), 1 + next[usize::from(id)] * 1500);
                next[usize::from(id)] += 1;
                messages += 1;
            }
            Frame::Pong(_) => pongs += 1,
            frame => panic!("{frame:?}"),
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_message_broken_off_between_fragments_fails_the_connection() {
    let (line, mut peer) = open();
    let mut message = line.send_fragments(Kind::Text);
    message.send(b"half", LONG).unwrap();
    drop(message);
    let Frame::Close(close) = peer.next() else { panic!("no close") };
    assert_eq!(u16::from(close.code()), 1011);
    drop(peer);
    assert!(matches!(line.send("more"), Err(Error::Closed(_))));
}

#[test]
fn a_finished_message_takes_no_more_fragments() {
    let (line, mut peer) = open();
    let mut message = line.send_fragments(Kind::Text);
    message.send(b"a", LONG).unwrap();
    message.finish(b"b", LONG).unwrap();
    assert!(matches!(message.send(b"c", LONG), Err(Error::Argument(_))));
    assert!(matches!(message.finish(b"c", LONG), Err(Error::Argument(_))));
    drop(message);
    line.send("next").unwrap();
    peer.expect_text("ab");
    peer.expect_text("next");
}

#[test]
fn a_close_within_a_fragmented_message_says_so() {
    let (line, mut peer) = open_with(Client::new().close_timeout(SHORT));
    let mut message = line.send_fragments(Kind::Text);
    message.send(b"a", LONG).unwrap();
    line.close(1000, "").unwrap();
    let expected = crate::peer::close(1011, "close during fragmented message");
    assert_eq!(peer.next(), Frame::Close(expected));
}

#[test]
fn a_sender_waits_for_anothers_fragments_with_its_timeout() {
    let (line, mut peer) = open();
    let mut message = line.send_fragments(Kind::Text);
    message.send(b"a", LONG).unwrap();
    let outcome = line.send_timeout("other", SHORT);
    assert!(matches!(outcome, Err(Error::Timeout { committed: false, .. })));
    line.pong(b"between").unwrap();
    message.finish(b"b", LONG).unwrap();
    line.send_timeout("other", LONG).unwrap();
    assert_eq!(peer.next(), Frame::Pong(b"between".to_vec()));
    peer.expect_text("ab");
    peer.expect_text("other");
}

#[test]
fn a_blocked_send_ends_with_the_ping_timeout() {
    let client = Client::new()
        .ping_interval(Duration::from_millis(100))
        .ping_timeout(Duration::from_millis(100));
    let (line, _peer) = open_with(client);
    let outcome = line.send(&vec![0; 64 << 20]);
    let Err(Error::Closed(closed)) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(closed.cause(), openline::Cause::PingTimeout));
}

#[test]
fn a_blocked_send_ends_with_a_close_from_another_thread() {
    let client = Client::new().close_timeout(Duration::from_millis(200));
    let (line, _peer) = open_with(client);
    let sender = line.clone();
    let thread = thread::spawn(move || sender.send(&vec![0; 64 << 20]));
    thread::sleep(SHORT); // Any moment will do; most of the time the send is blocked by now.
    let start = Instant::now();
    line.close(1000, "").unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(matches!(thread.join().unwrap(), Err(Error::Closed(_))));
    assert!(line.is_closed());
}

#[test]
fn nothing_follows_a_close_that_comes_within_many_messages() {
    let (line, mut peer) = open_with(Client::new().close_timeout(LONG));
    let messages = vec![vec![7; 400_000]; 50];
    thread::scope(|scope| {
        let sending = scope.spawn(|| line.send_many(&messages, LONG));
        // The way is full when a bystander cannot send any more.
        while line.send_timeout("x", Duration::ZERO).is_ok() {}
        let closing = scope.spawn(|| line.close(1000, ""));
        while line.state() == State::Open {
            thread::yield_now();
        }
        let mut received = 0;
        loop {
            match peer.next() {
                Frame::Data(payload) if payload == b"x" => {}
                Frame::Data(_) => received += 1,
                Frame::Close(close) => break peer.send_close(&close),
                frame => panic!("{frame:?}"),
            }
        }
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer.next(), Frame::End);
        closing.join().unwrap().unwrap();
        let (sent, outcome) = sending.join().unwrap();
        assert_eq!(sent, received);
        assert!(sent == 50 || matches!(outcome, Err(Error::Closed(_))), "{sent} {outcome:?}");
    });
}

#[test]
fn pings_are_answered_between_many_messages() {
    let (line, mut peer) = open();
    let messages = vec![vec![7; 30_000]; 1000];
    thread::scope(|scope| {
        scope.spawn(|| line.send_many(&messages, LONG).1.unwrap());
        assert!(matches!(peer.next(), Frame::Data(_)));
        peer.send(b"\x89\x01p");
        let mut before = 1;
        while peer.next() != Frame::Pong(b"p".to_vec()) {
            before += 1;
        }
        assert!(before < 1000, "the pong came after all messages");
        for _ in before..1000 {
            assert!(matches!(peer.next(), Frame::Data(_)));
        }
    });
}
