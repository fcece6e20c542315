//! What happens on a connection while nobody calls.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use openline::{Cause, Client, Connection, Error};

use crate::peer::{Frame, LONG, Peer, SHORT, close, open, open_at, open_with};

#[test]
fn pings_are_answered_while_idle() {
    let (_line, mut peer) = open();
    for n in 0..5_u8 {
        peer.send(&[0x89, 1, n]);
        assert_eq!(peer.next(), Frame::Pong(vec![n]));
    }
}

#[test]
fn pings_are_answered_while_receiving_and_while_sending_is_blocked() {
    let (line, mut peer) = open();
    let receiver = line.clone();
    let thread = thread::spawn(move || receiver.recv());
    peer.send(b"\x89\x01a");
    assert_eq!(peer.next(), Frame::Pong(b"a".to_vec()));
    let sender = thread::spawn(move || line.send(&vec![0; 16 << 20]).map(|()| line));
    thread::sleep(SHORT);
    peer.send(b"\x89\x01b");
    assert!(matches!(peer.next(), Frame::Data(_)));
    assert_eq!(peer.next(), Frame::Pong(b"b".to_vec()));
    peer.send_text("end");
    assert_eq!(thread.join().unwrap().unwrap(), "end".into());
    sender.join().unwrap().unwrap();
}

#[test]
fn a_full_queue_holds_the_peer_back_and_loses_nothing() {
    let (line, mut peer) = open_with(Client::new().max_queue(4).max_size(None));
    let message = "x".repeat(100_000);
    let mut frame = vec![0x81, 0x7f];
    frame.extend(100_000_u64.to_be_bytes());
    frame.extend_from_slice(message.as_bytes());
    peer.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut sent, mut rest) = (0, 0);
    // Until TCP says that we do not read: 4 messages and the kernel's buffers are much less than this.
    let held_back = loop {
        match peer.stream.write(&frame[rest..]) {
            Ok(len) => rest += len,
            Err(_) => break true,
        }
        if rest == frame.len() {
            (sent, rest) = (sent + 1, 0);
        }
        if sent > 1000 {
            break false;
        }
    };
    assert!(held_back);
    thread::scope(|scope| {
        scope.spawn(|| {
            peer.stream.set_write_timeout(None).unwrap();
            peer.send(&frame[rest..]);
            peer.send_close(&close(1000, ""));
            peer.next();
            drop(peer);
        });
        let received = line.iter().map(Result::unwrap).filter(|m| m.as_bytes().len() == 100_000);
        assert_eq!(received.count(), sent + 1);
    });
}

#[test]
fn keepalive_pings_measure_the_latency() {
    let (line, mut peer) = open_with(Client::new().ping_interval(Duration::from_millis(30)));
    assert_eq!(line.latency(), Duration::ZERO);
    for _ in 0..3 {
        let Frame::Ping(payload) = peer.next() else { panic!("no ping") };
        assert_eq!(payload.len(), 4);
        peer.send(&[&[0x8a, 4], &payload[..]].concat());
    }
    while line.latency() == Duration::ZERO {
        thread::yield_now();
    }
}

#[test]
fn pings_without_a_pause_come_with_every_tick() {
    let (_line, mut peer) = open_with(Client::new().ping_interval(Duration::ZERO));
    let start = Instant::now();
    for _ in 0..4 {
        assert!(matches!(peer.next(), Frame::Ping(_)));
    }
    assert!(start.elapsed() > Duration::from_millis(100));
}

#[test]
fn a_silent_peer_is_given_up_with_1011() {
    let client = Client::new()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_millis(50));
    for receives in [true, false] {
        let (line, mut peer) = open_with(client.clone());
        let start = Instant::now();
        if receives {
            assert!(matches!(line.recv(), Err(Error::Closed(_))));
        } else {
            assert!(line.wait_closed(LONG).unwrap());
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
        let closed = line.how_closed().unwrap();
        assert!(matches!(closed.cause(), Cause::PingTimeout));
        assert_eq!(
            closed.to_string(),
            "sent 1011 (internal error) keepalive ping timeout; no close frame received"
        );
        assert!(matches!(peer.next(), Frame::Ping(_)));
        assert_eq!(peer.next(), Frame::Close(closed.sent().unwrap().clone()));
    }
}

#[test]
fn data_counts_as_life_and_so_does_our_own_pause() {
    let client = Client::new()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_millis(300)) // longer than a busy machine pauses the peer
        .max_queue(2);
    let (line, mut peer) = open_with(client);
    // The peer never answers a ping, but talks; then it is silent while our queue is full.
    for _ in 0..20 {
        peer.send_text("alive");
        thread::sleep(Duration::from_millis(25));
    }
    thread::sleep(Duration::from_millis(600));
    for _ in 0..20 {
        assert_eq!(line.recv_timeout(LONG).unwrap(), "alive".into());
    }
}

#[test]
fn ping_waits_for_its_pong_with_and_without_a_receiver() {
    for receives in [false, true] {
        let (line, mut peer) = open();
        let receiver = receives.then(|| {
            let line = line.clone();
            thread::spawn(move || line.recv())
        });
        let answers = thread::spawn(move || {
            let Frame::Ping(first) = peer.next() else { panic!("no ping") };
            peer.send_text("meanwhile");
            peer.send(&[&[0x8a, first.len() as u8], &first[..]].concat());
            assert_eq!(peer.next(), Frame::Ping(b"never answered".to_vec()));
            assert_eq!(peer.next(), Frame::Ping(b"own".to_vec()));
            peer.send(b"\x8a\x03own");
            peer
        });
        line.ping(None, LONG).unwrap();
        let outcome = line.ping(Some(b"never answered"), SHORT);
        assert!(matches!(outcome, Err(Error::Timeout { .. })));
        let round_trip = line.ping(Some(b"own"), LONG).unwrap();
        assert_eq!(line.latency(), round_trip);
        assert!(matches!(line.ping(Some(&[0; 126]), LONG), Err(Error::Protocol(_))));
        assert!(matches!(line.await_pong(7, LONG), Err(Error::Argument(_))));
        let message = match receiver {
            Some(receiver) => receiver.join().unwrap(),
            None => line.recv_timeout(LONG),
        };
        assert_eq!(message.unwrap(), "meanwhile".into());
        drop(answers.join().unwrap());
        assert!(matches!(line.ping(None, LONG), Err(Error::Closed(_))));
    }
}

#[test]
fn a_flood_of_pings_to_a_peer_that_reads_nothing_takes_no_memory() {
    let (line, mut peer) = open_with(Client::new().close_timeout(Duration::from_millis(100)));
    // Stop the way out, then flood.
    while line.send_timeout(&[0; 100_000], Duration::from_millis(5)).is_ok() {}
    let flood = [&[0x89, 125][..], &[b'p'; 125]].concat().repeat(1000);
    for _ in 0..100 {
        peer.send(&flood);
    }
    peer.send_text("after the flood");
    assert_eq!(line.recv_timeout(LONG).unwrap(), "after the flood".into());
    let start = Instant::now();
    line.close(1000, "").unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_thousand_idle_connections_are_served_by_one_thread() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let (_first, _peer) = open(); // The driver runs.
    let before = threads();
    let lines: Vec<_> = (0..200).map(|_| open()).collect();
    let (clients, mut peers): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    // Other tests run beside this one, so the bound is not exact.
    assert!(threads() < before + 100);
    for peer in &mut peers {
        peer.send(b"\x89\x01p");
    }
    for peer in &mut peers {
        assert_eq!(peer.next(), Frame::Pong(b"p".to_vec()));
    }
    drop(clients);
    for peer in &mut peers {
        assert!(matches!(peer.next(), Frame::Close(_)));
    }
}

#[test]
fn a_ping_keeps_its_timeout_while_a_large_message_stalls() {
    for pings_first in [false, true] {
        let (line, mut peer) = open_with(Client::new().max_size(None));
        let receiver = line.clone();
        let pinging = pings_first.then(|| {
            let line = line.clone();
            let ping = line.start_ping(None).unwrap();
            let thread = thread::spawn(move || line.await_pong(ping, Duration::from_millis(500)));
            assert!(matches!(peer.next(), Frame::Ping(_)));
            thread
        });
        peer.send(b"\x82\x7f\0\0\0\0\0\x10\0\0");
        peer.send(&[7; 1000]);
        let receiving = thread::spawn(move || {
            let mut memory = vec![0; 1 << 20];
            receiver.recv_into(&mut memory, LONG).map(|len| memory[..len].to_vec())
        });
        let start = Instant::now();
        let outcome = match pinging {
            Some(thread) => thread.join().unwrap(),
            None => line.ping(None, Duration::from_millis(100)),
        };
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(5));
        peer.send(&[7; (1 << 20) - 1000]);
        assert!(receiving.join().unwrap().unwrap() == [7; 1 << 20]);
    }
}

#[test]
fn a_flood_without_a_message_does_not_outlast_a_timeout() {
    let (line, mut peer) = open();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let flood = b"\x8a\x00".repeat(10_000);
    let took = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                peer.send(&flood);
            }
        });
        let turns = (0..3).map(|_| {
            let start = Instant::now();
            let received = line.recv_timeout(SHORT);
            let pinged = line.ping(None, SHORT);
            (start.elapsed(), received, pinged)
        });
        let turns: Vec<_> = turns.collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        turns
    });
    for (time, received, pinged) in took {
        assert!(matches!(received, Err(Error::Timeout { .. })), "{received:?}");
        assert!(matches!(pinged, Err(Error::Timeout { .. })), "{pinged:?}");
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
}

#[test]
fn a_peer_that_reads_a_little_now_and_then_does_not_outlast_a_timeout() {
    let (line, mut peer) = open();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Slower than any sender, also on a busy machine: who never waits for room needs no time-out.
            let mut little = vec![0; 10_000];
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                if std::io::Read::read_exact(&mut peer.stream, &mut little).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(1)); // A slow reader, not a wait for an event.
            }
        });
        let start = Instant::now();
        let outcome = line.send_timeout(&vec![0; 64 << 20], Duration::from_millis(100));
        let elapsed = start.elapsed();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(outcome, Err(Error::Timeout { committed: true, .. })), "{outcome:?}");
        assert!(elapsed < Duration::from_secs(8));
    });
}

/// Takes so many pieces of a large message, one every 50 ms, and answers nothing meanwhile.
fn take_slowly(peer: &mut Peer, pieces: usize) {
    peer.take(2 + 8 + 4); // its header
    for _ in 0..pieces {
        peer.take(PIECE);
        thread::sleep(Duration::from_millis(50));
    }
}

const PIECE: usize = 50_000;
const PIECES: usize = 40;

/// A client whose pings are due soon, and a peer in whose system only little of what is sent has room.
fn open_narrow() -> (Connection, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 20_000).unwrap();
    let client = Client::new()
        .ping_interval(Duration::from_millis(200))
        .ping_timeout(Duration::from_secs(1));
    open_at(&listener, &client)
}

#[test]
fn a_peer_that_takes_a_large_message_slowly_is_alive() {
    // The message is with our system at once; or most of it waits in the sender.
    for len in [PIECE * PIECES, 10 * PIECE * PIECES] {
        let (line, mut peer) = open_narrow();
        let message = vec![7; len];
        thread::scope(|scope| {
            let sending = scope.spawn(|| line.send(&message).and_then(|()| line.send("end")));
            take_slowly(&mut peer, PIECES);
            peer.take(len - PIECE * PIECES);
            while peer.next() != Frame::Data(b"end".to_vec()) {}
            sending.join().unwrap().unwrap();
        });
        assert!(!line.is_closed(), "{:?}", line.how_closed());
    }
}

#[test]
fn a_peer_that_stops_to_take_a_large_message_is_given_up() {
    let (line, mut peer) = open_narrow();
    line.send(&vec![7; PIECE * PIECES]).unwrap();
    take_slowly(&mut peer, PIECES / 2);
    let start = Instant::now();
    let outcome = line.recv();
    assert!(
        matches!(&outcome, Err(Error::Closed(closed)) if matches!(closed.cause(), Cause::PingTimeout))
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_peer_that_takes_everything_and_answers_nothing_is_given_up() {
    let client = Client::new()
        .ping_interval(Duration::from_millis(200))
        .ping_timeout(Duration::from_millis(300));
    let (line, mut peer) = open_with(client);
    let swallowing = thread::spawn(move || while peer.next() != Frame::End {});
    let start = Instant::now();
    let message = vec![7; 100_000];
    let outcome = std::iter::repeat_with(|| line.send(&message)).find_map(Result::err);
    assert!(
        matches!(&outcome, Some(Error::Closed(closed)) if matches!(closed.cause(), Cause::PingTimeout))
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    swallowing.join().unwrap();
}
