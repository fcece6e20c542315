//! `openline proxy`.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use openline::Error;
use openline::testing::EchoServer;

use crate::running::{Running, run, temporary};

/// Starts it with these arguments; where it is.
fn start(args: &[&str]) -> (Running, String) {
    let mut proxy = Running::start(&[&["proxy"], args].concat());
    let line = proxy.wait_for("proxy at ");
    let address = line.strip_prefix("proxy at ").unwrap().to_owned();
    (proxy, address)
}

#[test]
fn bytes_are_delayed_and_split() {
    let server = EchoServer::start().unwrap();
    let (mut proxy, uri) = start(&[server.uri(), "--delay", "20ms", "--split", "5"]);
    let started = Instant::now();
    run(&["connect", &uri], "hello\n").printed("hello\n");
    assert!(started.elapsed() >= Duration::from_millis(40), "there and back");
    proxy.wait_for("connection 0: opened");
    let ended = proxy.wait_for("connection 0: ended, ");
    assert!(ended.contains(" bytes up, ") && ended.ends_with(" bytes down"), "{ended}");
    proxy.signal(Signal::SIGINT);
    let finished = proxy.finish();
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let words: Vec<_> = finished.stderr.trim().split(", ").collect();
    assert!(words.len() == 2 && words[0].starts_with("delays "), "{finished:?}");
    assert!(words[1].starts_with("splits "), "{finished:?}");
}

#[test]
fn faults_happen_in_one_direction_and_are_told() {
    let server = EchoServer::start().unwrap();
    let (mut proxy, uri) = start(&[server.uri(), "--direction", "up", "--cut-after", "1000-2000"]);
    let line = openline::Client::new().compression(None).connect(&uri).unwrap();
    line.send(&"x".repeat(2000)).unwrap();
    assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.received().is_none()));
    proxy.wait_for("connection 0: cut");

    let (mut proxy, uri) = start(&[server.uri(), "--direction", "down", "--stall-after", "1000"]);
    let line = openline::Client::new().compression(None).connect(&uri).unwrap();
    line.send(&"x".repeat(1000)).unwrap();
    proxy.wait_for("connection 0: stalled, down");
    assert!(matches!(line.recv_timeout(Duration::from_millis(20)), Err(Error::Timeout { .. })));

    let (mut proxy, uri) = start(&[server.uri(), "--direction", "down", "--corrupt-at", "0"]);
    assert!(openline::connect(&uri).is_err());
    proxy.wait_for("connection 0: ended");
    proxy.signal(Signal::SIGTERM);
    let finished = proxy.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), "corrupted bytes 1\n"));
}

#[test]
fn it_stands_before_a_unix_socket() {
    let (behind, before) = (temporary("proxied.sock"), temporary("proxy.sock"));
    let _server = EchoServer::options().start_unix(&behind).unwrap();
    let [server, listen] = [&behind, &before].map(|path| format!("unix:{}", path.display()));
    let (_proxy, address) = start(&[&server, "--listen", &listen]);
    assert_eq!(address, listen);
    let path = before.to_str().unwrap();
    run(&["connect", "--unix-socket", path, "ws://localhost/"], "hi\n").printed("hi\n");
}

#[test]
fn a_server_that_is_not_there_is_told_of() {
    let (mut proxy, uri) = start(&["ws://127.0.0.1:1/", "--listen", "127.0.0.1:0"]);
    assert!(openline::connect(&uri).is_err());
    let told = proxy.wait_for("refused");
    assert!(told.starts_with("connection 0: "), "{told}");
}

#[test]
fn what_cannot_be_is_refused() {
    let uri = "ws://127.0.0.1:1/";
    for (args, text) in [
        (&["http://localhost/"][..], "isn't a valid URI"),
        (&["unix:"], "has no path"),
        (&["unix:/a"], "wants --listen unix:PATH"),
        (&[uri, "--listen", "unix:/a"], "is for a server on a Unix socket"),
        (&[uri, "--listen", "192.0.2.1:0"], "cannot listen on 192.0.2.1:0"),
        (&[uri, "--delay", "soon"], "give a time such as 50ms, 1.5s or 0.05"),
        (&[uri, "--cut-after", "9-1"], "is after the last"),
        (&[uri, "--cut-after", "x"], "give a number of bytes, or FIRST-LAST"),
        (&[uri, "--split", "0"], "0 is not in"),
        (&[uri, "--corrupt-per-mib=-1"], "has to be from 0 to 1048576"),
    ] {
        run(&[&["proxy"], args].concat(), "").failed(2, text);
    }
}
