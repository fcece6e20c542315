//! What may be written behind `openline`, as it is written; what it means is worked out elsewhere.

mod bench;
mod check;
mod connect;
mod documents;
mod echo;
mod ping;
mod proxy;
mod record;
mod replay;
mod run;
mod target;
mod values;

use clap::{Parser, Subcommand};

pub(crate) use bench::BenchArgs;
pub(crate) use check::{CheckArgs, Echo};
pub(crate) use connect::ConnectArgs;
pub(crate) use documents::{CompletionsArgs, ManArgs};
pub(crate) use echo::{EchoArgs, ListenAddress};
pub(crate) use ping::PingArgs;
pub(crate) use proxy::{ProxyArgs, ServerAddress, Way};
pub(crate) use record::RecordArgs;
pub(crate) use replay::ReplayArgs;
pub(crate) use run::RunArgs;
pub(crate) use target::{OnOff, TargetArgs};

/// WebSockets from a terminal.
#[derive(Debug, Parser)]
#[command(name = "openline", version, after_help = STATUSES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Bench(Box<BenchArgs>),
    Check(Box<CheckArgs>),
    Connect(Box<ConnectArgs>),
    Echo(EchoArgs),
    Ping(Box<PingArgs>),
    Proxy(Box<ProxyArgs>),
    Record(Box<RecordArgs>),
    Replay(Box<ReplayArgs>),
    Run(RunArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

const STATUSES: &str = "\
Messages go to standard output, everything else to standard error.

Exit status:
  0    it ended as it should
  1    the connection closed with an error, or what was waited for did not come
  2    wrong usage, or no connection could be made
  130  interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP

Colours are for terminals only; the environment variable NO_COLOR switches them off.";
