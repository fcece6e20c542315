//! The arguments of `openline echo`.

use clap::Args;

/// Serve as an echo server until interrupted.
#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Where to listen; port 0 is any free one.
    #[arg(default_value = "127.0.0.1:8765")]
    pub(crate) address: String,
}
