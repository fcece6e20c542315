//! Iterating over the messages of a connection.

use std::iter::FusedIterator;

use openline_proto::Message;

use crate::connection::Connection;
use crate::error::{Error, Result};

/// Iterates over the messages of a connection; made by [`Connection::iter`].
///
/// ```
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// line.send("one")?;
/// for message in &line {
///     assert_eq!(message?, "one".into());
///     line.close(1000, "enough")?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Messages<'c> {
    connection: &'c Connection,
    is_over: bool,
}

impl Messages<'_> {
    pub(crate) fn new(connection: &Connection) -> Messages<'_> {
        Messages { connection, is_over: false }
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<Message>;

    fn next(&mut self) -> Option<Result<Message>> {
        if self.is_over {
            return None;
        }
        match self.connection.recv() {
            Err(Error::Closed(closed)) => {
                self.is_over = true;
                (!closed.is_ok()).then_some(Err(Error::Closed(closed)))
            }
            outcome => Some(outcome),
        }
    }
}

impl FusedIterator for Messages<'_> {}

impl<'c> IntoIterator for &'c Connection {
    type Item = Result<Message>;
    type IntoIter = Messages<'c>;

    fn into_iter(self) -> Messages<'c> {
        self.iter()
    }
}
