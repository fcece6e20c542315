//! One message in fragments, each way (RFC 6455 §5.4).

use openline_proto::extension::Compress;
use openline_proto::{Kind, Message, Part};

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::outgoing::Outgoing;
use crate::read::Fragments;
use crate::write::Turn;

/// Receives one message fragment by fragment; made by [`Connection::recv_streaming`].
///
/// ```
/// # use openline::{Deadline, Kind};
/// # fn main() -> openline::Result<()> {
/// # let server = openline::Server::bind("127.0.0.1:0")?.serve(|connection| {
/// #     let mut message = connection.send_fragments(Kind::Text);
/// #     let _ = message.send(b"Hel", Deadline::NEVER);
/// #     let _ = message.finish(b"lo", Deadline::NEVER);
/// # })?;
/// # let line = openline::connect(&format!("ws://{}/", server.address()))?;
/// let fragments = line.recv_streaming()?.collect::<openline::Result<Vec<_>>>()?;
/// assert_eq!(fragments, ["Hel".into(), "lo".into()]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FragmentReceiver {
    connection: Connection,
    fragments: Fragments,
    is_over: bool,
}

impl FragmentReceiver {
    /// The right to receive is the connection's already.
    pub(crate) fn new(connection: Connection) -> FragmentReceiver {
        FragmentReceiver { connection, fragments: Fragments::default(), is_over: false }
    }

    /// The next fragment, giving up at a deadline; `None` after the last.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_timeout`]; after a time-out it can go on.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use openline::{Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::Server::bind("127.0.0.1:0")?.serve(|connection| {
    /// #     let mut message = connection.send_fragments(Kind::Text);
    /// #     let _ = message.send(b"Hel", Deadline::NEVER);
    /// #     let _ = message.finish(b"lo", Deadline::NEVER);
    /// # })?;
    /// # let line = openline::connect(&format!("ws://{}/", server.address()))?;
    /// let mut fragments = line.recv_streaming()?;
    /// while let Some(fragment) = fragments.next_timeout(Duration::from_secs(5))? {
    ///     assert!(["Hel".into(), "lo".into()].contains(&fragment));
    /// }
    /// # Ok(()) }
    /// ```
    pub fn next_timeout(&mut self, timeout: impl Into<Deadline>) -> Result<Option<Message>> {
        let outcome = self.next_until(timeout.into());
        self.connection.line.report(outcome)
    }

    fn next_until(&mut self, deadline: Deadline) -> Result<Option<Message>> {
        while !self.is_over {
            let fragment = self.fragments.pop();
            if self.fragments.is_given_out() {
                self.leave();
            }
            if fragment.is_some() {
                return Ok(fragment);
            }
            let line = &self.connection.line;
            if let Err(error) = line.receive_fragments(&mut self.fragments, deadline) {
                if matches!(error, Error::Closed(_) | Error::Forked) {
                    self.leave();
                }
                return Err(error);
            }
        }
        Ok(None)
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.connection.line.end_receiving();
        }
    }
}

impl Iterator for FragmentReceiver {
    type Item = Result<Message>;

    fn next(&mut self) -> Option<Result<Message>> {
        self.next_timeout(Deadline::NEVER).transpose()
    }
}

impl Drop for FragmentReceiver {
    fn drop(&mut self) {
        if !self.is_over && !self.fragments.is_complete && self.connection.line.process.is_current()
        {
            self.connection.line.skip_message();
        }
        self.leave();
    }
}

/// Sends one message in fragments; made by [`Connection::send_fragments`]. Other messages wait until
/// it is finished. Dropped before, it fails the connection with 1011: half a message cannot be taken
/// back.
///
/// ```
/// use openline::Kind;
/// # fn main() -> openline::Result<()> {
/// # let server = openline::testing::EchoServer::start()?;
/// # let line = openline::connect(server.uri())?;
/// let mut message = line.send_fragments(Kind::Text);
/// for word in ["not ", "known ", "at once"] {
///     message.send(word.as_bytes(), None::<std::time::Duration>)?;
/// }
/// message.finish(b"", None::<std::time::Duration>)?;
/// assert_eq!(line.recv()?, "not known at once".into());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FragmentSender<'c> {
    connection: &'c Connection,
    kind: Kind,
    compress: Compress,
    has_begun: bool,
    is_done: bool,
}

impl FragmentSender<'_> {
    pub(crate) fn new(connection: &Connection, kind: Kind) -> FragmentSender<'_> {
        let compress = Compress::Auto;
        FragmentSender { connection, kind, compress, has_begun: false, is_done: false }
    }

    /// Whether to compress the message, on a connection with permessage-deflate. Default
    /// [`Compress::Auto`], which does: how long the message will be is not known. To be called before
    /// the first fragment.
    ///
    /// ```
    /// use openline::{Compress, Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let mut message = line.send_fragments(Kind::Binary).compress(Compress::Never);
    /// message.finish(b"random", Deadline::NEVER)?;
    /// assert_eq!(line.recv()?.as_bytes(), b"random");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Sends a fragment after which others come.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_timeout`]. Without `committed` the same fragment can be sent again; with
    /// it, [`Connection::flush`] goes on with it.
    ///
    /// ```
    /// use openline::{Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let mut message = line.send_fragments(Kind::Binary);
    /// for part in [[1, 2], [3, 4]] {
    ///     message.send(&part, Deadline::NEVER)?;
    /// }
    /// message.finish(&[], Deadline::NEVER)?;
    /// assert_eq!(line.recv()?.as_bytes(), [1, 2, 3, 4]);
    /// # Ok(()) }
    /// ```
    pub fn send(&mut self, fragment: &[u8], timeout: impl Into<Deadline>) -> Result<()> {
        self.send_part(Part::Fragment, fragment, timeout.into())
    }

    /// Sends the last fragment.
    ///
    /// # Errors
    ///
    /// As [`send`](FragmentSender::send).
    ///
    /// ```
    /// use openline::{Deadline, Kind};
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// let mut message = line.send_fragments(Kind::Text);
    /// message.send(b"Hel", Deadline::NEVER)?;
    /// message.finish(b"lo", Deadline::NEVER)?;
    /// assert_eq!(line.recv()?, "Hello".into());
    /// # Ok(()) }
    /// ```
    pub fn finish(&mut self, fragment: &[u8], timeout: impl Into<Deadline>) -> Result<()> {
        self.send_part(Part::Last, fragment, timeout.into())
    }

    fn send_part(&mut self, part: Part, fragment: &[u8], deadline: Deadline) -> Result<()> {
        if self.is_done {
            return Err(Error::Argument("the message is finished; start another".to_owned()));
        }
        let turn = if self.has_begun { Turn::Continuation } else { Turn::Message };
        let fragment = Outgoing::new(self.kind, fragment).compress(self.compress);
        let line = &self.connection.line;
        let outcome = line.report(line.send(turn, part, fragment, deadline));
        let is_committed = match &outcome {
            Ok(()) => true,
            Err(Error::Timeout { committed, .. } | Error::Interrupted { committed }) => *committed,
            Err(_) => false,
        };
        if is_committed {
            self.has_begun = true;
            self.is_done = part == Part::Last;
        }
        outcome
    }
}

impl Drop for FragmentSender<'_> {
    fn drop(&mut self) {
        if self.has_begun && !self.is_done {
            self.connection.line.break_off_message();
        }
    }
}
