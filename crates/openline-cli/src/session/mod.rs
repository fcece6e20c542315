//! A session in a file: what both sides sent, and when. `openline record` writes it, `openline replay` reads it.
//!
//! One JSON object in a line; docs/command.md describes them:
//!
//! ```text
//! {"openline_session":1,"uri":…,"request":{…},"response":{…},"subprotocol":…}
//! {"at_ns":…,"from":"client","kind":"text","data":"hello"}
//! {"at_ns":…,"from":"server","kind":"binary","base64":"AAE="}
//! {"at_ns":…,"kind":"end","first":"client","client":{"code":1000,"reason":""},"server":…,"cause":…}
//! ```
//!
//! [`recorder`] makes such a file, [`reader`] understands one.

mod reader;
mod recorder;

use std::time::Duration;

use openline::{CloseFrame, Message};

pub(crate) use recorder::Recorder;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) subprotocol: Option<String>,
    /// In the order of their times.
    pub(crate) messages: Vec<Recorded>,
    /// None if the recording was broken off.
    pub(crate) end: Option<End>,
}

#[derive(Debug)]
pub(crate) struct Recorded {
    /// Since the connection was open.
    pub(crate) at: Duration,
    pub(crate) from: Side,
    pub(crate) message: Message,
}

#[derive(Debug)]
pub(crate) struct End {
    pub(crate) at: Duration,
    /// Whose Close frame was first, if both were seen.
    pub(crate) first: Option<Side>,
    pub(crate) client: Option<CloseFrame>,
    pub(crate) server: Option<CloseFrame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }
}

impl Session {
    /// What one side sent.
    pub(crate) fn messages_from(&self, side: Side) -> impl Iterator<Item = &Message> {
        let is_meant = move |recorded: &&Recorded| recorded.from == side;
        self.messages.iter().filter(is_meant).map(|recorded| &recorded.message)
    }

    /// The Close frame of the side that began to close, if it was that one.
    pub(crate) fn close_by(&self, side: Side) -> Option<&CloseFrame> {
        let end = self.end.as_ref().filter(|end| end.first == Some(side))?;
        match side {
            Side::Client => end.client.as_ref(),
            Side::Server => end.server.as_ref(),
        }
    }
}

/// Of the format. What a later one may mean is not known.
const VERSION: u64 = 1;
