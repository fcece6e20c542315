//! Receiving. Whoever holds the lock of the [`ReadHalf`] reads: the caller of `recv`, in its own
//! thread, or, while nobody calls, a bystander that never blocks ([`Line::drain`]): the driver, a
//! sender that waits for room, a thread that waits for a Pong or for the close.

mod attendant;
mod buffer;
mod half;
mod payload;
mod spin;
mod waiting;

use std::io;
use std::ops::ControlFlow;

use crate::deadline::Deadline;
use crate::error::{Error, Result, Waiting};
use crate::line::Line;
use crate::sync::{MutexGuard, Ordering, TryLockError, try_lock};
use crate::transport::Interest;

use half::{Available, Parsed};

pub(crate) use attendant::{Attendant, Attended};
pub(crate) use half::{ReadHalf, Want};
pub(crate) use payload::Fragments;
pub use payload::Payload;
pub(crate) use spin::check_busy_poll;

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing more is there to be read.
    Empty,
    /// The queue is full: the peer has to wait.
    Full,
    /// The stream is over.
    Ended,
    /// A signal handler ran.
    Interrupted,
    /// There is more; others get their turn first.
    More,
}

impl Line {
    /// The next message, given to `take`; waits for it until `deadline`.
    pub(crate) fn receive<T>(
        &self,
        deadline: Deadline,
        take: impl FnOnce(Payload<'_>) -> T,
    ) -> Result<T> {
        let mut half = self.claim_read()?;
        let take = match self.take_whole(&mut half, take) {
            Ok(taken) => {
                self.leave_read(half);
                return Ok(taken);
            }
            Err(take) => take,
        };
        let (mut half, _) = self.await_available(half, deadline, Want::Whole)?;
        let taken = half.take(take);
        self.leave_read(half);
        Ok(taken.expect("bug: a message was available"))
    }

    /// Takes a message that is there already, without waiting for anything, not even for a lock.
    pub(crate) fn try_receive<T>(&self, take: impl FnOnce(Payload<'_>) -> T) -> Option<T> {
        if !self.process.is_current() {
            return None;
        }
        let mut half = self.try_lock_read()?;
        let taken = self.take_cheaply(&mut half, take);
        self.leave_read(half);
        taken
    }

    /// As [`try_receive`](Line::try_receive), for all messages that are there, at most `max`, until `take` breaks off.
    pub(crate) fn try_receive_many(
        &self,
        max: usize,
        mut take: impl FnMut(Payload<'_>) -> ControlFlow<()>,
    ) {
        if !self.process.is_current() {
            return;
        }
        let Some(mut half) = self.try_lock_read() else { return };
        for _ in 0..max {
            if self.take_cheaply(&mut half, &mut take) != Some(ControlFlow::Continue(())) {
                break;
            }
        }
        self.leave_read(half);
    }

    /// Takes a message that is there already, unless it has more than `available` bytes.
    pub(crate) fn try_receive_within<T>(
        &self,
        available: usize,
        take: impl FnOnce(Payload<'_>) -> T,
    ) -> Result<Option<T>> {
        if !self.process.is_current() {
            return Ok(None);
        }
        let Some(mut half) = self.try_lock_read() else { return Ok(None) };
        let outcome = match self.understand_cheaply(&mut half) {
            Some(Available::Message) => match half.next_len() {
                Some(needed) if needed > available => {
                    Err(Error::BufferTooSmall { needed, available })
                }
                _ => Ok(half.take(take)),
            },
            _ => Ok(None),
        };
        self.leave_read(half);
        outcome
    }

    /// Waits for a message and leaves it there; with [`Want::Large`] also for the start of a large
    /// one, whose length it gives.
    pub(crate) fn await_message(&self, deadline: Deadline, want: Want) -> Result<Option<usize>> {
        let (half, available) = self.await_available(self.claim_read()?, deadline, want)?;
        self.leave_read(half);
        Ok(match available {
            Available::Large(len) => Some(len),
            _ => None,
        })
    }

    /// Reads the large message that [`Line::await_message`] told of straight into `memory`. `false`:
    /// it was read on meanwhile, and comes in the usual way. On errors too nothing of it is lost.
    pub(crate) fn receive_large(&self, memory: &mut [u8], deadline: Deadline) -> Result<bool> {
        let mut half = self.lock_read();
        let outcome = self.read_large(&mut half, memory, deadline);
        self.leave_read(half);
        outcome
    }

    /// The next message into `memory`; one that does not fit stays the next.
    pub(crate) fn receive_into(&self, memory: &mut [u8], deadline: Deadline) -> Result<usize> {
        let available = memory.len();
        if let Some(needed) = self.await_message(deadline, Want::Large)? {
            if needed > available {
                return Err(Error::BufferTooSmall { needed, available });
            }
            if self.receive_large(&mut memory[..needed], deadline)? {
                return Ok(needed);
            }
        }
        let (mut half, _) = self.await_available(self.claim_read()?, deadline, Want::Whole)?;
        let outcome = match half.next_len() {
            Some(needed) if needed > available => Err(Error::BufferTooSmall { needed, available }),
            _ => {
                let taken = half.take(|payload| {
                    let bytes = payload.as_bytes();
                    memory[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                });
                Ok(taken.expect("bug: a message was available"))
            }
        };
        self.leave_read(half);
        outcome
    }

    /// More fragments of the message that `fragments` reads.
    pub(crate) fn receive_fragments(
        &self,
        fragments: &mut Fragments,
        deadline: Deadline,
    ) -> Result<()> {
        let (mut half, _) = self.await_available(self.claim_read()?, deadline, Want::Fragments)?;
        if let Some((incoming, ends_message)) = half.take_fragments() {
            fragments.push(incoming, ends_message);
        }
        self.leave_read(half);
        Ok(())
    }

    /// The reader of a message's fragments leaves before its end: the rest is not the next message. It
    /// waits for nothing: it may be dropped by a garbage collector, in the middle of anything.
    pub(crate) fn skip_message(&self) {
        self.is_skipping.store(true, Ordering::Release);
        if let Some(mut half) = self.try_lock_read() {
            self.skip_if_told(&mut half);
            self.leave_read(half);
        }
    }

    /// To be asked before a message is looked for.
    fn skip_if_told(&self, half: &mut ReadHalf) {
        if self.is_skipping.load(Ordering::Acquire) {
            self.is_skipping.store(false, Ordering::Relaxed);
            half.skip();
        }
    }

    /// [`drain`](Line::drain)s, unless somebody else reads or is on the lookout.
    pub(crate) fn try_drain(&self) -> Option<Drained> {
        let mut half = self.try_lock_read()?;
        let is_free = !self.is_looked_out.load(Ordering::Relaxed);
        let drained = is_free.then(|| self.drain(&mut half));
        self.leave_read(half);
        drained
    }

    /// Reads what is there, without blocking and never more than the queue may hold.
    pub(crate) fn drain(&self, half: &mut ReadHalf) -> Drained {
        self.skip_if_told(half);
        let mut responses = 0;
        for _ in 0..DRAIN_READS {
            loop {
                half.keep_ready();
                if self.is_full(half) {
                    if self.is_given_up.load(Ordering::Relaxed) {
                        self.end_read(half, None);
                        return Drained::Ended;
                    }
                    self.paused.store(true, Ordering::Relaxed);
                    return Drained::Full;
                }
                let parsed = half.parse();
                match parsed {
                    Parsed::NeedInput => break,
                    Parsed::Progress => self.note_data(),
                    parsed => {
                        self.respond(parsed);
                        responses += 1;
                        if responses == DRAIN_RESPONSES {
                            return Drained::More;
                        }
                    }
                }
            }
            self.paused.store(false, Ordering::Relaxed);
            let Some(transport) = half.transport.clone() else { return Drained::Ended };
            match self.read_once(half, |buffer| transport.try_read(buffer)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    return Drained::Interrupted;
                }
                Err(error) => self.end_read(half, Some(error)),
            }
        }
        Drained::More
    }

    /// How much was taken until now ([`ReadHalf::taken`]), unless somebody reads.
    pub(crate) fn taken(&self) -> Option<u64> {
        let taken = self.try_lock_read()?.taken;
        self.bell.ring_after_unlock();
        Some(taken)
    }

    /// Takes the right to read, once it is free.
    pub(crate) fn lock_read(&self) -> MutexGuard<'_, ReadHalf> {
        match self.read.lock() {
            Ok(half) => half,
            Err(poisoned) => self.end_read_by_panic(poisoned.into_inner()),
        }
    }

    /// Takes the right to read, if it is free. Not for who holds the status: see [`try_lock`].
    pub(crate) fn try_lock_read(&self) -> Option<MutexGuard<'_, ReadHalf>> {
        match self.read.try_lock() {
            Ok(half) => Some(half),
            Err(TryLockError::Poisoned(poisoned)) => {
                Some(self.end_read_by_panic(poisoned.into_inner()))
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Lets the right to read go, and whoever waits for it know.
    pub(crate) fn leave_read(&self, mut half: MutexGuard<'_, ReadHalf>) {
        half.used_at = self.driver.tick();
        self.leave_to_attendant(half);
        self.bell.ring_after_unlock();
    }

    /// Takes the right to read for a call that may wait.
    #[inline]
    fn claim_read(&self) -> Result<MutexGuard<'_, ReadHalf>> {
        self.check_process()?;
        // Any other holder is a bystander, which does not block: this is short.
        Ok(self.try_lock_read().unwrap_or_else(|| self.lock_read()))
    }

    /// Reads until something is there that the caller wants. On errors the lock is let go.
    fn await_available<'l>(
        &'l self,
        mut half: MutexGuard<'l, ReadHalf>,
        deadline: Deadline,
        want: Want,
    ) -> Result<(MutexGuard<'l, ReadHalf>, Available)> {
        for turn in 1_usize.. {
            if let Some(available) = self.understand(&mut half, want) {
                return Ok((half, available));
            }
            // A peer that sends without end, but no message, must not outlast the deadline.
            if let Err(error) = self.check_turn(turn, deadline) {
                self.leave_read(half);
                return Err(error);
            }
            if self.is_looked_out.load(Ordering::Relaxed) && half.transport.is_some() {
                self.leave_read(half);
                self.await_lookout(deadline, want)?;
                half = self.lock_read();
            } else if let Err(error) = self.fill(&mut half, deadline) {
                self.leave_read(half);
                return Err(error);
            }
        }
        unreachable!("bug: more turns than a number can count")
    }

    /// Ends a call that goes on without ever waiting: at its deadline, after the first turn, and now
    /// and then for signals, which only a wait would notice.
    pub(crate) fn check_turn(&self, turn: usize, deadline: Deadline) -> Result<()> {
        if turn > 1 && deadline.has_passed() {
            return Err(timed_out());
        }
        if turn.is_multiple_of(TURNS_PER_SIGNAL) { self.interrupted(false) } else { Ok(()) }
    }

    /// Waits until the thread on the lookout has read something, or left.
    fn await_lookout(&self, deadline: Deadline, want: Want) -> Result<()> {
        let rung = self.bell.wait(deadline, |_| {
            let is_left = !self.is_looked_out.load(Ordering::Relaxed);
            // A lock that is held is held by one who rings when it leaves.
            let half = try_lock(&self.read);
            let has_come =
                half.is_some_and(|half| half.available(want).is_some() || half.transport.is_none());
            (is_left || has_come).then_some(())
        });
        match rung {
            Some(()) => Ok(()),
            None if deadline.has_passed() => Err(timed_out()),
            None => self.interrupted(false),
        }
    }

    /// Understands what is in the buffer until something is there that the caller wants.
    #[inline]
    fn understand(&self, half: &mut ReadHalf, want: Want) -> Option<Available> {
        self.skip_if_told(half);
        loop {
            if let Some(available) = half.available(want) {
                return Some(available);
            }
            match half.parse() {
                Parsed::Progress => self.note_data(),
                Parsed::NeedInput => return None,
                parsed => self.respond(parsed),
            }
        }
    }

    /// Takes a message that takes no understanding: see [`ReadHalf::take_whole`].
    #[inline]
    fn take_whole<T, F: FnOnce(Payload<'_>) -> T>(
        &self,
        half: &mut ReadHalf,
        take: F,
    ) -> std::result::Result<T, F> {
        self.skip_if_told(half);
        let Some(payload) = half.take_whole() else { return Err(take) };
        self.note_data();
        Ok(take(payload))
    }

    /// Takes a message that is there, for who must not be held up.
    #[inline]
    fn take_cheaply<T>(
        &self,
        half: &mut ReadHalf,
        take: impl FnOnce(Payload<'_>) -> T,
    ) -> Option<T> {
        match self.take_whole(half, take) {
            Ok(taken) => Some(taken),
            Err(take) => match self.understand_cheaply(half) {
                Some(Available::Message) => half.take(take),
                _ => None,
            },
        }
    }

    /// As [`understand`](Line::understand) a whole message, for who must not be held up.
    #[inline]
    fn understand_cheaply(&self, half: &mut ReadHalf) -> Option<Available> {
        if !half.has_extensions() {
            return self.understand(half, Want::Whole);
        }
        self.skip_if_told(half);
        loop {
            if let Some(available) = half.available(Want::Whole) {
                return Some(available);
            }
            if half.is_next_costly() {
                return None;
            }
            match half.parse() {
                Parsed::Progress => self.note_data(),
                Parsed::NeedInput => return None,
                parsed => self.respond(parsed),
            }
        }
    }

    fn read_once(
        &self,
        half: &mut ReadHalf,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let is_data = half.is_within_frame();
        let (len, parsed) = half.read_with(read)?;
        if len == 0 {
            self.end_read(half, None);
        } else {
            half.note_read(len);
            self.note_life();
            if is_data {
                self.note_data();
            }
            self.respond(parsed);
        }
        Ok(())
    }

    fn read_large(
        &self,
        half: &mut ReadHalf,
        memory: &mut [u8],
        deadline: Deadline,
    ) -> Result<bool> {
        if self.is_looked_out.load(Ordering::Relaxed) {
            // To wait for the payload here would hold up whoever polls. It comes in pieces then.
            half.keep_large(&[]);
            return Ok(false);
        }
        let available = memory.len();
        let Some(mut filled) = half.begin_large(memory) else {
            return match half.next_large() {
                Some(needed) => Err(Error::Argument(format!(
                    "memory of {available} bytes for a message of {needed}; they must be equal"
                ))),
                None => Ok(false),
            };
        };
        let mut accepted = 0;
        for turn in 1_usize.. {
            match half.accept_large(&mut memory[accepted..filled]) {
                Ok(true) => return Ok(true),
                Ok(false) => accepted = filled,
                Err(refused) => {
                    self.respond(refused);
                    return Ok(false);
                }
            }
            let read = self
                .check_turn(turn, deadline)
                .and_then(|()| self.read_memory(half, &mut memory[filled..], deadline));
            let stop = match read {
                Ok(Some(len)) => {
                    filled += len;
                    continue;
                }
                Ok(None) => Ok(false), // The stream is over, as the usual way finds out.
                Err(error) => Err(error),
            };
            half.keep_large(&memory[..accepted]);
            return stop;
        }
        unreachable!("bug: more turns than a number can count")
    }

    /// Reads into foreign memory, waiting until `deadline`; `None` at the end of the stream.
    fn read_memory(
        &self,
        half: &mut ReadHalf,
        memory: &mut [u8],
        deadline: Deadline,
    ) -> Result<Option<usize>> {
        let Some(transport) = half.transport.clone() else { return Ok(None) };
        loop {
            let mut outcome = match deadline {
                Deadline::NEVER => transport.read(memory),
                _ => transport.try_read(memory),
            };
            if matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                outcome = match transport.wait(Interest::Read, deadline) {
                    Ok(ready) if ready.is_none() => return Err(timed_out()),
                    Ok(_) => continue,
                    Err(error) => Err(error),
                };
            }
            match outcome {
                Ok(0) => self.end_read(half, None),
                Ok(len) => {
                    half.note_read(len);
                    self.note_life();
                    self.note_data();
                    return Ok(Some(len));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.interrupted(false)?;
                    continue;
                }
                Err(error) => self.end_read(half, Some(error)),
            }
            return Ok(None);
        }
    }

    /// Does what an event asks for beside the messages.
    fn respond(&self, parsed: Parsed) {
        match parsed {
            Parsed::Progress | Parsed::NeedInput => {}
            Parsed::Ping(payload) => self.on_ping(payload),
            Parsed::Pong(payload) => self.on_pong(&payload),
            Parsed::Close(close) => self.on_close(close),
            Parsed::Refused(error) => {
                let close = error.close_frame();
                self.fail(error.into(), close);
            }
        }
    }

    /// The stream is over, at its end or by an error.
    fn end_read(&self, half: &mut ReadHalf, error: Option<io::Error>) {
        if half.transport.is_some() {
            half.end();
            self.on_end(error);
        }
    }

    /// Whoever had the right to read panicked, in a transport or an extension of the user's: nobody knows
    /// how far it came.
    fn end_read_by_panic<'l>(
        &'l self,
        mut half: MutexGuard<'l, ReadHalf>,
    ) -> MutexGuard<'l, ReadHalf> {
        if half.transport.is_some() {
            half.end_by_panic();
            self.on_end(Some(panicked()));
        }
        half
    }

    pub(crate) fn is_full(&self, half: &mut ReadHalf) -> bool {
        let Some(max) = self.settings.max_queue else { return false };
        if self.is_closing() {
            return half.is_full_for_close();
        }
        let limit = if self.paused.load(Ordering::Relaxed) {
            // Once full, it is read on only when `resume_queue` messages are left.
            max.min(self.settings.resume_queue.unwrap_or(max / 4) + 1)
        } else {
            max
        };
        half.backlog() >= limit
    }

    fn note_life(&self) {
        // Without a lock beside the driver's own count while reading is paused: all that matters is
        // that the number changes.
        self.life.store(self.life.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// As [`note_life`](Line::note_life), for what is part of a message.
    #[inline]
    fn note_data(&self) {
        self.data.store(self.data.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What ends a connection whose half was left by a panic.
pub(crate) fn panicked() -> io::Error {
    io::Error::other("a call of the transport or of an extension panicked")
}

fn timed_out() -> Error {
    Error::Timeout { during: Waiting::Recv, committed: false }
}

/// How often a call that need not wait looks for signals.
pub(crate) const TURNS_PER_SIGNAL: usize = 64;

/// Reads of one drain, before others get their turn.
const DRAIN_READS: usize = 16;

/// Control frames of one drain: tens of thousands of them fit one read.
const DRAIN_RESPONSES: usize = 1024;
