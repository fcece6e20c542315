//! What the server and the clients of the benchmarks both need: opcodes, and how long frames are.

/// The header of a whole message without a mask.
pub fn header(opcode: u8, len: usize) -> Vec<u8> {
    let first = 0x80 | opcode;
    match len {
        0..126 => vec![first, len as u8],
        126..65_536 => [&[first, 126], &(len as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, 127], &(len as u64).to_be_bytes()[..]].concat(),
    }
}

/// How long the frame of a client is: header, mask and payload.
pub fn masked_len(len: usize) -> usize {
    header(2, len).len() + 4 + len
}
