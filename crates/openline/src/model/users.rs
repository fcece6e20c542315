//! The threads of a connection's users, each with a part of its own.

use std::sync::Arc;
use std::time::Duration;

use openline_proto::Message;

use super::board::Caller;
use super::dice::Dice;
use super::ledger::{Fate, Ledger};
use super::plan::{Ending, Receiver, Side};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::sync;

/// One user of one end.
pub(super) struct User {
    pub(super) connection: Connection,
    pub(super) dice: Dice,
    pub(super) side: Side,
    /// What this end sends.
    pub(super) outgoing: Arc<Ledger>,
    /// What the other end sends.
    pub(super) incoming: Arc<Ledger>,
    /// Whether nothing is done that could end the connection or hold it up.
    pub(super) is_peaceful: bool,
}

/// Whether a user goes on.
type Goes = std::ops::ControlFlow<()>;
const ON: Goes = Goes::Continue(());
const HOME: Goes = Goes::Break(());

impl User {
    // Sending.

    pub(super) fn send(mut self, caller: &Caller<'_>, sender: usize) {
        for _ in 0..self.side.sends {
            let goes = match self.dice.below(10) {
                0..4 => self.send_one(caller, sender),
                4..6 => self.send_many(caller, sender),
                6..8 => self.send_fragments(caller, sender),
                8 => self.pong(caller),
                _ => self.flush(caller),
            };
            if goes.is_break() {
                return;
            }
            if self.dice.one_in(3) {
                caller.pause(self.dice.millis_below(30));
            }
        }
    }

    fn send_one(&mut self, caller: &Caller<'_>, sender: usize) -> Goes {
        let (number, message) = self.write(sender);
        let timeout = self.timeout();
        let connection = &self.connection;
        let outcome = caller.call("send", timeout, || connection.send_timeout(&message, timeout));
        let (fate, goes) = fate_of(outcome);
        self.outgoing.settle(sender, number, fate);
        goes
    }

    fn send_many(&mut self, caller: &Caller<'_>, sender: usize) -> Goes {
        let many = 1 + self.dice.below(4);
        let messages: Vec<_> = (0..many).map(|_| self.write(sender)).collect();
        let timeout = self.timeout();
        let connection = &self.connection;
        let (sent, outcome) = caller.call("send_many", timeout, || {
            connection.send_many(messages.iter().map(|(_, message)| message), timeout)
        });
        assert!(outcome.is_err() || sent == messages.len(), "sent {sent} of {many} messages");
        let (fate, goes) = fate_of(outcome);
        for (n, (number, _)) in messages.iter().enumerate() {
            let fate = match fate {
                _ if n >= sent => Fate::TakenBack,
                Fate::TakenBack => Fate::Sent,
                fate => fate,
            };
            self.outgoing.settle(sender, *number, fate);
        }
        goes
    }

    fn send_fragments(&mut self, caller: &Caller<'_>, sender: usize) -> Goes {
        let (number, message) = self.write(sender);
        let connection = self.connection.clone();
        let mut fragments = connection.send_fragments(message.kind());
        let mut rest = message.as_bytes();
        let mut has_begun = false;
        loop {
            let piece;
            (piece, rest) = rest.split_at(self.dice.below(rest.len() + 1));
            let is_last = self.dice.one_in(3);
            let timeout = self.timeout();
            let mut send = |timeout: Option<Duration>| {
                caller.call("fragments", timeout, || match is_last {
                    true => fragments.finish(&[piece, rest].concat(), timeout),
                    false => fragments.send(piece, timeout),
                })
            };
            let mut outcome = send(timeout);
            if matches!(outcome, Err(Error::Timeout { committed: false, .. })) {
                if !self.is_peaceful && self.dice.one_in(4) {
                    // The message is broken off, and with it the connection if it has begun.
                    let fate = if has_begun { Fate::BrokenOff } else { Fate::TakenBack };
                    self.outgoing.settle(sender, number, fate);
                    return if has_begun { HOME } else { ON };
                }
                outcome = send(None);
            }
            while matches!(outcome, Err(Error::Interrupted { committed: false })) {
                outcome = send(None);
            }
            let (fate, goes) = fate_of(outcome);
            has_begun = true;
            if is_last || goes.is_break() {
                self.outgoing.settle(sender, number, fate);
                return goes;
            }
        }
    }

    fn pong(&mut self, caller: &Caller<'_>) -> Goes {
        goes_on(caller.call("pong", Some(Duration::ZERO), || self.connection.pong(b"unasked")))
    }

    fn flush(&mut self, caller: &Caller<'_>) -> Goes {
        let timeout = self.timeout();
        match caller.call("flush", timeout, || self.connection.flush(timeout)) {
            Err(Error::Timeout { .. } | Error::Interrupted { .. }) => ON,
            outcome => goes_on(outcome),
        }
    }

    fn write(&mut self, sender: usize) -> (usize, Message) {
        let longest = if self.dice.one_in(4) { self.side.longest } else { self.side.typical_len };
        let len = self.dice.below(longest);
        self.outgoing.write(sender, &mut self.dice, len)
    }

    /// Mostly none, so that something gets done.
    fn timeout(&mut self) -> Option<Duration> {
        match self.dice.below(4) {
            0 => Some(self.dice.millis_below(50)),
            1 if self.dice.one_in(3) => Some(Duration::ZERO),
            _ => None,
        }
    }

    // Receiving.

    pub(super) fn receive(mut self, caller: &Caller<'_>) {
        let mut turns = match self.side.receiver {
            Receiver::Lazy => self.dice.below(4),
            Receiver::Lively | Receiver::Sleepy => usize::MAX,
        };
        while turns > 0 {
            turns -= 1;
            let goes = match self.dice.below(8) {
                0 => self.receive_many(caller),
                1 => self.receive_into(caller),
                2 => self.receive_fragments(caller),
                3 => self.take_buffered(caller),
                4 => self.receive_large(caller),
                5 => self.receive_one(caller, None),
                _ => {
                    let timeout = self.dice.millis_below(100);
                    self.receive_one(caller, Some(timeout))
                }
            };
            if goes.is_break() {
                return;
            }
            match self.side.receiver {
                Receiver::Sleepy if self.dice.one_in(6) => {
                    caller.pause_long(self.dice.millis_below(6_000));
                }
                _ if self.dice.one_in(4) => caller.pause(self.dice.millis_below(10)),
                _ => {}
            }
        }
    }

    fn receive_one(&mut self, caller: &Caller<'_>, timeout: Option<Duration>) -> Goes {
        match caller.call("recv", timeout, || self.connection.recv_timeout(timeout)) {
            Ok(message) => {
                self.incoming.receive(message.kind(), message.as_bytes());
                ON
            }
            Err(error) => self.without_message(error),
        }
    }

    fn receive_many(&mut self, caller: &Caller<'_>) -> Goes {
        let (max, timeout) = (1 + self.dice.below(4), self.dice.millis_below(100));
        let outcome =
            caller.call("recv_many", Some(timeout), || self.connection.recv_many(max, timeout));
        match outcome {
            Ok(messages) => {
                assert!((1..=max).contains(&messages.len()), "{} messages", messages.len());
                for message in messages {
                    self.incoming.receive(message.kind(), message.as_bytes());
                }
                ON
            }
            Err(error) => self.without_message(error),
        }
    }

    /// Binary and text look alike here; the ledger is asked for either.
    fn receive_into(&mut self, caller: &Caller<'_>) -> Goes {
        let mut buffer = vec![0; self.dice.below(2 * self.side.longest)];
        let timeout = self.dice.millis_below(100);
        let outcome = caller
            .call("recv_into", Some(timeout), || self.connection.recv_into(&mut buffer, timeout));
        match outcome {
            Ok(len) => {
                self.incoming.receive_bytes(&buffer[..len]);
                ON
            }
            Err(Error::BufferTooSmall { needed, available }) => {
                assert!(needed > available, "{needed} bytes fit into {available}");
                ON
            }
            Err(error) => self.without_message(error),
        }
    }

    fn receive_fragments(&mut self, caller: &Caller<'_>) -> Goes {
        let mut fragments = match self.connection.recv_streaming() {
            Ok(fragments) => fragments,
            Err(error) => return self.without_message(error),
        };
        let (mut kind, mut bytes) = (None, Vec::new());
        let leaves = self.dice.one_in(4);
        loop {
            let timeout = self.dice.one_in(2).then(|| self.dice.millis_below(100));
            let next = || fragments.next_timeout(timeout);
            match caller.call("recv_streaming", timeout, next) {
                Ok(Some(fragment)) => {
                    kind = Some(fragment.kind());
                    bytes.extend_from_slice(fragment.as_bytes());
                    self.incoming.receive_part(kind, &bytes, false);
                }
                Ok(None) => {
                    self.incoming.receive(kind.expect("a message has fragments"), &bytes);
                    return ON;
                }
                Err(Error::Timeout { .. } | Error::Interrupted { .. }) => {}
                Err(error) => return self.without_message(error),
            }
            if leaves && self.dice.one_in(2) {
                self.incoming.receive_part(kind, &bytes, true);
                caller.call("leaving a message", Some(Duration::ZERO), || drop(fragments));
                return ON;
            }
        }
    }

    fn take_buffered(&mut self, caller: &Caller<'_>) -> Goes {
        let incoming = self.incoming.clone();
        let take = || {
            self.connection.take_buffered(|payload| {
                let message = payload.into_message();
                incoming.receive(message.kind(), message.as_bytes());
            })
        };
        match caller.call("take_buffered", Some(Duration::ZERO), take) {
            Ok(_) => ON,
            Err(error) => self.without_message(error),
        }
    }

    fn receive_large(&mut self, caller: &Caller<'_>) -> Goes {
        let timeout = Some(self.dice.millis_below(100));
        let wait = || self.connection.await_buffered(true, timeout);
        let len = match caller.call("await_buffered", timeout, wait) {
            Ok(Some(len)) => len,
            Ok(None) => return ON,
            Err(error) => return self.without_message(error),
        };
        let mut memory = vec![0; len];
        let receive = || self.connection.recv_large(&mut memory, timeout);
        match caller.call("recv_large", timeout, receive) {
            Ok(true) => {
                self.incoming.receive_bytes(&memory);
                ON
            }
            Ok(false) => ON,
            Err(error) => self.without_message(error),
        }
    }

    fn without_message(&self, error: Error) -> Goes {
        match error {
            Error::Timeout { .. } | Error::Interrupted { .. } => ON,
            Error::Closed(_) => HOME,
            error => panic!("receiving failed: {error}"),
        }
    }

    // The rest.

    pub(super) fn ping(mut self, caller: &Caller<'_>) {
        for _ in 0..3 {
            let timeout = if self.dice.one_in(3) { self.dice.millis_below(50) } else { PATIENCE };
            let connection = &self.connection;
            let deadline = Deadline::from(timeout);
            let outcome = if self.dice.one_in(2) {
                let wait = |id| resume(|| connection.await_pong(id, deadline)).map(|_| true);
                let ping = || connection.start_ping(None).and_then(wait);
                caller.call("await_pong", Some(timeout), ping)
            } else {
                let wait = |id| resume(|| connection.wait_answered(id, deadline));
                let ping = || connection.send_ping(None).and_then(wait);
                caller.call("wait_answered", Some(timeout), ping)
            };
            match outcome {
                Ok(true) => {}
                Ok(false) | Err(Error::Timeout { .. }) => assert!(
                    !(self.is_peaceful && timeout == PATIENCE),
                    "a ping was not answered within {timeout:?}, and the peer is alive"
                ),
                Err(Error::Closed(_)) => return,
                Err(error) => panic!("pinging failed: {error}"),
            }
            caller.pause(self.dice.millis_below(50));
        }
    }

    /// Ends the connection.
    pub(super) fn end(mut self, caller: &Caller<'_>, ending: Ending) {
        match ending {
            Ending::Close(_) | Ending::BothClose => {
                let timeout = self.side.settings.close_timeout;
                let close = || resume(|| self.connection.close(1000, "done"));
                caller.call("close", timeout, close).expect("nothing is wrong with its arguments");
                assert!(self.connection.is_closed(), "close returned, and it is not closed");
            }
            Ending::Abort(_) => {
                caller.call("abort", Some(Duration::ZERO), || self.connection.abort());
            }
        }
        let timeout = self.dice.millis_below(50);
        let deadline = Deadline::from(timeout);
        let wait = || resume(|| self.connection.wait_closed(deadline));
        let is_closed = caller.call("wait_closed", Some(timeout), wait).expect("nobody forks");
        // Who receives sees the end of what was aborted, and does not hold it up.
        assert!(is_closed || matches!(ending, Ending::Abort(_)), "it is closed, and then not");
    }
}

/// What became of a message, and whether more can be sent.
fn fate_of(outcome: Result<()>) -> (Fate, Goes) {
    match outcome {
        Ok(()) => (Fate::Sent, ON),
        Err(Error::Timeout { committed, .. } | Error::Interrupted { committed }) => {
            (if committed { Fate::Sent } else { Fate::TakenBack }, ON)
        }
        Err(Error::Closed(_)) => (Fate::Unknown, HOME),
        Err(error) => panic!("sending failed: {error}"),
    }
}

/// Makes a call again that a signal interrupted.
fn resume<T>(call: impl Fn() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Error::Interrupted { .. }) => {}
            outcome => return outcome,
        }
    }
}

fn goes_on(outcome: Result<()>) -> Goes {
    match outcome {
        Ok(()) => ON,
        Err(Error::Closed(_)) => HOME,
        Err(error) => panic!("a control frame failed: {error}"),
    }
}

/// Within this a live peer answers, however slow the network is.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// By when what was begun must be over.
pub(super) fn soon() -> Deadline {
    Deadline::from(sync::now() + PATIENCE)
}
