//! `openline echo`.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::running::{Identity, Running, run, temporary};

/// Starts it with these arguments; where it is.
fn start(args: &[&str]) -> (Running, String) {
    let mut server = Running::start(&[&["echo"], args].concat());
    let line = server.wait_for("echoing at ");
    let address = line.strip_prefix("echoing at ").unwrap().to_owned();
    (server, address)
}

/// What it answers to this request.
fn ask(uri: &str, request: &str) -> String {
    let address = uri.strip_prefix("ws://").unwrap().trim_end_matches('/');
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "{request} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn lines_become_messages_and_messages_lines() {
    let (server, uri) = start(&["127.0.0.1:0"]);
    run(&["connect", &uri], "one\ntwo\r\n\nlast").printed("one\ntwo\n\nlast\n");
    server.signal(Signal::SIGINT);
    server.finish().printed("");
}

#[test]
fn ctrl_c_closes_its_connections() {
    let (server, uri) = start(&["127.0.0.1:0"]);
    let mut client = Running::start(&["connect", "-n", "-vv", &uri]);
    client.wait_for("connection is OPEN");
    server.signal(Signal::SIGINT);
    client.wait_for("< CLOSE 1001 (going away)");
    assert_eq!(client.finish().status, Some(0));
    server.finish().printed("");
}

#[test]
fn a_browser_gets_a_page() {
    let (_server, uri) = start(&["127.0.0.1:0"]);
    for request in ["GET /", "GET /?"] {
        let answer = ask(&uri, request);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"), "{answer}");
        assert!(answer.ends_with("</html>\n"), "{answer}");
    }
    assert!(ask(&uri, "GET /favicon.ico").starts_with("HTTP/1.1 426 "));
}

#[test]
fn it_listens_on_a_unix_socket() {
    let path = temporary("echo.sock");
    let path = path.to_str().unwrap();
    let (server, address) = start(&[&format!("unix:{path}")]);
    assert_eq!(address, format!("unix:{path}"));
    run(&["connect", "--unix-socket", path, "ws://localhost/"], "hi\n").printed("hi\n");
    run(&["echo", &address], "").failed(2, "cannot listen on");
    server.signal(Signal::SIGTERM);
    server.finish().printed("");
    assert!(!std::path::Path::new(path).exists());
}

#[test]
fn it_speaks_tls() {
    let identity = Identity::new("echo");
    let (cert, key) = (identity.cert.to_str().unwrap(), identity.key.to_str().unwrap());
    let (_server, uri) = start(&["--cert", cert, "--key", key, "127.0.0.1:0"]);
    let uri = uri.replace("127.0.0.1", "localhost");
    assert!(uri.starts_with("wss://"), "{uri}");
    run(&["connect", "--ca-file", cert, &uri], "hi\n").printed("hi\n");
}

#[test]
fn where_it_cannot_listen_is_told() {
    run(&["echo", "8765"], "").failed(2, "has no port: give HOST:PORT or unix:PATH");
    run(&["echo", "unix:"], "").failed(2, "has no path");
    run(&["echo", "192.0.2.1:0"], "").failed(2, "cannot listen on 192.0.2.1:0");
    run(&["echo", "127.0.0.1:0", "--cert", "a", "--key", "b"], "").failed(2, "cannot use a");
}
