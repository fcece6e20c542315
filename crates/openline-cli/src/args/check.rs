//! The arguments of `openline check`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::target::TargetArgs;
use super::values::seconds_above_zero;

/// Tell what a server agrees to, and whether it keeps to the protocol.
///
/// Some twenty connections are made, one after the other. Most send what breaks a rule of RFC 6455, and look at how it
/// is refused: for servers of your own. With --gentle nothing is broken, and no message is sent. Pings that keep the line
/// alive are off, and --wait is also the time for closing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Send no messages, and nothing that breaks the rules.
    #[arg(long)]
    pub(crate) gentle: bool,
    /// Whether the server sends each message back; auto tries.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) echo: Echo,
    /// Also whether it keeps a line open on which nothing happens for so long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds_above_zero)]
    pub(crate) idle: Option<Duration>,
    /// Also whether it takes a message of so many bytes.
    #[arg(long, value_name = "BYTES", conflicts_with = "gentle")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub(crate) message_size: Option<u32>,
    /// The time for each answer.
    #[arg(short = 'W', long, value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = seconds_above_zero)]
    pub(crate) wait: Duration,
    /// Print a JSON object, with times in nanoseconds.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Echo {
    Auto,
    Yes,
    No,
}

const EXAMPLES: &str = "\
Each check is ok, odd (allowed, or not what others do), or FAILED (against a rule of RFC 6455).
Exit status 1 if one failed.

Examples:
  openline check ws://localhost:8765                   all of it
  openline check --gentle wss://example.com/feed       a server of others: opening, pings, closing
  openline check --idle 60 --message-size 1000000 URI  limits
  openline check --json URI | jq '.checks[] | select(.verdict != \"ok\")'";
