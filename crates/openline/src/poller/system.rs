//! Readiness of many descriptors: one-shot registrations in epoll (or kqueue), by the `polling` crate.
//!
//! The `unsafe` call of this crate is here: registering a descriptor, which must be deregistered
//! before it is closed.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use polling::Event;

pub(crate) use polling::Events;

use super::{Ready, Watch};
use crate::transport::Transport;

#[derive(Debug)]
pub(crate) struct Poller(polling::Poller);

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller(polling::Poller::new()?))
    }

    /// Registers the transport's descriptor. The caller deregisters it while it keeps the transport alive.
    pub(crate) fn register(
        &self,
        transport: &dyn Transport,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        self.register_source(source(transport)?, id, watch)
    }

    /// Registers a descriptor. The caller deregisters it before it is closed.
    #[allow(unsafe_code, reason = "polling asks for a promise that the descriptor outlives this")]
    pub(crate) fn register_source(
        &self,
        source: BorrowedFd<'_>,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        // SAFETY: every source that was added is deleted before it is closed. Those of the driver by
        // `Registration::remove`, which runs before the line lets go of its transport, in `Line::on_end` and in
        // `Drop for Line`; those of a server by `Lobby::take` and `Drop for Lobby`, and by `Rota::leave` and
        // `Drop for Rota`, which have the descriptors themselves.
        unsafe { self.0.add(&source, watch.event(id)) }
    }

    /// Watches a registered descriptor, once.
    pub(crate) fn watch(
        &self,
        transport: &dyn Transport,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        self.watch_source(source(transport)?, id, watch)
    }

    /// As [`watch`](Poller::watch).
    pub(crate) fn watch_source(
        &self,
        source: BorrowedFd<'_>,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        self.0.modify(source, watch.event(id))
    }

    pub(crate) fn deregister(&self, transport: &dyn Transport) {
        if let Some(source) = transport.source() {
            self.deregister_source(source);
        }
    }

    /// As [`deregister`](Poller::deregister).
    pub(crate) fn deregister_source(&self, source: BorrowedFd<'_>) {
        // It fails only for a descriptor that is not registered, which is what is wanted.
        let _ = self.0.delete(source);
    }

    /// Waits for readiness, a wake or the time-out. A signal does not end it.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.0.wait(events, timeout).map(drop)
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.notify()
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn source(transport: &dyn Transport) -> io::Result<BorrowedFd<'_>> {
    transport.source().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// A list for [`Poller::wait`].
pub(crate) fn events() -> Events {
    Events::with_capacity(EVENTS_AT_ONCE)
}

/// What [`Poller::wait`] found.
pub(crate) fn ready(events: &Events) -> impl Iterator<Item = Ready> {
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
