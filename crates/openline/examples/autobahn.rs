//! The crate as an endpoint of the Autobahn test suite: it sends back every message. `conformance/`
//! runs it.
//!
//! `cargo run --example autobahn client URI AGENT` lets the suite's server at URI play its cases,
//! one after the other, for the report on AGENT. `cargo run --example autobahn server` serves on a
//! free port until its standard input ends, with a thread for each connection; `… callbacks` with
//! callbacks.

#![allow(clippy::print_stdout, reason = "programs talk on standard output")]

use std::error::Error;
use std::io;

use openline::{Client, Connection, Message, RunningServer, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["client", uri, agent] => client(uri.trim_end_matches('/'), agent),
        ["server"] => serve(listen()?.serve(|connection| echo(&connection))?),
        ["callbacks"] => {
            serve(listen()?.serve_messages(|connection: &Connection, message: Message| {
                let _ = connection.send(&message); // many cases end it by an error, on purpose
            })?)
        }
        _ => Err("usage: autobahn client URI AGENT | autobahn server | autobahn callbacks".into()),
    }
}

/// All cases, and then the word that there will be no more.
fn client(uri: &str, agent: &str) -> Result<(), Box<dyn Error>> {
    // Section 9 has messages of 16 MiB. All else is as users have it.
    let client = Client::new().max_size(None);
    let count = client.connect(&format!("{uri}/getCaseCount"))?.recv()?;
    let count: u32 = std::str::from_utf8(count.as_bytes())?.parse()?;
    for case in 1..=count {
        echo(&client.connect(&format!("{uri}/runCase?case={case}&agent={agent}"))?);
    }
    client.connect(&format!("{uri}/updateReports?agent={agent}"))?.close(1000, "")?;
    Ok(())
}

fn listen() -> openline::Result<Server> {
    Ok(Server::bind("127.0.0.1:0")?.max_size(None))
}

/// One connection for each case, until the suite has seen enough.
fn serve(server: RunningServer) -> Result<(), Box<dyn Error>> {
    println!("ws://{}/", server.address());
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    Ok(())
}

/// The connection from its first message to its end; many cases end it by an error, on purpose.
fn echo(connection: &Connection) {
    while let Ok(message) = connection.recv() {
        if connection.send(&message).is_err() {
            break;
        }
    }
    let _ = connection.close(1000, "");
}
