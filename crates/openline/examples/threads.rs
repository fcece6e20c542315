//! Several threads, each with a connection of its own; and two threads that share one.
//!
//! `cargo run --example threads [URI]`, by default with an echo server of its own.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use std::thread;

use openline::testing::EchoServer;
use openline::{Connection, Result};

fn main() -> Result<()> {
    let server = EchoServer::start()?;
    let uri = std::env::args().nth(1).unwrap_or_else(|| server.uri().to_owned());

    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|name| {
                scope.spawn({
                    let uri = &uri;
                    move || talk(uri, name)
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    println!("{THREADS} threads, a connection each: {} messages echoed", THREADS * MESSAGES);

    let line = openline::connect(&uri)?;
    let receiver = line.clone(); // another handle of the same connection
    let receiving = thread::spawn(move || receive(&receiver));
    for number in 0..MESSAGES {
        line.send(&format!("message {number}"))?;
    }
    receiving.join().expect("no panic")?;
    println!("two threads, one connection: {MESSAGES} messages");
    line.close(1000, "")
}

fn talk(uri: &str, name: usize) -> Result<()> {
    let line = openline::connect(uri)?;
    for number in 0..MESSAGES {
        let message = format!("thread {name}, message {number}");
        line.send(&message)?;
        assert_eq!(line.recv()?, message.into());
    }
    line.close(1000, "")
}

fn receive(line: &Connection) -> Result<()> {
    for (number, message) in line.iter().take(MESSAGES).enumerate() {
        assert_eq!(message?, format!("message {number}").into());
    }
    Ok(())
}

const THREADS: usize = 8;
const MESSAGES: usize = 500;
