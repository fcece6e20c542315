//! Compressed messages of a peer that may send anything (RFC 7692): the limit holds whatever comes, and
//! how the input is cut does not matter.

use openline_proto::ProtocolError;
use openline_proto::extension::deflate::Decompressor;

use super::cut::Cut;
use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let settings = input.byte();
    let limit = match settings >> 4 {
        0 => None,
        1 => Some(0),
        n => Some(1 << n),
    };
    let cut = Cut::read(&mut input);
    let mut messages = Vec::new();
    while !input.is_empty() {
        messages.push(input.bytes());
    }
    let decompressor = || Decompressor::new(settings & 8 == 0);

    // All connections see the same messages, each in pieces of another size.
    let mut connections: [Decompressor; 4] = std::array::from_fn(|_| decompressor());
    for message in messages {
        let ways = cut.ways(message);
        let outcomes: Vec<_> = connections
            .iter_mut()
            .zip(&ways)
            .map(|(decompressor, pieces)| decompress(decompressor, pieces, limit))
            .collect();
        for (outcome, pieces) in outcomes.iter().zip(&ways) {
            let lens: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
            assert_eq!(*outcome, outcomes[0], "in pieces of {lens:?}");
        }
        if outcomes[0].is_err() {
            return; // The connection fails.
        }
    }
}

fn decompress(
    decompressor: &mut Decompressor,
    pieces: &[&[u8]],
    limit: Option<usize>,
) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Vec::new();
    let outcome = pieces
        .iter()
        .try_for_each(|piece| decompressor.decompress(piece, &mut out, limit))
        .and_then(|()| decompressor.end_message(&mut out, limit));
    match (&outcome, limit) {
        (Ok(()), Some(limit)) => assert!(out.len() <= limit),
        (Err(ProtocolError::DecodedTooBig { limit: named }), limit) => {
            assert_eq!(Some(*named), limit);
            assert_eq!(out.len(), named + 1, "one byte too many is enough to see it");
        }
        // In what words zlib says so depends on how far it had got.
        (Err(ProtocolError::InvalidDeflate { .. }), _) => return Err(INVALID),
        (Err(error), _) => panic!("another kind of error: {error}"),
        (Ok(()), None) => {}
    }
    outcome.map(|()| out)
}

const INVALID: ProtocolError = ProtocolError::InvalidDeflate { reason: "in any way" };
