//! What `bench/instructions.py` runs under callgrind: calls of openline in functions of their own, whose
//! instructions are counted. What there is to be received has come before.

use std::time::Duration;

use openline::testing::EchoServer;
use openline::{Client, Connection, Message};

fn main() -> openline::Result<()> {
    let server = EchoServer::start()?;
    let client = Client::new().compression(None).ping_interval(None).busy_poll(Duration::ZERO);
    let line = client.connect(server.uri())?;
    let text = "x".repeat(64);
    for _ in 0..CALLS {
        one_send(&line, &text)?;
    }
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..CALLS {
        assert_eq!(one_receive(&line)?.len(), text.len());
    }
    line.close(1000, "")
}

/// `bench/instructions.py` has it too.
const CALLS: usize = 1_000;

#[inline(never)]
fn one_send(line: &Connection, text: &str) -> openline::Result<()> {
    line.send(text)
}

#[inline(never)]
fn one_receive(line: &Connection) -> openline::Result<Message> {
    line.recv()
}
