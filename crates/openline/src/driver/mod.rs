//! The driver: one thread per process that serves the connections nobody is reading.
//!
//! It answers pings, completes closes, runs keepalive, keeps what comes in the bounded queue, and
//! writes what a full socket did not take. It never blocks on a lock that users hold, calls no logger,
//! blocks all signals, and holds connections only weakly. Of the code of users it runs only their
//! transports and extensions, which must not block; one that panics ends its connection alone.
//!
//! ```text
//!              unused for two ticks, nothing to read
//!   looked at ───────────────────────────────────────▶ watched (epoll, once)
//!   every tick ◀─────────────────────────────────────── an event, while a caller reads or has just read
//! ```
//!
//! A caller that reads tells the driver nothing: no system call, no lock. If the connection is being
//! watched, its first message costs the driver one wake-up, after which it is looked at again; a
//! loop of `recv` costs none. That is why a caller does not disarm the watch.

mod thread;

use std::io;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::deadline::Deadline;
use crate::fork::PerProcess;
use crate::line::Line;
use crate::poller::{Poller, Watch};
use crate::read::Drained;
use crate::sync::{self, Arc, AtomicU32, Bug, Mutex, Ordering, Weak, lock, try_lock};
use crate::transport::Transport;

pub(crate) use thread::DriverThread;

/// The shared side of the driver.
#[derive(Debug)]
pub(crate) struct Driver {
    poller: Poller,
    inbox: Mutex<Inbox>,
    /// Counts up while connections are looked at.
    tick: AtomicU32,
    /// Receivers of its connections that look for bytes instead of sleeping.
    pub(crate) spinning: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inbox {
    commands: Vec<Command>,
    rest: Rest,
}

/// What the driver does at the moment, for who leaves it a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// It will look into the inbox before it rests.
    #[default]
    Awake,
    /// It will be awake at the next tick.
    UntilTick,
    /// It may sleep for long.
    Asleep,
}

#[derive(Debug)]
enum Command {
    Adopt { id: usize, line: Weak<Line>, deadline: Option<Instant> },
    At { id: usize, deadline: Instant },
    Flush { id: usize },
    Forget { id: usize },
}

impl Driver {
    /// The driver of this process, started if there is none.
    ///
    /// # Errors
    ///
    /// When the thread or its epoll descriptor cannot be made.
    pub(crate) fn shared() -> io::Result<Arc<Driver>> {
        // In a forked child the inherited driver is never dropped: its epoll is the parent's too, and
        // would lose the parent's wake-up.
        static SHARED: PerProcess<Option<Arc<Driver>>> = PerProcess::new(None);
        let mut shared = SHARED.lock();
        if let Some(driver) = &*shared {
            return Ok(driver.clone());
        }
        let driver = Arc::new(Driver::new()?);
        let thread = DriverThread::new(driver.clone());
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let spawned = std::thread::Builder::new()
            .name("openline-driver".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || thread.run());
        mask.thread_set_mask()?;
        spawned?;
        *shared = Some(driver.clone());
        Ok(driver)
    }

    /// A driver without its thread.
    pub(crate) fn new() -> io::Result<Driver> {
        let poller = Poller::new()?;
        Ok(Driver {
            poller,
            inbox: Mutex::default(),
            tick: AtomicU32::new(USED_TICKS),
            spinning: AtomicUsize::new(0),
        })
    }

    /// The current tick: a load, no clock.
    pub(crate) fn tick(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    /// Counts a tick, in place of the thread.
    #[cfg(all(test, feature = "model"))]
    pub(crate) fn tick_for_model(&self) {
        self.tick.fetch_add(1, Ordering::Relaxed);
    }

    /// Serves the line from now on, until it is dropped.
    pub(crate) fn adopt(&self, line: &Arc<Line>) {
        let deadline = line.bell.status().next_deadline();
        let id = line.registration.id;
        self.tell(Command::Adopt { id, line: Arc::downgrade(line), deadline }, Rest::Asleep);
    }

    /// Calls [`Line::on_deadline`] at that time.
    pub(crate) fn at(&self, line: &Line, deadline: Deadline) {
        let Some(deadline) = deadline.at() else { return };
        let is_soon = deadline.saturating_duration_since(sync::now()) < TICK;
        let waking = if is_soon { Rest::UntilTick } else { Rest::Asleep };
        self.tell(Command::At { id: line.registration.id, deadline }, waking);
    }

    /// Calls [`Line::on_writable`] when there is room.
    pub(crate) fn flush_later(&self, line: &Line) {
        if sync::is_planted(Bug::ForgottenTail) {
            return;
        }
        self.tell(Command::Flush { id: line.registration.id }, Rest::UntilTick);
    }

    /// Leaves a command, and wakes the driver from that rest or a deeper one; [`Rest::Awake`] from
    /// none.
    fn tell(&self, command: Command, waking: Rest) {
        let mut inbox = lock(&self.inbox);
        inbox.commands.push(command);
        let wakes = match waking {
            Rest::Awake => false,
            Rest::UntilTick => inbox.rest != Rest::Awake,
            Rest::Asleep => inbox.rest == Rest::Asleep,
        };
        if wakes {
            inbox.rest = Rest::Awake;
            drop(inbox);
            // Writing to an eventfd fails only if it is full of wake-ups.
            let _ = self.poller.wake();
        }
    }
}

/// A line's place in the driver's epoll, which it must leave before its descriptor is closed.
#[derive(Debug)]
pub(crate) struct Registration {
    id: usize,
    place: Mutex<Place>,
}

#[derive(Debug)]
enum Place {
    Outside,
    /// With the transport whose descriptor is registered, so that it stays open.
    Inside(Arc<dyn Transport>),
    Left,
}

impl Registration {
    pub(crate) fn new() -> Registration {
        static NEXT_ID: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let id = NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Registration { id, place: Mutex::new(Place::Outside) }
    }

    /// Leaves the epoll, for good.
    pub(crate) fn remove(&self, driver: &Driver) {
        let place = std::mem::replace(&mut *lock(&self.place), Place::Left);
        match place {
            Place::Inside(transport) => driver.poller.deregister(&*transport),
            Place::Outside => {}
            Place::Left => return,
        }
        // There is no hurry: it need not be woken for that.
        driver.tell(Command::Forget { id: self.id }, Rest::Awake);
    }

    fn watch(&self, driver: &Driver, line: &Line, watch: Watch) -> io::Result<()> {
        let mut place = lock(&self.place);
        match &*place {
            Place::Outside => {
                if let Some(transport) = line.transport() {
                    driver.poller.register(&*transport, self.id, watch)?;
                    *place = Place::Inside(transport);
                }
                Ok(())
            }
            Place::Inside(transport) => driver.poller.watch(&**transport, self.id, watch),
            Place::Left => Ok(()),
        }
    }
}

/// What a connection needs after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Somebody uses it, or its queue is full: look again at the next tick.
    Look,
    /// It is idle: watch it.
    Watch,
    /// There is more to read.
    Again,
    /// It is read by others.
    Leave,
    /// It is over.
    Forget,
}

impl Driver {
    /// Reads what nobody else reads, and writes what waits for room, whoever reads.
    pub(crate) fn serve(&self, line: &Line, scratch: &mut Vec<u8>) -> Next {
        if line.is_attended() {
            return Next::Leave;
        }
        let drained = self.drain_unused(line, scratch);
        if let Some(mut half) = try_lock(&line.write) {
            if drained.is_some() {
                half.release_memory(sync::now());
            }
            // This writes what waits; the watch for room does so sooner, where one can be had.
            line.leave_write(half);
        }
        match drained {
            None | Some(Drained::Full) => Next::Look,
            Some(Drained::Empty) => Next::Watch,
            Some(Drained::Interrupted | Drained::More) => Next::Again,
            Some(Drained::Ended) => Next::Forget,
        }
    }

    /// Reads, unless somebody has used the connection of late.
    fn drain_unused(&self, line: &Line, scratch: &mut Vec<u8>) -> Option<Drained> {
        let mut half = line.try_lock_read()?;
        let is_used = self.tick().wrapping_sub(half.used_at) < USED_TICKS;
        if is_used || line.is_looked_out.load(Ordering::Relaxed) {
            drop(half);
            line.bell.ring_after_unlock();
            return None;
        }
        half.buffer.borrow(scratch);
        let drained = line.drain(&mut half);
        half.buffer.give_back(scratch);
        half.release_memory();
        if drained == Drained::Empty
            && let Some(transport) = &half.transport
        {
            transport.release_buffers();
        }
        drop(half);
        line.bell.ring_after_unlock();
        Some(drained)
    }
}

/// How often connections that are in use are looked at.
const TICK: Duration = Duration::from_millis(50);

/// A connection that was used within so many ticks is left to its users.
const USED_TICKS: u32 = 2;
