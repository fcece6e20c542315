//! Frames byte by byte, also such as no encoder would make (RFC 6455 §5.2).

use std::io;

use openline::transport::{Interest, Transport};
use openline::{Connection, Deadline};

/// The last frame of a message.
pub(super) const FIN: u8 = 0x80;
/// The first reserved bit; permessage-deflate gives it a meaning, and is not offered here.
pub(super) const RSV1: u8 = 0x40;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
/// No frame has this opcode yet.
pub(super) const RESERVED: u8 = 3;

/// A frame as a client sends it, with the first byte as given.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        medium => {
            frame.push(0x80 | 126);
            let medium =
                u16::try_from(medium).expect("bug: longer than any frame that is sent here");
            frame.extend(medium.to_be_bytes());
        }
    }
    mask(&mut frame, payload);
    frame
}

/// A frame whose length takes more bytes than it needs.
pub(super) fn masked_with_long_length(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    mask(&mut frame, payload);
    frame
}

/// A short frame as only a server may send it.
pub(super) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("bug: longer than any frame that is sent here");
    [&[first, len], payload].concat()
}

/// RFC 6455 §5.3 wants a key that nobody can guess, to protect proxies from the scripts of strangers. These payloads
/// are ours.
fn mask(frame: &mut Vec<u8>, payload: &[u8]) {
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Sends bytes past the connection, which would not send such. It must have nothing to send itself meanwhile.
pub(super) fn send(
    connection: &Connection,
    mut bytes: &[u8],
    deadline: Deadline,
) -> io::Result<()> {
    // It has ended: whoever looks at it sees how.
    let Some(transport) = connection.transport() else { return Ok(()) };
    while !bytes.is_empty() {
        match transport.try_write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) => wait(&*transport, error, deadline)?,
        }
    }
    while let Err(error) = transport.try_flush() {
        wait(&*transport, error, deadline)?;
    }
    Ok(())
}

/// Waits for room, if that is what the error is about.
fn wait(transport: &dyn Transport, error: io::Error, deadline: Deadline) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock if deadline.has_passed() => Err(io::ErrorKind::TimedOut.into()),
        io::ErrorKind::WouldBlock => transport.wait(Interest::Write, deadline).map(drop),
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_5_7_examples_are_made() {
        assert_eq!(masked(FIN | TEXT, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(unmasked(FIN | TEXT, b"Hello"), b"\x81\x05Hello");
    }

    #[test]
    fn lengths_of_two_and_eight_bytes() {
        assert_eq!(masked(FIN | PING, &[0; 126])[..4], [0x89, 0xfe, 0, 126]);
        assert_eq!(
            masked_with_long_length(FIN | TEXT, b"")[..],
            [0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x37, 0xfa, 0x21, 0x3d]
        );
    }
}
