//! The servers of Rust libraries that `bench/load.py` measures.
//!
//! `rust_server NAME` says in one line of JSON on which port of 127.0.0.1 it listens, and ends with its standard input.
//! `/echo` sends back what comes; `/broadcast` greets, and sends a message of 1 KiB to all clients for each that comes.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use openline::{Connection, Message, MessageHandler, RunningServer, Server, broadcast};

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let started = match name.as_str() {
        "openline" => Started::Openline(serve_openline(false).map_err(io::Error::other)?),
        "openline, callbacks" => Started::Openline(serve_openline(true).map_err(io::Error::other)?),
        "tungstenite" => Started::Port(serve_tungstenite()?),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, name)),
    };
    let port = match &started {
        Started::Port(port) => *port,
        Started::Openline(server) => {
            let address = server.address().to_string();
            address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
        }
    };
    println!("{{\"port\": {port}}}");
    io::stdin().read_to_end(&mut Vec::new())?;
    std::process::exit(0) // without the goodbyes to thousands of clients
}

enum Started {
    Port(u16),
    Openline(Arc<RunningServer>),
}

/// What openline's server does.
#[derive(Clone, Default)]
struct Handler {
    running: Arc<OnceLock<Arc<RunningServer>>>,
}

impl MessageHandler for Handler {
    fn on_open(&self, connection: &Connection) {
        if connection.request().path == "/broadcast" {
            let _ = connection.send("ready");
        }
    }

    fn on_message(&self, connection: &Connection, message: Message) {
        if connection.request().path == "/echo" {
            return drop(connection.send(&message));
        }
        if let Some(server) = self.running.get() {
            for (_, error) in broadcast(&server.connections(), "x".repeat(1024).as_str()) {
                eprintln!("skipped: {error}");
            }
        }
    }
}

fn serve_openline(calls_back: bool) -> openline::Result<Arc<RunningServer>> {
    let handler = Handler::default();
    let running = handler.running.clone();
    let server = Server::bind("127.0.0.1:0")?.ping_interval(Duration::from_secs(5));
    let server = Arc::new(match calls_back {
        true => server.serve_messages(handler)?,
        false => server.serve(move |connection| {
            handler.on_open(&connection);
            while let Ok(message) = connection.recv() {
                handler.on_message(&connection, message);
            }
        })?,
    });
    let _ = running.set(server.clone());
    Ok(server)
}

fn serve_tungstenite() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_nodelay(true);
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else { return };
                while let Ok(message) = socket.read() {
                    if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(port)
}
