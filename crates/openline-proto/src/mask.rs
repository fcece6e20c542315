//! Masking of payloads (RFC 6455 §5.3), eight bytes at a time in safe code.
//!
//! The compiler turns these loops into vector instructions; they run at about the speed of
//! `memcpy`, so there is no `unsafe` here and no SIMD crate.
//!
//! ```
//! use openline_proto::{MaskKey, mask};
//! let (key, mut payload) = (MaskKey::new([1, 2, 3, 4]), *b"Hello");
//! mask::apply(key, &mut payload);
//! mask::apply(key, &mut payload); // the second time undoes the first
//! assert_eq!(&payload, b"Hello");
//! ```

/// The four bytes that a client masks a frame with. They must be unpredictable (RFC 6455 §10.3),
/// so the core takes them as an argument from somebody who has a source of randomness.
///
/// ```
/// use openline_proto::{MaskKey, mask};
/// let mut payload = [0; 6];
/// mask::apply(MaskKey::new(*b"abcd"), &mut payload);
/// assert_eq!(&payload, b"abcdab");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaskKey([u8; 4]);

impl MaskKey {
    /// The key with these bytes, in the order in which they stand in the header.
    ///
    /// ```
    /// use openline_proto::{FrameHeader, MaskKey};
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let Some((header, _)) = FrameHeader::parse(b"\x89\x80abcd")? else { panic!() };
    /// assert_eq!(header.mask, Some(MaskKey::new(*b"abcd")));
    /// # Ok(()) }
    /// ```
    pub const fn new(bytes: [u8; 4]) -> MaskKey {
        MaskKey(bytes)
    }

    /// The key's bytes.
    ///
    /// ```
    /// use openline_proto::MaskKey;
    /// assert_eq!(MaskKey::new([1, 2, 3, 4]).bytes(), [1, 2, 3, 4]);
    /// ```
    pub const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// The key for the bytes that follow the first `len` of a payload.
    ///
    /// ```
    /// use openline_proto::{MaskKey, mask};
    /// let key = MaskKey::new([1, 2, 3, 4]);
    /// let (mut whole, mut parts) = (*b"Hello", *b"Hello");
    /// mask::apply(key, &mut whole);
    /// mask::apply(key, &mut parts[..3]);
    /// mask::apply(key.after(3), &mut parts[3..]);
    /// assert_eq!(whole, parts);
    /// ```
    #[must_use]
    pub const fn after(self, len: usize) -> MaskKey {
        MaskKey(u32::from_be_bytes(self.0).rotate_left(8 * (len % 4) as u32).to_be_bytes())
    }

    fn repeated(self) -> [u8; 8] {
        let [a, b, c, d] = self.0;
        [a, b, c, d, a, b, c, d]
    }
}

/// Masks or unmasks `payload` in place.
///
/// ```
/// use openline_proto::{MaskKey, mask};
/// let mut payload = *b"Hello";
/// mask::apply(MaskKey::new([0x37, 0xfa, 0x21, 0x3d]), &mut payload);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]); // RFC 6455 §5.7
/// ```
#[inline]
pub fn apply(key: MaskKey, payload: &mut [u8]) {
    let key = key.repeated();
    let word = u64::from_ne_bytes(key);
    let (chunks, tail) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Copies `payload` masked into `out`.
///
/// # Panics
///
/// If the two differ in length.
///
/// ```
/// use openline_proto::{MaskKey, mask};
/// let mut out = [0; 5];
/// mask::copy(MaskKey::new([0x37, 0xfa, 0x21, 0x3d]), b"Hello", &mut out);
/// assert_eq!(out, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn copy(key: MaskKey, payload: &[u8], out: &mut [u8]) {
    assert_eq!(payload.len(), out.len(), "a masked payload has the length of the payload");
    let key = key.repeated();
    let word = u64::from_ne_bytes(key);
    let (from, from_tail) = payload.as_chunks::<8>();
    let (to, to_tail) = out.as_chunks_mut::<8>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = (u64::from_ne_bytes(*from) ^ word).to_ne_bytes();
    }
    for ((to, from), key) in to_tail.iter_mut().zip(from_tail).zip(key) {
        *to = from ^ key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_for_all_lengths_and_offsets() {
        let key = [0x12, 0x80, 0xff, 0x07];
        let source: Vec<u8> = (0..300).map(|n| (n * 7 % 251) as u8).collect();
        for len in 0..=130 {
            for start in 0..8 {
                let payload = &source[start..start + len];
                let expected: Vec<u8> =
                    payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
                let mut in_place = payload.to_vec();
                apply(MaskKey::new(key), &mut in_place);
                let mut copied = vec![0; len];
                copy(MaskKey::new(key), payload, &mut copied);
                assert_eq!(in_place, expected);
                assert_eq!(copied, expected);
                for split in 0..=len {
                    let mut parts = payload.to_vec();
                    let (left, right) = parts.split_at_mut(split);
                    apply(MaskKey::new(key), left);
                    apply(MaskKey::new(key).after(split), right);
                    assert_eq!(parts, expected);
                }
            }
        }
    }
}
