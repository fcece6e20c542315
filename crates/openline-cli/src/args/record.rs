//! The arguments of `openline record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::echo::ListenAddress;
use super::target::TargetArgs;
use super::values::{seconds, seconds_above_zero};

/// Connect as `openline connect` does, and record what both sides send, and when.
///
/// With --listen it stands between a client and the server: it waits for a client, connects to the server with the
/// client's headers and subprotocols, passes on what they send, and ends with them. `openline replay` plays the file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Where to record; a file that is there is overwritten.
    pub(crate) file: PathBuf,

    /// Wait for a client here: HOST:PORT, with port 0 for any free one.
    #[arg(long, value_name = "HOST:PORT", value_parser = tcp)]
    #[arg(conflicts_with_all = ["no_input", "preamble", "linger", "base64", "subprotocol"])]
    pub(crate) listen: Option<String>,
    /// Do not read standard input.
    #[arg(short = 'n', long)]
    pub(crate) no_input: bool,
    /// Send this text first; can be repeated.
    #[arg(long, value_name = "TEXT")]
    pub(crate) preamble: Vec<String>,
    /// Stay so long after the end of the input.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "no_input")]
    pub(crate) linger: Option<Duration>,
    /// Close after this time, counted from the start.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds_above_zero)]
    pub(crate) timeout: Option<Duration>,
    /// Lines of input are base64: send each as a binary message.
    #[arg(long)]
    pub(crate) base64: bool,
}

/// An address for TCP, with its port.
fn tcp(text: &str) -> Result<String, String> {
    match text.parse()? {
        ListenAddress::Tcp(address) => Ok(address),
        ListenAddress::Unix(_) => Err("is no HOST:PORT".to_owned()),
    }
}

const EXAMPLES: &str = "\
Passwords and cookies of the handshake are not recorded. Messages may hold others.
Exit status 1 if the connection ended with an error; the file is good then, too. Ctrl-C ends it, and is no failure.

Examples:
  printf 'hello\\nworld\\n' | openline record ws://localhost:8765 session.jsonl
  openline record -n -t 60 wss://example.com/feed feed.jsonl   a minute of what comes
  openline record --listen 127.0.0.1:9000 wss://example.com/feed app.jsonl
                                                               what an app that connects to port 9000 does";
