//! What the threads of a command that connects share: the connection of the moment, and how all of it ends.
//!
//! ```text
//!  input ──── send ────▶ ┌──────┐ ◀── opened, lost ── main, which receives
//!  Ctrl-C ─── end ─────▶ │ Line │ ◀── end ───────────
//!                        └──────┘
//! ```

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;
use openline::{CloseCode, CloseFrame, Connection, Error, Outgoing};

use crate::failure::{Failure, Outcome};

/// Why it ends from this side. The first reason counts.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Somebody asked for it, and said how to close.
    Asked(CloseFrame),
    /// Nobody reads our output any more: the end, and no error.
    BrokenPipe,
    Failed(Failure),
    InputOver,
    Interrupted(Signal),
    /// What was waited for has come.
    Met,
    TimedOut,
}

impl Ending {
    /// What it means for a command that waits for nothing.
    pub(crate) fn into_outcome(self) -> Outcome<()> {
        match self {
            Ending::Asked(_) | Ending::BrokenPipe | Ending::InputOver => Ok(()),
            Ending::Met | Ending::TimedOut => Ok(()),
            Ending::Failed(failure) => Err(failure),
            Ending::Interrupted(signal) => Err(Failure::Interrupted(signal)),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Line {
    state: Mutex<State>,
    changed: Condvar,
    close: CloseFrame,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    /// Whether the input may use it: what goes first has been sent.
    is_ready: bool,
    ending: Option<Ending>,
}

impl Line {
    /// One that is closed with this code and reason.
    pub(crate) fn new(close: CloseFrame) -> Line {
        Line { state: Mutex::default(), changed: Condvar::new(), close }
    }

    /// There is a connection, on which the input has to wait.
    pub(crate) fn opened(&self, connection: &Connection) {
        let mut state = self.lock();
        state.connection = Some(connection.clone());
        let close = state.ending.as_ref().map(|ending| self.close_for(ending));
        drop(state);
        if let Some(close) = close {
            start_close(connection, &close);
        }
    }

    /// The input may go on.
    pub(crate) fn ready(&self) {
        self.lock().is_ready = true;
        self.changed.notify_all();
    }

    /// The connection has ended.
    pub(crate) fn lost(&self) {
        let mut state = self.lock();
        state.connection = None;
        state.is_ready = false;
    }

    /// Waits, unless it ends.
    pub(crate) fn pause(&self, time: Duration) {
        let is_going_on = |state: &mut State| state.ending.is_none();
        // Whether the time is over, or it ends: the caller sees.
        drop(self.changed.wait_timeout_while(self.lock(), time, is_going_on));
    }

    /// Ends it, unless that has begun: then whoever interrupts gets his way at once.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        let connection = state.connection.clone();
        if state.ending.is_some() {
            drop(state);
            if let (Ending::Interrupted(_), Some(connection)) = (ending, connection) {
                connection.abort();
            }
            return;
        }
        let close = self.close_for(&ending);
        state.ending = Some(ending);
        drop(state);
        self.changed.notify_all();
        if let Some(connection) = connection {
            start_close(&connection, &close);
        }
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// Whether it ends, and messages that still come are of no interest.
    pub(crate) fn is_deaf(&self) -> bool {
        let is_heard = |ending: &Ending| matches!(ending, Ending::Asked(_) | Ending::InputOver);
        self.lock().ending.as_ref().is_some_and(|ending| !is_heard(ending))
    }

    /// Why it ended, if it was from this side.
    pub(crate) fn take_ending(&self) -> Option<Ending> {
        self.lock().ending.take()
    }

    /// The connection of the moment, if there is one that the input may use.
    pub(crate) fn connection(&self) -> Option<Connection> {
        let state = self.lock();
        state.connection.clone().filter(|_| state.is_ready)
    }

    /// Waits for a connection that the input may use; `None` when it ends.
    pub(crate) fn wait_ready(&self) -> Option<Connection> {
        self.wait_for_other_than(None)
    }

    /// Sends a message on the connection of the moment, or on the next one; false when it ends first.
    pub(crate) fn send(&self, message: Outgoing<'_>) -> bool {
        let mut last = None;
        while let Some(connection) = self.wait_for_other_than(last.as_ref()) {
            match connection.send(message) {
                Ok(()) => return true,
                Err(Error::Closed(_)) => last = Some(connection), // who receives tells why
                Err(error) => {
                    self.end(Ending::Failed(error.into()));
                    return false;
                }
            }
        }
        false
    }

    fn wait_for_other_than(&self, last: Option<&Connection>) -> Option<Connection> {
        let mut state = self.lock();
        loop {
            if state.ending.is_some() {
                return None;
            }
            match &state.connection {
                Some(connection) if state.is_ready && Some(connection) != last => {
                    return Some(connection.clone());
                }
                _ => state = self.changed.wait(state).unwrap_or_else(|error| error.into_inner()),
            }
        }
    }

    fn close_for(&self, ending: &Ending) -> CloseFrame {
        if let Ending::Asked(close) = ending {
            return close.clone();
        }
        let leaves = matches!(ending, Ending::Interrupted(_));
        let is_plain = self.close.code() == CloseCode::NORMAL_CLOSURE;
        match CloseFrame::new(CloseCode::GOING_AWAY.into(), self.close.reason()) {
            Ok(going_away) if leaves && is_plain => going_away,
            _ => self.close.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

fn start_close(connection: &Connection, close: &CloseFrame) {
    // A legal frame; and if the connection has ended already, that is what was wanted.
    let _ = connection.start_close(close.code().into(), close.reason());
}
