//! The engine on threads, locks and a clock that a test commands (`cargo test --features model`).
//!
//! - [`scenarios`]: single hand-overs between threads, each under thousands of random schedules, without
//!   time. A wake-up that could be lost shows as a deadlock.
//! - [`simulate`]: whole worlds, with two ends, their drivers and users, a network that does what
//!   networks do, and a clock. All of a world follows from its seed.

mod board;
mod dice;
mod ledger;
pub(crate) mod network;
mod plan;
mod scenarios;
mod scheduler;
mod simulate;
mod users;
mod watchman;
mod world;
