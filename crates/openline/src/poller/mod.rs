//! Readiness of many descriptors: of the connections of the driver, which may be simulated, and of the clients
//! of a server.

#[cfg(all(test, feature = "model"))]
mod simulated;
pub(crate) mod system;

#[cfg(all(test, feature = "model"))]
pub(crate) use simulated::{Events, Poller, events, ready};
#[cfg(not(all(test, feature = "model")))]
pub(crate) use system::{Events, Poller, events, ready};

/// A descriptor that became ready, and whose watch ended with that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) id: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// What to watch a descriptor for. Readable covers the end of the stream and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}
