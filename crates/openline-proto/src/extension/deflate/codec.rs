//! DEFLATE for messages (RFC 7692 §7.2), by zlib-rs: the one place that knows that library.
//!
//! zlib-rs is safe to call and takes the window and the memory level, which `flate2` hides. It is
//! pinned to minor releases in `Cargo.toml`.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::{Settings, Strategy, spares};
use crate::error::ProtocolError;

/// Decompresses the messages of one direction of a connection. It takes memory with the first message,
/// and without context takeover gives it back after each.
///
/// ```
/// use openline_proto::extension::deflate::Decompressor;
/// # fn main() -> Result<(), openline_proto::ProtocolError> {
/// let mut decompressor = Decompressor::new(true);
/// let mut message = Vec::new();
/// decompressor.decompress(b"\xf2\x48\xcd\xc9\xc9\x07\x00", &mut message, None)?; // RFC 7692 §7.2.3.1
/// decompressor.end_message(&mut message, None)?;
/// assert_eq!(message, b"Hello");
/// # Ok(()) }
/// ```
pub struct Decompressor {
    keeps_context: bool,
    /// `None` until something is to be decompressed.
    inflate: Option<Inflate>,
    /// Whether a final block was the last of what came: nothing but a new stream can follow.
    is_at_end: bool,
    /// The window for a stream that follows, as far as it is known: what was decompressed of a message
    /// whose end has not come, and of all messages once the peer ends streams.
    history: Vec<u8>,
    /// Whether the peer has ended a stream with a final block.
    has_ended: bool,
    /// Bytes of the message that were decompressed, and streams that ended in it.
    message: (usize, usize),
}

impl Decompressor {
    /// For a peer that keeps the context from one message to the next, or not. It may have any window:
    /// a smaller one than 15 bits spares nothing here, and nobody has to refuse what goes beyond it.
    ///
    /// ```
    /// use openline_proto::extension::deflate::Decompressor;
    /// let decompressor = Decompressor::new(false);
    /// # let _ = decompressor;
    /// ```
    pub fn new(keeps_context: bool) -> Decompressor {
        Decompressor {
            keeps_context,
            inflate: None,
            is_at_end: false,
            history: Vec::new(),
            has_ended: false,
            message: (0, 0),
        }
    }

    /// Decompresses the next part of a message, to the end of `out`. `limit` is the most it may have
    /// afterwards; at most one byte more is made.
    ///
    /// # Errors
    ///
    /// What came is not DEFLATE, or too much comes out of it. Nothing sensible can follow then.
    ///
    /// ```
    /// use openline_proto::ProtocolError;
    /// use openline_proto::extension::deflate::Decompressor;
    /// let mut out = Vec::new();
    /// let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    /// let error = Decompressor::new(true).decompress(hello, &mut out, Some(4)).unwrap_err();
    /// assert_eq!(error, ProtocolError::DecodedTooBig { limit: 4 });
    /// assert_eq!(out, b"Hello"); // one byte too many was made to see it
    /// ```
    pub fn decompress(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        limit: Option<usize>,
    ) -> Result<(), ProtocolError> {
        let Decompressor { inflate, is_at_end, history, has_ended, message, .. } = self;
        let inflate = inflate.get_or_insert_with(spares::take_inflate);
        // How much of `out` the history has.
        let mut noted = out.len();
        loop {
            if *is_at_end {
                if input.is_empty() {
                    break;
                }
                // RFC 7692 §7.2.3.4: what follows a final block is another stream, which goes on
                // with the window of the one before.
                inflate.reset(false);
                let error = "bug: without a header, a window may be set at any time";
                inflate.set_dictionary(history).expect(error);
                *is_at_end = false;
            }
            let start = out.len();
            let allowed =
                limit.map_or(usize::MAX, |limit| limit.saturating_sub(start).saturating_add(1));
            // Streams that end may be short, whatever follows them.
            let ratio = if *has_ended { 1 } else { ROOM_RATIO };
            let room = (ratio * input.len()).clamp(MIN_ROOM, MAX_ROOM).min(allowed);
            out.resize(start + room, 0);
            let (taken, made) = (inflate.total_in(), inflate.total_out());
            let outcome = inflate.decompress(input, &mut out[start..], InflateFlush::SyncFlush);
            let made = (inflate.total_out() - made) as usize;
            let taken = (inflate.total_in() - taken) as usize;
            input = &input[taken..];
            message.0 += taken;
            out.truncate(start + made);
            // What is too much is so whatever may follow it.
            if let Some(limit) = limit.filter(|limit| out.len() > *limit) {
                return Err(ProtocolError::DecodedTooBig { limit });
            }
            let status = outcome.map_err(|error| {
                let reason = inflate.error_message().unwrap_or(error.as_str());
                ProtocolError::InvalidDeflate { reason }
            })?;
            match status {
                Status::StreamEnd => {
                    message.1 += 1;
                    // Each costs a window, however little comes out of it.
                    if message.1 > MIN_STREAMS + message.0 / BYTES_PER_STREAM {
                        let reason = "too many final blocks";
                        return Err(ProtocolError::InvalidDeflate { reason });
                    }
                    if !*has_ended && history.is_empty() {
                        history.extend_from_slice(&out[..noted]);
                    }
                    remember(history, &out[noted..]);
                    noted = out.len();
                    (*has_ended, *is_at_end) = (true, true);
                }
                // Room was left, so all of the input was taken.
                _ if made < room => break,
                _ => {}
            }
        }
        if *has_ended {
            remember(history, &out[noted..]);
        }
        Ok(())
    }

    /// Keeps what was decompressed of a message whose end has not come, should a stream end in it: its
    /// owner may take it out of `out` before.
    pub(crate) fn keep(&mut self, made: &[u8]) {
        if !self.has_ended {
            remember(&mut self.history, made);
        }
    }

    /// Ends the message: what is still held back comes out.
    ///
    /// # Errors
    ///
    /// As [`decompress`](Decompressor::decompress).
    ///
    /// ```
    /// use openline_proto::extension::deflate::Decompressor;
    /// # fn main() -> Result<(), openline_proto::ProtocolError> {
    /// let mut decompressor = Decompressor::new(true);
    /// let mut message = Vec::new();
    /// decompressor.decompress(b"\x00", &mut message, None)?; // an empty message: RFC 7692 §7.2.3.6
    /// decompressor.end_message(&mut message, None)?;
    /// assert!(message.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn end_message(
        &mut self,
        out: &mut Vec<u8>,
        limit: Option<usize>,
    ) -> Result<(), ProtocolError> {
        // RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload." A
        // sender that ends with a final block, and nothing after it, has ended its stream by itself.
        if !self.is_at_end {
            self.decompress(&TAIL, out, limit)?;
        }
        self.message = (0, 0);
        if !self.has_ended {
            self.history = Vec::new();
        }
        if !self.keeps_context {
            let done = std::mem::replace(self, Decompressor::new(false));
            if let Some(inflate) = done.inflate {
                spares::return_inflate(inflate);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("keeps_context", &self.keeps_context)
            .finish_non_exhaustive()
    }
}

/// Appends what was decompressed to the window, which has its last 32 KiB.
fn remember(window: &mut Vec<u8>, made: &[u8]) {
    window.extend_from_slice(&made[made.len().saturating_sub(MAX_WINDOW)..]);
    let excess = window.len().saturating_sub(MAX_WINDOW);
    window.drain(..excess);
}

/// Compresses the messages of one direction of a connection. It takes memory with the first message
/// that is compressed, and without context takeover gives it back after each.
///
/// ```
/// use openline_proto::extension::deflate::{Compressor, Effort, Flush, Settings};
/// let settings = Settings {
///     remote_no_context_takeover: false,
///     local_no_context_takeover: false,
///     remote_max_window_bits: 15,
///     local_max_window_bits: 15,
///     effort: Effort::default(),
/// };
/// let mut compressor = Compressor::new(&settings);
/// let mut out = Vec::new();
/// compressor.compress(b"Hello", Flush::Message, &mut out);
/// assert_eq!(out, b"\xf2\x48\xcd\xc9\xc9\x07\x00"); // RFC 7692 §7.2.3.1
/// ```
pub struct Compressor {
    config: DeflateConfig,
    keeps_context: bool,
    /// `None` until something is to be compressed.
    deflate: Option<Deflate>,
    /// Whether the compressor holds something back.
    is_dirty: bool,
}

/// What must come out of a compressor.
///
/// ```
/// use openline_proto::extension::deflate::Flush;
/// assert_ne!(Flush::Fragment, Flush::Message);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// What it likes to give.
    Nothing,
    /// All of it, and the message goes on.
    Fragment,
    /// All of it, and the message ends.
    Message,
}

impl Compressor {
    /// For our side of what was agreed on.
    ///
    /// # Panics
    ///
    /// If a number in the settings is out of its range: the fault of who made them by hand.
    ///
    /// ```
    /// use openline_proto::extension::deflate::{Compressor, PerMessageDeflate};
    /// use openline_proto::extension::{Coding, Extension};
    /// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
    /// let Coding::Deflate(settings) = PerMessageDeflate::client().accept(&[])? else { panic!() };
    /// let compressor = Compressor::new(&settings);
    /// # let _ = compressor;
    /// # Ok(()) }
    /// ```
    pub fn new(settings: &Settings) -> Compressor {
        let Settings { local_max_window_bits: bits, effort, .. } = settings;
        assert!((9..=15).contains(bits), "a window of {bits} bits to compress with");
        let (level, mem_level) = (effort.level, effort.mem_level);
        assert!(level <= 9 && (1..=9).contains(&mem_level), "{effort:?} is out of range");
        Compressor {
            config: DeflateConfig {
                level: settings.effort.level.into(),
                window_bits: -i32::from(settings.local_max_window_bits), // without a header
                mem_level: settings.effort.mem_level.into(),
                strategy: match settings.effort.strategy {
                    Strategy::Default => zlib_rs::Strategy::Default,
                    Strategy::Filtered => zlib_rs::Strategy::Filtered,
                    Strategy::HuffmanOnly => zlib_rs::Strategy::HuffmanOnly,
                    Strategy::Rle => zlib_rs::Strategy::Rle,
                    Strategy::Fixed => zlib_rs::Strategy::Fixed,
                },
                ..DeflateConfig::default()
            },
            keeps_context: !settings.local_no_context_takeover,
            deflate: None,
            is_dirty: false,
        }
    }

    /// Compresses the next part of a message, to the end of `out`.
    ///
    /// ```
    /// # use openline_proto::extension::deflate::{Compressor, PerMessageDeflate};
    /// # use openline_proto::extension::{Coding, Extension};
    /// use openline_proto::extension::deflate::Flush;
    /// # let accepted = PerMessageDeflate::client().accept(&[]);
    /// # let Ok(Coding::Deflate(settings)) = accepted else { panic!() };
    /// # let mut compressor = Compressor::new(&settings);
    /// // RFC 7692 §7.2.3.1: a message in two fragments.
    /// let mut out = Vec::new();
    /// compressor.compress(b"", Flush::Fragment, &mut out);
    /// assert!(out.is_empty());
    /// compressor.compress(b"Hello", Flush::Message, &mut out);
    /// assert_eq!(out, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    /// ```
    pub fn compress(&mut self, mut input: &[u8], flush: Flush, out: &mut Vec<u8>) {
        self.is_dirty |= !input.is_empty();
        if self.is_dirty {
            let deflate = self.deflate.get_or_insert_with(|| spares::take_deflate(self.config));
            let mode = match flush {
                Flush::Nothing => DeflateFlush::NoFlush,
                Flush::Fragment | Flush::Message => DeflateFlush::SyncFlush,
            };
            loop {
                let start = out.len();
                let room = input.len() + input.len() / 16 + MIN_FLUSH_ROOM;
                out.resize(start + room, 0);
                let (taken, made) = (deflate.total_in(), deflate.total_out());
                deflate
                    .compress(input, &mut out[start..], mode)
                    .expect("bug: zlib fails only on a state that is not valid");
                let made = (deflate.total_out() - made) as usize;
                input = &input[(deflate.total_in() - taken) as usize..];
                out.truncate(start + made);
                if made < room {
                    break;
                }
            }
            self.is_dirty = flush == Flush::Nothing;
            if flush == Flush::Message {
                // RFC 7692 §7.2.1: what a flush ends with is not sent.
                debug_assert!(out.ends_with(&TAIL));
                out.truncate(out.len() - TAIL.len());
            }
        } else if flush == Flush::Message {
            // RFC 7692 §7.2.3.6: an empty block, which zlib does not make twice.
            out.push(0);
        }
        if flush == Flush::Message && !self.keeps_context {
            self.reset();
        }
    }

    /// Forgets the context: what was compressed last is not sent. The peer's decompressor need not
    /// know, since what follows refers to nothing before.
    ///
    /// ```
    /// # use openline_proto::extension::deflate::{Compressor, PerMessageDeflate};
    /// # use openline_proto::extension::{Coding, Extension};
    /// use openline_proto::extension::deflate::Flush;
    /// # let accepted = PerMessageDeflate::client().accept(&[]);
    /// # let Ok(Coding::Deflate(settings)) = accepted else { panic!() };
    /// # let mut compressor = Compressor::new(&settings);
    /// let (mut first, mut second) = (Vec::new(), Vec::new());
    /// compressor.compress(b"Hello", Flush::Message, &mut first);
    /// compressor.reset();
    /// compressor.compress(b"Hello", Flush::Message, &mut second);
    /// assert_eq!(first, second);
    /// ```
    pub fn reset(&mut self) {
        if let Some(deflate) = self.deflate.take() {
            spares::return_deflate(self.config, deflate);
        }
        self.is_dirty = false;
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("config", &self.config)
            .field("keeps_context", &self.keeps_context)
            .finish_non_exhaustive()
    }
}

/// RFC 7692 §7.2.1: the end of a flush, an empty block without its first bits.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The largest window of DEFLATE (RFC 1951 §2).
const MAX_WINDOW: usize = 1 << 15;

/// Output is made in steps of this many times the input, since text is compressed about so much.
const ROOM_RATIO: usize = 8;

/// Below this zlib takes its slow path.
const MIN_ROOM: usize = 512;

/// A message may have this many streams, and another one for so many bytes of it. Who ends streams does so
/// once for each message or fragment.
const MIN_STREAMS: usize = 16;
const BYTES_PER_STREAM: usize = 16;

/// Above this a step gains nothing, and a bomb would have memory filled with zeros in advance.
const MAX_ROOM: usize = 64 * 1024;

/// With less than seven bytes of room a flush would be repeated.
const MIN_FLUSH_ROOM: usize = 64;
