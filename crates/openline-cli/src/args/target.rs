//! The arguments of every command that connects: where to, and how.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::values::{Resolve, header, resolve, seconds, seconds_above_zero, user};

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The server, such as wss://example.com/feed.
    pub(crate) uri: String,

    /// A header for the request; can be repeated.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    #[arg(help_heading = REQUEST)]
    pub(crate) header: Vec<(String, String)>,
    /// A subprotocol to offer; can be repeated, the preferred one first.
    #[arg(short = 'p', long, value_name = "NAME", help_heading = REQUEST)]
    pub(crate) subprotocol: Vec<String>,
    /// The header Origin, as a browser sends it.
    #[arg(long, value_name = "URL", help_heading = REQUEST)]
    pub(crate) origin: Option<String>,
    /// Basic authentication.
    #[arg(short, long, value_name = "NAME:PASSWORD", value_parser = user, help_heading = REQUEST)]
    pub(crate) user: Option<(String, String)>,
    /// A cookie; can be repeated.
    #[arg(short = 'b', long, value_name = "NAME=VALUE", help_heading = REQUEST)]
    pub(crate) cookie: Vec<String>,
    /// The header User-Agent; empty for none.
    #[arg(short = 'A', long, value_name = "TEXT", help_heading = REQUEST)]
    pub(crate) user_agent: Option<String>,
    /// How many redirects to follow.
    #[arg(long, value_name = "COUNT", default_value_t = 10, help_heading = REQUEST)]
    pub(crate) max_redirects: usize,

    /// A proxy: http, https, socks4, socks4a, socks5 or socks5h. Without, the environment says.
    #[arg(short = 'x', long, value_name = "URL", help_heading = NETWORK)]
    pub(crate) proxy: Option<String>,
    /// Connect directly, whatever the environment says.
    #[arg(long, conflicts_with = "proxy", help_heading = NETWORK)]
    pub(crate) no_proxy: bool,
    /// An address to take for a host and port; can be repeated.
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = resolve, help_heading = NETWORK)]
    pub(crate) resolve: Vec<Resolve>,
    /// Connect over this Unix socket; the URI is what the request says.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "resolve"])]
    #[arg(help_heading = NETWORK)]
    pub(crate) unix_socket: Option<PathBuf>,
    /// The time for opening the connection.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds_above_zero)]
    #[arg(help_heading = NETWORK)]
    pub(crate) open_timeout: Duration,

    /// Trust these certificates (PEM) in place of the system's.
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) ca_file: Option<PathBuf>,
    /// The client's certificate (PEM), with its chain.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,
    /// Do not verify the server's certificate: anybody can be in between.
    #[arg(short = 'k', long, conflicts_with = "ca_file", help_heading = TLS)]
    pub(crate) insecure: bool,

    /// Whether to offer compression.
    #[arg(long, value_name = "WHEN", default_value = "on", help_heading = WEBSOCKET)]
    pub(crate) compression: OnOff,
    /// The time between pings that keep the line alive; 0 sends none.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    #[arg(help_heading = WEBSOCKET)]
    pub(crate) ping_interval: Duration,
    /// The time for their answers; 0 waits for ever.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    #[arg(help_heading = WEBSOCKET)]
    pub(crate) ping_timeout: Duration,
    /// The time for the closing handshake.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds_above_zero)]
    #[arg(help_heading = WEBSOCKET)]
    pub(crate) close_timeout: Duration,
    /// Bytes of a message to accept at most; 0 for no limit.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, help_heading = WEBSOCKET)]
    pub(crate) max_size: usize,

    /// Show the handshake; twice also each frame.
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

const REQUEST: &str = "Request";
const NETWORK: &str = "Network";
const TLS: &str = "TLS";
const WEBSOCKET: &str = "WebSocket";
