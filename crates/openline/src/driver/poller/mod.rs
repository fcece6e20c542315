//! Readiness of many connections, for the driver: of their descriptors, or of simulated sockets.

#[cfg(not(all(test, feature = "model")))]
mod epoll;
#[cfg(all(test, feature = "model"))]
mod simulated;

#[cfg(not(all(test, feature = "model")))]
pub(super) use epoll::{Events, Poller, events, ready};
#[cfg(all(test, feature = "model"))]
pub(super) use simulated::{Events, Poller, events, ready};

/// A connection that became ready, and whose watch ended with that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) id: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// What to watch a connection for. Readable covers the end of the stream and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) readable: bool,
    pub(super) writable: bool,
}
