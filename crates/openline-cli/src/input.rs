//! Standard input as messages.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline::{Deadline, Kind, Outgoing};

use crate::failure::Failure;
use crate::line::{Ending, Line};
use crate::output::Output;

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A line of base64, for a binary message.
    Base64,
    /// What a read gives.
    Bytes,
    /// A line of text.
    Lines,
}

impl Input {
    /// Sends all of standard input, and ends the line then, after a while if so wanted.
    pub(crate) fn send_all(self, line: &Line, output: Output, linger: Linger) {
        // What is not read can be read by whoever comes after us, should there be no connection.
        if line.wait_ready().is_none() {
            return;
        }
        let outcome = match self {
            Input::Bytes => send_bytes(line),
            Input::Base64 | Input::Lines => self.send_lines(line, output),
        };
        match (outcome, linger) {
            (Err(ending), _) => line.end(ending),
            (Ok(()), Linger::Forever) => {}
            (Ok(()), Linger::For(time)) => {
                if let Some(connection) = line.wait_ready() {
                    // Not interruptible.
                    let _ = connection.wait_closed(Deadline::from(time));
                }
                line.end(Ending::InputOver);
            }
        }
    }

    fn send_lines(self, line: &Line, output: Output) -> Result<(), Ending> {
        self.each_line(|kind, payload| {
            output.sent(kind, payload)?;
            Ok(line.send(Outgoing::new(kind, payload)))
        })
    }

    /// Gives each line of standard input as a message, until `take` says false.
    pub(crate) fn each_line(
        self,
        mut take: impl FnMut(Kind, &[u8]) -> Result<bool, Ending>,
    ) -> Result<(), Ending> {
        let mut input = io::stdin().lock();
        let mut bytes = Vec::new();
        for number in 1_u64.. {
            bytes.clear();
            if input.read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
                return Ok(());
            }
            let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let (kind, payload) = match self {
                Input::Base64 => (Kind::Binary, Cow::Owned(decode(text, number)?)),
                _ => (Kind::Text, Cow::Borrowed(check_text(text, number)?)),
            };
            if !take(kind, &payload)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// How long to stay after the end of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linger {
    For(Duration),
    /// Until something else ends it.
    Forever,
}

fn send_bytes(line: &Line) -> Result<(), Ending> {
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; READ_LEN];
    loop {
        match input.read(&mut buffer).map_err(unreadable)? {
            0 => return Ok(()),
            len if !line.send(Outgoing::new(Kind::Binary, &buffer[..len])) => return Ok(()),
            _ => {}
        }
    }
}

fn decode(text: &[u8], number: u64) -> Result<Vec<u8>, Ending> {
    let fail = |error| unusable(format!("line {number} of the input is not base64: {error}"));
    STANDARD.decode(text).map_err(fail)
}

fn check_text(text: &[u8], number: u64) -> Result<&[u8], Ending> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(text),
        Err(_) => Err(unusable(format!(
            "line {number} of the input is not UTF-8; --base64 and --binary send bytes"
        ))),
    }
}

fn unreadable(error: io::Error) -> Ending {
    Ending::Failed(Failure::system("read standard input")(error))
}

fn unusable(text: String) -> Ending {
    Ending::Failed(Failure::Usage(text))
}

/// Bytes of a message at most, of those of `--binary`.
const READ_LEN: usize = 1 << 16;
