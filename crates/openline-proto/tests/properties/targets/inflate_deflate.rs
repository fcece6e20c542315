//! What is compressed is decompressed to the same (RFC 7692), alone and beside another extension:
//! whatever was agreed on, in messages and fragments of every size, and after frames that were not sent.

use std::sync::Arc;

use openline_proto::extension::deflate::{Effort, Settings, Strategy};
use openline_proto::extension::{
    Agreed, Coding, CodingError, Compress, Decoding, Encoding, Frame, FrameCoding,
};
use openline_proto::handshake::ExtensionParams;
use openline_proto::{Ends, Kind, Limits, Part, Rsv};

use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (agreed, seen_by_frames) = agreed(&mut input);
    let limits = Limits { max_message: None, ..Limits::default() };
    let mut encoding = Encoding::new(&agreed).expect("there are extensions");
    let mut decoding = Decoding::new(&agreed, limits).expect("there are extensions");
    while !input.is_empty() {
        let what = input.byte();
        let compress = [Compress::Auto, Compress::Always, Compress::Never][usize::from(what) % 3];
        let fragments = 1 + usize::from(what >> 2 & 3);
        let bytes = input.bytes().repeat(if what & 128 == 0 { 1 } else { 200 });
        let mut received = Vec::new();
        let mut message_rsv = Rsv::NONE;
        let len = bytes.len().div_ceil(fragments);
        for number in 0..fragments {
            let fragment = &bytes[(number * len).min(bytes.len())..][..];
            let is_last = number + 1 == fragments;
            let fragment = if is_last { fragment } else { &fragment[..len.min(fragment.len())] };
            let part = match (fragments, is_last) {
                (1, _) => Part::Whole,
                (_, true) => Part::Last,
                (_, false) => Part::Fragment,
            };
            let encode = |encoding: &mut Encoding| {
                let mut payload = Vec::new();
                let rsv = encoding.data(Kind::Binary, part, fragment, compress, &mut payload);
                let rsv = rsv.expect("neither extension fails");
                if rsv.is_none() {
                    (Rsv::NONE, fragment.to_vec())
                } else {
                    (rsv.unwrap_or_default(), payload)
                }
            };
            if what & 64 != 0 {
                // It is not sent, and encoded once more.
                encode(&mut encoding);
                encoding.undo();
            }
            let (mut rsv, payload) = encode(&mut encoding);
            if number == 0 {
                message_rsv = rsv;
            } else if !seen_by_frames {
                rsv = message_rsv; // as `Inbound` tells it
            }
            if !seen_by_frames && message_rsv.is_none() {
                received.extend_from_slice(&payload); // no extension sees it
                continue;
            }
            let ends = if is_last { Ends::Message } else { Ends::Frame };
            let outcome = decoding.data(Kind::Binary, rsv, &payload, ends, &mut received);
            assert_eq!(outcome, Ok(()));
        }
        assert_eq!(received, bytes, "{agreed:?}");
    }
}

/// Two extensions or one, and whether they see all frames.
fn agreed(input: &mut Input<'_>) -> (Vec<Agreed>, bool) {
    let [order, bits, effort] = [input.byte(), input.byte(), input.byte()];
    let bits = 9 + bits % 7;
    let settings = Settings {
        remote_no_context_takeover: order & 8 != 0,
        local_no_context_takeover: order & 8 != 0,
        remote_max_window_bits: bits,
        local_max_window_bits: bits,
        effort: Effort {
            level: effort % 10,
            mem_level: 1 + effort / 10 % 9,
            strategy: [
                Strategy::Default,
                Strategy::Filtered,
                Strategy::HuffmanOnly,
                Strategy::Rle,
                Strategy::Fixed,
            ][usize::from(effort) % 5],
        },
    };
    let agreed = |coding| Agreed { params: ExtensionParams::new("x"), coding };
    let deflate = agreed(Coding::Deflate(settings));
    let flip = agreed(Coding::Frames(Arc::new(Flip)));
    match order % 3 {
        0 => (vec![deflate], false),
        1 => (vec![deflate, flip], true),
        _ => (vec![flip, deflate], true),
    }
}

#[derive(Debug)]
struct Flip;

impl FrameCoding for Flip {
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
        frame.payload.iter_mut().for_each(|byte| *byte ^= 0x5a);
        Ok(())
    }

    fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
        self.encode(frame)
    }
}
