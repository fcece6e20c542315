//! Every order in which a connection can be closed, against a model of what must come of it.
//!
//! The peer is a socket whose bytes are written here. After each step the connection reads what is
//! there, so an order is one of events as the connection sees them.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use openline_proto::{Role, State};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::Error;

/// What can happen to a connection that is closed, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// We close, with 1000.
    WeClose,
    /// The peer sends Close, with 1001.
    TheyClose,
    Message,
    Ping,
    /// The peer breaks the protocol.
    Violation,
    /// The peer ends its side of the stream.
    End,
    Abort,
}

use Step::{Abort, End, Message, Ping, TheyClose, Violation, WeClose};

const STEPS: [Step; 7] = [WeClose, TheyClose, Message, Ping, Violation, End, Abort];

/// So many steps, and all ways to fill them.
const LENGTH: usize = 5;

/// What must come of the steps so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Model {
    sent: Option<u16>,
    received: Option<u16>,
    received_first: Option<bool>,
    messages: usize,
    pongs: usize,
    /// Nothing is understood any more.
    is_deaf: bool,
    is_ended: bool,
}

impl Model {
    fn step(&mut self, step: Step) {
        if self.is_ended {
            return;
        }
        match step {
            WeClose => self.send(1000),
            Abort => {
                self.send(1001);
                self.is_ended = true;
            }
            End => self.is_ended = true,
            // RFC 6455 §5.5.1, §7.1.7: nothing that stands behind a Close or a violation counts.
            _ if self.is_deaf => {}
            TheyClose => {
                self.received = Some(1001);
                self.received_first = Some(self.sent.is_none());
                self.send(1001);
                self.is_deaf = true;
            }
            Message => self.messages += 1,
            // RFC 6455 §5.5.2: an answer is due unless a Close was received. Nothing follows ours.
            Ping => self.pongs += usize::from(self.sent.is_none()),
            Violation => {
                self.send(1002);
                self.is_deaf = true;
            }
        }
    }

    fn send(&mut self, code: u16) {
        self.sent.get_or_insert(code);
    }

    fn state(&self) -> State {
        match (self.is_ended, self.sent.is_some()) {
            (true, _) => State::Closed,
            (false, true) => State::Closing,
            (false, false) => State::Open,
        }
    }
}

struct Pair {
    line: Connection,
    peer: UnixStream,
}

impl Pair {
    fn open() -> Pair {
        let (ours, peer) = UnixStream::pair().unwrap();
        peer.set_nonblocking(true).unwrap();
        let client = Client::new().max_queue(None).ping_interval(None);
        Pair { line: client.upgraded(ours, Role::Client, b"").unwrap(), peer }
    }

    fn step(&mut self, step: Step) {
        // What the peer writes to a line that was cut goes nowhere.
        match step {
            WeClose => self.line.start_close(1000, "").unwrap(),
            TheyClose => drop(self.peer.write(b"\x88\x02\x03\xe9")),
            Message => drop(self.peer.write(b"\x81\x01m")),
            Ping => drop(self.peer.write(b"\x89\x00")),
            Violation => drop(self.peer.write(b"\x83\x00")),
            End => drop(self.peer.shutdown(Shutdown::Write)),
            Abort => self.line.abort(),
        }
        // Reads what is there. Another reader, the driver, has it read when it lets go.
        self.line.wait_closed(Duration::ZERO).unwrap();
    }

    /// What has come of it, the line being over.
    fn outcome(mut self) -> Model {
        let mut messages = 0;
        let closed = loop {
            match self.line.recv() {
                Ok(_) => messages += 1,
                Err(Error::Closed(closed)) => break closed,
                Err(error) => panic!("{error}"),
            }
        };
        let (pongs, close) = self.frames();
        assert_eq!(close, closed.sent().map(|close| close.code().into()), "on the wire");
        Model {
            sent: close,
            received: closed.received().map(|close| close.code().into()),
            received_first: closed.received_first(),
            messages,
            pongs,
            is_deaf: false,
            is_ended: self.line.is_closed(),
        }
    }

    /// The frames that we have sent, all of them control frames: pongs, and at most one Close, the last.
    fn frames(&mut self) -> (usize, Option<u16>) {
        let mut wire = Vec::new();
        if let Err(error) = self.peer.read_to_end(&mut wire) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        let (mut rest, mut pongs) = (&wire[..], 0);
        while let [first, second, mask0, mask1, _, _, payload @ ..] = rest {
            let len = usize::from(second & 0x7f);
            if *first == 0x88 {
                let code = u16::from_be_bytes([payload[0] ^ mask0, payload[1] ^ mask1]);
                assert_eq!(payload.len(), len, "something follows the Close");
                return (pongs, Some(code));
            }
            assert_eq!(*first, 0x8a);
            pongs += 1;
            rest = &payload[len..];
        }
        assert!(rest.is_empty());
        (pongs, None)
    }
}

#[test]
fn every_order_of_events_ends_as_the_model_says() {
    for number in 0..STEPS.len().pow(u32::try_from(LENGTH).unwrap()) {
        let steps: Vec<Step> = std::iter::successors(Some(number), |rest| Some(rest / STEPS.len()))
            .take(LENGTH)
            .map(|rest| STEPS[rest % STEPS.len()])
            .collect();
        let (mut pair, mut model) = (Pair::open(), Model::default());
        for step in steps.iter().copied().chain([End]) {
            pair.step(step);
            model.step(step);
            assert_eq!(pair.line.state(), model.state(), "{steps:?} at {step:?}");
        }
        model.is_deaf = false;
        assert_eq!(pair.outcome(), model, "{steps:?}");
    }
}
