//! `openline record`.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use openline::testing::EchoServer;
use openline::{CloseCode, Error, Server};
use serde_json::{Value, json};

use crate::running::{Running, run, temporary};

/// A file for a recording, removed when it is dropped.
pub(crate) struct Recording(pub(crate) PathBuf);

impl Recording {
    pub(crate) fn new(name: &str) -> Recording {
        Recording(temporary(&format!("{name}.jsonl")))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Its lines, without the times, which go forward.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).unwrap();
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut last = 0;
        for line in &mut lines[1..] {
            let at = line.as_object_mut().unwrap().remove("at_ns").unwrap().as_u64().unwrap();
            assert!(at >= last, "{text}");
            last = at;
        }
        lines
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn text(from: &str, data: &str) -> Value {
    json!({"from": from, "kind": "text", "data": data})
}

#[test]
fn a_session_by_hand_is_recorded() {
    let server = EchoServer::options().subprotocols(["chat"]).basic_auth("ann", "secret");
    let server = server.start().unwrap();
    let file = Recording::new("record-hand");
    let args = ["record", "-p", "chat", "-u", "ann:secret", "--preamble", "first", server.uri()];
    let finished = run(&[&args[..], &[file.path()]].concat(), "hällo\n");
    finished.printed("first\nhällo\n");
    assert_eq!(finished.stderr, format!("4 messages in {}\n", file.path()));
    let lines = file.lines();
    let head = &lines[0];
    assert_eq!((&head["openline_session"], &head["subprotocol"]), (&json!(1), &json!("chat")));
    assert_eq!((&head["uri"], &head["response"]["status"]), (&json!(server.uri()), &json!(101)));
    assert!(head["time_ns"].as_u64().unwrap() > 1_700_000_000_000_000_000, "{head}");
    let headers = head["request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["Authorization", "(not recorded)"])), "{head}");
    // What was sent when is up to the server; each is in its place among those of its side.
    let of = |side: &str| -> Vec<_> { lines.iter().filter(|line| line["from"] == side).collect() };
    assert_eq!(of("client"), [&text("client", "first"), &text("client", "hällo")]);
    assert_eq!(of("server"), [&text("server", "first"), &text("server", "hällo")]);
    let normal = json!({"code": 1000, "reason": ""});
    let end = json!({"kind": "end", "first": "client", "client": normal, "server": normal,
                     "cause": "closed by this side"});
    assert_eq!(lines.last(), Some(&end));
}

#[test]
fn bytes_are_base64_and_a_bad_end_is_recorded_too() {
    let server = EchoServer::options().close_after(1, 4000, "enough").start().unwrap();
    let file = Recording::new("record-bytes");
    let finished =
        run(&["record", "--base64", "--linger", "30", server.uri(), file.path()], "AAE=\n");
    finished.failed(1, "received 4000 (private use) enough");
    assert_eq!(finished.stdout, "AAE=\n");
    let lines = file.lines();
    let bytes = |from: &str| json!({"from": from, "kind": "binary", "base64": "AAE="});
    assert_eq!(lines[1..3], [bytes("client"), bytes("server")]);
    assert_eq!((&lines[3]["first"], &lines[3]["server"]["code"]), (&json!("server"), &json!(4000)));
}

#[test]
fn ctrl_c_ends_a_recording() {
    let server = EchoServer::options().welcome(["hello"]).start().unwrap();
    let file = Recording::new("record-end");
    let mut command = Running::start(&["record", "-n", "-vv", server.uri(), file.path()]);
    command.wait_for("< TEXT 'hello'");
    command.signal(Signal::SIGINT);
    assert_eq!(command.finish().status, Some(0));
    let lines = file.lines();
    assert_eq!(lines[1], text("server", "hello"));
    assert_eq!(lines[2]["client"]["code"], 1001);
    let silent = Recording::new("record-time");
    run(&["record", "-n", "-t", "2", server.uri(), silent.path()], "").printed("hello\n");
    run(&["record", "-n", server.uri(), "/nonexistent/file"], "").failed(2, "cannot write to /non");
    run(&["record", "-n", "ws://127.0.0.1:1/", silent.path()], "").failed(2, "Connection refused");
}

/// Starts it between a client and this server; where to connect to.
fn between(server: &str, file: &Recording, args: &[&str]) -> (Running, String) {
    let fixed = ["record", "--listen", "127.0.0.1:0", server, file.path()];
    let mut command = Running::start(&[&fixed[..], args].concat());
    let line = command.wait_for("recording at ");
    let uri = line.strip_prefix("recording at ").unwrap().to_owned();
    (command, uri)
}

#[test]
fn a_client_and_a_server_do_not_notice_the_recorder_between_them() {
    let server = EchoServer::options().subprotocols(["chat"]).start().unwrap();
    let file = Recording::new("record-between");
    let (recorder, uri) = between(server.uri(), &file, &[]);
    let client = openline::Client::new().subprotocols(["chat"]).origin("http://a.example");
    let client = client.header("X-Token", "1").unwrap().header("Cookie", "a=b").unwrap();
    let line = client.connect(&uri).unwrap();
    assert_eq!(line.subprotocol(), Some("chat"));
    line.send("hello").unwrap();
    assert_eq!(line.recv().unwrap(), "hello".into());
    line.send(&[0, 1]).unwrap();
    assert_eq!(line.recv().unwrap(), vec![0, 1].into());
    line.close(4001, "done").unwrap();
    let finished = recorder.finish();
    // As for connect: 4001 says that something was wrong.
    finished.failed(1, "4001");
    let request = &server.take_requests()[0];
    for (name, value) in [("Origin", "http://a.example"), ("X-Token", "1"), ("Cookie", "a=b")] {
        assert_eq!(request.headers.get_all(name).collect::<Vec<_>>(), [value]);
    }
    let lines = file.lines();
    assert_eq!(lines[1..3], [text("client", "hello"), text("server", "hello")]);
    let end = &lines[5];
    assert_eq!((&end["first"], &end["client"]["code"]), (&json!("client"), &json!(4001)));
    assert_eq!(end["client"]["reason"], "done");
    assert!(!std::fs::read_to_string(&file.0).unwrap().contains("a=b"), "a cookie");
}

#[test]
fn the_client_hears_how_the_server_closes() {
    let server = EchoServer::options().close_after(1, 1000, "that is all").start().unwrap();
    let file = Recording::new("record-close");
    let (recorder, uri) = between(server.uri(), &file, &[]);
    let line = openline::connect(&uri).unwrap();
    line.send("hello").unwrap();
    assert_eq!(line.recv().unwrap(), "hello".into());
    let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    assert_eq!(closed.received().map(|close| close.reason()), Some("that is all"));
    assert_eq!(recorder.finish().status, Some(0));
    assert_eq!(file.lines()[3]["first"], "server");
}

#[test]
fn ctrl_c_ends_it_between_a_client_and_a_server() {
    let server = EchoServer::start().unwrap();
    let file = Recording::new("record-interrupted");
    let (recorder, _) = between(server.uri(), &file, &[]);
    recorder.signal(Signal::SIGINT); // nobody has come
    assert_eq!(recorder.finish().status, Some(0));
    let (recorder, uri) = between(server.uri(), &file, &[]);
    let line = openline::connect(&uri).unwrap();
    recorder.signal(Signal::SIGINT);
    let Err(Error::Closed(closed)) = line.recv() else { panic!("received") };
    assert_eq!(closed.received().map(|close| close.code()), Some(CloseCode::GOING_AWAY));
    assert_eq!(recorder.finish().status, Some(0));
}

#[test]
fn a_server_that_cannot_be_reached_is_told_to_the_client() {
    let file = Recording::new("record-unreachable");
    let (recorder, uri) = between("ws://127.0.0.1:1/", &file, &[]);
    let Err(Error::Handshake(error)) = openline::connect(&uri) else { panic!("connected") };
    assert!(error.to_string().contains("502"), "{error}");
    recorder.finish().failed(2, "Connection refused");
    // Another client of HTTP is sent away, and the next one is waited for.
    let server = Server::bind("127.0.0.1:0").unwrap().serve(|connection| drop(connection.recv()));
    let server_uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let (recorder, uri) = between(&server_uri, &file, &["-t", "30"]);
    let mut browser = std::net::TcpStream::connect(&uri[5..uri.len() - 1]).unwrap();
    std::io::Write::write_all(&mut browser, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut browser, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    openline::connect(&uri).unwrap().close(1000, "").unwrap();
    assert_eq!(recorder.finish().status, Some(0));
    run(&["record", "--listen", "unix:/a", &uri, file.path()], "").failed(2, "is no HOST:PORT");
    run(&["record", "--listen", "[::1]:0", "-n", &uri, file.path()], "").failed(2, "--no-input");
}
