//! Time-outs that lose nothing, and the round trip of a ping.
//!
//! `cargo run --example timeouts [URI]`, by default with an echo server of its own.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use std::time::Duration;

use openline::testing::EchoServer;
use openline::{Client, Error, Result};

fn main() -> Result<()> {
    let server = EchoServer::start()?;
    let uri = std::env::args().nth(1).unwrap_or_else(|| server.uri().to_owned());

    let client = Client::new()
        .open_timeout(Duration::from_secs(3))
        .ping_interval(Duration::from_secs(10))
        .ping_timeout(Duration::from_secs(5));
    let line = client.connect(&uri)?;

    match line.recv_timeout(Duration::from_millis(100)) {
        Err(error @ Error::Timeout { .. }) => println!("nothing came: {error}"),
        outcome => panic!("a time-out was expected, not {outcome:?}"),
    }

    // The connection is as it was before: what comes later is received as usual.
    line.send_timeout("after the time-out", Duration::from_secs(5))?;
    assert_eq!(line.recv_timeout(Duration::from_secs(5))?, "after the time-out".into());

    let round_trip = line.ping(None, Duration::from_secs(5))?;
    println!("a ping took {round_trip:?}");
    line.close(1000, "")
}
