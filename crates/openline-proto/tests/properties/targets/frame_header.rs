//! The header of a frame (RFC 6455 §5.2): it is canonical, and decided as soon as it can be.

use openline_proto::{FrameHeader, MaskKey, Opcode, Rsv};

use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    parsed(data);
    made(Input::new(data));
}

/// What is parsed encodes to the same bytes, and no prefix of them says anything else.
fn parsed(data: &[u8]) {
    let outcome = FrameHeader::parse(data);
    if let Ok(Some((header, len))) = &outcome {
        assert!(*len <= data.len() && *len <= FrameHeader::MAX_LEN);
        assert_eq!(header.encode().as_ref(), &data[..*len]);
        assert!(!header.opcode.is_control() || (header.fin && header.payload_len <= 125));
    }
    let prefixes = (0..data.len().min(FrameHeader::MAX_LEN)).map(|end| &data[..end]);
    let first = prefixes.map(FrameHeader::parse).find(|prefix| *prefix != Ok(None));
    assert!(first.is_none_or(|first| first == outcome), "decided too early");
    if data.len() >= FrameHeader::MAX_LEN {
        assert_ne!(outcome, Ok(None), "no header is longer");
    }
}

/// Every header that can be made is parsed again.
fn made(mut input: Input<'_>) {
    let opcode = [
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ][input.below(6)];
    let bits = input.byte();
    let rsv = [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3]
        .into_iter()
        .enumerate()
        .filter(|(n, _)| bits >> n & 1 == 1)
        .fold(Rsv::NONE, |all, (_, bit)| all.union(bit));
    let key = [(); 4].map(|()| input.byte());
    let len = u64::from_be_bytes([(); 8].map(|()| input.byte())) >> (bits >> 5);
    let header = FrameHeader {
        fin: opcode.is_control() || bits & 8 != 0,
        rsv,
        opcode,
        mask: (bits & 16 != 0).then_some(MaskKey::new(key)),
        payload_len: if opcode.is_control() { len % 126 } else { len & i64::MAX as u64 },
    };
    let encoded = header.encode();
    assert_eq!(FrameHeader::parse(encoded.as_ref()), Ok(Some((header, encoded.as_ref().len()))));
}
