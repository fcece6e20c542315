//! What accepts clients: a socket that listens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use socket2::SockRef;

/// A stream socket that listens, TCP or Unix.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    /// Removed with it.
    _path: Option<SocketPath>,
}

/// The path of a Unix socket, removed with the listener.
#[derive(Debug)]
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(crate) fn new(socket: OwnedFd) -> Listener {
        Listener { socket, _path: None }
    }

    /// A Unix socket whose path is to be removed at the end.
    pub(super) fn at_path(socket: OwnedFd, path: PathBuf) -> Listener {
        Listener { socket, _path: Some(SocketPath(path)) }
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        SockRef::from(&self.socket).set_nonblocking(true)
    }

    pub(crate) fn accept(&self) -> io::Result<OwnedFd> {
        let (socket, _) = SockRef::from(&self.socket).accept()?;
        socket.set_nonblocking(false)?;
        Ok(socket.into())
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
