//! `openline replay`.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use openline::testing::EchoServer;
use openline::{Client, CloseCode, Error};

use crate::record::Recording;
use crate::running::{Running, run};

/// A recording of these lines behind a head.
fn recording(name: &str, lines: &[&str]) -> Recording {
    let file = Recording::new(name);
    let head = r#"{"openline_session":1,"subprotocol":"chat"}"#;
    let text: String = [&[head], lines].concat().iter().flat_map(|line| [*line, "\n"]).collect();
    std::fs::write(&file.0, text).unwrap();
    file
}

const HELLO: &str = r#"{"at_ns":1000,"from":"client","kind":"text","data":"hello"}"#;
const HELLO_BACK: &str = r#"{"at_ns":2000,"from":"server","kind":"text","data":"hello"}"#;
const BYTES: &str = r#"{"at_ns":300000000,"from":"client","kind":"binary","base64":"AAE="}"#;
const BYTES_BACK: &str = r#"{"at_ns":300001000,"from":"server","kind":"binary","base64":"AAE="}"#;
const END: &str = r#"{"at_ns":300002000,"kind":"end","first":"client","client":{"code":4000,"reason":"bye"},"server":{"code":4000,"reason":"bye"}}"#;
const SERVER_ENDS: &str = r#"{"at_ns":300002000,"kind":"end","first":"server","client":{"code":1000,"reason":"bye"},"server":{"code":1000,"reason":"bye"}}"#;

fn session(name: &str) -> Recording {
    recording(name, &[HELLO, HELLO_BACK, BYTES, BYTES_BACK, END])
}

#[test]
fn the_same_server_gives_the_same_answers() {
    let server = EchoServer::options().subprotocols(["chat"]).start().unwrap();
    let file = session("replay-same");
    let started = Instant::now();
    let replay = ["replay", file.path(), "-W", "30", "--to", server.uri()];
    run(&replay, "").printed("2 sent, 2 answers, 0 different\n");
    assert!(started.elapsed() >= Duration::from_millis(300), "when they had been sent");
    let fast = [&replay[..], &["--speed", "max", "-vv"]].concat();
    let finished = run(&fast, "");
    finished.printed("2 sent, 2 answers, 0 different\n");
    assert!(finished.stderr.contains("> CLOSE 4000 (private use) bye"), "{finished:?}");
    let offered = |request: &openline::http::Request| {
        request.headers.get("Sec-WebSocket-Protocol").map(str::to_owned)
    };
    assert_eq!(offered(&server.take_requests()[0]).as_deref(), Some("chat"));
}

#[test]
fn what_was_recorded_can_be_replayed() {
    let server = EchoServer::options().welcome(["welcome"]).start().unwrap();
    let file = Recording::new("replay-recorded");
    let input = "one\ntwo\nthree\n";
    let finished = run(&["record", server.uri(), file.path()], input);
    finished.printed("welcome\none\ntwo\nthree\n");
    for speed in ["1", "max"] {
        let replay = ["replay", "-W", "30", "--speed", speed, file.path(), "--to"];
        run(&[&replay[..], &[server.uri()]].concat(), "")
            .printed("3 sent, 4 answers, 0 different\n");
    }
}

#[test]
fn differences_are_told() {
    let file = session("replay-other");
    let replay = ["replay", file.path(), "--speed", "0", "-W", "30", "--to"];
    let server = EchoServer::options().welcome(["welcome"]).start().unwrap();
    let finished = run(&[&replay[..], &[server.uri()]].concat(), "");
    finished.failed(1, "openline: 3 differences from the recording");
    let expected = "answer 1: \"welcome\", recorded: \"hello\"\n\
                    answer 2: \"hello\", recorded: 2 bytes: 00 01\n\
                    answer 3: 2 bytes: 00 01, recorded: none\n\
                    2 sent, 3 answers, 3 different\n";
    assert_eq!(finished.stdout, expected);

    let server = EchoServer::options().close_after(1, 1000, "early").start().unwrap();
    let finished = run(&[&replay[..], &[server.uri()]].concat(), "");
    finished.failed(1, "2 differences");
    let close = "close: 1000 (OK) early by the server, recorded: not by the server\n\
                 answer 2: none, recorded: 2 bytes: 00 01\n";
    assert!(finished.stdout.starts_with(close), "{finished:?}");

    let file = recording("replay-ends", &[HELLO, HELLO_BACK, SERVER_ENDS]);
    let server = EchoServer::options().close_after(1, 1000, "bye").start().unwrap();
    run(&["replay", "-W", "30", file.path(), "--to", server.uri()], "")
        .printed("1 sent, 1 answers, 0 different\n");
    let server = EchoServer::start().unwrap();
    let finished = run(&["replay", "-W", "2", file.path(), "--to", server.uri()], "");
    finished.failed(1, "1 difference from the recording");
    let close = "close: not by the server, recorded: 1000 (OK) bye by the server\n";
    assert!(finished.stdout.starts_with(close), "{finished:?}");
}

/// Starts it as a server; where it is.
fn serve(file: &Recording, args: &[&str]) -> (Running, String) {
    let fixed = ["replay", file.path(), "--listen", "127.0.0.1:0"];
    let mut server = Running::start(&[&fixed[..], args].concat());
    let line = server.wait_for("playing at ");
    let uri = line.strip_prefix("playing at ").unwrap().to_owned();
    (server, uri)
}

#[test]
fn each_client_gets_what_the_recorded_one_got() {
    let greeting = r#"{"at_ns":0,"from":"server","kind":"text","data":"welcome"}"#;
    let file =
        recording("replay-server", &[greeting, HELLO, HELLO_BACK, BYTES, BYTES_BACK, SERVER_ENDS]);
    let (mut server, uri) = serve(&file, &["--speed", "max"]);
    for number in 1..=2 {
        let line = Client::new().subprotocols(["chat"]).connect(&uri).unwrap();
        assert_eq!(line.subprotocol(), Some("chat"));
        assert_eq!(line.recv().unwrap(), "welcome".into());
        line.send("good morning").unwrap();
        assert_eq!(line.recv().unwrap(), "hello".into());
        line.send(&[0, 1]).unwrap();
        assert_eq!(line.recv().unwrap(), vec![0, 1].into());
        let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
        assert_eq!(closed.received().map(|close| close.reason()), Some("bye"));
        let told = server.wait_for("message 1: ");
        let expected = format!("client {number}: message 1: \"good morning\", recorded: \"hello\"");
        assert_eq!(told, expected);
        server.wait_for("the whole session");
    }
    drop(openline::connect(&uri).unwrap());
    server.wait_for("client 3: left before the end of the session");
    let line = openline::connect(&uri).unwrap();
    assert_eq!(line.recv().unwrap(), "welcome".into());
    server.signal(Signal::SIGINT);
    let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    assert_eq!(closed.received().map(|close| close.code()), Some(CloseCode::GOING_AWAY));
    server.finish().printed("");
}

#[test]
fn both_sides_of_a_recording_fit() {
    let file = session("replay-both");
    let (_server, uri) = serve(&file, &[]);
    let started = Instant::now();
    let finished = run(&["replay", "-W", "30", file.path(), "--to", &uri], "");
    finished.printed("2 sent, 2 answers, 0 different\n");
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_server_takes_its_time() {
    let tick = r#"{"at_ns":400000000,"from":"server","kind":"text","data":"tick"}"#;
    let file = recording("replay-pace", &[HELLO, tick]);
    let (_server, uri) = serve(&file, &["--speed", "2"]);
    let line = openline::connect(&uri).unwrap();
    let started = Instant::now();
    line.send("hello").unwrap();
    assert_eq!(line.recv().unwrap(), "tick".into());
    assert!(started.elapsed() >= Duration::from_millis(190), "half the time");
}

#[test]
fn a_bad_file_is_refused_with_the_line() {
    let server = EchoServer::start().unwrap();
    let refused = |file: &Recording, text: &str| {
        let finished = run(&["replay", file.path(), "--to", server.uri()], "");
        finished.failed(2, &format!("{}, line {text}", file.path()));
    };
    let file = recording("replay-bad", &[HELLO, "{\"at_ns\":1}"]);
    refused(&file, "3: at_ns is less than in the line before");
    let file = recording("replay-worse", &[HELLO, "hello"]);
    refused(&file, "3: is no JSON: expected value at line 1 column 1");
    std::fs::write(&file.0, "").unwrap();
    refused(&file, "1: is not there: the file is empty");
    std::fs::write(&file.0, "{\"openline_session\":9}").unwrap();
    refused(&file, "1: openline_session is 9; this openline understands 1");
    assert_eq!(server.take_requests().len(), 0, "nothing was opened");
    let missing = ["replay", "/nonexistent", "--to", server.uri()];
    run(&missing, "").failed(2, "cannot read /nonexistent: No such file");
}

#[test]
fn one_side_has_to_be_chosen() {
    let file = session("replay-sides");
    run(&["replay", file.path()], "").failed(2, "--to <URI>|--listen <ADDRESS>");
    let both = ["replay", file.path(), "--to", "ws://a/", "--listen", "a:1"];
    run(&both, "").failed(2, "cannot be used with");
    run(&["replay", file.path(), "--listen", "a:1", "-H", "A: b"], "").failed(2, "cannot be used");
    run(&["replay", file.path(), "--to", "ws://127.0.0.1:1/"], "").failed(2, "Connection refused");
}

#[test]
fn a_replay_can_be_interrupted() {
    let late = r#"{"at_ns":600000000000,"from":"client","kind":"text","data":"late"}"#;
    let file = recording("replay-interrupted", &[late]);
    let server = EchoServer::start().unwrap();
    let args = ["replay", "-v", file.path(), "--to", server.uri()];
    let mut command = Running::start(&args);
    command.wait_for("connection is OPEN");
    command.signal(Signal::SIGINT);
    assert_eq!(command.finish().status, Some(130));
}
