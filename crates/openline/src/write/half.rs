//! What the right to write guards: the frames that are on their way out.

use std::io;

use openline_proto::{Kind, Opcode, Outbound, Part, Role, mask};

use super::control::PendingControl;
use crate::keys::MaskKeys;
use crate::sync::Arc;
use crate::transport::Transport;

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct WriteHalf {
    /// `None` once the connection is over.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// Whether the Close frame is in the buffer or gone: nothing may follow it.
    pub(crate) is_closed: bool,
    outbound: Outbound,
    keys: MaskKeys,
    /// Encoded frames; the first `written` bytes are gone.
    bytes: Vec<u8>,
    written: usize,
    /// Whether the transport holds bytes that it has not passed on.
    is_unflushed: bool,
}

impl WriteHalf {
    pub(crate) fn new(transport: Arc<dyn Transport>, role: Role) -> WriteHalf {
        WriteHalf {
            transport: Some(transport),
            is_closed: false,
            outbound: Outbound::new(role),
            keys: MaskKeys::new(),
            bytes: Vec::new(),
            written: 0,
            is_unflushed: false,
        }
    }

    /// Whether everything is with the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.written == self.bytes.len() && !self.is_unflushed
    }

    /// Encodes the control frames that wait.
    pub(crate) fn take_control(&mut self, control: &PendingControl) {
        while control.is_pending() {
            let Some((opcode, payload)) = control.pop() else { return };
            if self.is_closed {
                continue;
            }
            self.is_closed = opcode == Opcode::Close;
            let key = self.keys.next();
            self.outbound
                .encode_control(opcode, &payload, key, &mut self.bytes)
                .expect("bug: the payload of a control frame is checked before it waits here");
        }
    }

    /// Starts a data frame; its payload follows in pieces.
    pub(crate) fn begin_frame(&mut self, kind: Kind, part: Part, len: usize) -> OpenFrame {
        let (start, before) = (self.bytes.len(), self.outbound.clone());
        let header = self.outbound.data_header(kind, part, len, self.keys.next());
        self.bytes.extend_from_slice(header.encode().as_ref());
        OpenFrame { start, is_committed: false, mask: header.mask, before }
    }

    /// Appends the next piece of the frame's payload.
    pub(crate) fn append(&mut self, frame: &mut OpenFrame, piece: &[u8]) {
        match &mut frame.mask {
            None => self.bytes.extend_from_slice(piece),
            Some(key) => {
                let start = self.bytes.len();
                self.bytes.resize(start + piece.len(), 0);
                mask::copy(*key, piece, &mut self.bytes[start..]);
                *key = key.after(piece.len());
            }
        }
    }

    /// Bytes in the buffer, those that are gone included.
    pub(crate) fn pending_len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes back the frames of which nothing is gone, of those that start at `starts`; gives the
    /// number of the others.
    pub(crate) fn withdraw_after(&mut self, starts: &[usize]) -> usize {
        let committed = starts.partition_point(|start| *start < self.written);
        if let Some(start) = starts.get(committed) {
            self.bytes.truncate(*start);
            self.reset_if_written();
        }
        committed
    }

    /// Whether bytes of the frame are gone, so that its rest must follow.
    pub(crate) fn is_committed(&self, frame: &OpenFrame) -> bool {
        frame.is_committed || self.written > frame.start
    }

    /// Takes back a frame of which nothing is gone.
    pub(crate) fn withdraw(&mut self, frame: &OpenFrame) {
        debug_assert!(!self.is_committed(frame));
        self.bytes.truncate(frame.start);
        self.reset_if_written();
        self.outbound = frame.before.clone();
    }

    /// Writes what the transport takes now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while some is left, and those of the transport.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        let WriteHalf { transport: Some(transport), bytes, written, is_unflushed, .. } = self
        else {
            return Ok(());
        };
        while *written < bytes.len() {
            *is_unflushed = true;
            *written += transport.try_write(&bytes[*written..])?;
        }
        if *is_unflushed {
            transport.try_flush()?;
            *is_unflushed = false;
        }
        self.reset_if_written();
        Ok(())
    }

    /// Gives back memory that an idle connection does not need.
    pub(crate) fn release_buffer(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// The connection is over: what was to be sent is not sent any more.
    pub(crate) fn end(&mut self) {
        self.transport = None;
        self.bytes = Vec::new();
        self.written = 0;
        self.is_unflushed = false;
    }

    fn reset_if_written(&mut self) {
        if self.written == self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            // One large message must not hold its memory for ever.
            if self.bytes.capacity() > KEPT_CAPACITY {
                self.bytes = Vec::new();
            }
        }
    }
}

/// A data frame whose payload is being appended.
#[derive(Debug)]
pub(crate) struct OpenFrame {
    /// Where it starts in the buffer.
    start: usize,
    /// Whether a piece of it is gone, and the buffer was emptied since.
    is_committed: bool,
    mask: Option<openline_proto::MaskKey>,
    /// The state to go back to if it is withdrawn.
    before: Outbound,
}

impl OpenFrame {
    /// Notes that everything so far was written and the buffer is empty again.
    pub(crate) fn flushed(&mut self) {
        self.is_committed = true;
        self.start = 0;
    }
}

/// The buffer keeps this much between messages: a piece of a large message and its header.
const KEPT_CAPACITY: usize = 2 * super::PIECE_LEN;
