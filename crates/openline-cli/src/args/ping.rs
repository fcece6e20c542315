//! The arguments of `openline ping`.

use std::time::Duration;

use clap::Args;

use super::target::TargetArgs;
use super::values::{seconds, seconds_above_zero};

/// Measure the round trip to a server with pings of the protocol, which every server answers.
///
/// Statistics and a histogram come at the end: after --count pings, on Ctrl-C, or when the connection ends. Exit
/// status 1 if no ping was answered or the connection was lost.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// How many pings; without, until Ctrl-C.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// The time from one ping to the next.
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// The time for each answer.
    #[arg(short = 'W', long, value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = seconds_above_zero)]
    pub(crate) wait: Duration,
    /// Print only the statistics.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  openline ping wss://example.com/feed              one ping in a second, until Ctrl-C
  openline ping -c 1000 -i 0.01 -q URI              a thousand pings, only the statistics";
