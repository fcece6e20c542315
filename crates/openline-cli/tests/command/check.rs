//! `openline check`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;
use openline::Server;
use openline::testing::EchoServer;
use serde_json::Value;

use crate::running::{Identity, Running, run};

fn json(args: &[&str]) -> (Option<i32>, Value) {
    let finished = run(&[&["check", "--json", "-W", "30"], args].concat(), "");
    let report = serde_json::from_str(&finished.stdout);
    (finished.status, report.unwrap_or_else(|error| panic!("{error}: {finished:?}")))
}

/// The verdict on one check.
fn verdict<'r>(report: &'r Value, name: &str) -> (&'r str, &'r str) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {report}"));
    (check["verdict"].as_str().unwrap(), check["text"].as_str().unwrap())
}

#[test]
fn our_own_server_passes() {
    let server = EchoServer::options().subprotocols(["chat"]).start().unwrap();
    let (status, report) = json(&["-p", "chat", "--echo", "yes", server.uri()]);
    assert_eq!(status, Some(0), "{report}");
    assert_eq!(report["summary"]["ok"], 21, "{report}");
    assert_eq!(report["summary"]["odd"], 0, "{report}");
    assert_eq!((&report["echoes"], &report["status"]), (&true.into(), &101.into()), "{report}");
    assert_eq!(report["subprotocol"], "chat");
    assert!(report["extensions"].as_str().unwrap().starts_with("permessage-deflate"), "{report}");
    assert!(report["timings_ns"]["http"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["tls"], Value::Null);
    let utf8 = verdict(&report, "text that is not UTF-8");
    assert_eq!(utf8.0, "ok", "{report}");
    assert!(utf8.1.starts_with("refused with 1007 (invalid frame payload data)"), "{report}");
    assert_eq!(verdict(&report, "compressed message"), ("ok", "came back"));
}

#[test]
fn people_get_a_table() {
    let server = EchoServer::start().unwrap();
    let finished = run(&["check", "-W", "30", "--compression", "off", server.uri()], "");
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    for part in [
        "\nstatus       HTTP/1.1 101 Switching Protocols\n",
        "\nextensions   none\n",
        "\necho         yes\n",
        "\nok     frame without a mask        refused with 1002 (protocol error)",
        "\n20 checks: 20 ok, 0 odd, 0 failed\n",
    ] {
        assert!(finished.stdout.contains(part), "no {part} in {}", finished.stdout);
    }
}

#[test]
fn a_certificate_is_shown() {
    let identity = Identity::new("check");
    let server = EchoServer::options().tls(identity.server.clone()).start().unwrap();
    let cert = identity.cert.to_str().unwrap();
    let uri = server.uri().replace("127.0.0.1", "localhost");
    let (status, report) = json(&["--ca-file", cert, &uri]);
    assert_eq!((status, &report["summary"]["failed"]), (Some(0), &0.into()), "{report}");
    assert_eq!(report["tls"]["version"], "TLSv1_3");
    assert_eq!(report["tls"]["certificate"]["names"][0], "localhost");
    let finished = run(&["check", "--gentle", "--ca-file", cert, &uri], "");
    for part in ["\ntls          TLSv1_3, TLS13_", "\nnames        localhost\n", " days left\n"] {
        assert!(finished.stdout.contains(part), "no {part} in {finished:?}");
    }
    run(&["check", &uri], "").failed(2, "certificate");
}

#[test]
fn nothing_is_broken_if_that_is_not_wanted() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ends = heard.clone();
    let server = Server::bind("127.0.0.1:0").unwrap().serve(move |connection| {
        ends.lock().unwrap().push(connection.recv().unwrap_err().to_string());
    });
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let (status, report) = json(&["--gentle", "--idle", "0.2", &uri]);
    assert_eq!(status, Some(0), "{report}");
    assert_eq!(
        (&report["summary"]["ok"], &report["echoes"]),
        (&4.into(), &Value::Null),
        "{report}"
    );
    assert_eq!(verdict(&report, "idle line"), ("ok", "still open after 0.2 s"));
    drop(server); // its handlers have returned
    let heard = heard.lock().unwrap();
    assert!(heard[0].contains("received 1000 (OK)"), "{heard:?}");
}

#[test]
fn a_server_that_does_not_echo_is_checked_as_far_as_it_goes() {
    let server = Server::bind("127.0.0.1:0")
        .unwrap()
        .max_size(100_000)
        .serve(|connection| while connection.recv().is_ok() {});
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let (status, report) = json(&["--message-size", "200000", &uri]);
    assert_eq!((status, &report["echoes"]), (Some(0), &false.into()), "{report}");
    assert_eq!(verdict(&report, "ping between fragments"), ("ok", "taken"));
    assert_eq!(verdict(&report, "reserved bit").0, "ok");
    let (verdict_on_size, text) = verdict(&report, "message of that size");
    assert_eq!(verdict_on_size, "odd");
    assert!(text.starts_with("closed with 1009 (message too big)"), "{text}");
}

#[test]
fn a_server_may_have_reasons_of_its_own_to_close() {
    let server = Server::bind("127.0.0.1:0").unwrap().serve(|connection| {
        if connection.recv().is_ok() {
            let _ = connection.close(1008, "what is that?");
        }
    });
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let (status, report) = json(&[&uri]);
    assert_eq!((status, &report["echoes"]), (Some(0), &false.into()), "{report}");
    // Waiting for the message, it sees the end in any case; a ping may be answered before.
    let (status, report) = json(&["--echo", "yes", &uri]);
    assert_eq!(status, Some(0), "{report}");
    let close = ("odd", "closed with 1008 (policy violation) what is that?");
    assert_eq!(verdict(&report, "empty message"), close);
    assert_eq!(verdict(&report, "close").0, "ok");
    assert_eq!(verdict(&report, "reserved bit").0, "ok");
}

#[test]
fn a_server_that_closes_what_is_idle_is_told_of() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.idle_timeout(std::time::Duration::from_millis(100));
    let server = server.serve(|connection| while connection.recv().is_ok() {});
    let uri = format!("ws://{}/", server.as_ref().unwrap().address());
    let (status, report) = json(&["--gentle", "--idle", "30", &uri]);
    let (verdict, text) = verdict(&report, "idle line");
    assert_eq!((status, verdict), (Some(0), "odd"), "{report}");
    assert!(text.starts_with("closed with 1011") && text.contains(" after "), "{text}");
}

/// A server that answers each ping of ours, and any Close, and minds nothing else.
fn careless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            std::thread::spawn(move || serve_carelessly(socket));
        }
    });
    format!("ws://{address}/")
}

fn serve_carelessly(mut socket: TcpStream) -> std::io::Result<()> {
    use openline::handshake::server::{ServerHandshake, ServerProgress};

    let mut handshake = ServerHandshake::new(Default::default());
    let mut buffer = [0; 1 << 17];
    loop {
        let len = socket.read(&mut buffer)?;
        match handshake.receive(&buffer[..len]).map_err(std::io::Error::other)? {
            ServerProgress::Pending(pending) => handshake = pending,
            ServerProgress::Request(request) => {
                let request = request.check().map_err(std::io::Error::other)?;
                let accepted = request.accept(Default::default()).map_err(std::io::Error::other)?;
                socket.write_all(&accepted.0)?;
                break;
            }
        }
    }
    let mut input = BufReader::new(socket.try_clone()?);
    loop {
        let mut head = [0; 2];
        input.read_exact(&mut head)?;
        let mut extended = [0; 8];
        let len = match head[1] & 0x7f {
            126 => {
                input.read_exact(&mut extended[6..])?;
                u64::from_be_bytes(extended)
            }
            127 => {
                input.read_exact(&mut extended)?;
                u64::from_be_bytes(extended)
            }
            len => len.into(),
        };
        let mut key = [0; 4];
        if head[1] & 0x80 != 0 {
            input.read_exact(&mut key)?;
        }
        let mut payload = vec![0; len as usize];
        input.read_exact(&mut payload)?;
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        match head[0] {
            0x89 if payload.len() <= 125 => {
                socket.write_all(&[&[0x8a, payload.len() as u8], &payload[..]].concat())?;
            }
            0x88 => {
                socket.write_all(&[&[0x88, payload.len() as u8], &payload[..]].concat())?;
                return Ok(());
            }
            _ => {}
        }
    }
}

#[test]
fn what_a_careless_server_takes_is_told() {
    let finished = run(&["check", "-W", "30", "--echo", "no", &careless()], "");
    finished.failed(1, "8 checks failed");
    let line = |name: &str, verdict: &str, text: &str| {
        let line = format!("{verdict:<6} {name:<27} {text}\n");
        assert!(finished.stdout.contains(&line), "no {line:?} in {}", finished.stdout);
    };
    let taken = "taken: the next ping was answered";
    line("frame without a mask", "FAILED", &format!("{taken} (§5.1)"));
    line("reserved bit", "FAILED", &format!("{taken} (§5.2)"));
    line("ping of 126 bytes", "FAILED", &format!("{taken} (§5.5)"));
    line("text that is not UTF-8", "FAILED", &format!("{taken} (§8.1)"));
    line("long form of a length", "odd", &format!("{taken} (§5.2)"));
    line("fragments", "ok", "taken");
}

#[test]
fn it_ends_as_other_commands_do() {
    run(&["check", "ws://127.0.0.1:1/"], "").failed(2, "Connection refused");
    run(&["check", "--gentle", "--message-size", "1", "ws://127.0.0.1:1/"], "")
        .failed(2, "--gentle");
    let server = EchoServer::start().unwrap();
    let mut command = Running::start(&["check", "--gentle", "--idle", "600", "-vv", server.uri()]);
    let mut output = BufReader::new(command.child.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.contains(" close ") {
        assert_ne!(output.read_line(&mut printed).unwrap(), 0, "{printed}");
    }
    command.signal(Signal::SIGINT);
    assert_eq!(command.finish().status, Some(130));

    let mut command = Running::start(&["check", server.uri()]);
    drop(command.child.stdout.take());
    let finished = command.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
}
