//! Mask keys: unpredictable, from the operating system, fetched in a pool since a system call for
//! each would cost twenty times as much (12 ns against 248 ns a key).

use openline_proto::MaskKey;

/// The keys of one connection, made in the process that uses them.
#[derive(Debug)]
pub(crate) struct MaskKeys {
    pool: [u8; 256],
    /// Invariant: `next <= pool.len()`, a multiple of 4; the bytes before it are used up.
    next: usize,
}

impl MaskKeys {
    pub(crate) fn new() -> MaskKeys {
        MaskKeys { pool: [0; 256], next: 256 }
    }

    pub(crate) fn next(&mut self) -> MaskKey {
        if self.next == self.pool.len() {
            self.pool = random();
            self.next = 0;
        }
        let key = [0, 1, 2, 3].map(|n| self.pool[self.next + n]);
        self.next += 4;
        MaskKey::new(key)
    }
}

/// Unpredictable bytes.
///
/// # Panics
///
/// If the operating system has none: nothing could be masked or negotiated safely.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
