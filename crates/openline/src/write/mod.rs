//! Sending. Whoever holds the lock of the [`WriteHalf`] writes; the wait for it has a deadline, and
//! control frames do not wait for it at all ([`PendingControl`]).
//!
//! A sender that finds the peer not reading goes on reading itself, into the bounded queue: two peers
//! that send at once cannot block each other for ever.

mod buffer;
mod control;
mod half;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use openline_proto::extension::CodingError;
use openline_proto::{Kind, Part, Rsv, State};

use crate::deadline::Deadline;
use crate::error::{Error, Result, Waiting};
use crate::line::Line;
use crate::outgoing::Outgoing;
use crate::read::{Drained, panicked};
use crate::status::{SIGNAL_PAUSE, SLICE};
use crate::sync::{MutexGuard, Ordering, fence, try_lock};
use crate::transport::Interest;

pub(crate) use control::PendingControl;
pub(crate) use half::WriteHalf;

/// Who wants to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A new message: waits while another thread is between two fragments of one.
    Message,
    /// The next fragment of a message, or what is left of a frame.
    Continuation,
}

/// Why a frame did not go out whole.
#[derive(Debug)]
enum Stop {
    /// An extension refused the message.
    Encoding(CodingError),
    Interrupted,
    Lost(io::Error),
    Over,
    Timeout,
}

impl From<CodingError> for Stop {
    fn from(error: CodingError) -> Stop {
        Stop::Encoding(error)
    }
}

impl Line {
    /// Sends one frame of a message; all of it if `part` is [`Part::Whole`].
    pub(crate) fn send(
        &self,
        turn: Turn,
        part: Part,
        message: Outgoing<'_>,
        deadline: Deadline,
    ) -> Result<()> {
        let mut half = self.enter_write(turn, deadline)?;
        let _watch = PanicWatch::new(self);
        let outcome = self.write_frame(&mut half, part, message, deadline);
        if matches!(outcome, Ok(()) | Err((_, true))) {
            self.in_fragments.store(part == Part::Fragment, Ordering::Relaxed);
        }
        self.leave_write(half);
        outcome.map_err(|(stop, committed)| self.explain(stop, committed, deadline))
    }

    /// Whether the peer has not taken what was written, which nobody waits for.
    pub(crate) fn is_peer_behind(&self) -> bool {
        let Some(half) = try_lock(&self.write) else { return false };
        let is_behind = !half.is_flushed() && !self.in_fragments.load(Ordering::Relaxed);
        self.leave_write(half);
        is_behind
    }

    /// Sends messages in order, as many as fit with each write. When it stops early, the number
    /// tells how many are sent or will be; the others were taken back.
    pub(crate) fn send_many<'m>(
        &self,
        messages: impl Iterator<Item = Outgoing<'m>>,
        deadline: Deadline,
    ) -> (usize, Result<()>) {
        let mut half = match self.enter_write(Turn::Message, deadline) {
            Ok(half) => half,
            Err(error) => return (0, Err(error)),
        };
        let _watch = PanicWatch::new(self);
        let mut sent = 0;
        let mut starts = Vec::new();
        let mut outcome = self.begin_write(&mut half, deadline).map_err(|stop| (stop, false));
        for message in messages {
            if outcome.is_err() {
                break;
            }
            let is_large = message.payload.len() >= GATHERED_LEN;
            if !is_large && let Err(stop) = gather(&mut half, &mut starts, message) {
                outcome = self.write_gathered(&mut half, &mut starts, &mut sent, deadline);
                outcome = outcome.and(Err((stop, false)));
                break;
            }
            if is_large || half.pending_len() >= GATHERED_LEN {
                outcome = self.write_gathered(&mut half, &mut starts, &mut sent, deadline);
                if outcome.is_ok() {
                    outcome = self.begin_write(&mut half, deadline).map_err(|stop| (stop, false));
                }
            }
            if is_large && outcome.is_ok() {
                outcome = self.write_frame(&mut half, Part::Whole, message, deadline);
                sent += usize::from(matches!(outcome, Ok(()) | Err((_, true))));
            }
        }
        if outcome.is_ok() {
            outcome = self.write_gathered(&mut half, &mut starts, &mut sent, deadline);
        }
        self.leave_write(half);
        (sent, outcome.map_err(|(stop, committed)| self.explain(stop, committed, deadline)))
    }

    /// Sends what is left of a frame that a time-out or a signal cut.
    pub(crate) fn flush(&self, deadline: Deadline) -> Result<()> {
        let mut half = self.enter_write(Turn::Continuation, deadline)?;
        let _watch = PanicWatch::new(self);
        let outcome = self.write_out(&mut half, deadline);
        self.leave_write(half);
        outcome.map_err(|stop| self.explain(stop, true, deadline))
    }

    /// Sends the control frames that wait, if the right to write is free; whoever has it does so
    /// otherwise.
    pub(crate) fn flush_control(&self) {
        loop {
            // Who posts a frame stores it and then tries the lock; who leaves the lock unlocks and
            // then looks for frames. The fences order each pair, so no frame is left by both.
            fence(Ordering::SeqCst);
            let Some(mut half) = try_lock(&self.write) else { return };
            let _watch = PanicWatch::new(self);
            // As in `begin_write`.
            let outcome = half.try_flush().and_then(|()| {
                half.take_control(&self.control)?;
                half.try_flush()
            });
            if outcome.is_ok() && half.is_closed {
                self.is_close_sent.store(true, Ordering::Relaxed);
            }
            self.unlock_write(half);
            match outcome {
                Ok(()) => self.end_stream_if_done(),
                // Interrupted by a signal handler in a transport that runs one: nothing was written.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    return self.driver.flush_later(self);
                }
                Err(error) => return self.lose(error),
            }
            if !self.control.is_pending() {
                return;
            }
        }
    }

    /// Takes the right to write, once it is free.
    fn enter_write(&self, turn: Turn, deadline: Deadline) -> Result<MutexGuard<'_, WriteHalf>> {
        self.check_process()?;
        let waits_for_fragments =
            || turn == Turn::Message && self.in_fragments.load(Ordering::Relaxed) && self.is_open();
        // Looked at before the lock is tried: a lock that is taken must be let go with care.
        let enter = || if waits_for_fragments() { None } else { try_lock(&self.write) };
        let half = loop {
            match enter().or_else(|| self.bell.wait(deadline, |_| enter())) {
                Some(half) if waits_for_fragments() => self.leave_write(half),
                Some(half) => break half,
                None if deadline.has_passed() => {
                    return Err(Error::Timeout { during: Waiting::Send, committed: false });
                }
                None => self.interrupted(false)?,
            }
        };
        if self.is_open() && !half.is_closed {
            return Ok(half);
        }
        self.leave_write(half);
        Err(self.closed_by(deadline))
    }

    /// Lets the right to write go, and whoever waits for it know. Control frames that came meanwhile
    /// are sent: who left them has relied on us.
    pub(crate) fn leave_write(&self, half: MutexGuard<'_, WriteHalf>) {
        let is_behind = !half.is_flushed();
        self.unlock_write(half);
        if is_behind || self.control.is_pending() {
            self.flush_control();
        }
    }

    fn unlock_write(&self, half: MutexGuard<'_, WriteHalf>) {
        drop(half);
        self.bell.ring_after_unlock();
        // Who ended the connection meanwhile could not take the transport out.
        if self.state() == State::Closed
            && let Some(mut half) = try_lock(&self.write)
        {
            half.end();
            drop(half);
            // Who was woken by the first ring may have found it taken.
            self.bell.ring_after_unlock();
        }
    }

    /// Writes a frame after all that goes before it: header and masked payload, a large payload in
    /// pieces that stay in the cache. On a stop the flag tells whether a part went out;
    /// its rest is then in the buffer, and otherwise nothing of it.
    fn write_frame(
        &self,
        half: &mut WriteHalf,
        part: Part,
        message: Outgoing<'_>,
        deadline: Deadline,
    ) -> std::result::Result<(), (Stop, bool)> {
        self.begin_write(half, deadline).map_err(|stop| (stop, false))?;
        // Who only polls gets what can be done without waiting, and that includes the work itself.
        let is_poll = deadline.has_passed();
        let mut go_on = || {
            if !is_poll && deadline.has_passed() {
                Err(Stop::Timeout)
            } else if !self.is_open() {
                Err(Stop::Over)
            } else if self.settings.interrupted_by.is_some_and(|is_interrupted| is_interrupted()) {
                Err(Stop::Interrupted)
            } else {
                Ok(())
            }
        };
        let encoded = half.encode(message, part, &mut go_on).map_err(|stop| (stop, false))?;
        let Outgoing { kind, payload, .. } = message;
        half.note_frame(kind, part, payload);
        let outcome = match &encoded {
            None => self.write_payload(half, (kind, part, Rsv::NONE), payload, deadline),
            Some(encoded) => {
                self.write_payload(half, (kind, part, encoded.rsv), &encoded.payload, deadline)
            }
        };
        half.recycle(encoded);
        outcome
    }

    fn write_payload(
        &self,
        half: &mut WriteHalf,
        (kind, part, rsv): (Kind, Part, Rsv),
        payload: &[u8],
        deadline: Deadline,
    ) -> std::result::Result<(), (Stop, bool)> {
        let mut frame = half.begin_frame(kind, part, rsv, payload.len());
        let mut rest = payload;
        loop {
            let piece;
            (piece, rest) = rest.split_at(rest.len().min(PIECE_LEN));
            half.append(&mut frame, piece);
            match self.write_out(half, deadline) {
                Ok(()) => frame.flushed(),
                Err(stop) if half.is_committed(&frame) => {
                    half.append(&mut frame, rest);
                    half.note_sent();
                    return Err((stop, true));
                }
                Err(stop) => {
                    half.withdraw(&frame);
                    return Err((stop, false));
                }
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Prepares for a data frame: what is left from before goes out, and the control frames that wait
    /// go before it. They are encoded only once nothing is before them, so that a peer that floods us
    /// with pings and reads nothing fills no buffer.
    fn begin_write(
        &self,
        half: &mut WriteHalf,
        deadline: Deadline,
    ) -> std::result::Result<(), Stop> {
        if !half.is_flushed() {
            self.write_out(half, deadline)?;
        }
        half.take_control(&self.control).map_err(Stop::Lost)?;
        // RFC 6455 §5.5.1: no data frame may follow a Close.
        if half.is_closed { Err(Stop::Over) } else { Ok(()) }
    }

    /// Writes the small messages that start at `starts` in the buffer.
    fn write_gathered(
        &self,
        half: &mut WriteHalf,
        starts: &mut Vec<usize>,
        sent: &mut usize,
        deadline: Deadline,
    ) -> std::result::Result<(), (Stop, bool)> {
        let outcome = self.write_out(half, deadline);
        let committed = match &outcome {
            Ok(()) => starts.len(),
            Err(_) => half.withdraw_after(starts),
        };
        starts.clear();
        *sent += committed;
        outcome.map_err(|stop| (stop, committed > 0))
    }

    /// Writes the buffer out, waiting for room until `deadline`.
    fn write_out(&self, half: &mut WriteHalf, deadline: Deadline) -> std::result::Result<(), Stop> {
        let mut next_look = None;
        loop {
            match half.try_flush() {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.stop_if_interruptible()?;
                }
                Err(error) => return Err(Stop::Lost(error)),
            }
            // A peer that reads a little now and then must not outlast the deadline.
            if deadline.has_passed() {
                return Err(Stop::Timeout);
            }
            // A signal that comes right before a wait does not end it.
            let look = *next_look.get_or_insert_with(|| Deadline::from(SIGNAL_PAUSE));
            if look.has_passed() {
                self.stop_if_interruptible()?;
                next_look = None;
            }
            // Two ends that send, and neither of which reads any more, would wait for each other. Not so if
            // somebody receives, however slowly: room comes with it.
            let is_paused = self.paused.load(Ordering::Relaxed);
            let taken = if is_paused { self.taken() } else { None };
            let stalled = half.stalled(is_paused, taken);
            if self.is_open() && self.bell.status().keepalive.ends_stall_of(stalled) {
                self.end_by_ping_timeout();
                return Err(Stop::Over);
            }
            self.await_room(half, deadline, look)?;
        }
    }

    /// Waits until the transport may take more, reading meanwhile unless somebody else does; if signals are of
    /// interest, until the next look for them.
    fn await_room(
        &self,
        half: &WriteHalf,
        deadline: Deadline,
        next_look: Deadline,
    ) -> std::result::Result<(), Stop> {
        let Some(transport) = &half.transport else { return Err(Stop::Over) };
        let (interest, until) = match self.try_drain() {
            Some(Drained::Empty) if self.settings.interruptible => {
                (Interest::ReadOrWrite, deadline.min(next_look))
            }
            Some(Drained::Empty) => (Interest::ReadOrWrite, deadline),
            Some(Drained::More) => return Ok(()),
            Some(Drained::Interrupted) => return self.stop_if_interruptible(),
            // Somebody else reads, or the queue is full: look again soon.
            None | Some(Drained::Full) => (Interest::Write, deadline.min(Deadline::from(SLICE))),
            Some(Drained::Ended) => return Err(Stop::Over),
        };
        match transport.wait(interest, until) {
            Ok(ready) if ready.is_none() && deadline.has_passed() => Err(Stop::Timeout),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.stop_if_interruptible()
            }
            Err(error) => Err(Stop::Lost(error)),
        }
    }

    fn stop_if_interruptible(&self) -> std::result::Result<(), Stop> {
        if self.settings.interruptible { Err(Stop::Interrupted) } else { Ok(()) }
    }

    /// The error of a frame that did not go out whole; the right to write was let go.
    fn explain(&self, stop: Stop, committed: bool, deadline: Deadline) -> Error {
        match stop {
            Stop::Encoding(error) => Error::Other(error.into()),
            Stop::Interrupted => Error::Interrupted { committed },
            Stop::Timeout => Error::Timeout { during: Waiting::Send, committed },
            Stop::Over => self.closed_by(deadline),
            Stop::Lost(error) => {
                self.lose(error);
                self.closed_by(deadline)
            }
        }
    }
}

/// Watches over who has the right to write. If it panics, in a transport or an extension of the user's, nobody
/// knows what went out: the line is cut, before somebody else can write, which also wakes who reads.
struct PanicWatch<'l> {
    line: &'l Line,
    /// Of another panic, in whose course this call is made.
    was_panicking: bool,
}

impl PanicWatch<'_> {
    fn new(line: &Line) -> PanicWatch<'_> {
        PanicWatch { line, was_panicking: thread::panicking() }
    }
}

impl Drop for PanicWatch<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            // A second panic, of the transport that is cut, must not leave this.
            let _ = catch_unwind(AssertUnwindSafe(|| self.line.lose(panicked())));
        }
    }
}

/// Puts a small message into the buffer.
fn gather(
    half: &mut WriteHalf,
    starts: &mut Vec<usize>,
    message: Outgoing<'_>,
) -> std::result::Result<(), Stop> {
    let encoded = half.encode(message, Part::Whole, &mut || Ok::<(), Stop>(()))?;
    let (rsv, payload) = match &encoded {
        None => (Rsv::NONE, message.payload),
        Some(encoded) => (encoded.rsv, &encoded.payload[..]),
    };
    half.note_frame(message.kind, Part::Whole, message.payload);
    if starts.is_empty() {
        half.begin_gathering();
    }
    starts.push(half.pending_len());
    let mut frame = half.begin_frame(message.kind, Part::Whole, rsv, payload.len());
    half.append(&mut frame, payload);
    half.recycle(encoded);
    Ok(())
}

/// Payload is masked and written in pieces of this length. Shorter ones cost the kernel more than what the cache
/// saves: it passes each on by itself.
const PIECE_LEN: usize = 512 * 1024;

/// So much of small messages is gathered for one write, which stays in the cache.
const GATHERED_LEN: usize = 128 * 1024;
