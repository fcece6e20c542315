//! The owner of an `Inbound`: it reads from a buffer or through the payload sink, puts messages
//! together, and asserts at every step what holds for all streams.

use openline_proto::{
    CloseFrame, Ends, Event, Inbound, Kind, Limits, ProtocolError, Received, Role, Rsv,
};

/// An event with its payload owned, messages put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Close(CloseFrame),
    Message(Kind, Rsv, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

pub(crate) struct Reader {
    inbound: Inbound,
    limits: Limits,
    /// What was understood so far, unless its taker took it.
    pub(crate) seen: Vec<Seen>,
    buffer: Vec<u8>,
    is_closed: bool,
    message: Partial,
}

/// The message that has begun.
struct Partial {
    kind: Kind,
    rsv: Rsv,
    payload: Vec<u8>,
    frames: usize,
}

impl Reader {
    pub(crate) fn new(role: Role, limits: Limits, allowed: Rsv) -> Reader {
        let mut inbound = Inbound::new(role, limits);
        inbound.allow_rsv(allowed);
        let message = Partial { kind: Kind::Text, rsv: Rsv::NONE, payload: Vec::new(), frames: 0 };
        let (seen, buffer) = (Vec::new(), Vec::new());
        Reader { inbound, limits, seen, buffer, is_closed: false, message }
    }

    /// Understands what is buffered and `bytes`, as far as it goes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.buffer.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// The same, with the shortest way for what can go it.
    pub(crate) fn receive_wholes_first(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.buffer.extend_from_slice(bytes);
        while self.take_whole() || self.step()? {}
        Ok(())
    }

    fn take_whole(&mut self) -> bool {
        let before = self.buffer.clone();
        let Some((message, consumed)) = self.inbound.receive_whole(&mut self.buffer) else {
            return false;
        };
        assert!(!self.is_closed && consumed <= before.len());
        assert_eq!(self.message.frames, 0, "a message within another");
        let (kind, payload) = (message.kind(), message.as_bytes());
        within(payload.len() as u64, self.limits.max_fragment, Rsv::NONE);
        self.message.begin(kind, Rsv::NONE);
        self.message.payload.extend_from_slice(payload);
        let end = self.message.end(Ends::Message, &self.limits);
        self.seen.extend(end);
        assert_eq!(self.buffer[consumed..], before[consumed..], "the rest was touched");
        self.buffer.drain(..consumed);
        true
    }

    /// One event; whether there was one.
    fn step(&mut self) -> Result<bool, ProtocolError> {
        let before = self.buffer.clone();
        let received = self.inbound.receive(&mut self.buffer);
        let Received { consumed, event } = match received {
            Ok(received) => received,
            Err(error) => return Err(self.failed(error)),
        };
        assert!(consumed <= before.len(), "consumed what is not there");
        let is_progress = event.is_some();
        match event {
            None => assert!(consumed == 0 || self.is_closed, "bytes got lost"),
            Some(event) => {
                assert!(consumed > 0 && !self.is_closed);
                match event {
                    Event::Begin(begin) => {
                        assert!(begin.payload_len > (before.len() - consumed) as u64);
                        assert_eq!(self.inbound.remaining(), begin.payload_len);
                        let is_first = self.message.frames == 0;
                        assert!(is_first || !begin.is_whole_message);
                        within(begin.payload_len, self.limits.max_fragment, begin.rsv);
                        self.message.begin(begin.kind, begin.rsv);
                    }
                    Event::Close(close) => {
                        self.is_closed = true;
                        self.seen.push(Seen::Close(close));
                    }
                    Event::Control { .. } => panic!("nothing is left to extensions"),
                    Event::Data(data) => {
                        within(data.payload.len() as u64, self.limits.max_fragment, data.rsv);
                        self.message.begin(data.kind, data.rsv);
                        self.message.payload.extend_from_slice(data.payload);
                        let end = self.message.end(data.ends, &self.limits);
                        self.seen.extend(end);
                    }
                    Event::Message { kind, rsv, payload } => {
                        assert_eq!(self.message.frames, 0, "a message within another");
                        within(payload.len() as u64, self.limits.max_fragment, rsv);
                        self.message.begin(kind, rsv);
                        self.message.payload.extend_from_slice(payload);
                        let end = self.message.end(Ends::Message, &self.limits);
                        self.seen.extend(end);
                    }
                    Event::Ping(payload) => self.seen.push(Seen::Ping(short(payload))),
                    Event::Pong(payload) => self.seen.push(Seen::Pong(short(payload))),
                }
            }
        }
        assert_eq!(self.buffer[consumed..], before[consumed..], "the rest was touched");
        self.buffer.drain(..consumed);
        Ok(is_progress)
    }

    /// The same through the payload sink: what belongs to a frame that has begun goes by the buffer.
    pub(crate) fn receive_in_place(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            let wanted = self.inbound.remaining();
            if wanted > 0 && self.buffer.is_empty() {
                let len = wanted.min(bytes.len() as u64) as usize;
                let (piece, rest) = bytes.split_at(len);
                let mut piece = piece.to_vec();
                match self.inbound.accept(&mut piece) {
                    Ok(ends) => {
                        assert_eq!(self.inbound.remaining(), wanted - len as u64);
                        self.message.payload.append(&mut piece);
                        let end = self.message.end(ends, &self.limits);
                        self.seen.extend(end);
                    }
                    Err(error) => return Err(self.failed(error)),
                }
                bytes = rest;
            } else {
                // One byte at a time, so that not more than the header is read by the buffer.
                self.receive(&bytes[..1])?;
                bytes = &bytes[1..];
            }
        }
        Ok(())
    }

    /// Errors stick, and there is a Close frame to send for each.
    fn failed(&mut self, error: ProtocolError) -> ProtocolError {
        for input in [&b""[..], b"\x81\x00", b"\x88\x80\0\0\0\0"] {
            assert_eq!(self.inbound.receive_whole(&mut input.to_vec()), None);
            assert_eq!(self.inbound.receive(&mut input.to_vec()), Err(error.clone()));
        }
        assert_eq!(self.inbound.accept(&mut []), Err(error.clone()));
        let close = error.close_frame();
        assert_eq!(CloseFrame::parse(&close.encode()), Ok(close));
        error
    }
}

impl Partial {
    fn begin(&mut self, kind: Kind, rsv: Rsv) {
        if self.frames > 0 || !self.payload.is_empty() {
            assert_eq!((self.kind, self.rsv), (kind, rsv), "the message changed on its way");
        }
        (self.kind, self.rsv) = (kind, rsv);
    }

    fn end(&mut self, ends: Ends, limits: &Limits) -> Option<Seen> {
        within(self.payload.len() as u64, limits.max_message, self.rsv);
        if ends == Ends::Nothing {
            return None;
        }
        self.frames += 1;
        assert!(self.frames <= limits.max_fragments, "{} fragments", self.frames);
        if ends == Ends::Frame {
            return None;
        }
        self.frames = 0;
        let payload = std::mem::take(&mut self.payload);
        if self.kind == Kind::Text && self.rsv.is_none() {
            assert!(std::str::from_utf8(&payload).is_ok(), "text that is not UTF-8");
        }
        Some(Seen::Message(self.kind, self.rsv, payload))
    }
}

/// What an extension has to decode may be a little longer than its limit.
fn within(size: u64, limit: Option<usize>, rsv: Rsv) {
    let expansion = |limit: usize| if rsv.is_none() { 0 } else { limit as u64 + 64 * 1024 };
    let is_within = limit.is_none_or(|limit| size <= limit as u64 + expansion(limit));
    assert!(is_within, "{size} bytes exceed {limit:?}");
}

fn short(payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= 125, "a control frame of {} bytes", payload.len());
    payload.to_vec()
}
