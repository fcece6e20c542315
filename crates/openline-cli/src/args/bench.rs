//! The arguments of `openline bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::target::TargetArgs;
use super::values::{rate, seconds_above_zero};

/// Load a server that answers each message with one, such as `openline echo`, and measure it.
///
/// In a closed loop each connection sends its next message when the answer has come. With --rate messages are sent when
/// they are due, whatever the server does, and latency counts from then: so a server that stalls is seen to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// How many connections.
    #[arg(short, long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// For how long.
    #[arg(short, long, value_name = "SECONDS", default_value = "10")]
    #[arg(value_parser = seconds_above_zero)]
    pub(crate) duration: Duration,
    /// Bytes of a message.
    #[arg(short, long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// Messages in a second, over all connections; without, as many as are answered.
    #[arg(short, long, value_name = "COUNT", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Send binary messages rather than text.
    #[arg(long)]
    pub(crate) binary: bool,
    /// Draw the latency, by percentile and as a histogram, to this file (SVG).
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Print a JSON object, with times in nanoseconds.
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Exit status 1 if a connection was lost, or no message was answered. Ctrl-C ends early, with the figures so far.

Examples:
  openline bench ws://localhost:8765                   one connection, a closed loop, 10 seconds
  openline bench -c 100 -d 60 -s 1024 URI              a hundred connections
  openline bench -c 10 -r 5000 --json URI >bench.json  5000 messages in a second, as JSON
  openline bench -c 10 --plot bench.svg URI            and a picture of the latency";
