//! What `openline connect` sends and prints.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use openline::testing::EchoServer;
use openline::{Kind, Message, Server};
use serde_json::Value;

use crate::running::run;

#[test]
fn json_has_direction_and_time() {
    let server = EchoServer::options().welcome([Message::Binary(vec![0, 255])]).start().unwrap();
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let finished = run(&["connect", "--json", server.uri()], "say \"hi\"\n");
    let lines: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let by = |direction: &str| {
        lines.iter().filter(|line| line["direction"] == direction).collect::<Vec<_>>()
    };
    let (sent, received) = (by("sent"), by("received"));
    assert_eq!((sent.len(), received.len(), lines.len()), (1, 2, 4), "{lines:?}");
    assert_eq!((&sent[0]["kind"], &sent[0]["data"]), (&"text".into(), &"say \"hi\"".into()));
    assert_eq!((&received[0]["kind"], &received[0]["base64"]), (&"binary".into(), &"AP8=".into()));
    assert_eq!(received[1]["data"], "say \"hi\"");
    assert_eq!(lines[3]["kind"], "close");
    assert_eq!(lines[3]["received"]["code"], 1000);
    let stamps: Vec<u64> = lines.iter().map(|line| line["time_ns"].as_u64().unwrap()).collect();
    assert!(u128::from(stamps[0]) >= before && stamps[3] >= stamps[0], "{stamps:?}");
}

#[test]
fn base64_carries_bytes_in_lines() {
    let server = EchoServer::options().welcome(["text"]).start().unwrap();
    run(&["connect", "--base64", server.uri()], "AP8K\n").printed("dGV4dA==\nAP8K\n");
    run(&["connect", "--base64", server.uri()], "AP8K\nnot!\n").failed(2, "line 2 of the input");
}

#[test]
fn binary_carries_bytes_as_they_are() {
    let server = Server::bind("127.0.0.1:0").unwrap().serve(|connection| {
        while let Ok(message) = connection.recv() {
            assert_eq!(message.kind(), Kind::Binary);
            if connection.send(&message).is_err() {
                return;
            }
        }
    });
    let server = server.unwrap();
    let uri = format!("ws://{}/", server.address());
    run(&["connect", "--binary", &uri], "a\nb\0c").printed("a\nb\0c");
}

#[test]
fn what_is_no_text_is_not_sent_as_one() {
    let server = EchoServer::start().unwrap();
    let mut child = crate::running::openline(&["connect", server.uri()]).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"fine\n\xff\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("line 2 of the input is not UTF-8"), "{text}");
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    let number = AtomicU32::new(0);
    let server = Server::bind("127.0.0.1:0").unwrap().serve(move |connection| {
        let _ = connection.send(&connection.recv().unwrap()); // the preamble
        if number.fetch_add(1, Ordering::Relaxed) == 1 {
            let _ = connection.send("enough");
            let _ = connection.recv();
        }
        let _ = connection.close(4000, "again");
    });
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let args = ["connect", "-n", "--reconnect", "--preamble", "subscribe", "-e", "enough", &uri];
    let finished = run(&args, "");
    finished.printed("subscribe\nsubscribe\nenough\n");
    let text =
        "connection lost, reconnecting: closed by the peer: received 4000 (private use) again";
    assert!(finished.stderr.contains(text), "{finished:?}");
}

#[test]
fn figures_are_written_at_the_end() {
    let server = EchoServer::start().unwrap();
    let format =
        "%{messages_sent} %{messages_received} %{connections} %{http_code} %{close_code}\\n";
    run(&["connect", "-w", format, server.uri()], "a\nb\n").printed("a\nb\n2 2 1 101 1000\n");
    let format = "%{time_tcp} %{time_dns}";
    let finished = run(&["connect", "-w", format, server.uri()], "");
    let (tcp, dns) = finished.stdout.split_once(' ').unwrap();
    assert!(tcp.parse::<f64>().unwrap() > 0.0);
    assert_eq!(dns, "0.000000");
    run(&["connect", "-w", "%{tim}", server.uri()], "").failed(2, "unknown figure \"tim\"");
    let server = EchoServer::options().basic_auth("ann", "secret").start().unwrap();
    let finished = run(&["connect", "-w", "%{http_code}", server.uri()], "");
    finished.failed(2, "HTTP 401");
    assert_eq!(finished.stdout, "401");
}

#[test]
fn what_happens_is_shown() {
    let server = EchoServer::start().unwrap();
    let finished = run(&["connect", "-v", server.uri()], "hi\n");
    for line in ["> GET / HTTP/1.1\n", "< HTTP/1.1 101 Switching Protocols\n", "* opened in "] {
        assert!(finished.stderr.contains(line), "{finished:?}");
    }
    assert!(!finished.stderr.contains("TEXT"), "{finished:?}");
    assert!(!finished.stderr.contains('\x1b'), "no terminal: {finished:?}");
    let finished = run(&["connect", "-vv", server.uri()], "hi\n");
    assert!(finished.stderr.contains("> TEXT 'hi' [2 bytes]\n"), "{finished:?}");
    assert!(finished.stderr.contains("< CLOSE 1000 (OK) [2 bytes]\n"), "{finished:?}");
}
