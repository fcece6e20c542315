//! The command as a user runs it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use openline::testing::EchoServer;

fn openline(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str], input: &str) -> Output {
    let mut child = openline(args).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn lines_become_messages_and_messages_lines() {
    let mut server = Killed(openline(&["echo", "127.0.0.1:0"]).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let uri = line.trim().strip_prefix("echoing at ").unwrap();
    let output = run(&["connect", uri], "one\ntwo\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one\ntwo\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn exit_status_tells_how_it_ended() {
    let server = EchoServer::options().close_after(0, 4000, "go away").start().unwrap();
    let output = run(&["connect", server.uri()], "");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("4000 (private use) go away"), "{text}");
    assert_eq!(output.status.code(), Some(1));

    let output = run(&["connect", "http://localhost/"], "");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("openline: http://localhost/ isn't a valid URI"), "{text}");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(run(&["fly"], "").status.code(), Some(2));
}
