//! The arguments of `openline replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::echo::ListenAddress;
use super::target::TargetArgs;
use super::values::{seconds_above_zero, speed};

/// Play a recorded session: the client's side to a server, or the server's side to clients.
///
/// With --to it sends what the client had sent, when it had, and says where the answers are others than those that are
/// recorded. With --listen it is a server: each client that connects gets what the recorded one got. It waits for a
/// message where there was one, and then for as long as the server had.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("side").args(["uri", "listen"]).required(true))]
#[command(mut_arg("uri", |uri| {
    uri.long("to").value_name("URI").required(false).default_value("").hide_default_value(true)
}))]
pub(crate) struct ReplayArgs {
    /// What `openline record` made.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Play the server's side here: HOST:PORT, with port 0 for any free one, or unix:PATH.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = CLIENT_ONLY)]
    pub(crate) listen: Option<ListenAddress>,
    /// How many times as fast as recorded; 0 or max makes no pauses, but keeps the order of all messages.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,
    /// How long to wait for what is late.
    #[arg(short = 'W', long, value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = seconds_above_zero, conflicts_with = "listen")]
    pub(crate) wait: Duration,
}

/// What has no meaning for a server.
const CLIENT_ONLY: [&str; 22] = [
    "header",
    "subprotocol",
    "origin",
    "user",
    "cookie",
    "user_agent",
    "max_redirects",
    "proxy",
    "no_proxy",
    "resolve",
    "unix_socket",
    "open_timeout",
    "ca_file",
    "cert",
    "key",
    "insecure",
    "compression",
    "ping_interval",
    "ping_timeout",
    "close_timeout",
    "max_size",
    "verbose",
];

const EXAMPLES: &str = "\
Exit status 1 if an answer differs, is missing, or was not expected, or if the connection ended in another way.

Examples:
  openline replay session.jsonl --to ws://localhost:8765             has anything changed?
  openline replay session.jsonl --to ws://localhost:8765 --speed max
  openline replay feed.jsonl --listen 127.0.0.1:9000 --speed 10      a feed to test a client with";
