//! The buffer between the frames and the transport.

use openline_proto::{MaskKey, mask};

/// Encoded frames on their way out. Its memory is kept from one message to the next, and with it what was
/// once set to zero, so that a payload is written once, by the masking.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    /// Invariant: `written <= end <= memory.len()`.
    memory: Vec<u8>,
    /// Where the last frame ends.
    end: usize,
    /// So many bytes are gone.
    written: usize,
}

impl WriteBuffer {
    /// Bytes in the buffer, those that are gone included.
    pub(super) fn len(&self) -> usize {
        self.end
    }

    /// How many of them are gone.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    pub(super) fn unwritten(&self) -> &[u8] {
        &self.memory[self.written..self.end]
    }

    pub(super) fn is_written(&self) -> bool {
        self.written == self.end
    }

    /// What is in the buffer from a position on, as [`len`](WriteBuffer::len) counts.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        &self.memory[start..self.end]
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    pub(super) fn append_masked(&mut self, key: MaskKey, bytes: &[u8]) {
        mask::copy(key, bytes, self.room(bytes.len()));
    }

    fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.end;
        self.end += len;
        if self.memory.len() < self.end {
            self.memory.resize(self.end, 0);
        }
        &mut self.memory[start..self.end]
    }

    /// Notes that the next `len` bytes are gone.
    pub(super) fn wrote(&mut self, len: usize) {
        self.written += len;
    }

    /// Takes back what is in the buffer from a position on, of which nothing is gone.
    pub(super) fn truncate(&mut self, end: usize) {
        self.end = end;
    }

    /// Starts from the front again, once everything is gone.
    pub(super) fn reset_if_written(&mut self) {
        if self.is_written() {
            (self.written, self.end) = (0, 0);
            // One large message must not hold its memory for ever.
            if self.memory.capacity() > KEPT_CAPACITY {
                self.memory = Vec::new();
            }
        }
    }

    /// Gives its memory back, if nothing is in it.
    pub(super) fn release_memory(&mut self) {
        if self.end == 0 {
            self.memory = Vec::new();
        }
    }
}

/// So much is kept between messages: a piece of a large message and its header.
pub(super) const KEPT_CAPACITY: usize = 2 * super::PIECE_LEN;
