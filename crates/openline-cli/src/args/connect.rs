//! The arguments of `openline connect`.

use std::time::Duration;

use clap::Args;
use regex::bytes::Regex;

use super::target::TargetArgs;
use super::values::{seconds, seconds_above_zero};
use crate::figures::Format;

/// Connect: each line of standard input is sent as a message, each message is printed as a line.
///
/// At the end of the input the connection is closed; messages that come until then are printed. With --one or
/// --expect it stays open until they are met. At a terminal the line is edited below the messages, and /help lists
/// commands.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Do not read standard input: print messages until the server closes.
    #[arg(short = 'n', long)]
    pub(crate) no_input: bool,
    /// Send this text first after each connect; can be repeated.
    #[arg(long, value_name = "TEXT")]
    pub(crate) preamble: Vec<String>,
    /// Stay so long after the end of the input.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "no_input")]
    pub(crate) linger: Option<Duration>,
    /// Exit after the first message; status 1 if none comes.
    #[arg(short = '1', long)]
    pub(crate) one: bool,
    /// Exit once a message matches this regular expression; status 1 if none does.
    #[arg(short, long, value_name = "PATTERN", conflicts_with = "one")]
    pub(crate) expect: Option<Regex>,
    /// Close after this time, counted from the start.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds_above_zero)]
    pub(crate) timeout: Option<Duration>,
    /// Connect again after each loss, with pauses that grow while attempts fail.
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// The code to close with.
    #[arg(long, value_name = "CODE")]
    pub(crate) close_code: Option<u16>,
    /// The reason to close with.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) close_reason: String,

    /// Print a JSON object for each message, sent or received, and for each end.
    #[arg(long, conflicts_with = "binary")]
    pub(crate) json: bool,
    /// Send what standard input gives as binary messages; write the bytes of messages, with no line breaks.
    #[arg(long, conflicts_with = "base64")]
    pub(crate) binary: bool,
    /// Lines are base64, both ways: send each as a binary message.
    #[arg(long)]
    pub(crate) base64: bool,
    /// Print figures at the end, %{NAME} each: see below.
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) write_out: Option<Format>,
}

const EXAMPLES: &str = "\
Figures of --write-out, with \\n, \\t and \\\\ as usual, and %% for %:
  time_dns, time_tcp, time_proxy, time_tls, time_http   seconds of each step of the last opening
  time_open, time_total                                 of all steps; from start to end
  messages_sent, messages_received, bytes_sent, bytes_received, frames_sent, frames_received
  connections, latency, http_code, remote_address, subprotocol, close_code, close_reason

Examples:
  openline connect wss://example.com/feed                  what comes, what is typed
  echo '{\"get\": \"time\"}' | openline connect -1 URI         one question, one answer
  openline connect -n -e '\"ready\"' -t 30 URI               wait for a message, in a script
  openline connect -n --json --reconnect --preamble '{\"subscribe\": \"btc\"}' URI >feed.jsonl
  openline connect -n -1 -w '%{time_tls} %{time_http}\\n' URI";
