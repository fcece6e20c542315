//! The command as a user runs it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod check;
mod connect;
mod documents;
mod echo;
mod ends;
mod interactive;
mod options;
mod ping;
mod proxy;
mod record;
mod replay;
mod run;
mod running;
