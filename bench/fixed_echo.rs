//! The peer of `roundtrip.py`: answers each request of a fixed length with a fixed reply.
//!
//! `fixed_echo REQUEST_LEN REPLY DELAY`, with the connected socket as standard input, REPLY in hexadecimal and
//! the time between the two in microseconds.
//! It parses nothing, so that it costs the same with every client and the least that a server can.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let request_len: usize = arguments[1].parse().expect("a length");
    let reply: Vec<u8> = (0..arguments[2].len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&arguments[2][at..at + 2], 16).expect("hexadecimal"))
        .collect();
    let delay = Duration::from_micros(arguments[3].parse().expect("a number of microseconds"));
    let mut socket = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut request = vec![0; request_len];
    while socket.read_exact(&mut request).is_ok() {
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        if socket.write_all(&reply).is_err() {
            break;
        }
    }
    Ok(())
}
