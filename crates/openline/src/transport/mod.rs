//! What carries the bytes: one trait, and its implementations for sockets and for TLS over them.
//!
//! A transport is shared: one thread may read while another writes and a third shuts it down. It
//! keeps no lock while it waits.

mod socket;
mod tls;

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;

use crate::deadline::Deadline;

pub(crate) use socket::{Socket, poll_until};
pub(crate) use tls::Tls;

/// A stream of bytes both ways.
pub(crate) trait Transport: fmt::Debug + Send + Sync {
    /// Reads what is there; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads, waiting for the first byte; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal handler ran.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as fits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing does.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Passes on what `try_write` took and has not passed on yet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while some of it is left.
    fn try_flush(&self) -> io::Result<()>;

    /// Waits until there is something to read, or room to write.
    ///
    /// # Errors
    ///
    /// `Interrupted` when a signal handler ran.
    fn wait(&self, interest: Interest, deadline: Deadline) -> io::Result<Readiness>;

    /// Ends one direction or both, for every thread; waiting calls return.
    fn shutdown(&self, how: Shutdown);

    /// Gives back what memory an idle connection does not need.
    fn release_buffers(&self) {}

    /// The descriptor to watch for readiness, if there is one.
    fn source(&self) -> Option<BorrowedFd<'_>>;
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    ReadOrWrite,
}

impl Interest {
    pub(crate) fn reads(self) -> bool {
        self != Interest::Write
    }

    pub(crate) fn writes(self) -> bool {
        self != Interest::Read
    }
}

/// What a wait was ended by. Neither: the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Readiness {
    pub(crate) fn is_none(self) -> bool {
        !self.readable && !self.writable
    }
}
