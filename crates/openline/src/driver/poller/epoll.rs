//! Readiness of many descriptors: one-shot registrations in epoll (or kqueue), by the `polling` crate.
//!
//! The one `unsafe` call of this crate is here: registering a descriptor, which must be deregistered
//! before it is closed.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use polling::Event;

pub(in crate::driver) use polling::Events;

use super::{Ready, Watch};
use crate::transport::Transport;

#[derive(Debug)]
pub(in crate::driver) struct Poller(polling::Poller);

impl Poller {
    pub(in crate::driver) fn new() -> io::Result<Poller> {
        Ok(Poller(polling::Poller::new()?))
    }

    /// Registers the transport's descriptor.
    ///
    /// The caller, [`Registration`](crate::driver::Registration), deregisters it while it keeps the
    /// transport alive.
    #[allow(unsafe_code, reason = "polling asks for a promise that the descriptor outlives this")]
    pub(in crate::driver) fn register(
        &self,
        transport: &dyn Transport,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        let source = transport.source().ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: `Registration::remove` deletes every source that was added, and runs before the
        // line lets go of its transport, in `Line::on_end` and in `Drop for Line`.
        unsafe { self.0.add(&source, watch.event(id)) }
    }

    /// Watches a registered descriptor, once.
    pub(in crate::driver) fn watch(
        &self,
        transport: &dyn Transport,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        let source = transport.source().ok_or(io::ErrorKind::Unsupported)?;
        self.0.modify(source, watch.event(id))
    }

    pub(in crate::driver) fn deregister(&self, transport: &dyn Transport) {
        if let Some(source) = transport.source() {
            // It fails only for a descriptor that is not registered, which is what is wanted.
            let _ = self.0.delete(source);
        }
    }

    /// Waits for readiness, a wake or the time-out; signals do not come to the driver.
    pub(in crate::driver) fn wait(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        self.0.wait(events, timeout).map(drop)
    }

    pub(in crate::driver) fn wake(&self) -> io::Result<()> {
        self.0.notify()
    }
}

/// A list for [`Poller::wait`].
pub(in crate::driver) fn events() -> Events {
    Events::with_capacity(EVENTS_AT_ONCE)
}

/// What [`Poller::wait`] found.
pub(in crate::driver) fn ready(events: &Events) -> impl Iterator<Item = Ready> {
    events.iter().map(|event| Ready {
        id: event.key,
        readable: event.readable,
        writable: event.writable,
    })
}

impl Watch {
    fn event(self, id: usize) -> Event {
        Event::new(id, self.readable, self.writable)
    }
}

const EVENTS_AT_ONCE: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(events) => events,
    None => unreachable!(),
};
