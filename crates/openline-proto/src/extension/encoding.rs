//! What the extensions of a connection do to what goes out.

use std::sync::Arc;

use super::deflate::{Compressor, Flush};
use super::{Agreed, Coding, CodingError, Frame, FrameCoding};
use crate::frame::{Opcode, Rsv};
use crate::message::Kind;
use crate::outbound::Part;

/// Whether a message is compressed, on a connection with permessage-deflate. (Without it none is.)
///
/// ```
/// use openline_proto::extension::Compress;
/// assert_eq!(Compress::default(), Compress::Auto);
/// assert_eq!(Compress::THRESHOLD, 32);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compress {
    /// Yes, unless it is shorter than [`THRESHOLD`](Compress::THRESHOLD) bytes. Of a message in
    /// fragments the length is not known at first: it is compressed.
    #[default]
    Auto,
    /// Yes, however short it is.
    Always,
    /// No: for what is compressed or random already, and for secrets beside what an attacker chooses.
    Never,
}

impl Compress {
    /// The length in bytes from which on messages are compressed by default: 32. Below, compression
    /// cannot pay: a packet has 40 bytes of headers or more, so that it could spare a third of one
    /// packet at the most, for some microseconds of work at both ends.
    ///
    /// ```
    /// use openline_proto::extension::Compress;
    /// assert!(Compress::Auto.wants(Compress::THRESHOLD));
    /// assert!(!Compress::Auto.wants(Compress::THRESHOLD - 1));
    /// ```
    pub const THRESHOLD: usize = 32;

    /// Whether a whole message of this length is compressed.
    ///
    /// ```
    /// use openline_proto::extension::Compress;
    /// assert!(Compress::Always.wants(0));
    /// assert!(!Compress::Never.wants(1_000_000));
    /// ```
    pub const fn wants(self, len: usize) -> bool {
        match self {
            Compress::Auto => len >= Compress::THRESHOLD,
            Compress::Always => true,
            Compress::Never => false,
        }
    }
}

/// The sending direction of a connection's extensions: gives the payload and the reserved bits of the
/// frames that [`Outbound`](crate::Outbound) makes.
///
/// ```
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::{self, Compress, Encoding};
/// use openline_proto::handshake::ExtensionParams;
/// use openline_proto::{Kind, Part, Rsv};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let agreed = extension::accept(
///     &[std::sync::Arc::new(PerMessageDeflate::client())],
///     &[ExtensionParams::new("permessage-deflate")],
/// )?;
/// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
/// let mut payload = Vec::new();
/// let rsv = encoding.data(Kind::Text, Part::Whole, b"Hello", Compress::Always, &mut payload)?;
/// assert_eq!(rsv, Some(Rsv::RSV1));
/// assert_eq!(payload, b"\xf2\x48\xcd\xc9\xc9\x07\x00"); // RFC 7692 §7.2.3.1
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Encoding {
    /// In the order of negotiation.
    chain: Vec<Coder>,
    message: Message,
    /// The state to go back to if the last frame is not sent.
    before: Message,
}

/// The message that is being sent.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    /// Whether it is fragmented, has begun and not ended.
    is_open: bool,
    is_compressed: bool,
}

#[derive(Debug)]
enum Coder {
    Deflate(Compressor),
    Frames(Arc<dyn FrameCoding>),
}

impl Encoding {
    /// For the extensions of a connection; `None` if there are none.
    ///
    /// ```
    /// use openline_proto::extension::Encoding;
    /// assert!(Encoding::new(&[]).is_none());
    /// ```
    pub fn new(agreed: &[Agreed]) -> Option<Encoding> {
        let coder = |agreed: &Agreed| match &agreed.coding {
            Coding::Deflate(settings) => Coder::Deflate(Compressor::new(settings)),
            Coding::Frames(coding) => Coder::Frames(coding.clone()),
        };
        let chain: Vec<Coder> = agreed.iter().map(coder).collect();
        let (message, before) = (Message::default(), Message::default());
        (!chain.is_empty()).then_some(Encoding { chain, message, before })
    }

    /// Encodes a data frame: its payload is put at the end of `out`, and the reserved bits are
    /// returned. `None`: the payload goes out as it is. `compress` matters on the first frame of a
    /// message.
    ///
    /// # Errors
    ///
    /// An extension cannot encode it. The frame must not be sent, and [`undo`](Encoding::undo) is
    /// called already.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Compress, Encoding};
    /// use openline_proto::{Kind, Part};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
    /// let mut out = Vec::new();
    /// let rsv = encoding.data(Kind::Text, Part::Whole, b"short", Compress::Auto, &mut out)?;
    /// assert_eq!(rsv, None);
    /// # Ok(()) }
    /// ```
    pub fn data(
        &mut self,
        kind: Kind,
        part: Part,
        payload: &[u8],
        compress: Compress,
        out: &mut Vec<u8>,
    ) -> Result<Option<Rsv>, CodingError> {
        self.data_in_steps(kind, part, payload, compress, out, &mut || Ok(()))
    }

    /// As [`data`](Encoding::data), asking `go_on` now and then whether to, since compressing a large
    /// message takes its time. Beside other extensions it is not asked, as nothing can be taken back.
    ///
    /// # Errors
    ///
    /// As [`data`](Encoding::data), and that of `go_on`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, CodingError, Compress, Encoding};
    /// use openline_proto::{CloseCode, Kind, Part};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
    /// let large = vec![0; 10_000_000];
    /// let mut give_up = || Err(CodingError::new(CloseCode::INTERNAL_ERROR, "", "no time"));
    /// let outcome = encoding.data_in_steps(
    ///     Kind::Binary, Part::Whole, &large, Compress::Auto, &mut Vec::new(), &mut give_up,
    /// );
    /// assert!(outcome.is_err());
    /// # Ok(()) }
    /// ```
    pub fn data_in_steps<E: From<CodingError>>(
        &mut self,
        kind: Kind,
        part: Part,
        payload: &[u8],
        compress: Compress,
        out: &mut Vec<u8>,
        go_on: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Option<Rsv>, E> {
        self.before = self.message;
        if !self.message.is_open {
            self.message.is_compressed = match part {
                Part::Whole => compress.wants(payload.len()),
                _ => compress != Compress::Never,
            };
        }
        let outcome = self.encode(kind, part, payload, out, go_on);
        match &outcome {
            Ok(_) => self.message.is_open = part == Part::Fragment,
            Err(_) => self.undo(),
        }
        outcome
    }

    /// Notes that a whole message goes out which a compressor of its own has compressed, with an empty
    /// context, for all connections with the same parameters; gives the reserved bits. The next message
    /// begins with an empty context, too: what this one would refer to is not where this side thinks it is.
    ///
    /// # Panics
    ///
    /// If there is more than compression ([`can_undo`](Encoding::can_undo)), or within a fragmented message.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Compress, Encoding};
    /// use openline_proto::{Kind, Part, Rsv};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::server());
    /// # let agreed = extension::answer(&[deflate], &[ExtensionParams::new("permessage-deflate")]);
    /// let mut shared = Vec::new();
    /// let mut alone = Encoding::new(&agreed).expect("there is an extension");
    /// alone.data(Kind::Text, Part::Whole, b"for all of you", Compress::Always, &mut shared)?;
    ///
    /// let mut of_connection = Encoding::new(&agreed).expect("there is an extension");
    /// assert_eq!(of_connection.compressed_elsewhere(), Rsv::RSV1);
    /// // … and `shared` is what goes out.
    /// # Ok(()) }
    /// ```
    pub fn compressed_elsewhere(&mut self) -> Rsv {
        assert!(self.can_undo(), "another extension takes part");
        assert!(!self.message.is_open, "a whole message within a fragmented one");
        self.before = self.message;
        self.compressors().for_each(Compressor::reset);
        Rsv::RSV1
    }

    /// Encodes a control frame, of which compression leaves all as it is.
    ///
    /// # Errors
    ///
    /// An extension cannot encode it, or makes more than 125 bytes of it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Encoding};
    /// use openline_proto::{Opcode, Rsv};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
    /// assert_eq!(encoding.control(Opcode::Ping, b"p".to_vec())?, (b"p".to_vec(), Rsv::NONE));
    /// # Ok(()) }
    /// ```
    pub fn control(
        &mut self,
        opcode: Opcode,
        payload: Vec<u8>,
    ) -> Result<(Vec<u8>, Rsv), CodingError> {
        let mut frame = Frame { opcode, fin: true, rsv: Rsv::NONE, payload };
        for coder in &self.chain {
            if let Coder::Frames(coding) = coder {
                coding.encode(&mut frame)?;
            }
        }
        if frame.payload.len() > 125 || (frame.opcode, frame.fin) != (opcode, true) {
            return Err(changed("a control frame that is none any more"));
        }
        Ok((frame.payload, frame.rsv))
    }

    /// Forgets what was encoded last, which is not sent. Compression starts afresh; other extensions
    /// are not told.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Compress, Encoding};
    /// use openline_proto::{Kind, Part};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
    /// let (mut first, mut second) = (Vec::new(), Vec::new());
    /// encoding.data(Kind::Text, Part::Whole, b"Hello", Compress::Always, &mut first)?;
    /// encoding.undo();
    /// encoding.data(Kind::Text, Part::Whole, b"Hello", Compress::Always, &mut second)?;
    /// assert_eq!(first, second);
    /// # Ok(()) }
    /// ```
    pub fn undo(&mut self) {
        self.message = self.before;
        self.compressors().for_each(Compressor::reset);
    }

    /// Whether what was encoded can be taken back: only if compression is all there is, since other
    /// extensions may have a state of their own that has changed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Encoding};
    /// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let encoding = Encoding::new(&agreed); // permessage-deflate alone
    /// assert!(encoding.is_some_and(|encoding| encoding.can_undo()));
    /// # Ok(()) }
    /// ```
    pub fn can_undo(&self) -> bool {
        self.chain.iter().all(|coder| matches!(coder, Coder::Deflate(_)))
    }

    /// Gives back the memory of compression, most of what a connection has, until the next message, which
    /// begins with an empty context. To be called for a connection that has been idle for so long that
    /// the bytes which this costs do not matter; not within a fragmented message.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use openline_proto::extension::deflate::PerMessageDeflate;
    /// # use openline_proto::handshake::ExtensionParams;
    /// use openline_proto::extension::{self, Compress, Encoding};
    /// use openline_proto::{Kind, Part};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let deflate = Arc::new(PerMessageDeflate::client());
    /// # let agreed = extension::accept(&[deflate], &[ExtensionParams::new("permessage-deflate")])?;
    /// let mut encoding = Encoding::new(&agreed).expect("there is an extension");
    /// let (mut first, mut second) = (Vec::new(), Vec::new());
    /// encoding.data(Kind::Text, Part::Whole, b"Hello", Compress::Always, &mut first)?;
    /// encoding.release_memory();
    /// encoding.data(Kind::Text, Part::Whole, b"Hello", Compress::Always, &mut second)?;
    /// assert_eq!(first, second);
    /// # Ok(()) }
    /// ```
    pub fn release_memory(&mut self) {
        self.compressors().for_each(Compressor::reset);
    }

    fn compressors(&mut self) -> impl Iterator<Item = &mut Compressor> {
        self.chain.iter_mut().filter_map(|coder| match coder {
            Coder::Deflate(compressor) => Some(compressor),
            Coder::Frames(_) => None,
        })
    }

    fn encode<E: From<CodingError>>(
        &mut self,
        kind: Kind,
        part: Part,
        payload: &[u8],
        out: &mut Vec<u8>,
        go_on: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Option<Rsv>, E> {
        let Message { is_open, is_compressed } = self.message;
        let is_first = !is_open;
        let compressed_rsv = if is_first { Rsv::RSV1 } else { Rsv::NONE };
        // Compression alone needs no frame of its own.
        if let [Coder::Deflate(compressor)] = &mut self.chain[..] {
            if !is_compressed {
                return Ok(None);
            }
            compress(compressor, payload, part, out, go_on)?;
            return Ok(Some(compressed_rsv));
        }
        let opcode = if is_first { kind.opcode() } else { Opcode::Continuation };
        let fin = part != Part::Fragment;
        let mut frame = Frame { opcode, fin, rsv: Rsv::NONE, payload: payload.to_vec() };
        for coder in &mut self.chain {
            match coder {
                Coder::Deflate(compressor) if is_compressed => {
                    let mut compressed = Vec::new();
                    // Another extension may have seen the frame: there is no way back.
                    let mut go_on = || Ok::<(), E>(());
                    compress(compressor, &frame.payload, part, &mut compressed, &mut go_on)?;
                    frame.payload = compressed;
                    frame.rsv = frame.rsv.union(compressed_rsv);
                }
                Coder::Deflate(_) => {}
                Coder::Frames(coding) => coding.encode(&mut frame)?,
            }
            if (frame.opcode, frame.fin) != (opcode, fin) {
                return Err(changed("another opcode or fin").into());
            }
        }
        out.extend_from_slice(&frame.payload);
        Ok(Some(frame.rsv))
    }
}

fn compress<E>(
    compressor: &mut Compressor,
    mut payload: &[u8],
    part: Part,
    out: &mut Vec<u8>,
    go_on: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(), E> {
    while payload.len() > STEP_LEN {
        let (piece, rest) = payload.split_at(STEP_LEN);
        compressor.compress(piece, Flush::Nothing, out);
        payload = rest;
        go_on()?;
    }
    let flush = if part == Part::Fragment { Flush::Fragment } else { Flush::Message };
    compressor.compress(payload, flush, out);
    Ok(())
}

fn changed(what: &'static str) -> CodingError {
    let text = "an extension may change the payload and the reserved bits only";
    CodingError::new(crate::CloseCode::INTERNAL_ERROR, text, format!("it made {what}"))
}

/// Payload is compressed in steps of this length: some milliseconds each.
const STEP_LEN: usize = 256 * 1024;
