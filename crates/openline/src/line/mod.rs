//! The engine of one connection, shared by all who use it: its users' threads and the driver.
//!
//! | thread | reads | writes |
//! |---|---|---|
//! | in `recv` | blocks, with the right to read | control frames, if the right to write is free |
//! | in `send` | what is there, while it waits for room | blocks, with the right to write |
//! | in `ping`, `close`, `wait_closed` | one of them, what is there, when poll tells | as in `recv` |
//! | of a server that calls back for messages | what is there, in place of the driver | as in `recv` |
//! | the driver | what is there, when nobody else reads | what a full socket did not take |
//!
//! Whoever neither reads nor is the one that polls waits at the bell.
//!
//! Lock order: nobody waits for a second half while holding one (`try_lock` only). The status comes
//! after the halves, and the pending control frames after the status.

mod ending;
mod liveness;
mod lookout;
mod pinging;

use std::sync::OnceLock;
use std::time::Duration;

use openline_proto::extension::Agreed;
use openline_proto::{Idleness, Keepalive, Limits, Role, State};

use crate::acknowledgement::Acknowledgement;
use crate::deadline::Deadline;
use crate::delivery::Delivery;
use crate::driver::{Driver, Registration};
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::journal::Journal;
use crate::read::{Attendant, ReadHalf};
use crate::report::Meters;
use crate::status::{Bell, Status};
use crate::sync::{self, Arc, AtomicBool, AtomicU8, AtomicU64, Mutex, Ordering, lock};
use crate::transport::Transport;
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
    /// How long a receiver looks for bytes before it sleeps; `None` if it is to find out.
    pub(crate) busy_poll: Option<Duration>,
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
            busy_poll: None,
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
    /// Who reads in place of the driver, if somebody does.
    pub(crate) attendant: OnceLock<Box<dyn Attendant>>,
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
    /// Whether the last broadcast has left it out, since the peer did not read.
    pub(crate) is_left_out: AtomicBool,
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
        let read = ReadHalf::new(transport.clone(), role, &settings, extensions, &meters, leftover);
        let write = WriteHalf::new(transport.clone(), role, extensions, journal, &meters);
        let line = Arc::new(Line {
            role,
            process: Process::current(),
            registration: Registration::new(),
            read: Mutex::new(read),
            attendant: OnceLock::new(),
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
            is_left_out: AtomicBool::new(false),
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

    /// Writes what a full socket did not take. If some is still left, the driver is told again.
    pub(crate) fn on_writable(&self) {
        // Whoever writes now sees to it.
        self.flush_control();
    }
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
