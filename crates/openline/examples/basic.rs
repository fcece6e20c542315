//! Connect, send text and bytes, receive them, close.
//!
//! `cargo run --example basic [URI]`, by default with an echo server of its own.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use openline::testing::EchoServer;
use openline::{Message, Result};

fn main() -> Result<()> {
    let server = EchoServer::start()?;
    let uri = std::env::args().nth(1).unwrap_or_else(|| server.uri().to_owned());

    let line = openline::connect(&uri)?;
    println!("connected from {} to {}", line.local_address(), line.remote_address());

    line.send("Grüße")?;
    let text = line.recv()?;
    println!("received {text:?}");
    assert_eq!(text, Message::Text("Grüße".to_owned()));

    line.send(&[0x00, 0x01, 0xff])?;
    let data = line.recv()?;
    println!("received {data:?}");
    assert_eq!(data.as_bytes(), [0x00, 0x01, 0xff]);

    line.close(1000, "done")?;
    if let Some(closed) = line.how_closed() {
        println!("closed: {closed}");
        assert!(closed.is_ok());
    }
    Ok(())
}
