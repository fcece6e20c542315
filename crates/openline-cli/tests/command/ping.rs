//! `openline ping`.

use std::io::{BufRead, BufReader, Read};

use nix::sys::signal::Signal;
use openline::Server;
use openline::testing::EchoServer;

use crate::running::{Running, run};

#[test]
fn round_trips_are_measured() {
    let server = EchoServer::start().unwrap();
    let finished = run(&["ping", "-c", "5", "-i", "0.001", server.uri()], "");
    assert_eq!(finished.status, Some(0), "{finished:?}");
    for part in ["PING ws://127.0.0.1:", "pong 5: ", "5 pings, 5 pongs, 0% lost", "min/avg", "█"]
    {
        assert!(finished.stdout.contains(part), "{part} is not in {finished:?}");
    }
    let finished = run(&["ping", "-q", "-c", "1", server.uri()], "");
    assert!(!finished.stdout.contains("pong 1:"), "{finished:?}");
    run(&["ping", "-c", "0", server.uri()], "").failed(2, "0 is not in");
}

#[test]
fn ctrl_c_prints_the_statistics() {
    let server = EchoServer::start().unwrap();
    let mut command = Running::start(&["ping", "-vv", "-i", "600", server.uri()]);
    let mut output = BufReader::new(command.child.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.contains("pong 1: ") {
        assert_ne!(output.read_line(&mut printed).unwrap(), 0, "{printed}");
    }
    command.signal(Signal::SIGINT);
    output.read_to_string(&mut printed).unwrap();
    let finished = command.finish();
    assert_eq!(finished.status, Some(0), "{finished:?}");
    assert!(printed.contains("1 pings, 1 pongs, 0% lost"), "{printed}");
    assert!(finished.stderr.contains("> CLOSE 1001 (going away)"), "{finished:?}");
}

#[test]
fn a_broken_pipe_is_no_error() {
    let server = EchoServer::start().unwrap();
    let mut command = Running::start(&["ping", "-i", "0.001", server.uri()]);
    let mut line = String::new();
    BufReader::new(command.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let finished = command.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
}

#[test]
fn messages_are_not_in_the_way_of_pongs() {
    let welcome = vec!["a message"; 1000];
    let server = EchoServer::options().welcome(welcome).start().unwrap();
    let finished = run(&["ping", "-c", "2", "-i", "0.01", server.uri()], "");
    assert!(finished.stdout.contains("2 pings, 2 pongs"), "{finished:?}");
}

#[test]
fn a_connection_that_is_lost_fails_after_the_statistics() {
    let server = Server::bind("127.0.0.1:0").unwrap().serve(|connection| {
        let _ = connection.ping(None, None::<std::time::Duration>);
        let _ = connection.close(4000, "enough");
    });
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let finished = run(&["ping", "-i", "600", &uri], "");
    finished.failed(1, "4000 (private use) enough");
    assert!(finished.stdout.contains(" pings, "), "{finished:?}");
    run(&["ping", "ws://127.0.0.1:1/"], "").failed(2, "Connection refused");
}
