//! What the right to read guards: the bytes that came, and the messages made of them.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;

use openline_proto::extension::{Agreed, Decoding};
use openline_proto::{
    Begin, CloseFrame, Data, Ends, Event, FrameHeader, Inbound, Kind, Opcode, ProtocolError,
    Received, Role, Rsv,
};

use super::buffer::{READ_LEN, ReadBuffer};
use super::payload::{Incoming, Payload, Queue};
use super::spin::Spin;
use crate::journal::ReceivedFrames;
use crate::line::Settings;
use crate::report::Meters;
use crate::sync::{self, Arc, Bug};
use crate::transport::Transport;

/// The receiving half of a connection. Messages wait in this order: `queue`, `ready`, `partial`.
#[derive(Debug)]
pub(crate) struct ReadHalf {
    /// `None` once the stream is over: nothing more comes.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) buffer: ReadBuffer,
    /// The driver's tick when a caller last read.
    pub(crate) used_at: u32,
    /// How many messages, and pieces of one, were taken: while it grows, somebody receives.
    pub(crate) taken: u64,
    pub(super) spin: Spin,
    /// The bytes of the last read.
    last_read: usize,
    inbound: Inbound,
    /// `None` without extensions.
    decoding: Option<Decoding>,
    queue: Queue,
    /// A whole message that is not in the queue yet.
    ready: Option<Ready>,
    /// The message that is [`Ready::Decoded`]; its memory serves the next one too.
    decoded: Vec<u8>,
    /// The message whose end has not come.
    partial: Option<Partial>,
    /// Whether the peer broke the protocol: what it still sends is dropped.
    is_refused: bool,
    /// `None` unless what comes is logged.
    log: Option<Box<ReceivedFrames>>,
    meters: Arc<Meters>,
}

/// Where a whole message is.
#[derive(Debug)]
enum Ready {
    /// In the buffer.
    Buffered(Kind, Range<usize>),
    /// In `decoded`.
    Decoded(Kind),
}

#[derive(Debug)]
struct Partial {
    message: Incoming,
    /// Its length, if its one frame is so large that its memory may be supplied.
    large: Option<usize>,
    /// Whether nobody wants it any more: the reader of its fragments left.
    is_skipped: bool,
    /// Whether an extension decodes it, which takes it from the buffer.
    is_encoded: bool,
}

/// What one step of understanding the buffer brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Something changed: look again.
    Progress,
    /// More bytes are needed.
    NeedInput,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseFrame),
    /// The peer broke the protocol.
    Refused(ProtocolError),
}

/// What can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Available {
    /// A message.
    Message,
    /// Complete fragments of a message whose end has not come.
    Fragments,
    /// The start of a large binary message of this many bytes, to whose end memory may be supplied.
    Large(usize),
}

impl ReadHalf {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        role: Role,
        settings: &Settings,
        extensions: &[Agreed],
        meters: &Arc<Meters>,
        leftover: &[u8],
    ) -> ReadHalf {
        let limits = settings.limits;
        let mut buffer = ReadBuffer::default();
        buffer.append(leftover);
        meters.incoming.moved(leftover.len());
        let mut inbound = Inbound::new(role, limits);
        let decoding = Decoding::new(extensions, limits);
        match &decoding {
            None => {}
            Some(decoding) if decoding.takes_all_frames() => inbound.leave_to_extensions(),
            Some(_) => inbound.allow_rsv(Rsv::RSV1),
        }
        ReadHalf {
            transport: Some(transport),
            buffer,
            used_at: 0,
            taken: 0,
            spin: Spin::new(settings.busy_poll),
            last_read: 0,
            inbound,
            decoding,
            queue: Queue::default(),
            ready: None,
            decoded: Vec::new(),
            partial: None,
            is_refused: false,
            log: settings.journal.clone().map(|journal| Box::new(ReceivedFrames::new(journal))),
            meters: meters.clone(),
        }
    }

    /// What can be taken now. Of a message that is not all there only what `want` names.
    pub(crate) fn available(&self, want: Want) -> Option<Available> {
        if !self.queue.is_empty() || self.ready.is_some() {
            return Some(Available::Message);
        }
        let partial = self.partial.as_ref().filter(|partial| !partial.is_skipped)?;
        match want {
            Want::Fragments if !partial.message.fragment_ends.is_empty() => {
                Some(Available::Fragments)
            }
            Want::Large if partial.message.kind == Kind::Binary => {
                self.untouched_large().map(Available::Large)
            }
            _ => None,
        }
    }

    /// Takes the message that is [`Available::Message`].
    pub(crate) fn take<T>(&mut self, take: impl FnOnce(Payload<'_>) -> T) -> Option<T> {
        self.taken += 1;
        if let Some(Incoming { kind, bytes, .. }) = self.queue.pop() {
            return Some(take(Payload::owned(kind, bytes)));
        }
        Some(match self.ready.take()? {
            Ready::Buffered(kind, range) => take(Payload::buffered(kind, self.buffer.at(range))),
            Ready::Decoded(kind) if self.decoded.len() > KEPT_DECODED => {
                take(Payload::owned(kind, std::mem::take(&mut self.decoded)))
            }
            Ready::Decoded(kind) => take(Payload::buffered(kind, &self.decoded)),
        })
    }

    /// Takes the next message where it lies in the buffer, if none waits before it and it is there as a whole.
    #[inline]
    pub(crate) fn take_whole(&mut self) -> Option<Payload<'_>> {
        if !self.queue.is_empty() || self.ready.is_some() || self.is_refused {
            return None;
        }
        let ReadHalf { inbound, buffer, .. } = self;
        let message = buffer.take_front(|unread| inbound.receive_whole(unread))?;
        self.taken += 1;
        if let Some(log) = &mut self.log {
            log.data(message.kind(), message.as_bytes(), Ends::Message);
        }
        Some(Payload::whole(message))
    }

    /// Takes the message with its fragments, or those that are complete of one that is not; the
    /// flag tells whether the message ends with them.
    pub(crate) fn take_fragments(&mut self) -> Option<(Incoming, bool)> {
        self.keep_ready();
        self.taken += 1;
        if let Some(message) = self.queue.pop() {
            return Some((message, true));
        }
        let message = &mut self.partial.as_mut()?.message;
        let fragment_ends = std::mem::take(&mut message.fragment_ends);
        let rest = message.bytes.split_off(fragment_ends.last().copied().unwrap_or(0));
        let bytes = std::mem::replace(&mut message.bytes, rest);
        Some((Incoming { kind: message.kind, bytes, fragment_ends }, false))
    }

    /// Drops the message at the front, also what is still to come of it.
    pub(crate) fn skip(&mut self) {
        self.keep_ready();
        if self.queue.pop().is_none()
            && let Some(partial) = &mut self.partial
        {
            partial.is_skipped = true;
            partial.message = Incoming::new(partial.message.kind);
        }
    }

    /// Bytes of the message that is [`Available::Message`].
    pub(crate) fn next_len(&self) -> Option<usize> {
        let ready = self.ready.as_ref().map(|ready| match ready {
            Ready::Buffered(_, range) => range.len(),
            Ready::Decoded(_) => self.decoded.len(),
        });
        self.queue.front().map(|message| message.bytes.len()).or(ready)
    }

    /// Messages that wait, and fragments of one whose end has not come.
    pub(crate) fn backlog(&self) -> usize {
        let partial = self.partial.as_ref();
        self.queue.len() + partial.map_or(0, |partial| partial.message.fragment_ends.len())
    }

    /// Whether too much waits of what came after we sent Close. To be asked only then.
    pub(crate) fn is_full_for_close(&mut self) -> bool {
        self.queue.close() > CLOSING_BACKLOG
    }

    /// Moves the message that is ready to the queue, before its memory is used for the next.
    pub(crate) fn keep_ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            let (kind, bytes) = match ready {
                Ready::Buffered(kind, range) => (kind, self.buffer.at(range).to_vec()),
                Ready::Decoded(kind) => (kind, fitting(std::mem::take(&mut self.decoded))),
            };
            let message = Incoming { kind, bytes, fragment_ends: Vec::new() };
            if sync::is_planted(Bug::DoubleDelivery) {
                self.queue.push(message.clone());
            }
            self.queue.push(message);
        }
    }

    /// Whether what comes next is payload of a data frame.
    pub(crate) fn is_within_frame(&self) -> bool {
        self.inbound.remaining() > 0
    }

    /// Whether a part of a frame is here that came in a segment which was not full: the peer's TCP may keep the rest
    /// back until that is acknowledged (Nagle's algorithm, RFC 896).
    pub(super) fn has_small_part_of_frame(&self) -> bool {
        self.last_read <= SEGMENT_LEN && (self.is_within_frame() || !self.buffer.is_empty())
    }

    pub(crate) fn has_extensions(&self) -> bool {
        self.decoding.is_some()
    }

    /// Whether the next frame takes so long to be decoded that others should not be held up.
    pub(crate) fn is_next_costly(&mut self) -> bool {
        if self.partial.as_ref().is_some_and(|partial| partial.is_encoded) {
            return true; // Of its fragments nobody knows how many are here.
        }
        match FrameHeader::parse(self.buffer.unread()) {
            Ok(Some((header, _))) => !header.rsv.is_none() && header.payload_len > CHEAP_LEN,
            _ => false,
        }
    }

    /// Gives back memory that an idle connection does not need.
    pub(crate) fn release_memory(&mut self) {
        if self.ready.is_none() {
            self.decoded = Vec::new();
        }
    }

    /// Understands the next piece of the buffer. Nothing may be [`ready`](ReadHalf::keep_ready).
    #[inline]
    pub(crate) fn parse(&mut self) -> Parsed {
        if self.is_refused {
            self.buffer.clear();
            return Parsed::NeedInput;
        }
        let position = self.buffer.position();
        let ReadHalf { inbound, decoding, buffer, partial, decoded, log, .. } = self;
        let Received { consumed, event } = match inbound.receive(buffer.unread()) {
            Ok(received) => received,
            Err(error) => return self.refused(error),
        };
        let parsed = match event {
            None => Parsed::NeedInput,
            Some(Event::Message { kind, rsv, payload }) => {
                let end = position + consumed;
                let start = end - payload.len();
                match decoding {
                    Some(decoding) if is_encoded(decoding, rsv) => {
                        decoded.clear();
                        let data = Data { kind, rsv, payload, ends: Ends::Message };
                        if let Err(error) = decode(decoding, data, decoded) {
                            return self.refused(error);
                        }
                        if let Some(log) = log {
                            log.data(kind, decoded, Ends::Message);
                        }
                        self.ready = Some(Ready::Decoded(kind));
                    }
                    _ => {
                        if let Some(log) = log {
                            log.data(kind, payload, Ends::Message);
                        }
                        self.ready = Some(Ready::Buffered(kind, start..end));
                    }
                }
                Parsed::Progress
            }
            Some(Event::Begin(begin)) => {
                let is_encoded = decoding.as_ref().is_some_and(|d| is_encoded(d, begin.rsv));
                Partial::begin(partial, begin, is_encoded);
                Parsed::Progress
            }
            Some(Event::Data(data)) => {
                let target = partial.get_or_insert_with(|| Partial::new(data.kind));
                target.large = None;
                let Data { kind, ends, .. } = data;
                let start = target.message.bytes.len();
                match decoding {
                    Some(decoding) if is_encoded(decoding, data.rsv) => {
                        target.is_encoded = true;
                        if let Err(error) = decode(decoding, data, &mut target.message.bytes) {
                            return self.refused(error);
                        }
                    }
                    _ => target.message.bytes.extend_from_slice(data.payload),
                }
                if let Some(log) = log {
                    log.data(kind, &target.message.bytes[start..], ends);
                }
                self.finish(ends);
                Parsed::Progress
            }
            Some(Event::Control { opcode, rsv, payload }) => {
                let payload = payload.to_vec();
                match self.decode_control(opcode, rsv, payload) {
                    Ok(parsed) => parsed,
                    Err(error) => return self.refused(error),
                }
            }
            Some(Event::Ping(payload)) => Parsed::Ping(payload.to_vec()),
            Some(Event::Pong(payload)) => Parsed::Pong(payload.to_vec()),
            Some(Event::Close(close)) => Parsed::Close(close),
        };
        self.note_control(&parsed);
        self.buffer.consume(consumed);
        parsed
    }

    /// One read, to where the next bytes belong: the end of a large message, or the buffer. The
    /// bytes read; 0 at the end of the stream.
    pub(crate) fn read_with(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<(usize, Parsed)> {
        self.keep_ready();
        let remaining = usize::try_from(self.inbound.remaining()).unwrap_or(usize::MAX);
        let goes_to_place = |partial: &&mut Partial| remaining >= LARGE_LEN && !partial.is_encoded;
        let Some(partial) = self.partial.as_mut().filter(goes_to_place) else {
            let len = read(self.buffer.room())?;
            self.buffer.filled(len);
            self.last_read = len;
            return Ok((len, Parsed::Progress));
        };
        debug_assert!(self.buffer.is_empty(), "the payload in the buffer comes first");
        let bytes = &mut partial.message.bytes;
        let start = bytes.len();
        if start == 0 {
            bytes.reserve(remaining.min(RESERVE_LEN));
        }
        bytes.resize(start + remaining.min(READ_LEN), 0);
        let outcome = read(&mut bytes[start..]);
        bytes.truncate(start + outcome.as_ref().unwrap_or(&0));
        let len = outcome?;
        self.last_read = len;
        partial.large = None;
        match self.inbound.accept(&mut bytes[start..]) {
            Ok(ends) => {
                if let Some(log) = &mut self.log {
                    log.data(partial.message.kind, &bytes[start..], ends);
                }
                self.finish(ends);
            }
            Err(error) => return Ok((len, self.refused(error))),
        }
        Ok((len, Parsed::Progress))
    }

    /// Begins to take the large message into `memory` of its length: what of it lies in the buffer.
    /// `None` if there is none of that length that is untouched.
    pub(crate) fn begin_large(&mut self, memory: &mut [u8]) -> Option<usize> {
        (self.next_large() == Some(memory.len())).then(|| self.buffer.take_prefix(memory))
    }

    /// The length of the message at the front if it is large and untouched.
    pub(crate) fn next_large(&self) -> Option<usize> {
        if self.queue.is_empty() { self.untouched_large() } else { None }
    }

    /// Shows the core payload of the large message; whether it is the last.
    pub(crate) fn accept_large(&mut self, payload: &mut [u8]) -> Result<bool, Parsed> {
        let ends = match self.inbound.accept(payload) {
            Ok(ends) => ends,
            Err(error) => return Err(self.refused(error)),
        };
        if let Some(log) = &mut self.log {
            log.data(Kind::Binary, payload, ends);
        }
        if ends == Ends::Message {
            self.partial = None;
        }
        Ok(ends == Ends::Message)
    }

    /// Keeps what was taken of a large message, to go on with it in the usual way.
    pub(crate) fn keep_large(&mut self, payload: &[u8]) {
        if let Some(partial) = &mut self.partial {
            partial.message.bytes.extend_from_slice(payload);
            partial.large = None;
        }
    }

    /// Notes that a read brought bytes, for reports.
    #[inline]
    pub(crate) fn note_read(&self, len: usize) {
        self.meters.incoming.moved(len);
        self.meters.incoming.count(self.inbound.tally());
    }

    /// The stream is over.
    pub(crate) fn end(&mut self) {
        self.transport = None;
        self.meters.incoming.count(self.inbound.tally());
        let unread = self.queue.len() + usize::from(self.ready.is_some());
        self.meters.unread_messages.store(unread as u64, Ordering::Relaxed);
        self.keep_whole_fragments();
    }

    /// The stream is over, and what is not understood yet of what came is not to be relied on.
    pub(crate) fn end_by_panic(&mut self) {
        self.keep_ready();
        self.buffer.clear();
        self.is_refused = true;
        self.end();
    }

    fn refused(&mut self, error: ProtocolError) -> Parsed {
        self.buffer.clear();
        self.keep_whole_fragments();
        self.is_refused = true;
        Parsed::Refused(error)
    }

    /// The rest of the current message will not come. What is whole of it is left for who reads fragments.
    fn keep_whole_fragments(&mut self) {
        let whole = self.partial.take().filter(|partial| !partial.is_skipped);
        self.partial = whole.and_then(|mut partial| {
            let end = *partial.message.fragment_ends.last()?;
            partial.message.bytes.truncate(end);
            Some(partial)
        });
    }

    #[inline]
    fn note_control(&self, parsed: &Parsed) {
        let Some(log) = &self.log else { return };
        match parsed {
            Parsed::Ping(payload) => log.control(Opcode::Ping, payload),
            Parsed::Pong(payload) => log.control(Opcode::Pong, payload),
            Parsed::Close(close) => log.close(close),
            Parsed::NeedInput | Parsed::Progress | Parsed::Refused(_) => {}
        }
    }

    fn decode_control(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        mut payload: Vec<u8>,
    ) -> Result<Parsed, ProtocolError> {
        if let Some(decoding) = &mut self.decoding {
            payload = decoding.control(opcode, rsv, payload)?;
        }
        Ok(match opcode {
            Opcode::Ping => Parsed::Ping(payload),
            Opcode::Pong => Parsed::Pong(payload),
            _ => Parsed::Close(CloseFrame::parse(&payload)?),
        })
    }

    fn untouched_large(&self) -> Option<usize> {
        let large = self.partial.as_ref()?.large?;
        (self.inbound.remaining() == large as u64).then_some(large)
    }

    /// Ends a fragment, or the message, of `partial`.
    fn finish(&mut self, ends: Ends) {
        let Some(partial) = &mut self.partial else { return };
        if partial.is_skipped {
            partial.message.bytes.clear();
        }
        match ends {
            Ends::Nothing => {}
            Ends::Frame => {
                if !partial.is_skipped {
                    partial.message.fragment_ends.push(partial.message.bytes.len());
                }
            }
            Ends::Message => {
                let Some(Partial { mut message, is_skipped, .. }) = self.partial.take() else {
                    return;
                };
                if !message.fragment_ends.is_empty() {
                    message.fragment_ends.push(message.bytes.len());
                }
                if !is_skipped {
                    message.bytes = fitting(message.bytes);
                    self.queue.push(message);
                }
            }
        }
    }
}

impl Partial {
    fn new(kind: Kind) -> Partial {
        Partial { message: Incoming::new(kind), large: None, is_skipped: false, is_encoded: false }
    }

    fn begin(partial: &mut Option<Partial>, begin: Begin, is_encoded: bool) {
        let partial = partial.get_or_insert_with(|| Partial::new(begin.kind));
        partial.is_encoded = is_encoded;
        let len = usize::try_from(begin.payload_len).unwrap_or(usize::MAX);
        if begin.is_whole_message && len >= LARGE_LEN && !is_encoded {
            partial.large = Some(len);
        } else if !is_encoded {
            // A header is only a claim: the rest is reserved as it comes.
            partial.message.bytes.reserve(len.min(READ_LEN));
        }
    }
}

/// Decodes a piece of a message, to the end of what came of it before. Not inlined: connections without
/// extensions do not pay for it.
#[inline(never)]
fn decode(
    decoding: &mut Decoding,
    data: Data<'_>,
    message: &mut Vec<u8>,
) -> Result<(), ProtocolError> {
    decoding.data(data.kind, data.rsv, data.payload, data.ends, message)
}

/// The bytes, without memory that was reserved for more than came out: they may wait for long.
fn fitting(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.capacity() > 2 * bytes.len() {
        bytes.shrink_to_fit();
    }
    bytes
}

/// Whether the extensions have to decode a frame or message with these reserved bits.
fn is_encoded(decoding: &Decoding, rsv: Rsv) -> bool {
    decoding.takes_all_frames() || !rsv.is_none()
}

/// What a caller can do with a message that is not all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Nothing.
    Whole,
    /// Supply the memory of a large binary one.
    Large,
    /// Take it fragment by fragment.
    Fragments,
}

/// From here on a frame's payload is read to its place directly, not through the buffer.
pub(crate) const LARGE_LEN: usize = READ_LEN;

/// The payload of a full TCP segment on Ethernet.
const SEGMENT_LEN: usize = 1460;

/// A compressed message of up to this many bytes is decompressed by whoever looks for it, in some
/// microseconds, even if it holds the interpreter's lock; a longer one only by who waits.
const CHEAP_LEN: u64 = 4 * 1024;

/// A decoded message of more bytes than this is handed out with its memory.
const KEPT_DECODED: usize = 16 * 1024;

/// A header is only a claim: of a large message at most this much memory is reserved at once, and none
/// of it is touched before its bytes come.
const RESERVE_LEN: usize = 16 * 1024 * 1024;

/// Bytes of messages that may wait when they come after we sent Close. `max_queue` does not hold then, or the
/// peer's Close behind them would never be read.
const CLOSING_BACKLOG: usize = 16 * 1024 * 1024;
