//! The command `openline`: WebSockets from a terminal.
//!
//! - [`args`]: what may be written behind the command; [`target`] and [`tls`] make of it how to connect.
//! - [`connect`]: lines in, messages out. [`line`] is what its threads share, [`input`] and [`output`] its two ends,
//!   [`interactive`] both of them at a terminal, [`figures`] the numbers of `--write-out`.
//! - [`ping`]: [`round_trips`], and what can be said of them.
//! - [`bench`]: a load, and how a server takes it.
//! - [`check`]: what a server agrees to, and how it takes what is wrong.
//! - [`record`] and [`replay`]: a [`session`] in a file.
//! - [`proxy`]: a network that fails, in front of a server.
//! - [`echo`]: a server to try things with.
//! - [`run`]: a Python program in drop-in mode.
//! - [`documents`]: completions for shells, and the manual.
//! - [`talk`]: what goes to standard error. [`interrupt`]: Ctrl-C. [`failure`]: how all of it ends.

mod args;
mod bench;
mod check;
mod connect;
mod documents;
mod echo;
mod failure;
mod figures;
mod input;
mod interactive;
mod interrupt;
mod line;
mod output;
mod ping;
mod proxy;
mod record;
mod replay;
mod round_trips;
mod run;
mod session;
mod talk;
mod target;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Echo(args) => echo::run(&args),
        Command::Ping(args) => ping::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Completions(args) => documents::completions(&args),
        Command::Man(args) => documents::man(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                talk::say(&text);
            }
            failure.exit_code()
        }
    }
}
