//! What happens on a connection, from its journal, with secrets left out.
//!
//! `cargo run --example logging [URI]`, by default with an echo server of its own.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use std::convert::Infallible;

use openline::testing::EchoServer;
use openline::{Client, Journal, Record, Result};

fn main() -> Result<()> {
    let server = EchoServer::start()?;
    let uri = std::env::args().nth(1).unwrap_or_else(|| server.uri().to_owned());

    // Without a journal of its own, a connection logs to the `log` facade, if that wants it.
    let journal = Journal::new(None);
    let client = Client::new().journal(&journal).header("Authorization", "Bearer 42")?;
    let line = client.connect(&uri)?;
    line.send("hello")?;
    line.recv()?;
    line.send(&[0; 1000])?;
    line.recv()?;
    line.close(1000, "")?;

    let Ok(()) = journal.give_out(|record| {
        if is_secret(record) {
            println!("{}: (hidden)", record.args()[0]);
        } else {
            println!("{record}");
        }
        Ok::<(), Infallible>(())
    });
    Ok(())
}

fn is_secret(record: &Record) -> bool {
    matches!(record.args().first(), Some(name) if name.eq_ignore_ascii_case("Authorization"))
}
