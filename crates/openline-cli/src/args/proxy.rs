//! The arguments of `openline proxy`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::echo::ListenAddress;
use super::values::{offset, per_mib, time};

/// Stand between clients and a server, and do what networks do: delay, split, stall, cut, reset, corrupt.
///
/// It passes on bytes, of any client and any server; TLS goes through it as it is. What happens to each connection is
/// told on standard error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProxyArgs {
    /// The server: a URI such as ws://localhost:8765, or unix:PATH.
    #[arg(value_name = "URI")]
    pub(crate) server: ServerAddress,
    /// Where to listen: HOST:PORT, with port 0 for any free one; for a server on a Unix socket unix:PATH.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<ListenAddress>,
    /// What all chance comes from: the same faults happen again.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,

    /// In which direction the faults happen: up is to the server.
    #[arg(long, value_name = "WAY", default_value = "both", help_heading = FAULTS)]
    pub(crate) direction: Way,
    /// How long bytes are on their way, such as 50ms, 0.05s or 0.05.
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = FAULTS)]
    pub(crate) delay: Option<Duration>,
    /// How much longer at most, by chance.
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = FAULTS)]
    pub(crate) jitter: Option<Duration>,
    /// Write pieces of at most so many bytes.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help_heading = FAULTS)]
    pub(crate) split: Option<u32>,
    /// Pass on at most so many bytes in a second.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help_heading = FAULTS)]
    pub(crate) rate: Option<u64>,
    /// Pass on nothing any more after so many bytes; FIRST-LAST has each connection take a number between.
    #[arg(long, value_name = "BYTES", value_parser = offset, help_heading = FAULTS)]
    pub(crate) stall_after: Option<RangeInclusive<u64>>,
    /// End both directions after so many bytes, without a close frame.
    #[arg(long, value_name = "BYTES", value_parser = offset, help_heading = FAULTS)]
    pub(crate) cut_after: Option<RangeInclusive<u64>>,
    /// End the one direction after so many bytes.
    #[arg(long, value_name = "BYTES", value_parser = offset, help_heading = FAULTS)]
    pub(crate) half_close_after: Option<RangeInclusive<u64>>,
    /// Reset the connection after so many bytes.
    #[arg(long, value_name = "BYTES", value_parser = offset, help_heading = FAULTS)]
    pub(crate) reset_after: Option<RangeInclusive<u64>>,
    /// Flip a bit of the byte after so many.
    #[arg(long, value_name = "BYTES", value_parser = offset, help_heading = FAULTS)]
    pub(crate) corrupt_at: Option<RangeInclusive<u64>>,
    /// Flip a bit of so many bytes of a MiB, by chance.
    #[arg(long, value_name = "COUNT", value_parser = per_mib, help_heading = FAULTS)]
    pub(crate) corrupt_per_mib: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerAddress {
    Unix(PathBuf),
    Uri(String),
}

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerAddress, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("has no path".to_owned()),
            Some(path) => Ok(ServerAddress::Unix(path.into())),
            None => Ok(ServerAddress::Uri(text.to_owned())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    Up,
    Down,
    Both,
}

const FAULTS: &str = "Faults";

const EXAMPLES: &str = "\
Bytes count from the first of a connection, each way by itself: the handshake is some 300 up and 150 down.
Ctrl-C ends it.

Examples:
  openline proxy ws://localhost:8765 --delay 50ms --jitter 20ms       a slow network
  openline proxy ws://localhost:8765 --split 1                        a byte at a time
  openline proxy ws://localhost:8765 --direction down --stall-after 1000
                                                                      a server that falls silent
  openline proxy wss://example.com --listen 127.0.0.1:9000 --cut-after 1000-50000";
