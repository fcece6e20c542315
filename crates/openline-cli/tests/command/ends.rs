//! How `openline connect` ends, and what status it has then.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use openline::testing::EchoServer;
use openline::{CloseCode, Connection, Error, RunningServer, Server};

use crate::running::{Running, run};

/// A server that does this with each connection.
fn server(serve: impl Fn(Connection) + Send + Sync + 'static) -> (RunningServer, String) {
    let server = Server::bind("127.0.0.1:0").unwrap().serve(serve).unwrap();
    let uri = format!("ws://{}/", server.address());
    (server, uri)
}

#[test]
fn exit_status_tells_how_it_ended() {
    let server = EchoServer::options().close_after(0, 4000, "go away").start().unwrap();
    run(&["connect", server.uri()], "").failed(1, "4000 (private use) go away");
    let text = "openline: http://localhost/ isn't a valid URI";
    run(&["connect", "http://localhost/"], "").failed(2, text);
    run(&["connect", "ws://127.0.0.1:1/"], "").failed(2, "Connection refused");
    run(&["fly"], "").failed(2, "unrecognized subcommand");
}

#[test]
fn one_message_is_enough() {
    let server = EchoServer::options().welcome(["first", "second"]).start().unwrap();
    run(&["connect", "-1", server.uri()], "").printed("first\n");
    run(&["connect", "-1", "-n", server.uri()], "").printed("first\n");
    let server = EchoServer::options().close_after(0, 1000, "").start().unwrap();
    run(&["connect", "-1", server.uri()], "").failed(1, "no message came before the server closed");
}

#[test]
fn an_answer_is_waited_for_after_the_end_of_the_input() {
    let (_server, uri) = server(|connection| {
        let Ok(question) = connection.recv() else { return };
        std::thread::sleep(Duration::from_millis(100)); // the input has long ended
        let _ = connection.send(&question);
        let _ = connection.recv();
    });
    run(&["connect", "-1", &uri], "question\n").printed("question\n");
    run(&["connect", "--linger", "0.5", &uri], "question\n").printed("question\n");
}

#[test]
fn a_message_that_matches_is_enough() {
    let server = EchoServer::start().unwrap();
    let finished = run(&["connect", "-e", "^b+$", server.uri()], "a\nbbb\nc\n");
    assert!(finished.stdout.starts_with("a\nbbb\n"), "{finished:?}");
    assert_eq!(finished.status, Some(0));
    let started = Instant::now();
    let finished = run(&["connect", "-e", "^x$", "-t", "1", server.uri()], "a\n");
    finished.failed(1, "openline: no message that matches ^x$ came in time");
    assert!(started.elapsed() >= Duration::from_secs(1));
    run(&["connect", "-e", "(", server.uri()], "").failed(2, "unclosed group");
}

#[test]
fn the_time_is_over() {
    let server = EchoServer::options().welcome(["hello"]).start().unwrap();
    run(&["connect", "-n", "-t", "2", server.uri()], "").printed("hello\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", silent.local_addr().unwrap());
    run(&["connect", "-t", "0.2", &uri], "").failed(2, "timed out while opening the connection");
}

#[test]
fn the_server_hears_code_and_reason() {
    let (closed, heard) = std::sync::mpsc::channel();
    let (_server, uri) = server(move |connection| {
        let Err(Error::Closed(how)) = connection.recv() else { return };
        closed.send(how.received().cloned().unwrap()).unwrap();
    });
    run(&["connect", &uri], "").printed("");
    assert_eq!(heard.recv().unwrap().code(), CloseCode::NORMAL_CLOSURE);
    run(&["connect", "--close-code", "4001", "--close-reason", "enough", &uri], "");
    assert_eq!(heard.recv().unwrap().to_string(), "4001 (private use) enough");

    let mut command = Running::start(&["connect", "-n", "-v", &uri]);
    command.wait_for("connection is OPEN");
    command.signal(Signal::SIGINT);
    assert_eq!(heard.recv().unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(command.finish().status, Some(130));

    let finished = run(&["connect", "--close-code", "1006", &uri], "");
    finished.failed(2, "1006");
}

#[test]
fn a_connect_can_be_interrupted() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", silent.local_addr().unwrap());
    let command = Running::start(&["connect", &uri]);
    let (_client, _) = silent.accept().unwrap();
    command.signal(Signal::SIGTERM);
    let finished = command.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(143), ""));
}

#[test]
fn who_asks_twice_is_obeyed_at_once() {
    let (server, uri) = server(|_connection| {
        loop {
            std::thread::park();
        }
    });
    std::mem::forget(server); // its handler does not return
    // More messages than it takes, so that it does not come to the Close frame behind them.
    let mut args = vec!["connect", "-n", "-vv", "--close-timeout", "600", &uri];
    args.extend(["--preamble", "unheard"].repeat(100));
    let mut command = Running::start(&args);
    command.wait_for("> TEXT 'unheard'");
    command.signal(Signal::SIGINT);
    command.wait_for("connection is CLOSING");
    command.signal(Signal::SIGTERM);
    assert_eq!(command.finish().status, Some(143));
}

#[test]
fn ctrl_c_is_heard_in_a_flood() {
    let (_server, uri) = server(|connection| while connection.send("again").is_ok() {});
    let mut command = Running::start(&["connect", "-n", &uri]);
    let mut output = BufReader::new(command.child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    command.signal(Signal::SIGINT);
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    assert_eq!(command.finish().status, Some(130));
}

#[test]
fn a_broken_pipe_is_no_error() {
    let (_server, uri) = server(|connection| while connection.send("again").is_ok() {});
    let mut command = Running::start(&["connect", "-n", &uri]);
    let mut line = String::new();
    BufReader::new(command.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let finished = command.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
}
