//! What the right to write guards: the frames that are on their way out.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use openline_proto::extension::{Agreed, CodingError, Encoding};
use openline_proto::{FrameHeader, Kind, MaskKey, Opcode, Outbound, Part, Role, Rsv, Tally};

use super::buffer::{KEPT_CAPACITY, WriteBuffer};
use super::control::PendingControl;
use crate::journal::{Journal, Way};
use crate::keys::MaskKeys;
use crate::outgoing::Outgoing;
use crate::report::Meters;
use crate::sync::{self, Arc};
use crate::transport::Transport;

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct WriteHalf {
    /// `None` once the connection is over.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// Whether the Close frame is in the buffer or gone: nothing may follow it.
    pub(crate) is_closed: bool,
    outbound: Outbound,
    /// `None` without extensions.
    encoding: Option<Encoding>,
    /// Memory for the payload that extensions make.
    encoded: Vec<u8>,
    /// When a frame was encoded last, if compression may have memory since.
    encoded_at: Option<Instant>,
    keys: MaskKeys,
    buffer: WriteBuffer,
    /// Whether the transport holds bytes that it has not passed on.
    is_unflushed: bool,
    stall: Option<Stall>,
    /// `None` unless what goes out is logged.
    journal: Option<Journal>,
    /// The frames in the buffer, and those that are gone.
    tally: Tally,
    /// The tally before the messages that are gathered for one write.
    before_gathered: Tally,
    meters: Arc<Meters>,
}

impl WriteHalf {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        role: Role,
        extensions: &[Agreed],
        journal: Option<&Journal>,
        meters: &Arc<Meters>,
    ) -> WriteHalf {
        WriteHalf {
            transport: Some(transport),
            is_closed: false,
            outbound: Outbound::new(role),
            encoding: Encoding::new(extensions),
            encoded: Vec::new(),
            encoded_at: None,
            keys: MaskKeys::new(),
            buffer: WriteBuffer::default(),
            is_unflushed: false,
            stall: None,
            journal: journal.cloned(),
            tally: Tally::default(),
            before_gathered: Tally::default(),
            meters: meters.clone(),
        }
    }

    /// Whether everything is with the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.buffer.is_written() && !self.is_unflushed
    }

    /// Encodes the control frames that wait.
    ///
    /// # Errors
    ///
    /// That of an extension: no control frame can be done without.
    pub(crate) fn take_control(&mut self, control: &PendingControl) -> io::Result<()> {
        while control.is_pending() {
            let Some((opcode, mut payload, is_followed)) = control.pop() else { return Ok(()) };
            if self.is_closed {
                continue;
            }
            self.is_closed = opcode == Opcode::Close;
            if let Some(journal) = &self.journal {
                journal.frame(Way::Sent, opcode, true, &payload);
                if self.is_closed {
                    journal.state("CLOSING");
                }
            }
            let mut rsv = Rsv::NONE;
            if let Some(encoding) = &mut self.encoding {
                (payload, rsv) = encoding.control(opcode, payload).map_err(io::Error::other)?;
            }
            let mut header = self
                .outbound
                .control_header(opcode, payload.len(), self.keys.next())
                .expect("bug: the payload of a control frame is checked before it waits here");
            header.rsv = rsv;
            self.tally.frame(&header);
            self.buffer.append(header.encode().as_ref());
            self.append_payload(header.mask, &payload);
            if is_followed {
                let waiting = self.buffer.unwritten().len();
                control.note_place_of_followed(self.meters.outgoing.bytes() + waiting as u64);
            }
        }
        Ok(())
    }

    /// What extensions make of a frame; `None` if it goes out as it is. To be
    /// [recycled](WriteHalf::recycle) when it is written.
    #[inline]
    pub(crate) fn encode<E: From<CodingError>>(
        &mut self,
        message: Outgoing<'_>,
        part: Part,
        go_on: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Option<Encoded>, E> {
        match self.encoding {
            None => Ok(None),
            Some(_) => self.encode_by_extensions(message, part, go_on),
        }
    }

    // Not inlined: connections without extensions do not pay for it.
    #[inline(never)]
    fn encode_by_extensions<E: From<CodingError>>(
        &mut self,
        message: Outgoing<'_>,
        part: Part,
        go_on: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Option<Encoded>, E> {
        let Some(encoding) = &mut self.encoding else { return Ok(None) };
        self.encoded_at = Some(sync::now());
        let mut payload = std::mem::take(&mut self.encoded);
        if let Some(compressed) = message.compressed {
            payload.extend_from_slice(compressed);
            return Ok(Some(Encoded { rsv: encoding.compressed_elsewhere(), payload }));
        }
        let Outgoing { kind, payload: plain, compress, .. } = message;
        let rsv = encoding.data_in_steps(kind, part, plain, compress, &mut payload, go_on)?;
        Ok(rsv.map(|rsv| Encoded { rsv, payload }))
    }

    /// Takes the memory of an encoded payload back, for the next.
    #[inline]
    pub(crate) fn recycle(&mut self, encoded: Option<Encoded>) {
        if let Some(Encoded { mut payload, .. }) = encoded
            && payload.capacity() <= KEPT_CAPACITY
        {
            payload.clear();
            self.encoded = payload;
        }
    }

    /// Notes a data frame that is to go out, as it was before extensions encoded it.
    #[inline]
    pub(crate) fn note_frame(&self, kind: Kind, part: Part, payload: &[u8]) {
        let Some(journal) = &self.journal else { return };
        let opcode = match kind {
            _ if self.outbound.is_in_message() => Opcode::Continuation,
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        journal.frame(Way::Sent, opcode, part != Part::Fragment, payload);
    }

    /// Starts a data frame; its payload follows in pieces.
    pub(crate) fn begin_frame(
        &mut self,
        kind: Kind,
        part: Part,
        rsv: Rsv,
        len: usize,
    ) -> OpenFrame {
        let (start, before) = (self.buffer.len(), (self.outbound.clone(), self.tally));
        let mut header = self.outbound.data_header(kind, part, len, self.keys.next());
        header.rsv = rsv;
        self.tally.frame(&header);
        self.tally.messages += u64::from(header.fin);
        self.buffer.append(header.encode().as_ref());
        OpenFrame { start, is_committed: false, mask: header.mask, before }
    }

    /// Begins to gather small messages for one write, of which those that it does not reach can be taken
    /// back by [`withdraw_after`](WriteHalf::withdraw_after).
    pub(crate) fn begin_gathering(&mut self) {
        self.before_gathered = self.tally;
    }

    /// Appends the next piece of the frame's payload.
    pub(crate) fn append(&mut self, frame: &mut OpenFrame, piece: &[u8]) {
        self.append_payload(frame.mask, piece);
        frame.mask = frame.mask.map(|key| key.after(piece.len()));
    }

    fn append_payload(&mut self, mask: Option<MaskKey>, piece: &[u8]) {
        match mask {
            None => self.buffer.append(piece),
            Some(key) => self.buffer.append_masked(key, piece),
        }
    }

    /// Bytes in the buffer, those that are gone included.
    pub(crate) fn pending_len(&self) -> usize {
        self.buffer.len()
    }

    /// Takes back the frames of which nothing is gone, of those that start at `starts`; gives the
    /// number of the others.
    pub(crate) fn withdraw_after(&mut self, starts: &[usize]) -> usize {
        if !self.can_withdraw() {
            return starts.len();
        }
        let committed = starts.partition_point(|start| *start < self.buffer.written());
        if let Some(start) = starts.get(committed) {
            self.note_taken_back(starts.len() - committed);
            self.tally = self.before_gathered;
            for start in &starts[..committed] {
                if let Ok(Some((header, _))) = FrameHeader::parse(self.buffer.since(*start)) {
                    self.tally.frame(&header);
                    self.tally.messages += 1;
                }
            }
            self.buffer.truncate(*start);
            self.note_sent();
            self.buffer.reset_if_written();
            self.undo_encoding();
        }
        committed
    }

    /// Whether the frame must go out whole: bytes of it are gone, or an extension relies on it.
    pub(crate) fn is_committed(&self, frame: &OpenFrame) -> bool {
        frame.is_committed || self.buffer.written() > frame.start || !self.can_withdraw()
    }

    fn can_withdraw(&self) -> bool {
        self.encoding.as_ref().is_none_or(Encoding::can_undo)
    }

    /// Takes back a frame of which nothing is gone.
    pub(crate) fn withdraw(&mut self, frame: &OpenFrame) {
        debug_assert!(!self.is_committed(frame));
        self.note_taken_back(1);
        self.buffer.truncate(frame.start);
        self.buffer.reset_if_written();
        (self.outbound, self.tally) = frame.before.clone();
        self.undo_encoding();
        self.note_sent();
    }

    fn note_taken_back(&self, frames: usize) {
        if let Some(journal) = &self.journal {
            journal.taken_back(frames);
        }
    }

    fn undo_encoding(&mut self) {
        if let Some(encoding) = &mut self.encoding {
            encoding.undo();
        }
    }

    /// Writes what the transport takes now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while some is left, and those of the transport.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        let outcome = self.flush();
        if self.transport.is_some() {
            self.note_sent();
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        let WriteHalf { transport: Some(transport), buffer, .. } = self else { return Ok(()) };
        let WriteHalf { is_unflushed, stall, meters, .. } = self;
        while !buffer.is_written() {
            *is_unflushed = true;
            let len = transport.try_write(buffer.unwritten())?;
            meters.outgoing.moved(len);
            buffer.wrote(len);
            *stall = None;
        }
        if *is_unflushed {
            transport.try_flush()?;
            *is_unflushed = false;
        }
        self.buffer.reset_if_written();
        Ok(())
    }

    /// Notes for reports what is gone and what is left.
    #[inline]
    pub(crate) fn note_sent(&self) {
        self.meters.outgoing.count(&self.tally);
        let unsent = self.buffer.unwritten().len();
        self.meters.unsent_bytes.store(unsent as u64, Ordering::Relaxed);
    }

    /// Notes that a sender waits for room, whether we do not read meanwhile, and how much was
    /// [taken](crate::read::ReadHalf::taken), if that is known; for how long nothing has moved.
    pub(crate) fn stalled(&mut self, is_paused: bool, taken: Option<u64>) -> Duration {
        let now = sync::now();
        let before = self.stall.filter(|stall| {
            let is_received = stall.taken.zip(taken).is_some_and(|(before, now)| before != now);
            is_paused && !is_received && now - stall.seen < STALL_GAP
        });
        let since = before.map_or(now, |stall| stall.since);
        let taken = taken.or(before.and_then(|stall| stall.taken));
        self.stall = is_paused.then_some(Stall { since, seen: now, taken });
        now - since
    }

    /// Gives back memory that an idle connection does not need.
    pub(crate) fn release_memory(&mut self, now: Instant) {
        self.buffer.release_memory();
        self.encoded = Vec::new();
        self.release_compression(now);
    }

    /// Gives back the memory of compression if nothing was sent for a minute: what a context would spare
    /// then does not matter.
    pub(crate) fn release_compression(&mut self, now: Instant) {
        let is_idle = |at: Instant| now.saturating_duration_since(at) >= IDLE_TIME;
        if self.encoded_at.is_some_and(is_idle)
            && !self.outbound.is_in_message()
            && let Some(encoding) = &mut self.encoding
        {
            encoding.release_memory();
            self.encoded_at = None;
        }
    }

    /// The connection is over: what was to be sent is not sent any more.
    pub(crate) fn end(&mut self) {
        self.transport = None;
        self.encoding = None;
        self.encoded = Vec::new();
        self.buffer = WriteBuffer::default();
        self.is_unflushed = false;
    }
}

/// What extensions made of a frame.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) rsv: Rsv,
    pub(crate) payload: Vec<u8>,
}

/// A time in which a sender waits for room in vain, we do not read either, and nobody receives what waits.
#[derive(Clone, Copy, Debug)]
struct Stall {
    since: Instant,
    seen: Instant,
    taken: Option<u64>,
}

/// A data frame whose payload is being appended.
#[derive(Debug)]
pub(crate) struct OpenFrame {
    /// Where it starts in the buffer.
    start: usize,
    /// Whether a piece of it is gone, and the buffer was emptied since.
    is_committed: bool,
    mask: Option<MaskKey>,
    /// The state to go back to if it is withdrawn.
    before: (Outbound, Tally),
}

impl OpenFrame {
    /// Notes that everything so far was written and the buffer is empty again.
    pub(crate) fn flushed(&mut self) {
        self.is_committed = true;
        self.start = 0;
    }
}

/// How long a connection that sends nothing keeps its compressor.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// A sender that waits looks more often than this. Longer ago it was another, who has left.
const STALL_GAP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openline_proto::extension::deflate::PerMessageDeflate;
    use openline_proto::extension::{self, Extension};

    use super::*;
    use crate::transport::Socket;

    /// A half that compresses.
    fn half() -> WriteHalf {
        let deflate: [Arc<dyn Extension>; 1] = [Arc::new(PerMessageDeflate::client())];
        let answer = openline_proto::handshake::parse_extensions("permessage-deflate").unwrap();
        let agreed = extension::accept(&deflate, &answer).unwrap();
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let transport = crate::sync::Arc::new(Socket::new(socket.into()));
        WriteHalf::new(transport, Role::Client, &agreed, None, &Arc::new(Meters::new()))
    }

    #[test]
    fn frames_that_are_taken_back_are_logged_as_such() {
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let transport = crate::sync::Arc::new(Socket::new(socket.into()));
        let journal = Journal::new(None);
        let meters = Arc::new(Meters::new());
        let mut half = WriteHalf::new(transport, Role::Client, &[], Some(&journal), &meters);
        half.note_frame(Kind::Text, Part::Whole, b"one");
        let mut frame = half.begin_frame(Kind::Text, Part::Whole, Rsv::NONE, 3);
        half.append(&mut frame, b"one");
        half.withdraw(&frame);
        half.note_frame(Kind::Binary, Part::Whole, b"\x01");
        half.begin_frame(Kind::Binary, Part::Whole, Rsv::NONE, 1);
        assert_eq!(half.withdraw_after(&[0]), 0);
        let mut texts = Vec::new();
        let outcome = journal.give_out(|record| {
            texts.push(record.to_string());
            Ok::<(), std::convert::Infallible>(())
        });
        outcome.unwrap();
        let taken_back = "- frames taken back before anything of them was sent: 1";
        let sent = ["> TEXT 'one' [3 bytes]", "> BINARY 01 [1 byte]"];
        assert_eq!(texts, [sent[0], taken_back, sent[1], taken_back]);
    }

    #[test]
    fn frames_that_are_taken_back_are_not_counted() {
        let mut half = half();
        let text = |len| "x".repeat(len);
        half.begin_frame(Kind::Text, Part::Whole, Rsv::NONE, 0);
        half.begin_gathering();
        let starts = [1, 2, 3].map(|len| {
            let start = half.pending_len();
            let mut frame = half.begin_frame(Kind::Text, Part::Whole, Rsv::NONE, len);
            half.append(&mut frame, text(len).as_bytes());
            start
        });
        half.buffer.wrote(starts[1] + 1);
        assert_eq!(half.withdraw_after(&starts), 2);
        assert_eq!((half.tally.frames, half.tally.messages), (3, 3));
        assert_eq!(half.tally.last_frame.unwrap().payload_len, 2);
        let before = half.tally;
        let frame = half.begin_frame(Kind::Text, Part::Fragment, Rsv::NONE, 9);
        assert_ne!(half.tally, before);
        half.withdraw(&frame);
        assert_eq!(half.tally, before);
    }

    fn encoded_len(half: &mut WriteHalf) -> usize {
        let text = "a text that is long enough to be compressed, and then once more";
        let go_on = &mut || Ok::<(), CodingError>(());
        let encoded = half.encode(Outgoing::from(text), Part::Whole, go_on).unwrap().unwrap();
        encoded.payload.len()
    }

    #[test]
    fn compression_has_no_memory_after_a_minute_without_a_message() {
        let mut half = half();
        let first = encoded_len(&mut half);
        half.release_compression(Instant::now());
        assert!(encoded_len(&mut half) < first, "the context was lost");
        half.release_compression(Instant::now() + IDLE_TIME / 2);
        assert!(encoded_len(&mut half) < first, "the context was lost");
        half.release_compression(Instant::now() + IDLE_TIME);
        assert_eq!(encoded_len(&mut half), first);
    }
}
