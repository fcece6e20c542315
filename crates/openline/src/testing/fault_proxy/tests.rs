use std::time::{Duration, Instant};

use super::faults::Random;
use super::flow::{Ending, Fault, Next};
use super::*;

/// What a flow passes on of bytes that come in chunks, as writes, until it is idle.
fn pass_on(flow: &mut Flow, chunks: &[&[u8]], counts: &mut FaultCounts) -> Vec<Vec<u8>> {
    let mut now = Instant::now();
    let mut passed = Vec::new();
    for chunk in chunks {
        flow.take(chunk, now, counts);
        loop {
            match flow.next(now) {
                Next::Pass(len) => {
                    passed.push(flow.front(len).to_vec());
                    flow.pass(len, now);
                }
                Next::Wait(until) => now = until,
                Next::Idle | Next::End(_) | Next::Do(_) => break,
            }
        }
    }
    passed
}

fn flow(faults: &Faults, seed: u64, connection: usize) -> Flow {
    Flow::new(faults, seed, connection, UP)
}

fn text() -> Vec<u8> {
    (0..50_000_u32).map(|n| (n * 7 / 8) as u8).collect()
}

#[test]
fn order_and_bytes_stay_whatever_is_split_and_delayed() {
    let faults = Faults::new()
        .split(100)
        .delay(Duration::from_millis(3))
        .jitter(Duration::from_millis(20))
        .rate(1_000_000);
    let mut counts = FaultCounts::default();
    let passed = pass_on(&mut flow(&faults, 1, 0), &[&text()], &mut counts);
    assert!(passed.iter().all(|piece| piece.len() <= 100));
    assert_eq!(passed.concat(), text());
    assert_eq!(counts.splits, passed.len() as u64);
    assert_eq!(counts.delays, counts.splits);
}

#[test]
fn a_rate_is_not_exceeded_from_the_first_byte_on() {
    let mut flow = flow(&Faults::new().rate(1_000_000), 1, 0);
    let (start, mut counts) = (Instant::now(), FaultCounts::default());
    let (mut now, mut passed) = (start, 0);
    flow.take(&text(), now, &mut counts);
    loop {
        match flow.next(now) {
            Next::Wait(until) => now = until,
            Next::Pass(len) => {
                passed += len;
                assert!(now - start >= Duration::from_micros(passed as u64 - 1), "{passed}");
                flow.pass(len, now);
            }
            next => break assert_eq!((next, passed), (Next::Idle, text().len())),
        }
    }
}

#[test]
fn decisions_do_not_depend_on_how_the_bytes_come() {
    let faults = Faults::new().split(1000).corrupt_per_mib(2000.0).corrupt_at(5);
    let text = text();
    let mut counts = [FaultCounts::default(); 2];
    let whole = pass_on(&mut flow(&faults, 1, 0), &[&text], &mut counts[0]);
    let chunks: Vec<_> = text.chunks(1).collect();
    let chunked = pass_on(&mut flow(&faults, 1, 0), &chunks, &mut counts[1]);
    assert_eq!(whole.concat(), chunked.concat());
    assert_eq!(counts[0], counts[1]);
    assert_ne!(whole.concat(), text);
    let differing = whole.concat().iter().zip(&text).filter(|(a, b)| a != b).count() as u64;
    assert_eq!(differing, counts[0].corruptions);
}

#[test]
fn the_seed_and_the_number_of_the_connection_decide() {
    let faults = Faults::new().split(1000);
    let sizes = |seed, connection| {
        let mut counts = FaultCounts::default();
        pass_on(&mut flow(&faults, seed, connection), &[&text()], &mut counts)
    };
    assert_eq!(sizes(1, 0), sizes(1, 0));
    assert_ne!(sizes(1, 0), sizes(2, 0));
    assert_ne!(sizes(1, 0), sizes(1, 1));
}

#[test]
fn faults_happen_after_exactly_that_many_bytes() {
    let faults = Faults::new().stall_after(10).cut_after(10).reset_after(20);
    let mut flow = flow(&faults, 1, 0);
    let mut counts = FaultCounts::default();
    assert_eq!(pass_on(&mut flow, &[&[7; 30]], &mut counts).concat(), [7; 10]);
    let now = Instant::now();
    assert_eq!(flow.next(now), Next::Do(Fault::Stall));
    flow.done();
    assert!(flow.stall());
    assert_eq!((flow.next(now), flow.room()), (Next::Idle, 0));
    flow.resume();
    assert_eq!(flow.next(now), Next::Do(Fault::Cut));
    flow.done();
    assert_eq!(flow.next(now), Next::Pass(10));
}

#[test]
fn the_end_comes_after_the_bytes() {
    let mut flow = flow(&Faults::new().delay(Duration::from_millis(5)), 1, 0);
    let now = Instant::now();
    let later = now + Duration::from_millis(5);
    flow.take(b"last", now, &mut FaultCounts::default());
    flow.take_ending(Ending::Fin, now);
    assert_eq!(flow.next(now), Next::Wait(later));
    assert_eq!(flow.next(later), Next::Pass(4));
    flow.pass(4, later);
    assert_eq!(flow.next(later), Next::End(Ending::Fin));
    assert!(flow.end());
    assert!(flow.is_over());
}

#[test]
fn an_offset_is_chosen_from_its_range() {
    let mut random = Random::new(1, 0, 0, 0);
    let chosen: Vec<_> = (0..1000).map(|_| Offset::from(3..=5).choose(&mut random)).collect();
    assert!([3, 4, 5].iter().all(|place| chosen.contains(place)));
    assert!(chosen.iter().all(|place| (3..=5).contains(place)));
    assert_eq!(Offset::from(7).choose(&mut random), 7);
}

#[test]
fn only_host_and_port_of_a_uri_are_others() {
    for (uri, expected) in [
        ("ws://127.0.0.1:80/a?b=ws://c", "ws://h:9/a?b=ws://c"),
        ("ws://localhost", "ws://h:9"),
        ("wss://ann:secret@[::1]:80?q=@", "wss://ann:secret@h:9?q=@"),
    ] {
        assert_eq!(with_host(uri, "h", 9), expected);
    }
}

#[test]
fn servers_elsewhere_are_refused() {
    for uri in ["ws://example.com/", "ws://192.0.2.1/", "ws://0.0.0.0/"] {
        assert!(matches!(FaultProxy::start(uri), Err(Error::Argument(_))), "{uri}");
    }
    assert!(matches!(FaultProxy::start("http://localhost/"), Err(Error::InvalidUri(_))));
}
