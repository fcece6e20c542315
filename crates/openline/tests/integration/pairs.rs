//! All pairs of public calls in two threads: each ends within its bound, whatever the peer does.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use openline::{Client, Connection, Deadline, Error, Kind, Result, Role};

use crate::peer::LONG;

type Call = fn(&Connection) -> Result<()>;

/// Without a time-out of their own, where they have one.
const CALLS: &[(&str, Call)] = &[
    ("send", |line| line.send(&vec![0; 1 << 20])),
    ("send_timeout", |line| line.send_timeout("x", None::<Duration>)),
    ("send_many", |line| line.send_many(&vec![vec![0; 1000]; 1000], Deadline::NEVER).1),
    ("send_fragments", |line| {
        let mut message = line.send_fragments(Kind::Binary);
        message.send(&[0; 1000], Deadline::NEVER)?;
        message.finish(&[0; 1000], Deadline::NEVER)
    }),
    ("flush", |line| line.flush(Deadline::NEVER)),
    ("recv", |line| line.recv().map(drop)),
    ("recv_timeout", |line| line.recv_timeout(Deadline::NEVER).map(drop)),
    ("recv_into", |line| line.recv_into(&mut [0; 1000], Deadline::NEVER).map(drop)),
    ("recv_many", |line| line.recv_many(10, Deadline::NEVER).map(drop)),
    ("recv_streaming", |line| line.recv_streaming()?.try_for_each(|fragment| fragment.map(drop))),
    ("take_buffered", |line| line.take_buffered(|_| ()).map(drop)),
    ("take_buffered_many", |line| line.take_buffered_many(10, |_| ControlFlow::Continue(()))),
    ("take_buffered_within", |line| line.take_buffered_within(1000, |_| ()).map(drop)),
    ("await_buffered", |line| line.await_buffered(true, Deadline::NEVER).map(drop)),
    ("recv_large", |line| line.recv_large(&mut [0; 1000], Deadline::NEVER).map(drop)),
    ("iter", |line| line.iter().try_for_each(|message| message.map(drop))),
    ("ping", |line| line.ping(None, Deadline::NEVER).map(drop)),
    ("start_ping", |line| line.start_ping(None).map(drop)),
    ("await_pong", |line| line.await_pong(line.start_ping(None)?, Deadline::NEVER).map(drop)),
    ("forget_ping", |line| line.start_ping(None).map(|id| line.forget_ping(id))),
    ("send_ping", |line| line.send_ping(None).map(drop)),
    ("wait_answered", |line| line.wait_answered(line.send_ping(None)?, Deadline::NEVER).map(drop)),
    ("pong", |line| line.pong(b"")),
    ("close", |line| line.close(1000, "")),
    ("start_close", |line| line.start_close(1000, "")),
    ("wait_closed", |line| line.wait_closed(Deadline::NEVER).map(drop)),
    ("abort", |line| {
        line.abort();
        Ok(())
    }),
    ("set_close_timeout", |line| {
        line.set_close_timeout(line.close_timeout());
        Ok(())
    }),
    ("set_keepalive", |line| {
        line.set_keepalive(INTERVAL, INTERVAL);
        Ok(())
    }),
];

/// What waits for nothing and changes nothing.
const OTHERS: &[&str] = &[
    "close_timeout",
    "extensions",
    "how_closed",
    "is_closed",
    "is_inherited",
    "latency",
    "local_address",
    "raw_fd",
    "remote_address",
    "request",
    "response",
    "state",
    "subprotocol",
    "timings",
    "transport",
];

const INTERVAL: Option<Duration> = Some(Duration::from_millis(50));

#[test]
fn every_public_call_is_among_the_pairs() {
    let source = include_str!("../../src/connection.rs");
    let public = source.lines().filter_map(|line| line.strip_prefix("    pub fn "));
    let mut expected: Vec<_> = public.map(|line| line.split(['(', '<']).next().unwrap()).collect();
    let mut named: Vec<_> = CALLS.iter().map(|(name, _)| *name).chain(OTHERS.to_vec()).collect();
    expected.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, expected);
}

/// What the peer does, in a thread of its own, until the line is cut.
type Conduct = fn(UnixStream);

fn check_all(conduct: Conduct, wait: impl Fn(&Connection) + Sync) {
    let pairs: Vec<_> =
        (0..CALLS.len()).flat_map(|a| (a..CALLS.len()).map(move |b| (a, b))).collect();
    thread::scope(|scope| {
        for share in pairs.chunks(pairs.len().div_ceil(16)) {
            let wait = &wait;
            scope.spawn(move || {
                for (a, b) in share {
                    check((*a, *b), conduct, wait);
                }
            });
        }
    });
}

fn check((a, b): (usize, usize), conduct: Conduct, wait: impl Fn(&Connection)) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let client =
        Client::new().ping_interval(INTERVAL).ping_timeout(INTERVAL).close_timeout(INTERVAL);
    let line = client.upgraded(ours, Role::Client, b"").unwrap();
    let peer = thread::spawn(move || conduct(theirs));
    let (tell, ended) = mpsc::channel();
    for number in [a, b] {
        let (line, tell) = (line.clone(), tell.clone());
        thread::spawn(move || tell.send((number, CALLS[number].1(&line))));
    }
    wait(&line);
    let names = (CALLS[a].0, CALLS[b].0);
    for _ in 0..2 {
        let (number, outcome) =
            ended.recv_timeout(LONG).unwrap_or_else(|_| panic!("{names:?} do not end"));
        let is_defined = match &outcome {
            Ok(()) | Err(Error::Closed(_)) => true,
            Err(Error::Concurrency(_)) => is_receiving(a) && is_receiving(b),
            // The large message that was announced, or a ping behind a full queue.
            Err(Error::BufferTooSmall { .. }) => is_receiving(number),
            Err(Error::Timeout { .. }) => matches!(CALLS[number].0, "ping" | "await_pong"),
            Err(_) => false,
        };
        assert!(is_defined, "{} of {names:?}: {outcome:?}", CALLS[number].0);
    }
    line.close(1000, "").unwrap();
    assert!(line.is_closed());
    drop(line);
    peer.join().unwrap();
}

fn is_receiving(number: usize) -> bool {
    let name = CALLS[number].0;
    ["recv", "take_", "await_buffered", "iter"].iter().any(|start| name.starts_with(start))
}

#[test]
fn all_pairs_with_a_peer_that_says_nothing() {
    // Keepalive finds out.
    check_all(|mut peer| drop(io::copy(&mut peer, &mut io::sink())), |_| ());
}

#[test]
fn all_pairs_with_a_peer_that_does_nothing() {
    // Its end of the line is there until the other one is not.
    let conduct = |peer: UnixStream| {
        let mut fds = [PollFd::new(&peer, PollFlags::HUP)];
        poll(&mut fds, None).unwrap();
    };
    check_all(conduct, |_| ());
}

#[test]
fn all_pairs_with_a_peer_that_only_sends() {
    let conduct =
        |mut peer: UnixStream| while peer.write_all(&b"\x82\x03abc".repeat(100)).is_ok() {};
    // It is alive: what waits for it is ended by a close.
    check_all(conduct, |line| {
        line.wait_closed(Duration::from_millis(20)).unwrap();
        line.close(1000, "").unwrap();
    });
}
