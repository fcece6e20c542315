//! The buffer between the transport and the core.

/// Bytes that were read and not yet understood. Without memory until the first read, and again when
/// the connection is idle; small until a read fills it, since most connections carry little, and
/// what was once used by thousands of them the allocator would keep.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    /// Invariant: `start <= end <= bytes.len()`; between them are the unread bytes.
    start: usize,
    end: usize,
    /// The length for the next read.
    wanted: usize,
}

impl Default for ReadBuffer {
    fn default() -> ReadBuffer {
        ReadBuffer { bytes: Vec::new(), start: 0, end: 0, wanted: FIRST_READ_LEN }
    }
}

impl ReadBuffer {
    /// The unread bytes, to be understood in place.
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// What is made of the unread bytes, which are understood as far as it says.
    #[inline]
    pub(crate) fn take_front<'b, T>(
        &'b mut self,
        take: impl FnOnce(&'b mut [u8]) -> Option<(T, usize)>,
    ) -> Option<T> {
        let (taken, len) = take(&mut self.bytes[self.start..self.end])?;
        self.start += len;
        Some(taken)
    }

    /// Bytes at an absolute position, as [`position`](ReadBuffer::position) counts.
    pub(crate) fn at(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Where the unread bytes start.
    pub(crate) fn position(&self) -> usize {
        self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Notes that the next `len` bytes are understood. They stay where they are until more is read.
    pub(crate) fn consume(&mut self, len: usize) {
        self.start += len;
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Room for more; what is unread moves to the front.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.is_empty() {
            self.clear();
        } else if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // Never none at all: a read into nothing looks like the end of the stream.
        let len = self.wanted.max(self.end + 1);
        if self.bytes.len() < len {
            let mut larger = vec![0; len];
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = larger;
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that `len` bytes were read into the [`room`](ReadBuffer::room).
    pub(crate) fn filled(&mut self, len: usize) {
        self.end += len;
        if self.end == self.bytes.len() {
            self.wanted = (8 * self.bytes.len()).min(READ_LEN);
        }
    }

    /// Appends bytes that came in another way.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.end);
        self.bytes.extend_from_slice(bytes);
        self.end = self.bytes.len();
    }

    /// Takes unread bytes from the front, as many as there are or fit.
    pub(crate) fn take_prefix(&mut self, memory: &mut [u8]) -> usize {
        let len = memory.len().min(self.end - self.start);
        memory[..len].copy_from_slice(&self.bytes[self.start..self.start + len]);
        self.consume(len);
        len
    }

    /// Uses the driver's memory if it has none of its own.
    pub(crate) fn borrow(&mut self, memory: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            self.wanted = READ_LEN;
            std::mem::swap(&mut self.bytes, memory);
        }
    }

    /// Gives its memory back, to the driver if that lacks it, unless much is unread. A peer that sends half a frame
    /// must not hold what serves all.
    pub(crate) fn give_back(&mut self, memory: &mut Vec<u8>) {
        if self.end - self.start > FIRST_READ_LEN {
            return;
        }
        let unread = self.unread().to_vec();
        let bytes = std::mem::take(self).bytes;
        self.append(&unread);
        if memory.is_empty() && bytes.len() == READ_LEN {
            *memory = bytes;
        }
    }
}

/// Bytes read at once at first.
const FIRST_READ_LEN: usize = 4 * 1024;

/// Bytes read at once by a busy connection. It must fit the cache of a core: reads of 1 MiB were 3.5 times slower.
pub(crate) const READ_LEN: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_bytes_survive_every_move() {
        let mut buffer = ReadBuffer::default();
        buffer.append(b"abcdef");
        buffer.consume(2);
        buffer.room()[..3].copy_from_slice(b"ghi");
        buffer.filled(3);
        assert_eq!(buffer.unread(), b"cdefghi");
        let mut memory = [0; 4];
        assert_eq!(buffer.take_prefix(&mut memory), 4);
        assert_eq!(&memory, b"cdef");
        assert_eq!(buffer.unread(), b"ghi");
    }

    #[test]
    fn a_buffer_that_is_filled_grows() {
        let mut buffer = ReadBuffer::default();
        let lengths = [0, 1, 2, 3].map(|_| {
            let len = buffer.room().len();
            buffer.filled(len);
            buffer.consume(len);
            len
        });
        assert_eq!(lengths, [4_096, 32_768, READ_LEN, READ_LEN]);
    }

    #[test]
    fn memory_goes_back_unless_much_is_unread() {
        for (unread, is_given_back) in [(0, true), (1, true), (4_096, true), (4_097, false)] {
            let mut spare = vec![0; READ_LEN];
            let mut buffer = ReadBuffer::default();
            buffer.borrow(&mut spare);
            assert!(spare.is_empty());
            buffer.room()[3..3 + unread].fill(b'x');
            buffer.filled(3 + unread);
            buffer.consume(3);
            buffer.give_back(&mut spare);
            assert_eq!(spare.len() == READ_LEN, is_given_back, "{unread}");
            assert_eq!(buffer.unread(), vec![b'x'; unread]);
            buffer.room()[0] = b'y';
            buffer.filled(1);
            assert_eq!(buffer.unread().len(), unread + 1);
        }
    }
}
