//! Connections over real sockets: against a scripted peer, whose every byte a test decides, and
//! against this crate's own server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod broadcasting;
mod callbacks;
mod closing;
mod dialling;
mod driver;
mod extending;
mod liveness;
mod lobby;
mod logging;
mod pairs;
mod panicking;
mod peer;
mod receiving;
mod robustness;
mod sending;
mod serving;
mod short_writes;
mod tls;
mod ways;
