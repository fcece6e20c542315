//! The server's side of a session, to each client that connects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use openline::{Address, CloseFrame, Connection, Deadline, Error, Server};

use super::{Pace, difference, excerpt};
use crate::args::ListenAddress;
use crate::failure::Outcome;
use crate::session::{Session, Side};
use crate::{interrupt, talk};

pub(super) fn run(address: &ListenAddress, session: Session, pace: Pace) -> Outcome<()> {
    let (end, ended) = mpsc::channel::<()>();
    interrupt::on_signal(move |_| drop(end))?;
    let server = match address {
        ListenAddress::Tcp(address) => Server::bind(address.as_str())?,
        ListenAddress::Unix(path) => Server::bind_unix(path)?,
    };
    let server = server.max_size(None).subprotocols(&session.subprotocol);
    let stage = Arc::new(Stage { session, pace, clients: AtomicUsize::new(0) });
    let server = server.serve(move |connection| stage.play(&connection))?;
    match server.address() {
        Address::Unix(path) => talk::tell(format_args!("playing at unix:{}", path.display())),
        address => talk::tell(format_args!("playing at ws://{address}/")),
    }
    // Nothing is ever sent: the other end is dropped.
    let _ = ended.recv();
    server.shutdown();
    Ok(())
}

#[derive(Debug)]
struct Stage {
    session: Session,
    pace: Pace,
    clients: AtomicUsize,
}

impl Stage {
    fn play(&self, connection: &Connection) {
        let number = 1 + self.clients.fetch_add(1, Ordering::Relaxed);
        talk::tell(format_args!("client {number}: {}", connection.remote_address()));
        let text = match self.play_to(connection, number) {
            Ok(()) => "the whole session".to_owned(),
            Err(Error::Closed(closed)) => format!("left before the end of the session: {closed}"),
            Err(error) => error.to_string(),
        };
        talk::tell(format_args!("client {number}: {text}"));
    }

    /// A message of the client's is waited for; from then on the server takes the time that it had taken.
    fn play_to(&self, connection: &Connection, number: usize) -> openline::Result<()> {
        let mut now = (Instant::now(), Duration::ZERO);
        let mut received = 0;
        for recorded in &self.session.messages {
            match recorded.from {
                Side::Client => {
                    let message = connection.recv()?;
                    received += 1;
                    if let Some(text) = difference(&message, &recorded.message) {
                        talk::tell(format_args!("client {number}: message {received}: {text}"));
                    }
                    now = (Instant::now(), recorded.at);
                }
                Side::Server => {
                    now = self.wait(connection, now, recorded.at)?;
                    connection.send(&recorded.message)?;
                }
            }
        }
        match (&self.session.end, self.session.close_by(Side::Server)) {
            (Some(end), Some(close)) => {
                self.wait(connection, now, end.at)?;
                let code = match CloseFrame::new(close.code().into(), "") {
                    Ok(_) => close.code().into(),
                    Err(_) => 1000, // there was none
                };
                connection.close(code, close.reason())
            }
            _ => {
                while let Ok(message) = connection.recv() {
                    received += 1;
                    let text = excerpt(&message);
                    talk::tell(format_args!(
                        "client {number}: message {received}: {text}, recorded: none"
                    ));
                }
                Ok(())
            }
        }
    }

    /// Waits until `at` of the recording; `from` says what time of it it was when. What time it is then.
    fn wait(
        &self,
        connection: &Connection,
        from: (Instant, Duration),
        at: Duration,
    ) -> openline::Result<(Instant, Duration)> {
        let due = from.0 + self.pace.of(at.saturating_sub(from.1));
        if self.pace.has_pauses() && connection.wait_closed(Deadline::from(due))? {
            // The next call tells how.
            connection.send("")?;
        }
        Ok((due, at))
    }
}
