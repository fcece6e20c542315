//! Compressors and decompressors that no message needs now. Without context takeover every message wants
//! one and returns it: from the allocator, a quarter of a megabyte each time would cost more time than a
//! small message, and leave holes that no later one fits into.

use std::sync::{Mutex, TryLockError};

use zlib_rs::{Deflate, DeflateConfig, Inflate};

/// As many as there may be messages at once in most programs; what is beyond goes to the allocator.
const KEPT: usize = 4;

static DEFLATES: Mutex<Vec<(DeflateConfig, Deflate)>> = Mutex::new(Vec::new());
static INFLATES: Mutex<Vec<Inflate>> = Mutex::new(Vec::new());

/// A compressor without a context.
pub(super) fn take_deflate(config: DeflateConfig) -> Deflate {
    let spare = with(&DEFLATES, |spares| {
        let position = spares.iter().position(|(spare, _)| *spare == config)?;
        Some(spares.swap_remove(position).1)
    });
    spare.flatten().unwrap_or_else(|| Deflate::new_with_config(config))
}

/// Returns a compressor that was made with this configuration.
pub(super) fn return_deflate(config: DeflateConfig, mut deflate: Deflate) {
    deflate.reset();
    with(&DEFLATES, |spares| {
        if spares.len() < KEPT {
            spares.push((config, deflate));
        }
    });
}

/// A decompressor without a context. It understands every window: the smaller ones are parts of the
/// largest, and take as much memory here.
pub(super) fn take_inflate() -> Inflate {
    with(&INFLATES, Vec::pop).flatten().unwrap_or_else(|| Inflate::new(false, 15))
}

/// Returns a decompressor.
pub(super) fn return_inflate(mut inflate: Inflate) {
    inflate.reset(false);
    with(&INFLATES, |spares| {
        if spares.len() < KEPT {
            spares.push(inflate);
        }
    });
}

/// Does something with spares unless another thread has them, which in a forked child may be one that
/// is not there any more.
fn with<S, T>(spares: &Mutex<S>, use_them: impl FnOnce(&mut S) -> T) -> Option<T> {
    match spares.try_lock() {
        Ok(mut spares) => Some(use_them(&mut spares)),
        Err(TryLockError::Poisoned(spares)) => Some(use_them(&mut spares.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}
