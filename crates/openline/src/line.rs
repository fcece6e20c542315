//! The engine of one connection, shared by all who use it: its users' threads and the driver.
//!
//! | thread | reads | writes |
//! |---|---|---|
//! | in `recv` | blocks, with the right to read | control frames, if the right to write is free |
//! | in `send` | what is there, while it waits for room | blocks, with the right to write |
//! | in `ping`, `close`, `wait_closed` | one of them, what is there, when poll tells | as in `recv` |
//! | the driver | what is there, when nobody else reads | what a full socket did not take |
//!
//! Whoever neither reads nor is the one that polls waits at the bell.
//!
//! Lock order: nobody waits for a second half while holding one (`try_lock` only). The status comes
//! after the halves, and the pending control frames after the status.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use openline_proto::extension::Agreed;
use openline_proto::{CloseCode, CloseFrame, Due, Idleness, Keepalive, Limits, Role, State};

use crate::acknowledgement::Acknowledgement;
use crate::closed::{Cause, Closed};
use crate::deadline::Deadline;
use crate::delivery::{Backlog, Delivery};
use crate::driver::{Driver, Registration};
use crate::error::{Error, Result, Waiting};
use crate::fork::Process;
use crate::journal::{Journal, KeepaliveEvent, Way};
use crate::keys;
use crate::read::{Drained, ReadHalf, TURNS_PER_SIGNAL};
use crate::report::Meters;
use crate::status::{Awaited, Bell, Status};
use crate::sync::{self, Arc, AtomicBool, AtomicU8, AtomicU64, Mutex, Ordering, lock, try_lock};
use crate::transport::{Interest, SentBytes, Transport, sent_bytes};
use crate::write::{PendingControl, WriteHalf};

/// What a connection is made with; see [`Client`](crate::Client) for the meaning of each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) ping_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) close_timeout: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) max_queue: Option<usize>,
    pub(crate) resume_queue: Option<usize>,
    pub(crate) interruptible: bool,
    pub(crate) interrupted_by: Option<fn() -> bool>,
    /// Where the connection notes what happens, if anybody wants to know.
    pub(crate) journal: Option<Journal>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Some(Duration::from_secs(20)),
            idle_timeout: None,
            close_timeout: Some(Duration::from_secs(10)),
            limits: Limits::default(),
            max_queue: Some(16),
            resume_queue: None,
            interruptible: false,
            interrupted_by: None,
            journal: None,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) settings: Settings,
    pub(crate) role: Role,
    pub(crate) process: Process,
    pub(crate) driver: Arc<Driver>,
    pub(crate) registration: Registration,

    // Read state.
    pub(crate) read: Mutex<ReadHalf>,
    /// Whether a caller receives: a second one is refused.
    pub(crate) receiving: AtomicBool,
    /// Whether the message at the front is to be dropped, by whoever reads next.
    pub(crate) is_skipping: AtomicBool,
    /// Whether a thread is on the lookout: the others leave the transport to it. Set with the read
    /// half locked.
    pub(crate) is_looked_out: AtomicBool,
    /// Changes with every read that brought bytes.
    pub(crate) life: AtomicU64,
    /// Changes with every piece of a message that was understood.
    pub(crate) data: AtomicU64,
    /// Whether we have stopped reading because the queue is full.
    pub(crate) paused: AtomicBool,
    /// Whether nobody waits for the rest of what the peer sent: a full queue ends the stream.
    pub(crate) is_given_up: AtomicBool,

    // Write state.
    pub(crate) write: Mutex<WriteHalf>,
    pub(crate) control: PendingControl,
    /// Whether a thread is between two fragments of a message: others must wait with theirs. Changed
    /// by the holder of the right to write.
    pub(crate) in_fragments: AtomicBool,
    /// Whether our Close frame is with the kernel.
    pub(crate) is_close_sent: AtomicBool,

    // Shared state.
    pub(crate) bell: Bell,
    /// How far the end is: a [`State`] as a number, for who has no time for the status.
    state: AtomicU8,
    /// `close_timeout`, which may be changed on a live connection.
    close_timeout: Mutex<Option<Duration>>,
    /// To cut the line from anywhere. `None` once it is over, so that the descriptor is closed.
    cutter: Mutex<Option<Arc<dyn Transport>>>,
}

impl Line {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        role: Role,
        settings: Settings,
        extensions: &[Agreed],
        leftover: &[u8],
        driver: Arc<Driver>,
    ) -> Arc<Line> {
        let now = sync::now();
        let keepalive = Keepalive::new(settings.ping_interval, settings.ping_timeout, now);
        let idleness = Idleness::new(settings.idle_timeout, now);
        let acknowledgement = Acknowledgement::new(settings.ping_timeout, now);
        let journal = settings.journal.as_ref();
        let meters = Arc::new(Meters::new());
        let read = ReadHalf::new(
            transport.clone(),
            role,
            settings.limits,
            extensions,
            journal,
            &meters,
            leftover,
        );
        let write = WriteHalf::new(transport.clone(), role, extensions, journal, &meters);
        let line = Arc::new(Line {
            role,
            process: Process::current(),
            registration: Registration::new(),
            read: Mutex::new(read),
            receiving: AtomicBool::new(false),
            is_skipping: AtomicBool::new(false),
            is_looked_out: AtomicBool::new(false),
            life: AtomicU64::new(0),
            data: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            write: Mutex::new(write),
            control: PendingControl::default(),
            in_fragments: AtomicBool::new(false),
            is_close_sent: AtomicBool::new(false),
            bell: Bell::new(Status::new(keepalive, idleness, acknowledgement, meters)),
            state: AtomicU8::new(State::Open as u8),
            close_timeout: Mutex::new(settings.close_timeout),
            cutter: Mutex::new(Some(transport)),
            settings,
            driver,
        });
        line.driver.adopt(&line);
        line
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Open,
            1 => State::Closing,
            _ => State::Closed,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    pub(crate) fn is_closing(&self) -> bool {
        !self.is_open()
    }

    pub(crate) fn close_timeout(&self) -> Option<Duration> {
        *lock(&self.close_timeout)
    }

    pub(crate) fn set_close_timeout(&self, timeout: Option<Duration>) {
        *lock(&self.close_timeout) = timeout;
    }

    /// Begins keepalive anew.
    pub(crate) fn set_keepalive(&self, interval: Option<Duration>, timeout: Option<Duration>) {
        let now = sync::now();
        let deadline = {
            let mut status = self.bell.status();
            status.keepalive = Keepalive::new(interval, timeout, now);
            status.delivery = Delivery::default();
            status.acknowledgement = Acknowledgement::new(timeout, now);
            Deadline::from(status.next_deadline())
        };
        self.driver.at(self, deadline);
    }

    /// The transport, unless the line is over.
    pub(crate) fn transport(&self) -> Option<Arc<dyn Transport>> {
        lock(&self.cutter).clone()
    }

    /// Refuses calls in a process that was forked from the connection's.
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Error::Forked) }
    }

    /// What a wait that a signal cut returns: an error for who asked for that, or nothing.
    pub(crate) fn interrupted(&self, committed: bool) -> Result<()> {
        if self.settings.interruptible { Err(Error::Interrupted { committed }) } else { Ok(()) }
    }

    /// Where to note what happens, if anybody wants to know.
    #[inline]
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.settings.journal.as_ref()
    }

    /// Gives the result of a call of the user's, after what happened until then was logged.
    #[inline]
    pub(crate) fn report<T>(&self, outcome: T) -> T {
        if let Some(journal) = self.journal() {
            journal.report();
        }
        outcome
    }

    // How the connection goes on and ends.

    /// The peer pings.
    pub(crate) fn on_ping(&self, payload: Vec<u8>) {
        self.control.answer_ping(payload);
        self.flush_control();
    }

    /// The peer answers a ping, or sends a sign of life.
    pub(crate) fn on_pong(&self, payload: &[u8]) {
        let answers_keepalive = self.bell.status().answered(payload, sync::now());
        if answers_keepalive && let Some(journal) = self.journal() {
            journal.keepalive(KeepaliveEvent::Answered);
        }
        self.bell.ring();
    }

    /// The peer closes.
    pub(crate) fn on_close(&self, close: CloseFrame) {
        let answer = {
            let mut status = self.bell.status();
            let answer = status.closing.receive(close);
            if status.closing.is_complete() {
                // The peer had closed when writing failed, which is then no more than a consequence.
                status.cause.take_if(|cause| cause.is_io());
            }
            self.enter_closing(&mut status);
            answer
        };
        match answer {
            Some(answer) => {
                self.control.close(answer);
                self.flush_control();
            }
            None => self.end_stream_if_done(),
        }
        self.bell.ring();
    }

    /// Ends the connection for a reason of ours: the peer is told, and has `close_timeout` to go.
    pub(crate) fn fail(&self, cause: Cause, close: CloseFrame) {
        let close = {
            let mut status = self.bell.status();
            let close = status.closing.send(close);
            status.ended_by(cause);
            self.enter_closing(&mut status);
            close
        };
        if let Some(close) = close {
            self.control.close(close);
            self.flush_control();
        }
        self.bell.ring();
    }

    /// A message of ours was broken off between its fragments: nothing sensible can follow.
    pub(crate) fn break_off_message(&self) {
        let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, "error in fragmented message");
        self.fail(Cause::BrokenOff, close);
    }

    /// Writing failed. What the peer sent before is still to be read, up to the end of the stream.
    pub(crate) fn lose(&self, error: io::Error) {
        let error = std::sync::Arc::new(error);
        if let Some(journal) = self.journal() {
            journal.failed(Way::Sent, error.clone());
        }
        {
            let mut status = self.bell.status();
            status.ended_by(error.into());
            self.enter_closing(&mut status);
        }
        self.cut();
        self.bell.ring();
    }

    /// The read half saw the end of the stream: the connection is over, for all.
    pub(crate) fn on_end(&self, error: Option<io::Error>) {
        let error = error.map(std::sync::Arc::new);
        {
            let mut status = self.bell.status();
            if let Some(journal) = self.journal() {
                self.note_end(journal, &status, error.clone());
            }
            status.ended_by(error.map_or(Cause::Eof, Cause::from));
            status.end();
            self.state.store(State::Closed as u8, Ordering::Release);
        }
        self.registration.remove(&self.driver);
        // Not under its lock: a transport may take its time, and others ask for this one.
        let transport = lock(&self.cutter).take();
        if let Some(transport) = transport {
            transport.shutdown(Shutdown::Both);
        }
        if let Some(mut half) = try_lock(&self.write) {
            half.end();
        }
        self.bell.ring();
    }

    fn note_end(
        &self,
        journal: &Journal,
        status: &Status,
        error: Option<std::sync::Arc<io::Error>>,
    ) {
        if let Some(error) = error {
            journal.failed(Way::Received, error);
        }
        // After the peer's Close, or an end of ours, the end of the stream is what has to come.
        let is_awaited = status.closing.received().is_some()
            || status.cause.as_ref().is_some_and(Cause::is_fault);
        if !is_awaited {
            journal.end_of_stream(Way::Received);
        }
        journal.end_of_stream(Way::Sent);
        journal.state("CLOSED");
    }

    /// Ends our side of the stream once both Close frames went their way. RFC 6455 §7.1.1: the
    /// server ends it first; a client waits for that.
    pub(crate) fn end_stream_if_done(&self) {
        if self.role == Role::Server && self.is_close_sent.load(Ordering::Relaxed) {
            let is_done = {
                let status = self.bell.status();
                // A connection that failed is not read any more, so no answer would be seen.
                status.closing.is_complete() || status.cause.is_some()
            };
            if is_done && let Some(transport) = self.transport() {
                transport.shutdown(Shutdown::Write);
            }
        }
    }

    /// Ends the stream both ways, so that every wait for it returns and the read half sees its end.
    fn cut(&self) {
        if let Some(transport) = self.transport() {
            transport.shutdown(Shutdown::Both);
        }
    }

    /// Cuts the line, and sees to its end unless somebody reads, who does so then.
    fn cut_and_drain(&self) {
        self.cut();
        if let Some(mut half) = self.try_lock_read() {
            while matches!(self.drain(&mut half), Drained::Interrupted | Drained::More) {}
            drop(half);
            self.bell.ring_after_unlock();
        }
    }

    fn enter_closing(&self, status: &mut Status) {
        if self.state.load(Ordering::Relaxed) == State::Open as u8 {
            status.close_deadline = Deadline::from(self.close_timeout());
            self.state.store(State::Closing as u8, Ordering::Release);
            self.driver.at(self, status.close_deadline);
        }
    }

    // Calls that wait for what others read.

    /// Starts the closing handshake, unless it has begun; by when it is to be over.
    pub(crate) fn start_close(&self, mut close: CloseFrame) -> Result<Deadline> {
        self.check_process()?;
        if self.in_fragments.load(Ordering::Relaxed) {
            // The peer would take a normal close here for a violation of the protocol.
            let reason = "close during fragmented message";
            close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, reason);
        }
        let (close, deadline) = {
            let mut status = self.bell.status();
            let close = status.closing.send(close);
            self.enter_closing(&mut status);
            (close, status.close_deadline)
        };
        if let Some(close) = close {
            self.control.close(close);
            self.flush_control();
        }
        self.bell.ring();
        Ok(deadline)
    }

    /// Closes, and waits for the end: within `close_timeout`, after which the line is cut.
    pub(crate) fn close(&self, close: CloseFrame) -> Result<()> {
        let deadline = self.start_close(close)?;
        if self.await_closed(deadline)? {
            return Ok(());
        }
        self.give_up_closing();
        // The end of a stream that was cut is there at once.
        while !self.await_closed(Deadline::NEVER)? {}
        Ok(())
    }

    /// Cuts a line whose closing handshake takes too long.
    fn give_up_closing(&self) {
        self.bell.status().ended_by(Cause::CloseTimeout);
        self.is_given_up.store(true, Ordering::Relaxed);
        self.cut();
    }

    /// Waits for the end of the connection; whether it came.
    pub(crate) fn await_closed(&self, deadline: Deadline) -> Result<bool> {
        let closed = |status: &mut Status| (status.closing.state() == State::Closed).then_some(());
        Ok(self.attend(deadline, closed)?.is_some())
    }

    /// The error of a call on a connection that closes, once it has: who closed it and why is known
    /// only then. Waits for that as long as the call may, at most `close_timeout`.
    pub(crate) fn closed_by(&self, deadline: Deadline) -> Error {
        let deadline = deadline.min(self.bell.status().close_deadline);
        match self.await_closed(deadline) {
            Err(error) => error,
            Ok(_) => self.closed(),
        }
    }

    pub(crate) fn closed(&self) -> Error {
        Error::Closed(self.bell.status().closed())
    }

    pub(crate) fn how_closed(&self) -> Option<Closed> {
        (self.state() == State::Closed).then(|| self.bell.status().closed())
    }

    /// Sends a ping; its number, to wait for the Pong with.
    pub(crate) fn start_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.ping_out(payload, |status, id| {
            status.awaited.insert(id, Awaited::default());
        })
    }

    /// Sends a ping of which only its number is kept; its number.
    pub(crate) fn send_ping(&self, payload: Option<&[u8]>) -> Result<u64> {
        self.ping_out(payload, |_, _| ())
    }

    fn ping_out(&self, payload: Option<&[u8]>, note: impl FnOnce(&mut Status, u64)) -> Result<u64> {
        self.check_process()?;
        let payload = match payload {
            Some(payload) if payload.len() > 125 => {
                return Err(openline_proto::ProtocolError::ControlTooLong.into());
            }
            Some(payload) => payload.to_vec(),
            None => keys::random::<4>().to_vec(),
        };
        let id = {
            let mut status = self.bell.status();
            if status.closing.state() != State::Open || self.is_closing() {
                drop(status);
                return Err(self.closed_by(Deadline::from(Duration::ZERO)));
            }
            if status.pings.is_outstanding(&payload) {
                return Err(Error::Concurrency("already waiting for a pong with the same data"));
            }
            let id = self.ping_in_order(&mut status, payload, sync::now());
            note(&mut status, id);
            id
        };
        self.flush_control();
        Ok(id)
    }

    /// Leaves a ping to be sent; its number. With the status locked, so that pings go out in the order of
    /// their numbers: a Pong answers those before it too.
    fn ping_in_order(&self, status: &mut Status, payload: Vec<u8>, now: Instant) -> u64 {
        let id = status.pings.sent(&payload, now);
        if let Some(replaced) = self.control.ping(id, payload) {
            status.pings.forget(replaced);
        }
        id
    }

    /// Waits for the Pong of a ping. On errors other than interrupts nobody waits for it any more.
    pub(crate) fn await_pong(&self, id: u64, deadline: Deadline) -> Result<Duration> {
        let outcome = self.attend(deadline, |status| {
            let Some(awaited) = status.awaited.get_mut(&id) else {
                let text = format!("nobody waits for the pong of ping {id}");
                return Some(Err(Error::Argument(text)));
            };
            if let Some(round_trip) = awaited.round_trip {
                Some(Ok(round_trip))
            } else if status.closing.state() == State::Closed {
                Some(Err(Error::Closed(status.closed())))
            } else if deadline == Deadline::NEVER {
                self.check_held_up(awaited, status.keepalive.timeout()).err().map(Err)
            } else {
                None
            }
        });
        let outcome = match outcome {
            Err(error) => return Err(error),
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(Error::Timeout { during: Waiting::Pong, committed: false }),
        };
        self.forget_ping(id);
        outcome
    }

    /// Ends the endless wait for a Pong that is behind messages which nobody receives: nothing is read
    /// while the queue is full.
    fn check_held_up(&self, awaited: &mut Awaited, timeout: Option<Duration>) -> Result<()> {
        if !self.paused.load(Ordering::Relaxed) {
            awaited.held_up = None;
            return Ok(());
        }
        let Some(half) = try_lock(&self.read) else { return Ok(()) };
        let taken = half.taken;
        let now = sync::now();
        let held_up = awaited.held_up.filter(|(_, before)| *before == taken);
        let (since, _) = *awaited.held_up.insert(held_up.unwrap_or((now, taken)));
        if timeout.is_none_or(|timeout| now - since < timeout) {
            return Ok(());
        }
        let during = Waiting::PongBehind { messages: half.backlog() };
        Err(Error::Timeout { during, committed: false })
    }

    /// Waits until a ping is answered; whether it is.
    pub(crate) fn wait_answered(&self, id: u64, deadline: Deadline) -> Result<bool> {
        let outcome = self.attend(deadline, |status| {
            if !status.pings.has_sent(id) {
                Some(Err(Error::Argument(format!("no ping was sent that has the number {id}"))))
            } else if id < status.answered_below {
                Some(Ok(true))
            } else if status.closing.state() == State::Closed {
                Some(Err(Error::Closed(status.closed())))
            } else {
                None
            }
        });
        outcome?.unwrap_or(Ok(false))
    }

    /// Nobody waits for the Pong any more.
    pub(crate) fn forget_ping(&self, id: u64) {
        let mut status = self.bell.status();
        status.awaited.remove(&id);
        status.pings.forget(id);
    }

    /// Sends an unsolicited Pong.
    pub(crate) fn send_pong(&self, payload: &[u8]) -> Result<()> {
        self.check_process()?;
        if payload.len() > 125 {
            return Err(openline_proto::ProtocolError::ControlTooLong.into());
        }
        if self.is_closing() {
            return Err(self.closed_by(Deadline::from(Duration::ZERO)));
        }
        self.control.pong(payload.to_vec());
        self.flush_control();
        Ok(())
    }

    /// Waits until `done` gives something: on the lookout for what comes, or at the bell while
    /// somebody else reads or is.
    fn attend<T>(
        &self,
        deadline: Deadline,
        mut done: impl FnMut(&mut Status) -> Option<T>,
    ) -> Result<Option<T>> {
        self.check_process()?;
        let mut lookout = self.try_lookout();
        // Somebody may have found the lock taken by this look.
        self.bell.ring_after_unlock();
        loop {
            if let Some(lookout) = lookout.take()
                && let Watched::Over(outcome) = self.look_out(&lookout, deadline, &mut done)?
            {
                return Ok(outcome);
            }
            let rung = self.bell.wait(deadline, |status| match done(status) {
                Some(value) => Some(Ok(value)),
                None => self.try_lookout().map(Err),
            });
            match rung {
                Some(Ok(value)) => return Ok(Some(value)),
                Some(Err(free)) => lookout = Some(free),
                None if deadline.has_passed() => return Ok(None),
                None => self.interrupted(false)?,
            }
        }
    }

    /// Reads what comes until `done` gives something.
    fn look_out<T>(
        &self,
        _lookout: &Lookout<'_>,
        deadline: Deadline,
        done: &mut impl FnMut(&mut Status) -> Option<T>,
    ) -> Result<Watched<T>> {
        for turn in 1_usize.. {
            if turn.is_multiple_of(TURNS_PER_SIGNAL) {
                self.interrupted(false)?;
            }
            let mut half = self.lock_read();
            let drained = self.drain(&mut half);
            let transport = half.transport.clone();
            self.leave_read(half);
            if let Some(value) = done(&mut self.bell.status()) {
                return Ok(Watched::Over(Some(value)));
            }
            if deadline.has_passed() {
                return Ok(Watched::Over(None));
            }
            match (drained, transport) {
                (Drained::Interrupted, _) => self.interrupted(false)?,
                (Drained::More, _) => {}
                (Drained::Empty, Some(transport)) => {
                    if let Err(error) = transport.wait(Interest::Read, deadline)
                        && error.kind() == io::ErrorKind::Interrupted
                    {
                        self.interrupted(false)?;
                    }
                    // Any other error shows in the next drain.
                }
                // There is no room, or nothing more to be read.
                _ => return Ok(Watched::Nothing),
            }
        }
        unreachable!("bug: more turns than a number can count")
    }

    /// Becomes the one thread on the lookout: it polls without the right to read, so that buffered
    /// messages can be taken meanwhile, and nobody else reads the transport until it is done. If
    /// somebody did, what the lookout waits for might come without waking it.
    fn try_lookout(&self) -> Option<Lookout<'_>> {
        let mut half = try_lock(&self.read)?;
        // Where nothing may be read there is nothing to look out for: who takes a message rings.
        let is_given_up = self.is_given_up.load(Ordering::Relaxed);
        if half.transport.is_none() || (self.is_full(&mut half) && !is_given_up) {
            return None;
        }
        (!self.is_looked_out.swap(true, Ordering::Relaxed)).then(|| Lookout(self))
    }

    // What the driver calls.

    /// Keepalive, idleness and the end of the closing handshake; the next deadline.
    pub(crate) fn on_deadline(&self, now: Instant) -> Option<Instant> {
        match self.state() {
            State::Open => {
                if self.paused.load(Ordering::Relaxed) {
                    // Not reading is our own choice while the queue is full: it says nothing of the peer.
                    self.life.fetch_add(1, Ordering::Relaxed);
                    self.data.fetch_add(1, Ordering::Relaxed);
                }
                self.look_at_delivery(now);
                self.keep_alive(now);
                self.end_if_idle(now);
                self.end_if_unacknowledged(now);
                self.release_compression(now);
            }
            State::Closing => {
                let deadline = self.bell.status().close_deadline;
                if deadline.has_passed() {
                    self.give_up_closing();
                    self.cut_and_drain();
                }
            }
            State::Closed => {}
        }
        self.bell.status().next_deadline().filter(|at| *at > now)
    }

    fn keep_alive(&self, now: Instant) {
        let look = || {
            let life = self.life.load(Ordering::Relaxed);
            self.bell.status().keepalive.handle_deadline(now, life)
        };
        let mut due = look();
        if due == Some(Due::Timeout) {
            // Who has read it meanwhile has counted it.
            let lives = self.has_unread_bytes() || self.is_ping_under_way();
            self.life.fetch_add(u64::from(lives), Ordering::Relaxed);
            due = look();
        }
        match due {
            Some(Due::Ping) => {
                let payload = keys::random::<4>();
                let backlog = self.backlog();
                {
                    let mut status = self.bell.status();
                    let until = status.keepalive.wait_end();
                    status.delivery.sent(now, until, backlog);
                    let id = self.ping_in_order(&mut status, payload.to_vec(), now);
                    status.keepalive_ping = Some(id);
                }
                self.flush_control();
                if let Some(journal) = self.journal() {
                    journal.keepalive(KeepaliveEvent::Sent);
                }
            }
            Some(Due::Timeout) => self.end_by_ping_timeout(),
            None => {}
        }
    }

    fn look_at_delivery(&self, now: Instant) {
        if self.bell.status().delivery.deadline().is_some_and(|at| at <= now) {
            let backlog = self.backlog();
            self.bell.status().delivery.handle_deadline(now, backlog);
        }
    }

    fn is_ping_under_way(&self) -> bool {
        let backlog = self.backlog();
        self.bell.status().delivery.is_under_way(backlog)
    }

    fn backlog(&self) -> Backlog {
        let half = try_lock(&self.write);
        // Who has the right to write now is sending.
        let is_held = half.as_ref().is_none_or(|half| !half.is_flushed());
        if let Some(half) = half {
            self.leave_write(half);
        }
        match self.sent_bytes().and_then(|sent| sent.counts) {
            Some(counts) => Backlog { taken: counts.acknowledged, queued: counts.queued, is_held },
            None => {
                let taken = self.bell.status().meters.outgoing.bytes();
                Backlog { taken, queued: 0, is_held }
            }
        }
    }

    fn sent_bytes(&self) -> Option<SentBytes> {
        sent_bytes(self.transport()?.source()?)
    }

    /// The peer gives no sign of life.
    pub(crate) fn end_by_ping_timeout(&self) {
        if let Some(journal) = self.journal() {
            journal.keepalive(KeepaliveEvent::TimedOut);
        }
        let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, PING_TIMEOUT);
        self.fail(Cause::PingTimeout, close);
        // The peer is gone: nobody would answer.
        self.cut_and_drain();
    }

    fn end_if_idle(&self, now: Instant) {
        let is_due = || {
            let data = self.data.load(Ordering::Relaxed);
            self.bell.status().idleness.handle_deadline(now, data)
        };
        if is_due() {
            self.data.fetch_add(u64::from(self.has_unread_bytes()), Ordering::Relaxed);
        }
        if is_due() {
            let close = CloseFrame::for_fault(CloseCode::INTERNAL_ERROR, "idle timeout");
            self.fail(Cause::IdleTimeout, close);
        }
    }

    /// Whether something came that nobody has read yet, as while the process stood still: the peer has
    /// given a sign of life then.
    fn has_unread_bytes(&self) -> bool {
        let now = Deadline::from(Duration::ZERO);
        let transport = self.transport();
        transport.is_some_and(|it| it.wait(Interest::Read, now).is_ok_and(|ready| ready.readable))
    }

    fn end_if_unacknowledged(&self, now: Instant) {
        if self.bell.status().acknowledgement.deadline().is_none_or(|at| now < at) {
            return;
        }
        let sent = self.sent_bytes();
        if self.bell.status().acknowledgement.handle_deadline(now, sent) {
            // The peer is gone: a Close would not reach it.
            self.lose(rustix::io::Errno::TIMEDOUT.into());
            self.cut_and_drain();
        }
    }

    fn release_compression(&self, now: Instant) {
        // Who writes now is not idle.
        if let Some(mut half) = try_lock(&self.write) {
            half.release_compression(now);
            self.leave_write(half);
        }
    }

    /// Writes what a full socket did not take. If some is still left, the driver is told again.
    pub(crate) fn on_writable(&self) {
        // Whoever writes now sees to it.
        self.flush_control();
    }

    /// Ends the connection without a wait: a Close frame if there is room for one, then the end.
    pub(crate) fn abort(&self) {
        if self.process.is_current() && self.state() != State::Closed {
            self.bell.status().ended_by(Cause::Aborted);
            let close = CloseFrame::for_fault(CloseCode::GOING_AWAY, "");
            // The process is the right one, and the wait is skipped.
            let _ = self.start_close(close);
            self.is_given_up.store(true, Ordering::Relaxed);
            self.cut_and_drain();
        }
    }
}

/// The duty of the one thread that polls; see [`Line::try_lookout`].
struct Lookout<'l>(&'l Line);

impl Drop for Lookout<'_> {
    fn drop(&mut self) {
        self.0.is_looked_out.store(false, Ordering::Relaxed);
        self.0.bell.ring_after_unlock();
    }
}

/// How a time on the lookout ended.
enum Watched<T> {
    /// With this result of the wait; `None` at the deadline.
    Over(Option<T>),
    /// Nothing can be read now.
    Nothing,
}

impl Drop for Line {
    fn drop(&mut self) {
        // In a forked child only the descriptors are closed: the stream is the parent's.
        if self.process.is_current() {
            self.abort();
            self.registration.remove(&self.driver);
        }
    }
}

const PING_TIMEOUT: &str = "keepalive ping timeout";
