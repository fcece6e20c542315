//! A server that greets each client and repeats what it says, in capitals.
//!
//! `cargo run --example server [ADDRESS]`, by default on a free port. It ends when its standard input
//! does (Ctrl-D), and tells its clients so.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use std::io;

use openline::{Connection, Message, Result, Server};

fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server =
        Server::bind(address.as_str())?.subprotocols(["capitals"]).serve(|connection| {
            if let Err(error) = serve(&connection) {
                println!("{}: {error}", connection.remote_address());
            }
        })?;
    println!("ws://{}/", server.address());

    // Connections are served in threads of their own; this one only waits.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    server.shutdown(); // every client sees 1001, going away
    println!("shut down");
    Ok(())
}

/// One client, from the greeting to the end; what the client ends well is no error.
fn serve(connection: &Connection) -> Result<()> {
    connection.send(&format!("welcome, {}", connection.remote_address()))?;
    for message in connection {
        match message? {
            Message::Text(text) => connection.send(&text.to_uppercase())?,
            Message::Binary(_) => return connection.close(1003, "text only, please"),
        }
    }
    Ok(())
}
