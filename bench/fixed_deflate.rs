//! The peer of `deflate.py`: answers each frame with the next of those that were made before, or sends
//! all of them over and over.
//!
//! `fixed_deflate echo|stream FRAMES`, with the connected socket as standard input. FRAMES is a file with the
//! frames one after another, each with its length before it in four bytes, the most significant first. It
//! compresses and decompresses nothing, so that it costs the same with every client.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::AsFd;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let frames = read_frames(&std::fs::read(&arguments[2])?);
    let mut socket = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    if arguments[1] == "stream" {
        let all = frames.concat();
        while socket.write_all(&all).is_ok() {}
        return Ok(());
    }
    let mut requests = BufReader::new(socket.try_clone()?);
    for frame in frames.iter().cycle() {
        if skip_frame(&mut requests).is_err() || socket.write_all(frame).is_err() {
            break;
        }
    }
    Ok(())
}

fn read_frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

/// Reads a masked frame.
fn skip_frame(requests: &mut impl Read) -> std::io::Result<()> {
    let mut head = [0; 8];
    requests.read_exact(&mut head[..2])?;
    let len = match head[1] & 0x7f {
        126 => {
            requests.read_exact(&mut head[..2])?;
            u64::from(u16::from_be_bytes([head[0], head[1]]))
        }
        127 => {
            requests.read_exact(&mut head)?;
            u64::from_be_bytes(head)
        }
        short => u64::from(short),
    };
    std::io::copy(&mut requests.take(len + 4), &mut std::io::sink())?;
    Ok(())
}
