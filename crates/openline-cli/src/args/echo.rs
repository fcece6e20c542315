//! The arguments of `openline echo`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// Serve as an echo server until Ctrl-C.
///
/// A browser that opens the address gets a page to try it from: it sends, closes, and plots the round trip.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EchoArgs {
    /// Where to listen: HOST:PORT, with port 0 for any free one, or unix:PATH.
    #[arg(default_value = "127.0.0.1:8765")]
    pub(crate) address: ListenAddress,
    /// Serve wss:// with this certificate (PEM), with its chain.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Bytes of a message to accept at most; 0 for no limit.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(crate) max_size: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Tcp(String),
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddress, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("has no path".to_owned()),
            Some(path) => Ok(ListenAddress::Unix(path.into())),
            None if text.contains(':') => Ok(ListenAddress::Tcp(text.to_owned())),
            None => Err("has no port: give HOST:PORT or unix:PATH".to_owned()),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  openline echo                                            at ws://127.0.0.1:8765/
  openline echo 0.0.0.0:443 --cert cert.pem --key key.pem  for the whole network, over TLS
  openline echo unix:/tmp/echo.sock                        on a Unix socket";
