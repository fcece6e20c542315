//! What the tests of the core share: frames for both roles, and runs over cut input.

use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Role};
use crate::inbound::{Ends, Event, Inbound, Limits, Received};
use crate::mask::{self, MaskKey};
use crate::message::Kind;

/// An event with its payload owned, messages put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseFrame),
}

/// The frames of a server as the peer of `role` would send them.
pub(crate) fn to_wire(role: Role, server_frames: &[u8]) -> Vec<u8> {
    match role {
        Role::Client => server_frames.to_vec(),
        Role::Server => masked(server_frames),
    }
}

/// The frames of a server, masked. A frame that cannot be parsed is given its mask bit and key all
/// the same; a payload that is not all there is masked as far as it goes.
pub(crate) fn masked(mut frames: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while frames.len() >= 2 {
        let len = match frames[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let payload_len = match FrameHeader::parse(frames) {
            Ok(Some((header, _))) => header.payload_len as usize,
            _ => 0,
        };
        let key = [1, 2, 3, (out.len() % 251) as u8];
        let (header, rest) = frames.split_at(len);
        let (payload, rest) = rest.split_at(payload_len.min(rest.len()));
        out.extend([header[0], header[1] | 0x80]);
        out.extend_from_slice(&header[2..]);
        out.extend(key);
        let mut payload = payload.to_vec();
        mask::apply(MaskKey::new(key), &mut payload);
        out.append(&mut payload);
        frames = rest;
    }
    out
}

/// Receives the pieces one after the other through a buffer.
pub(crate) fn run(role: Role, pieces: &[&[u8]]) -> (Vec<Seen>, Option<ProtocolError>) {
    run_in(World::new(role), pieces)
}

/// The same, with the shortest way for what can go it.
pub(crate) fn run_wholes_first(role: Role, pieces: &[&[u8]]) -> (Vec<Seen>, Option<ProtocolError>) {
    run_in(World { takes_wholes: true, ..World::new(role) }, pieces)
}

fn run_in(mut world: World, pieces: &[&[u8]]) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut buffer = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if let Err(error) = world.drain(&mut buffer) {
            return (world.seen, Some(error));
        }
    }
    (world.seen, None)
}

/// Receives with reads of `read` bytes, the payload of a frame that has begun through the sink.
pub(crate) fn run_chunked(
    role: Role,
    mut wire: &[u8],
    read: usize,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut world = World::new(role);
    let mut buffer = Vec::new();
    while !wire.is_empty() {
        let wanted = world.inbound.remaining() as usize;
        let outcome = if buffer.is_empty() && wanted > 0 {
            let (piece, rest) = wire.split_at(wanted.min(read).min(wire.len()));
            wire = rest;
            world.sink(&mut piece.to_vec())
        } else {
            let (piece, rest) = wire.split_at(read.min(wire.len()));
            wire = rest;
            buffer.extend_from_slice(piece);
            world.drain(&mut buffer)
        };
        if let Err(error) = outcome {
            return (world.seen, Some(error));
        }
    }
    (world.seen, None)
}

struct World {
    inbound: Inbound,
    seen: Vec<Seen>,
    kind: Kind,
    assembly: Vec<u8>,
    takes_wholes: bool,
}

impl World {
    fn new(role: Role) -> World {
        let inbound = Inbound::new(role, Limits::default());
        let (seen, assembly) = (Vec::new(), Vec::new());
        World { inbound, seen, kind: Kind::Text, assembly, takes_wholes: false }
    }

    fn drain(&mut self, buffer: &mut Vec<u8>) -> Result<(), ProtocolError> {
        loop {
            if self.takes_wholes
                && let Some((message, len)) = self.inbound.receive_whole(buffer)
            {
                self.seen.push(Seen::Message(message.kind(), message.as_bytes().to_vec()));
                buffer.drain(..len);
                continue;
            }
            let Received { consumed, event } = self.inbound.receive(buffer)?;
            let Some(event) = event else {
                buffer.drain(..consumed);
                return Ok(());
            };
            match event {
                Event::Begin(begin) => self.kind = begin.kind,
                Event::Close(close) => self.seen.push(Seen::Close(close)),
                Event::Control { .. } => unreachable!("nothing is left to extensions here"),
                Event::Data(data) => {
                    self.kind = data.kind;
                    self.assembly.extend_from_slice(data.payload);
                    self.end(data.ends);
                }
                Event::Message { kind, payload, .. } => {
                    self.seen.push(Seen::Message(kind, payload.to_vec()));
                }
                Event::Ping(payload) => self.seen.push(Seen::Ping(payload.to_vec())),
                Event::Pong(payload) => self.seen.push(Seen::Pong(payload.to_vec())),
            }
            buffer.drain(..consumed);
        }
    }

    fn sink(&mut self, payload: &mut [u8]) -> Result<(), ProtocolError> {
        let ends = self.inbound.accept(payload)?;
        self.assembly.extend_from_slice(payload);
        self.end(ends);
        Ok(())
    }

    fn end(&mut self, ends: Ends) {
        if ends == Ends::Message {
            self.seen.push(Seen::Message(self.kind, std::mem::take(&mut self.assembly)));
        }
    }
}
