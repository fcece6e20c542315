//! There and back: what a client sends, a server receives and sends back, and the client receives it.

use openline_proto::{Kind, Limits, MaskKey, Opcode, Outbound, Part, ProtocolError, Role, Rsv};

use super::cut::Cut;
use super::input::Input;
use super::reader::{Reader, Seen};

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let (wire, expected) = script(input);
    assert_eq!(receive(Role::Server, cut, &wire), expected);

    let mut server = Outbound::new(Role::Server);
    let mut wire = Vec::new();
    for seen in &expected {
        send(&mut server, seen, KEY, &mut wire);
    }
    assert_eq!(receive(Role::Client, cut, &wire), expected);
}

/// What a client sends, as the input has it, and what is to be seen of it: messages whole and in
/// fragments, with control frames between and within.
fn script(mut input: Input<'_>) -> (Vec<u8>, Vec<Seen>) {
    let mut client = Outbound::new(Role::Client);
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    let mut begun: Option<(Kind, Vec<u8>)> = None;
    while !input.is_empty() {
        let what = input.byte();
        let kind = if what & 128 == 0 { Kind::Text } else { Kind::Binary };
        let key = MaskKey::new([what, input.byte(), what ^ 0xa5, 0x5a]);
        let bytes = input.bytes();
        // The bytes are few, lengths in two and in eight bytes are wanted too.
        let bytes = match what >> 4 & 7 {
            6 => bytes.repeat(3),
            7 => bytes.repeat(300),
            _ => bytes.to_vec(),
        };
        let control = bytes[..bytes.len().min(125)].to_vec();
        match (what & 3, &mut begun) {
            (0, None) => {
                let message = Seen::Message(kind, Rsv::NONE, payload(kind, bytes));
                send(&mut client, &message, key, &mut wire);
                expected.push(message);
            }
            (1, None) => {
                let payload = payload(kind, bytes);
                // Cut anywhere, within a character too.
                let (start, rest) = payload.split_at(payload.len().min(usize::from(what >> 4)));
                client.encode_fragment(kind, Part::Fragment, start, key, &mut wire);
                client.encode_fragment(kind, Part::Fragment, rest, key, &mut wire);
                begun = Some((kind, payload));
            }
            (0 | 1, Some((kind, so_far))) => {
                let payload = payload(*kind, bytes);
                let part = if what & 1 == 0 { Part::Last } else { Part::Fragment };
                client.encode_fragment(*kind, part, &payload, key, &mut wire);
                so_far.extend(payload);
                if part == Part::Last {
                    let whole = begun.take().expect("bug: it has just been there");
                    expected.push(Seen::Message(whole.0, Rsv::NONE, whole.1));
                }
            }
            (n, _) => {
                let seen = if n == 2 { Seen::Ping(control) } else { Seen::Pong(control) };
                send(&mut client, &seen, key, &mut wire);
                expected.push(seen);
            }
        }
        assert_eq!(client.is_in_message(), begun.is_some());
    }
    (wire, expected)
}

fn send(outbound: &mut Outbound, seen: &Seen, key: MaskKey, wire: &mut Vec<u8>) {
    let (opcode, payload) = match seen {
        Seen::Message(kind, _, payload) => {
            return outbound.encode_message(*kind, payload, key, wire);
        }
        Seen::Close(_) => unreachable!("the script has no Close"),
        Seen::Ping(payload) => (Opcode::Ping, payload),
        Seen::Pong(payload) => (Opcode::Pong, payload),
    };
    outbound.encode_control(opcode, payload, key, wire).expect("at most 125 bytes");
}

fn receive(role: Role, cut: Cut, wire: &[u8]) -> Vec<Seen> {
    let read = |pieces: &[&[u8]], receive: Receive| {
        let mut reader = Reader::new(role, Limits::default(), Rsv::NONE);
        let error = pieces.iter().find_map(|piece| receive(&mut reader, piece).err());
        assert_eq!(error, None);
        reader.seen
    };
    // Every byte alone would be quadratic here: `inbound` has that.
    let [whole, two, many, _] = cut.ways(wire);
    let seen = read(&whole, Reader::receive);
    assert_eq!(read(&two, Reader::receive), seen);
    assert_eq!(read(&two, Reader::receive_in_place), seen);
    if wire.len() < 4096 {
        assert_eq!(read(&many, Reader::receive), seen);
        assert_eq!(read(&many, Reader::receive_in_place), seen);
    }
    seen
}

type Receive = fn(&mut Reader, &[u8]) -> Result<(), ProtocolError>;

/// A payload that its kind may have.
fn payload(kind: Kind, bytes: Vec<u8>) -> Vec<u8> {
    match kind {
        Kind::Text => String::from_utf8_lossy(&bytes).into_owned().into_bytes(),
        Kind::Binary => bytes,
    }
}

/// A server does not use it.
const KEY: MaskKey = MaskKey::new([0; 4]);
