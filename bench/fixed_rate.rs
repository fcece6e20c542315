//! The peer of `rates.py`: sends frames that were made before, or takes as many bytes as frames have.
//!
//! `fixed_rate flood OPCODE LEN COUNT` or `fixed_rate sink OPCODE LEN COUNT`, with the connected socket as standard
//! input. It parses nothing, so that it costs the same with every client and the least that a peer can. A sink says
//! `done`, in a frame, once all has come.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments[at].parse::<usize>().expect("a number");
    let (opcode, len, count) = (number(2), number(3), number(4));
    let header = header(opcode, len);
    let mut socket = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    if arguments[1] == "flood" {
        let frame = [&header[..], &vec![b'x'; len]].concat();
        let at_once = (256 * 1024 / frame.len()).max(1);
        let block = frame.repeat(at_once);
        let mut left = count;
        while left > 0 {
            let now = left.min(at_once);
            socket.write_all(&block[..now * frame.len()])?;
            left -= now;
        }
        // The client ends it.
        let _ = socket.read(&mut [0]);
    } else {
        let mut left = count * (header.len() + 4 + len); // with a mask
        let mut buffer = vec![0; 256 * 1024];
        while left > 0 {
            let most = left.min(buffer.len());
            match socket.read(&mut buffer[..most])? {
                0 => break,
                taken => left -= taken,
            }
        }
        socket.write_all(b"\x81\x04done")?;
        let _ = socket.read(&mut [0]);
    }
    Ok(())
}

/// Of a whole message without a mask.
fn header(opcode: usize, len: usize) -> Vec<u8> {
    let first = 0x80 | opcode as u8;
    match len {
        0..126 => vec![first, len as u8],
        126..65_536 => [&[first, 126], &(len as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, 127], &(len as u64).to_be_bytes()[..]].concat(),
    }
}
