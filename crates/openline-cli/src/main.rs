//! The command `openline`: WebSockets from a terminal.
//!
//! Messages go to standard output, everything else to standard error. Exit status: 0 when the
//! connection ended as it should, 1 when it was closed with an error, 2 for wrong usage and when no
//! connection could be made.

use std::error::Error as _;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
use openline::{Client, Connection, Error, Message};

/// WebSockets from a terminal.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connect: each line of standard input is sent as a message, each message is printed as a line.
    ///
    /// At the end of the input the connection is closed; answers that come until then are printed.
    Connect {
        /// The server, such as wss://example.com/feed.
        uri: String,
        /// A subprotocol to offer; can be repeated.
        #[arg(short, long)]
        subprotocol: Vec<String>,
    },
    /// Serve as an echo server until interrupted.
    Echo {
        /// Where to listen; port 0 is any free one.
        #[arg(default_value = "127.0.0.1:8765")]
        address: String,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Connect { uri, subprotocol } => connect(&uri, subprotocol),
        Command::Echo { address } => echo(&address),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("openline: {}", chain(&error));
            match error {
                Error::Closed(_) => ExitCode::from(1),
                _ => ExitCode::from(2),
            }
        }
    }
}

fn connect(uri: &str, subprotocols: Vec<String>) -> openline::Result<()> {
    let connection = Client::new().subprotocols(subprotocols).connect(uri)?;
    let sender = connection.clone();
    // It is left behind if the server closes first: nothing ends a read from a terminal.
    thread::spawn(move || send_lines(&sender));
    for message in &connection {
        if print(&message?).is_err() {
            // Whoever read our output is gone: that is the end, and no error.
            return connection.close(1000, "");
        }
    }
    Ok(())
}

fn send_lines(connection: &Connection) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if connection.send(&line).is_err() {
            return; // The receiving side tells why.
        }
    }
    // As above; a code that is always legal.
    let _ = connection.close(1000, "");
}

fn print(message: &Message) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(message.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

fn echo(address: &str) -> openline::Result<()> {
    let server = openline::Server::bind(address)?.serve(|connection| {
        for message in &connection {
            let Ok(message) = message else { return };
            if connection.send(&message).is_err() {
                return;
            }
        }
    })?;
    eprintln!("echoing at ws://{}/", server.address());
    loop {
        thread::park();
    }
}

/// The error and its causes on one line, each text once.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
