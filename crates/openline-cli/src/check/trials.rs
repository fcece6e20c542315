//! The checks: each does one thing on a connection, and looks at what the server makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openline::{
    Cause, CloseCode, Closed, Compress, Connection, Deadline, Error, Kind, Message, Outgoing,
};

use super::finding::{Finding, Verdict};
use super::frames::{
    self, CLOSE, CONTINUATION, FIN, PING, RESERVED, RSV1, TEXT, masked, masked_with_long_length,
    unmasked,
};
use crate::line::Line;
use crate::target::Target;

type Found = openline::Result<(Verdict, String, Option<Duration>)>;

pub(super) struct Trials<'a> {
    /// With compression, if the arguments want it.
    target: Target,
    /// Without: the first reserved bit has no meaning then.
    plain: Target,
    line: &'a Arc<Line>,
    wait: Duration,
    /// Whether it sends messages back, so that one can see what it makes of them.
    pub(super) echoes: bool,
}

impl<'a> Trials<'a> {
    pub(super) fn new(target: &Target, line: &'a Arc<Line>, wait: Duration) -> Trials<'a> {
        // What the server sends of its own accord must not be in the way of a pong; the connections are short.
        let target = target.clone().with(|client| {
            client.ping_interval(None).close_timeout(wait).max_queue(None).max_size(None)
        });
        let plain = target.clone().with(|client| client.compression(None));
        Trials { target, plain, line, wait, echoes: false }
    }

    pub(super) fn connect(&self) -> openline::Result<Connection> {
        connect(&self.target, self.line)
    }

    /// What every server does: it answers pings.
    pub(super) fn pings(&self, connection: &Connection) -> openline::Result<Vec<Finding>> {
        let ping = |name, payload: Option<&[u8]>| {
            let found = match connection.ping(payload, self.wait) {
                Ok(time) => Ok((Verdict::Ok, format!("answered in {}", millis(time)), Some(time))),
                Err(error) => self.failed("pong", error),
            };
            finding(name, "5.5.2", found)
        };
        Ok(vec![ping("ping", None)?, ping("ping of 125 bytes", Some(&[b'x'; 125]))?])
    }

    /// Whether a text message comes back, on a connection of its own: it may mean the end to the server.
    pub(super) fn look_for_echo(&mut self) -> openline::Result<()> {
        let connection = self.connect()?;
        let text = "openline check";
        let sent = connection.send_timeout(text, self.wait);
        // A server that answers at all does so about when it answers a ping that came behind.
        let patience = match sent.and_then(|()| connection.ping(None, self.wait)) {
            Ok(time) => 10 * time + ECHO_PATIENCE,
            Err(Error::Timeout { .. } | Error::Closed(_)) => Duration::ZERO,
            Err(error) => return Err(error),
        };
        self.echoes = is_received(&connection, &text.into(), patience.min(self.wait))?;
        connection.abort();
        Ok(())
    }

    /// The closing handshake, begun by this side.
    pub(super) fn closing(&self, connection: &Connection) -> openline::Result<Finding> {
        let started = Instant::now();
        connection.close(1000, "")?;
        let time = started.elapsed();
        let found = match connection.how_closed() {
            Some(closed) => match (closed.received(), closed.cause()) {
                (None, Cause::CloseTimeout) => {
                    (Verdict::Failed, format!("no answer in {}", seconds(self.wait)))
                }
                (None, cause) => (Verdict::Failed, format!("no Close frame came: {cause}")),
                // RFC 6455 §7.1.1: the server closes the TCP connection first.
                (Some(_), _) if time >= self.wait => {
                    let wait = seconds(self.wait);
                    (Verdict::Odd, format!("answered, but the stream did not end in {wait}"))
                }
                (Some(close), _) if close.code() != CloseCode::NORMAL_CLOSURE => {
                    (Verdict::Odd, format!("1000 was answered with {close}"))
                }
                (Some(_), _) => (Verdict::Ok, format!("answered in {}", millis(time))),
            },
            None => (Verdict::Failed, format!("no end in {}", seconds(self.wait))),
        };
        finding("close", "5.5.1", Ok((found.0, found.1, Some(time))))
    }

    /// Whether it keeps a line on which nothing happens.
    pub(super) fn idle(&self, time: Duration) -> openline::Result<Finding> {
        let connection = self.connect()?;
        let started = Instant::now();
        let deadline = Deadline::from(time);
        let end = loop {
            match connection.recv_timeout(deadline) {
                Ok(_) => {}
                Err(Error::Timeout { .. }) => break None,
                Err(Error::Closed(closed)) => break Some(closed),
                Err(error) => return Err(error),
            }
        };
        let found = match end {
            Some(closed) => {
                let after = seconds(started.elapsed());
                Ok((Verdict::Odd, format!("{} after {after}", how(&closed)), None))
            }
            None => match connection.ping(None, self.wait) {
                Ok(_) => Ok((Verdict::Ok, format!("still open after {}", seconds(time)), None)),
                Err(error) => self.failed("pong", error),
            },
        };
        connection.abort();
        finding("idle line", "7.1.3", found)
    }

    /// Whether it takes a message of this size.
    pub(super) fn message_size(&self, bytes: u32) -> openline::Result<Finding> {
        let message = Message::Binary(vec![b'x'; bytes as usize]);
        let found = self.delivered(&self.target, &message, |connection| {
            let message = Outgoing::new(Kind::Binary, message.as_bytes());
            connection.send_timeout(message.compress(Compress::Never), self.wait)
        });
        let found = found.map(|found| match found {
            // A limit is not against any rule.
            (Verdict::Failed, text, time) => (Verdict::Odd, text, time),
            found => found,
        });
        finding("message of that size", "10.4", found)
    }

    /// What every server has to take. `done` is told of each.
    pub(super) fn allowed(
        &self,
        mut done: impl FnMut(Finding) -> openline::Result<()>,
    ) -> openline::Result<()> {
        let text = |text: &str| Message::from(text);
        let fragments = |connection: &Connection, parts: &[&[u8]], pings: bool| {
            let mut message = connection.send_fragments(Kind::Text);
            let Some((last, others)) = parts.split_last() else { return Ok(()) };
            for part in others {
                message.send(part, self.wait)?;
                if pings {
                    connection.ping(None, self.wait)?;
                }
            }
            message.finish(last, self.wait)
        };
        let plain = &self.plain;
        let send = |connection: &Connection, message: &Message| {
            connection.send_timeout(message, self.wait)
        };

        let message = text("");
        let found = self.delivered(plain, &message, |connection| send(connection, &message));
        done(finding("empty message", "5.6", found)?)?;

        // The shortest whose length takes eight bytes.
        let message = Message::Binary(vec![b'x'; 1 << 16]);
        let found = self.delivered(plain, &message, |connection| send(connection, &message));
        done(finding("message of 64 KiB", "5.2", found)?)?;

        let message = text("in three parts");
        let found = self.delivered(plain, &message, |connection| {
            fragments(connection, &[b"in ", b"", b"three parts"], false)
        });
        done(finding("fragments", "5.4", found)?)?;

        let found = self.delivered(plain, &message, |connection| {
            fragments(connection, &[b"in ", b"three ", b"parts"], true)
        });
        done(finding("ping between fragments", "5.4", found)?)?;

        let message = text("κόσμε");
        let found = self.delivered(plain, &message, |connection| {
            let bytes = message.as_bytes();
            fragments(connection, &[&bytes[..1], &bytes[1..]], false)
        });
        done(finding("UTF-8 split by fragments", "5.6", found)?)?;

        let found = self.delivered(plain, &message, |connection| {
            connection.pong(b"nobody asked")?;
            send(connection, &message)
        });
        done(finding("pong without a ping", "5.5.3", found)?)?;

        let message = Message::Text("compressed ".repeat(100));
        let connection = self.connect()?;
        if connection.extensions().is_empty() {
            connection.abort();
            return Ok(());
        }
        let found = self.delivered_on(&connection, &message, |connection| {
            let message = Outgoing::from(&message);
            connection.send_timeout(message.compress(Compress::Always), self.wait)
        });
        done(finding("compressed message", "9", found)?)
    }

    /// What every server has to refuse. `done` is told of each.
    pub(super) fn forbidden(
        &self,
        mut done: impl FnMut(Finding) -> openline::Result<()>,
    ) -> openline::Result<()> {
        const PROTOCOL_ERROR: CloseCode = CloseCode::PROTOCOL_ERROR;
        let hello = b"hello";
        let refusals = [
            ("frame without a mask", "5.1", unmasked(FIN | TEXT, hello), PROTOCOL_ERROR),
            ("reserved bit", "5.2", masked(FIN | RSV1 | TEXT, hello), PROTOCOL_ERROR),
            ("reserved opcode", "5.2", masked(FIN | RESERVED, hello), PROTOCOL_ERROR),
            (
                "long form of a length",
                "5.2",
                masked_with_long_length(FIN | TEXT, hello),
                PROTOCOL_ERROR,
            ),
            ("ping of 126 bytes", "5.5", masked(FIN | PING, &[b'x'; 126]), PROTOCOL_ERROR),
            ("ping in fragments", "5.5", masked(PING, hello), PROTOCOL_ERROR),
            ("continuation of nothing", "5.4", masked(FIN | CONTINUATION, hello), PROTOCOL_ERROR),
            (
                "message within a message",
                "5.4",
                [masked(TEXT, hello), masked(FIN | TEXT, hello)].concat(),
                PROTOCOL_ERROR,
            ),
            ("text that is not UTF-8", "8.1", masked(FIN | TEXT, b"\xff"), CloseCode::INVALID_DATA),
            ("close with half a code", "5.5.1", masked(FIN | CLOSE, b"\x03"), PROTOCOL_ERROR),
            ("close with code 1005", "7.4.1", masked(FIN | CLOSE, b"\x03\xed"), PROTOCOL_ERROR),
        ];
        for (name, section, frames, code) in refusals {
            let mut found = self.refused(&frames, code)?;
            if name == LONG_LENGTH && found.0 == Verdict::Failed {
                // RFC 6455 §5.2: senders MUST use the shortest form. Receivers need not mind.
                found.0 = Verdict::Odd;
            }
            done(finding(name, section, Ok(found))?)?;
        }
        Ok(())
    }

    /// Sends a message in some way on a connection of its own. Whether it arrived: came back, or at least did no harm.
    fn delivered(
        &self,
        target: &Target,
        message: &Message,
        send: impl FnOnce(&Connection) -> openline::Result<()>,
    ) -> Found {
        self.delivered_on(&connect(target, self.line)?, message, send)
    }

    fn delivered_on(
        &self,
        connection: &Connection,
        message: &Message,
        send: impl FnOnce(&Connection) -> openline::Result<()>,
    ) -> Found {
        let found = match send(connection) {
            Err(error) => self.failed("answer", error),
            Ok(()) if self.echoes => match is_received(connection, message, self.wait) {
                Ok(true) => Ok((Verdict::Ok, "came back".to_owned(), None)),
                Ok(false) => match connection.how_closed() {
                    Some(closed) => Ok(refusal_of_the_allowed(&closed)),
                    None => {
                        let text = format!("did not come back in {}", seconds(self.wait));
                        Ok((Verdict::Failed, text, None))
                    }
                },
                Err(error) => Err(error),
            },
            Ok(()) => match connection.ping(None, self.wait) {
                Ok(_) => Ok((Verdict::Ok, "taken".to_owned(), None)),
                Err(error) => self.failed("pong", error),
            },
        };
        connection.abort();
        found
    }

    /// Sends bytes that break the rules, and a ping behind them: who answers that has not refused them.
    fn refused(&self, frames: &[u8], code: CloseCode) -> Found {
        let connection = connect(&self.plain, self.line)?;
        // It may have closed in the midst of them, which is what we want to see.
        let _ = frames::send(&connection, frames, Deadline::from(self.wait));
        let pong = connection.ping(None, self.wait);
        let is_closed = match &pong {
            Ok(time) => connection.wait_closed(10 * *time + PATIENCE)?,
            // It has the time for closing, which is the same.
            Err(Error::Closed(_)) => connection.wait_closed(2 * self.wait)?,
            Err(Error::Timeout { .. }) => false,
            Err(_) => return pong.map(|_| unreachable!("bug: an error is none")),
        };
        let found = match (connection.how_closed(), pong) {
            (Some(closed), _) if is_closed => match closed.received() {
                Some(close) if close.code() == code => {
                    (Verdict::Ok, format!("refused with {close}"))
                }
                _ => (Verdict::Odd, format!("{}, where {code} is due", how(&closed))),
            },
            (_, Ok(_)) => (Verdict::Failed, "taken: the next ping was answered".to_owned()),
            _ => {
                let wait = seconds(self.wait);
                (Verdict::Failed, format!("neither refused nor answered in {wait}"))
            }
        };
        connection.abort();
        Ok((found.0, found.1, None))
    }

    /// What an error means that says that something did not come.
    fn failed(&self, what: &str, error: Error) -> Found {
        match error {
            Error::Timeout { .. } => {
                let text = format!("no {what} in {}", seconds(self.wait));
                Ok((Verdict::Failed, text, None))
            }
            Error::Closed(closed) => Ok(refusal_of_the_allowed(&closed)),
            error => Err(error),
        }
    }
}

fn connect(target: &Target, line: &Arc<Line>) -> openline::Result<Connection> {
    let connection = target.connect(line)?;
    line.opened(&connection);
    Ok(connection)
}

fn finding(name: &'static str, section: &'static str, found: Found) -> openline::Result<Finding> {
    found.map(|(verdict, text, time)| Finding { name, section, verdict, text, time })
}

/// It closed though nothing was wrong. With one of these codes it says that something was; with any other it may have
/// reasons of its own, such as a limit, or a message that means nothing to it.
fn refusal_of_the_allowed(closed: &Closed) -> (Verdict, String, Option<Duration>) {
    let code = closed.received().map(|close| close.code());
    let blames = [CloseCode::PROTOCOL_ERROR, CloseCode::INVALID_DATA];
    let verdict = match code {
        Some(code) if !blames.contains(&code) => Verdict::Odd,
        _ => Verdict::Failed,
    };
    (verdict, how(closed), None)
}

fn how(closed: &Closed) -> String {
    match closed.received() {
        Some(close) => format!("closed with {close}"),
        None => match closed.cause() {
            Cause::Eof => "ended without a Close frame".to_owned(),
            cause @ Cause::Protocol(_) => format!("sent what is not allowed: {cause}"),
            cause => format!("ended without a Close frame: {cause}"),
        },
    }
}

/// Waits for this message; others may come before.
fn is_received(
    connection: &Connection,
    message: &Message,
    wait: Duration,
) -> openline::Result<bool> {
    let deadline = Deadline::from(wait);
    loop {
        match connection.recv_timeout(deadline) {
            Ok(received) if received == *message => return Ok(true),
            Ok(_) => {}
            Err(Error::Timeout { .. } | Error::Closed(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", 1e3 * time.as_secs_f64())
}

fn seconds(time: Duration) -> String {
    format!("{} s", (10.0 * time.as_secs_f64()).round() / 10.0)
}

/// How long after a pong, and ten times its round trip, something else may come that was due before.
const PATIENCE: Duration = Duration::from_millis(200);

/// The same for a message, which a program has to send back, that may have other work.
const ECHO_PATIENCE: Duration = Duration::from_secs(1);

const LONG_LENGTH: &str = "long form of a length";
