//! The terminal: its modes, its size, and waiting for keys.

use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};

/// A terminal that gives each key at once and shows none by itself, until [`restore`] is called.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    pub(super) fn enter() -> io::Result<Terminal> {
        let before = tcgetattr(stdio::stdin())?;
        let mut modes = before.clone();
        modes.local_modes -=
            LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN | LocalModes::ISIG;
        modes.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        modes.input_modes -= InputModes::IXON | InputModes::ISTRIP;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        BEFORE.get_or_init(|| before);
        tcsetattr(stdio::stdin(), OptionalActions::Drain, &modes)?;
        Ok(Terminal(()))
    }

    /// Columns and rows; zeros if it does not know.
    pub(super) fn size(&self) -> (u16, u16) {
        tcgetwinsize(stdio::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row))
    }

    /// Waits for keys, or for a byte on `wake`, and tells which has come.
    pub(super) fn wait(&self, wake: &UnixStream) -> io::Result<Came> {
        let mut waiting =
            [PollFd::from_borrowed_fd(input(), PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        loop {
            match poll(&mut waiting, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let [keys, woken] = waiting.map(|one| !one.revents().is_empty());
        Ok(Came { keys, woken })
    }

    /// What has been typed; nothing if there will be no more.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 1024];
        loop {
            match rustix::io::read(input(), &mut buffer) {
                Ok(len) => return Ok(buffer[..len].to_vec()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) keys: bool,
    pub(super) woken: bool,
}

/// Gives the terminal the modes that it had, if they were changed. As often as one wants.
pub(crate) fn restore() {
    if let Some(before) = BEFORE.get() {
        // If it has gone, there is nothing to restore.
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Drain, before);
    }
}

fn input() -> BorrowedFd<'static> {
    stdio::stdin()
}

/// The modes that the terminal had.
static BEFORE: OnceLock<Termios> = OnceLock::new();
