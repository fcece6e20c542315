use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use openline::{Cause, Client, Error, Message, ProtocolError};

use crate::peer::{Frame, LONG, Peer, SHORT, close, open, open_with};

fn is_timeout<T: std::fmt::Debug>(outcome: openline::Result<T>) -> bool {
    matches!(outcome, Err(Error::Timeout { .. }))
}

#[test]
fn frames_glued_to_the_response_are_received() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let peer = thread::spawn(move || Peer::accept(&listener, b"\x81\x02hi\x81\x02yo"));
    let line = openline::connect(&uri).unwrap();
    let _peer = peer.join().unwrap();
    assert_eq!(line.recv_timeout(Duration::ZERO).unwrap(), "hi".into());
    assert_eq!(line.recv_timeout(Duration::ZERO).unwrap(), "yo".into());
    assert!(is_timeout(line.recv_timeout(Duration::ZERO)));
}

#[test]
fn a_timeout_at_every_split_point_of_a_frame_loses_nothing() {
    let (line, mut peer) = open();
    let frame = b"\x01\x04He\xc3\xa9\x89\x01p\x80\x7e\x00\x80".as_slice();
    let whole = [frame, &[b'x'; 128]].concat();
    for split in 1..whole.len() {
        peer.send(&whole[..split]);
        assert!(is_timeout(line.recv_timeout(Duration::from_millis(1))));
        peer.send(&whole[split..]);
        let expected = format!("Heé{}", "x".repeat(128));
        assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Text(expected), "{split}");
        assert_eq!(peer.next(), Frame::Pong(b"p".to_vec()), "{split}");
    }
}

#[test]
fn a_timeout_is_kept_to_the_millisecond() {
    let (line, _peer) = open();
    for millis in [0, 1, 7, 40] {
        let start = Instant::now();
        assert!(is_timeout(line.recv_timeout(Duration::from_millis(millis))));
        assert!(start.elapsed() >= Duration::from_millis(millis));
    }
}

#[test]
fn large_messages_arrive_whole_in_every_way() {
    let client = Client::new().max_size(None);
    let (line, mut peer) = open_with(client);
    let payload: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut frame = b"\x82\x7f".to_vec();
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend_from_slice(&payload);
    let sender = thread::spawn(move || {
        for _ in 0..4 {
            peer.send(&frame);
        }
        peer
    });
    assert_eq!(line.recv().unwrap(), Message::Binary(payload.clone()));

    // Into memory that the caller supplies, with time-outs in between.
    let mut memory = vec![0; payload.len()];
    let mut received = false;
    while !received {
        match line.await_buffered(true, Duration::from_millis(1)) {
            Ok(Some(len)) => {
                assert_eq!(len, payload.len());
                let wrong = line.recv_large(&mut memory[1..], LONG);
                assert!(matches!(wrong, Err(Error::Argument(_))));
                match line.recv_large(&mut memory, Duration::from_micros(300)) {
                    Ok(done) => received = done,
                    Err(error) => assert!(is_timeout::<()>(Err(error))),
                }
            }
            Ok(None) => {
                let taken = line.take_buffered(|payload| payload.as_bytes().to_vec()).unwrap();
                if let Some(taken) = taken {
                    memory = taken;
                    received = true;
                }
            }
            Err(error) => assert!(is_timeout::<()>(Err(error))),
        }
    }
    assert!(memory == payload);

    memory.fill(0);
    assert_eq!(line.recv_into(&mut memory, LONG).unwrap(), payload.len());
    assert!(memory == payload);

    let small = line.recv_into(&mut [0; 10], LONG);
    assert!(matches!(small, Err(Error::BufferTooSmall { needed: 5_000_000, available: 10 })));
    assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Binary(payload));
    drop(sender.join().unwrap());
}

#[test]
fn fragments_come_as_they_arrive_and_characters_whole() {
    let (line, mut peer) = open();
    let mut fragments = line.recv_streaming().unwrap();
    peer.send(b"\x01\x03a\xe2\x82");
    assert_eq!(fragments.next_timeout(LONG).unwrap(), Some("a".into()));
    assert!(is_timeout(fragments.next_timeout(SHORT)));
    peer.send(b"\x00\x02\xacb\x80\x01c\x81\x01d");
    assert_eq!(fragments.next_timeout(LONG).unwrap(), Some("€b".into()));
    assert!(matches!(line.recv(), Err(Error::Concurrency(_))));
    assert_eq!(fragments.next_timeout(LONG).unwrap(), Some("c".into()));
    assert_eq!(line.recv().unwrap(), "d".into());
    assert_eq!(fragments.next_timeout(LONG).unwrap(), None);
}

#[test]
fn whole_fragments_are_received_before_the_fault_in_the_rest() {
    // The fault: an opcode that is reserved, a character that does not end, the end of the stream.
    for rest in [&b"\x83\x00"[..], b"\x80\x01\xe2", b"\x80\x05hal"] {
        let (line, mut peer) = open();
        peer.send(&[b"\x01\x02ok", rest].concat());
        drop(peer);
        // Seen by the driver, before anybody asks for a message.
        assert!(line.wait_closed(LONG).unwrap());
        let mut fragments = line.recv_streaming().unwrap();
        assert_eq!(fragments.next_timeout(LONG).unwrap(), Some("ok".into()), "{rest:?}");
        assert!(matches!(fragments.next_timeout(LONG), Err(Error::Closed(_))));
        assert!(matches!(line.recv_timeout(LONG), Err(Error::Closed(_))));
    }
}

#[test]
fn a_stream_left_early_skips_the_rest_of_its_message_only() {
    let (line, mut peer) = open();
    peer.send(b"\x02\x01a");
    {
        let mut fragments = line.recv_streaming().unwrap();
        assert_eq!(fragments.next_timeout(LONG).unwrap(), Some(Message::Binary(b"a".to_vec())));
    }
    peer.send(b"\x00\x01b\x80\x01c\x82\x01d");
    assert_eq!(line.recv_timeout(LONG).unwrap(), Message::Binary(b"d".to_vec()));
}

#[test]
fn messages_before_a_close_are_all_received() {
    let (line, mut peer) = open();
    for n in 0..100 {
        peer.send_text(&n.to_string());
    }
    peer.send_close(&close(1000, "done"));
    let answer = thread::spawn(move || peer.next());
    let received: Vec<Message> = line.iter().collect::<openline::Result<_>>().unwrap();
    assert_eq!(answer.join().unwrap(), Frame::Close(close(1000, "done")));
    let expected: Vec<Message> = (0..100).map(|n| n.to_string().into()).collect();
    assert_eq!(received, expected);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_told_why() {
    let table: [(&[u8], u16, ProtocolError); 4] = [
        (b"\x83\x00", 1002, ProtocolError::ReservedOpcode { opcode: 3 }),
        (b"\x81\x01\xff", 1007, ProtocolError::InvalidUtf8),
        (b"\x81\x80\0\0\0\0", 1002, ProtocolError::Masked),
        (
            b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00",
            1009,
            ProtocolError::MessageTooBig { size: 1 << 40, limit: 1 << 20 },
        ),
    ];
    for (bytes, code, expected) in table {
        let (line, mut peer) = open();
        peer.send_text("before");
        peer.send(bytes);
        let Frame::Close(sent) = peer.next() else { panic!("no close") };
        assert_eq!(u16::from(sent.code()), code);
        drop(peer);
        assert_eq!(line.recv().unwrap(), "before".into());
        let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
        assert!(!closed.is_ok());
        assert_eq!(closed.sent(), Some(&sent));
        match closed.cause() {
            Cause::TooBig(error) => assert_eq!((error, code), (&expected, 1009)),
            Cause::Protocol(error) => assert_eq!(error, &expected),
            cause => panic!("{cause:?}"),
        }
    }
}

#[test]
fn the_end_of_the_stream_without_a_close_is_an_error_with_its_cause() {
    let (line, peer) = open();
    drop(peer);
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert_eq!(closed.to_string(), "no close frame received or sent");
    assert!(matches!(closed.cause(), Cause::Eof));
    assert!(line.is_closed());
    assert!(matches!(line.send("late"), Err(Error::Closed(_))));
    assert!(matches!(line.ping(None, LONG), Err(Error::Closed(_))));
    line.close(1000, "").unwrap();
}

#[test]
fn a_second_receiver_is_refused() {
    let (line, mut peer) = open();
    let first = line.clone();
    let thread = thread::spawn(move || {
        loop {
            match first.recv() {
                Err(Error::Concurrency(_)) => {} // The other was first.
                outcome => return outcome,
            }
        }
    });
    while !matches!(line.recv_timeout(Duration::ZERO), Err(Error::Concurrency(_))) {
        thread::yield_now();
    }
    peer.send_text("for the first");
    assert_eq!(thread.join().unwrap().unwrap(), "for the first".into());
}

#[test]
fn many_messages_at_once() {
    let (line, mut peer) = open();
    peer.send(b"\x81\x01a\x81\x01b\x81\x01c\x01\x01d");
    let mut received = Vec::new();
    while received.len() < 3 {
        received.extend(line.recv_many(2, LONG).unwrap());
    }
    assert_eq!(received, ["a".into(), "b".into(), "c".into()]);
    assert!(is_timeout(line.recv_many(10, Duration::ZERO)));
}
