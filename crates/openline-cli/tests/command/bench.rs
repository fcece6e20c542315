//! `openline bench`.

use nix::sys::signal::Signal;
use openline::Server;
use openline::testing::EchoServer;
use serde_json::Value;

use crate::running::{Running, run, temporary};

fn json(args: &[&str]) -> Value {
    let finished = run(&[&["bench", "--json"], args].concat(), "");
    assert_eq!(finished.status, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn a_closed_loop_is_measured() {
    let server = EchoServer::start().unwrap();
    let report = json(&["-c", "3", "-d", "0.3", "-s", "1000", server.uri()]);
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!(number("answered") > 0.0 && number("answered") <= number("sent"), "{report}");
    assert_eq!((number("connections"), number("size"), number("seconds")), (3.0, 1000.0, 0.3));
    let latency = |name: &str| report["latency_ns"][name].as_f64().unwrap();
    // Each connection waits for an answer most of the time.
    let waited = latency("mean") / 1e9 * number("answered");
    assert!(latency("min") > 0.0 && (0.1..=0.95).contains(&waited), "{waited} s: {report}");
    assert!(latency("p50") <= latency("p99") && latency("p99") <= latency("max"), "{report}");
    assert_eq!(server.take_requests().len(), 3);
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let server = EchoServer::start().unwrap();
    let report = json(&["-c", "2", "-d", "1", "-r", "100", "--binary", server.uri()]);
    assert_eq!((&report["sent"], &report["answered"]), (&100.into(), &100.into()), "{report}");
    assert_eq!(report["rate"], 100.0);
}

#[test]
fn people_get_a_table() {
    let server = EchoServer::start().unwrap();
    let finished = run(&["bench", "-d", "0.1", server.uri()], "");
    assert_eq!(finished.status, Some(0), "{finished:?}");
    for part in ["1 connection, 64 bytes, closed loop, 0.1 s", "rate ", "p99 ", " ms\n"] {
        assert!(finished.stdout.contains(part), "{finished:?}");
    }
    assert_eq!(finished.stderr, "", "the bar is for terminals");
}

#[test]
fn the_latency_is_drawn() {
    let server = EchoServer::start().unwrap();
    let path = temporary("bench.svg");
    let file = path.to_str().unwrap();
    let finished = run(&["bench", "-d", "0.1", "--plot", file, server.uri()], "");
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    let svg = std::fs::read_to_string(&path).unwrap();
    let title = finished.stdout.lines().next().unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    for text in [title, "latency, ", "percentile of the messages", "share of the messages, %"] {
        assert!(svg.contains(text), "no {text} in {svg}");
    }
    std::fs::remove_file(path).unwrap();
    run(&["bench", "--plot", "/nonexistent/a.svg", server.uri()], "")
        .failed(2, "cannot write to /nonexistent/a.svg");
}

#[test]
fn ctrl_c_ends_early_with_the_figures_so_far() {
    let server = EchoServer::start().unwrap();
    let mut command = Running::start(&["bench", "-vv", "-r", "0.01", "-d", "600", server.uri()]);
    command.wait_for("< TEXT ");
    command.signal(Signal::SIGINT);
    let finished = command.finish();
    assert!(finished.stdout.contains(" of 1 messages"), "{finished:?}");
    assert!(finished.stderr.contains("> CLOSE 1001 (going away)"), "{finished:?}");
}

#[test]
fn a_server_that_does_not_hold_is_a_failure() {
    let server = EchoServer::options().close_after(1, 4000, "enough").start().unwrap();
    let finished = run(&["bench", "-d", "60", server.uri()], "");
    finished.failed(1, "lost 1 connection: received 4000 (private use) enough");
    assert!(finished.stdout.contains("lost        1 connection\n"), "{finished:?}");
    let silent =
        Server::bind("127.0.0.1:0").unwrap().serve(|connection| while connection.recv().is_ok() {});
    let uri = format!("ws://{}/", silent.as_ref().unwrap().address());
    run(&["bench", "-d", "0.1", &uri], "").failed(1, "no message was answered");
    run(&["bench", "ws://127.0.0.1:1/"], "").failed(2, "Connection refused");
    run(&["bench", "-r", "0", &uri], "").failed(2, "has to be from 0.001");
}
