//! How a command fails: what it says, and the exit status.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use nix::sys::signal::Signal;
use openline::Error;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Ctrl-C or another signal ended it before it was done.
    #[error("interrupted by {0}")]
    Interrupted(Signal),
    /// The network's or the peer's fault, or that of an argument.
    #[error(transparent)]
    Openline(#[from] Error),
    /// The operating system refused something.
    #[error("cannot {action}: {error}")]
    System {
        action: String,
        #[source]
        error: io::Error,
    },
    /// The connection did not do what was asked for.
    #[error("{0}")]
    Unmet(String),
    /// Arguments, or input, that cannot be honoured.
    #[error("{0}")]
    Usage(String),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let action = action.into();
        move |error| Failure::System { action, error }
    }

    /// The error and its causes on one line, each text once; `None` if there is nothing to say.
    pub(crate) fn text(&self) -> Option<String> {
        if let Failure::Interrupted(_) = self {
            return None; // who did it knows
        }
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Some(text)
    }

    /// The statuses that `--help` lists.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Interrupted(signal) => ExitCode::from(interrupted(*signal)),
            Failure::Openline(Error::Closed(_)) | Failure::Unmet(_) => ExitCode::from(1),
            Failure::Openline(_) | Failure::System { .. } | Failure::Usage(_) => ExitCode::from(2),
        }
    }
}

/// The status after a signal, as shells have it.
pub(crate) fn interrupted(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(u8::MAX)
}
