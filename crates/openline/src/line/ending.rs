//! How a connection ends: by a closing handshake, a fault, the end of the stream or at once.

use std::io;
use std::net::Shutdown;

use openline_proto::{CloseCode, CloseFrame, Role, State};

use super::Line;
use crate::closed::{Cause, Closed};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::journal::{Journal, Way};
use crate::read::Drained;
use crate::status::Status;
use crate::sync::{Ordering, lock, try_lock};

impl Line {
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
    pub(super) fn cut_and_drain(&self) {
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
            status.life_at_close = self.life.load(Ordering::Relaxed);
            self.state.store(State::Closing as u8, Ordering::Release);
            self.driver.at(self, status.close_deadline);
        }
    }

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
    pub(super) fn give_up_closing(&self) {
        let life_at_close = {
            let mut status = self.bell.status();
            status.ended_by(Cause::CloseTimeout);
            status.life_at_close
        };
        self.is_given_up.store(true, Ordering::Relaxed);
        // A peer that sends on is reset. Else it may find the window shut, of which Linux, once the socket is closed
        // with nothing unread, tells it for a minute: it would wait in its `send`.
        let sends_on = self.life.load(Ordering::Relaxed) > life_at_close;
        let has_all = || self.byte_counts().is_some_and(|counts| counts.queued == 0);
        if sends_on && has_all() {
            self.give_up_sending();
        }
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
