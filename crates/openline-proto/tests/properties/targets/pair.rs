//! A client and a server, connected by a line of bytes, do anything at all that their owners may do.
//!
//! Owners behave as an engine does: they answer Pings and Closes, send no data once a Close has gone
//! either way, ping and give up when their keepalive says so. Then nothing can panic, no side can find
//! fault with the other, messages arrive whole, in order and once, and who wants to close can.

use std::time::{Duration, Instant};

use openline_proto::{
    CloseCode, CloseFrame, ClosingHandshake, Due, Keepalive, Kind, Limits, MaskKey, Opcode,
    Outbound, Part, Pings, Role, Rsv, State,
};

use super::input::Input;
use super::reader::{Reader, Seen};

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut pair = Pair::new(input.byte());
    while !input.is_empty() && !pair.is_cut {
        pair.step(&mut input);
    }
    pair.finish();
}

struct Pair {
    sides: [Side; 2],
    now: Instant,
    is_cut: bool,
}

/// One end of the line, and its owner's notes.
struct Side {
    outbound: Outbound,
    reader: Reader,
    closing: ClosingHandshake,
    keepalive: Keepalive,
    /// What the keepalive gives the other side to show a sign of life.
    timeout: Option<Duration>,
    pings: Pings,
    /// Bytes on their way to the other side.
    wire: Vec<u8>,
    /// The fragmented message that was begun.
    begun: Option<(Kind, Vec<u8>)>,
    /// Messages that went out whole, and those that came.
    sent: Vec<(Kind, Vec<u8>)>,
    received: Vec<(Kind, Vec<u8>)>,
    pings_sent: u64,
    /// Reads that brought bytes, and when the last one did.
    life: u64,
    heard_at: Instant,
    has_given_up: bool,
}

impl Pair {
    fn new(bits: u8) -> Pair {
        #[allow(clippy::disallowed_methods, reason = "a start for a virtual clock")]
        let now = Instant::now();
        let interval = (bits & 1 == 0).then_some(Duration::from_millis(20));
        let timeout = (bits & 2 == 0).then_some(Duration::from_millis(u64::from(bits)));
        let side = |role| Side::new(role, interval, timeout, now);
        Pair { sides: [side(Role::Client), side(Role::Server)], now, is_cut: false }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let at = usize::from(what & 1);
        let (side, now) = (&mut self.sides[at], self.now);
        let kind = if what & 128 == 0 { Kind::Text } else { Kind::Binary };
        match what >> 1 & 15 {
            0 | 1 => side.send(kind, input.bytes()),
            2 => side.fragment(kind, Part::Fragment, input.bytes()),
            3 => side.fragment(kind, Part::Last, input.bytes()),
            4 => side.ping(now),
            5 => side.control(Opcode::Pong, &input.bytes()[..0]),
            6 => {
                let (code, reason) = (1000 + u16::from(input.byte() % 4), input.bytes());
                let reason = String::from_utf8_lossy(reason);
                let close = CloseFrame::new(code, reason);
                side.close(close.unwrap_or_else(|_| CloseFrame::without_code()));
            }
            7..=10 => {
                let len = input.below(64);
                self.deliver(at, len);
            }
            11 | 12 => self.deliver(at, usize::MAX),
            13 | 14 => {
                self.now += Duration::from_millis(input.byte().into());
                let now = self.now;
                self.sides.iter_mut().for_each(|side| side.handle_deadline(now));
            }
            _ => self.is_cut = input.byte() == 255,
        }
    }

    /// Carries up to `len` bytes from one side to the other.
    fn deliver(&mut self, from: usize, len: usize) {
        let [client, server] = &mut self.sides;
        let (from, to) = if from == 0 { (client, server) } else { (server, client) };
        let len = len.min(from.wire.len());
        let bytes: Vec<u8> = from.wire.drain(..len).collect();
        if !bytes.is_empty() {
            to.receive(&bytes, self.now);
        }
    }

    /// Both close, all bytes are delivered, and the line ends.
    fn finish(mut self) {
        if !self.is_cut {
            self.sides.iter_mut().for_each(|side| side.close(CloseFrame::without_code()));
            // Each delivery brings out at most the answers to what it brought.
            for _ in 0..4 {
                self.deliver(0, usize::MAX);
                self.deliver(1, usize::MAX);
            }
            assert!(self.sides.iter().all(|side| side.wire.is_empty()), "it never ends");
            assert!(self.sides.iter().all(|side| side.closing.is_complete()), "a side still waits");
            assert!(self.sides.iter().all(|side| side.closing.state() == State::Closing));
        }
        for side in &mut self.sides {
            side.closing.end();
            assert_eq!(side.closing.state(), State::Closed);
            assert_eq!(side.closing.send(CloseFrame::without_code()), None, "sent after the end");
            assert_eq!(side.closing.receive(CloseFrame::without_code()), None);
            assert!(!side.closing.to_string().is_empty());
        }
        let [client, server] = &self.sides;
        for (from, to) in [(client, server), (server, client)] {
            if self.is_cut {
                assert!(from.sent.starts_with(&to.received));
                assert!(to.closing.received().is_none_or(|got| Some(got) == from.closing.sent()));
            } else {
                assert_eq!(to.received, from.sent);
                assert_eq!(to.closing.received(), from.closing.sent());
            }
        }
        let is_first = |side: &Side| side.closing.received_first() == Some(true);
        assert!(!(is_first(client) && is_first(server)), "each says that the other was first");
    }
}

impl Side {
    fn new(
        role: Role,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Side {
        Side {
            outbound: Outbound::new(role),
            reader: Reader::new(role, Limits::default(), Rsv::NONE),
            closing: ClosingHandshake::default(),
            keepalive: Keepalive::new(interval, timeout, now),
            timeout,
            pings: Pings::default(),
            wire: Vec::new(),
            begun: None,
            sent: Vec::new(),
            received: Vec::new(),
            pings_sent: 0,
            life: 0,
            heard_at: now,
            has_given_up: false,
        }
    }

    fn send(&mut self, kind: Kind, bytes: &[u8]) {
        if self.closing.state() == State::Open && self.begun.is_none() {
            let payload = payload(kind, bytes);
            self.outbound.encode_message(kind, &payload, KEY, &mut self.wire);
            self.sent.push((kind, payload));
        }
    }

    fn fragment(&mut self, kind: Kind, part: Part, bytes: &[u8]) {
        if self.closing.state() != State::Open {
            return;
        }
        let (kind, mut message) = self.begun.take().unwrap_or((kind, Vec::new()));
        let payload = payload(kind, bytes);
        self.outbound.encode_fragment(kind, part, &payload, KEY, &mut self.wire);
        message.extend(payload);
        match part {
            Part::Last => self.sent.push((kind, message)),
            _ => self.begun = Some((kind, message)),
        }
    }

    fn ping(&mut self, now: Instant) {
        // Payloads of their own, so that each answer has its question.
        let payload = self.pings_sent.to_be_bytes();
        if self.closing.sent().is_none() {
            assert_eq!(self.pings.sent(&payload, now), self.pings_sent);
            self.pings_sent += 1;
        }
        self.control(Opcode::Ping, &payload);
    }

    fn close(&mut self, close: CloseFrame) {
        if let Some(close) = self.closing.send(close) {
            self.write(Opcode::Close, &close.encode());
        }
    }

    /// A Ping or Pong. RFC 6455 §5.5.1: nothing after a Close.
    fn control(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.closing.sent().is_none() {
            self.write(opcode, payload);
        }
    }

    fn write(&mut self, opcode: Opcode, payload: &[u8]) {
        let written = self.outbound.encode_control(opcode, payload, KEY, &mut self.wire);
        assert_eq!(written, Ok(()));
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.life += 1;
        self.heard_at = now;
        // Through the buffer and by it, in turns.
        let received = match self.life % 2 {
            0 => self.reader.receive(bytes),
            _ => self.reader.receive_in_place(bytes),
        };
        assert_eq!(received, Ok(()), "found fault with the other side");
        for seen in std::mem::take(&mut self.reader.seen) {
            assert!(self.closing.received().is_none(), "something after a Close");
            match seen {
                Seen::Close(close) => {
                    if let Some(answer) = self.closing.receive(close) {
                        self.write(Opcode::Close, &answer.encode());
                    }
                }
                Seen::Message(kind, _, payload) => self.received.push((kind, payload)),
                Seen::Ping(payload) => self.control(Opcode::Pong, &payload),
                Seen::Pong(payload) => self.pong(&payload, now),
            }
        }
    }

    fn pong(&mut self, payload: &[u8], now: Instant) {
        let was_outstanding = self.pings.is_outstanding(payload);
        let answered = self.pings.answered(payload, now);
        assert_eq!(answered.is_some(), was_outstanding);
        assert!(!self.pings.is_outstanding(payload), "answered twice");
        if let Some((id, _)) = answered {
            assert_eq!(payload, id.to_be_bytes());
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        while let Some(due) = self.keepalive.handle_deadline(now, self.life) {
            match due {
                Due::Ping => self.ping(now),
                Due::Timeout => {
                    let silence = now.duration_since(self.heard_at);
                    assert!(self.timeout.is_some_and(|timeout| silence >= timeout), "{silence:?}");
                    self.has_given_up = true;
                    let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, "no sign of life");
                    self.close(close);
                    return;
                }
            }
        }
        assert!(self.has_given_up || self.keepalive.deadline().is_none_or(|at| now < at));
    }
}

/// A payload that its kind may have.
fn payload(kind: Kind, bytes: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Text => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
        Kind::Binary => bytes.to_vec(),
    }
}

const KEY: MaskKey = MaskKey::new([1, 2, 3, 4]);
