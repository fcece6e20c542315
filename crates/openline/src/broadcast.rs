//! One message to many connections: compressed once for all that share the parameters, and never held up by a
//! peer that does not read.

use std::time::Duration;

use openline_proto::Part;
use openline_proto::extension::deflate::Settings;
use openline_proto::extension::{Agreed, Coding, Encoding};

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::outgoing::Outgoing;
use crate::sync::Ordering;

/// Sends a message to many connections, and gives those that were skipped, each with the reason.
///
/// A connection that is not open gets nothing, which is no reason to tell. Those that cannot take the message at once,
/// because their peers are behind or other threads write to them, have 50 milliseconds, all of them together, after all
/// others have got the message; then they are skipped. A peer that was behind the last time, and still is, is skipped
/// at once. So one that does not read holds up nobody but once, and takes no more memory than a message.
///
/// Connections that share the parameters of permessage-deflate share the compressed message, which refers to
/// none before it; so does the next message of each then (RFC 7692 §7.1.1).
///
/// ```
/// use openline::{Server, broadcast};
/// # fn main() -> openline::Result<()> {
/// # let server = Server::bind("127.0.0.1:0")?.serve(|connection| {
/// #     let _ = connection.send("welcome");
/// #     let _ = connection.recv();
/// # })?;
/// # let line = openline::connect(&format!("ws://{}/", server.address()))?;
/// # assert_eq!(line.recv()?, "welcome".into());
/// let skipped = broadcast(&server.connections(), "hello, everybody");
/// assert!(skipped.is_empty());
/// assert_eq!(line.recv()?, "hello, everybody".into());
/// # Ok(()) }
/// ```
pub fn broadcast<'c, 'm>(
    connections: impl IntoIterator<Item = &'c Connection>,
    message: impl Into<Outgoing<'m>>,
) -> Vec<(Connection, Error)> {
    let mut message = Shared { message: message.into(), compressed: Vec::new() };
    let mut skipped = Vec::new();
    let mut busy = Vec::new();
    for connection in connections {
        let line = &connection.line;
        match message.send(connection, Deadline::from(Duration::ZERO)) {
            Ok(()) => line.is_left_out.store(false, Ordering::Relaxed),
            Err(error) if line.is_left_out.load(Ordering::Relaxed) && line.is_peer_behind() => {
                skipped.push((connection.clone(), error));
            }
            Err(_) => busy.push(connection),
        }
    }
    let deadline = Deadline::from(BUSY_TIME);
    for connection in busy {
        let outcome = message.send(connection, deadline);
        connection.line.is_left_out.store(outcome.is_err(), Ordering::Relaxed);
        skipped.extend(outcome.err().map(|error| (connection.clone(), error)));
    }
    skipped
}

/// A message, and what was made of it for others already.
struct Shared<'m> {
    message: Outgoing<'m>,
    compressed: Vec<(Settings, Vec<u8>)>,
}

impl Shared<'_> {
    /// Sends it, unless the connection is not open. An error: it is not sent, and will not be.
    fn send(&mut self, connection: &Connection, deadline: Deadline) -> Result<()> {
        if !connection.line.is_open() {
            return Ok(());
        }
        let message = self.message;
        let compressed = self.compressed(connection.extensions())?;
        let message = Outgoing { compressed, ..message };
        loop {
            return match connection.send_timeout(message, deadline) {
                // It was open a moment ago.
                Err(Error::Closed(_)) => Ok(()),
                // The rest goes out when there is room.
                Err(
                    Error::Timeout { committed: true, .. } | Error::Interrupted { committed: true },
                ) => Ok(()),
                Err(Error::Interrupted { .. }) if !deadline.has_passed() => continue,
                outcome => outcome,
            };
        }
    }

    /// What is sent to connections with these extensions; `None` if each has to see to it.
    fn compressed(&mut self, extensions: &[Agreed]) -> Result<Option<&[u8]>> {
        let Outgoing { kind, payload, compress, .. } = self.message;
        let [Agreed { coding: Coding::Deflate(settings), params }] = extensions else {
            return Ok(None);
        };
        if !compress.wants(payload.len()) {
            return Ok(None);
        }
        // What concerns only the other direction, or the messages after this one, makes no difference.
        let settings = Settings {
            remote_no_context_takeover: true,
            remote_max_window_bits: 15,
            local_no_context_takeover: true,
            ..*settings
        };
        let made = self.compressed.iter().position(|(made_for, _)| *made_for == settings);
        let index = match made {
            Some(index) => index,
            None => {
                let agreed = Agreed { params: params.clone(), coding: Coding::Deflate(settings) };
                let mut encoding = Encoding::new(&[agreed]).expect("bug: there is an extension");
                let mut compressed = Vec::new();
                encoding
                    .data(kind, Part::Whole, payload, compress, &mut compressed)
                    .map_err(|error| Error::Other(error.into()))?;
                self.compressed.push((settings, compressed));
                self.compressed.len() - 1
            }
        };
        Ok(Some(&self.compressed[index].1))
    }
}

/// For the connections that cannot take a message at once, all of them together.
const BUSY_TIME: Duration = Duration::from_millis(50);
