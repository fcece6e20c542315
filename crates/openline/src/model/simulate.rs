//! Worlds by the thousand: `make simulate`, seeds that once failed, and bugs that must be found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::scheduler::{Progress, Weaver, progress};
use super::world;
use crate::sync::{self, Bug};

/// Simulates worlds from a seed on while the progress is not enough.
///
/// # Panics
///
/// If something does not hold; [`progress`] tells where.
fn simulate(first_seed: u64, goes_on: impl FnMut(Progress) -> bool + 'static) -> Progress {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    Runner::new(Weaver::new(first_seed, goes_on), config).run(world::live);
    progress()
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value.parse().expect("a number"),
        _ => default,
    }
}

/// What `make simulate` runs: `STEPS`, or `SECONDS`, of the worlds from `SEED` on.
#[test]
#[allow(clippy::print_stdout, reason = "it is run as a command")]
fn worlds() {
    let first_seed = number("SEED", 1);
    let (steps, seconds) = (number("STEPS", 100_000), number("SECONDS", 0));
    let start = Instant::now();
    let is_enough = move |progress: Progress| match seconds {
        0 => progress.steps >= steps,
        _ => start.elapsed() >= Duration::from_secs(seconds),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| simulate(first_seed, move |it| !is_enough(it))));
    let Progress { seed, worlds, steps, .. } = progress();
    let per_second = steps as f64 / start.elapsed().as_secs_f64();
    println!("{steps} steps in {worlds} worlds, {per_second:.0} steps/s");
    if outcome.is_err() {
        panic!("the world of seed {seed} fails; again: make simulate SEED={seed} STEPS=1");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs = [(); 2].map(|()| simulate(7, |progress| progress.worlds < 20));
    assert_eq!(runs[0], runs[1]);
    assert_ne!(simulate(8, |progress| progress.worlds < 20).trace, runs[0].trace);
}

/// Seeds of worlds in which something failed once.
#[test]
fn what_failed_once_holds() {
    for seed in [] {
        simulate(seed, |progress| progress.worlds < 1);
    }
}

#[test]
fn a_lost_wake_up_is_found() {
    find(Bug::LostWakeUp);
}

#[test]
fn a_dropped_pong_is_found() {
    find(Bug::DroppedPong);
}

#[test]
fn a_double_delivery_is_found() {
    find(Bug::DoubleDelivery);
}

#[test]
fn a_forgotten_tail_is_found() {
    find(Bug::ForgottenTail);
}

/// Runs worlds with a bug in the engine until one fails.
#[allow(clippy::print_stdout, reason = "how long it took is to be seen")]
fn find(bug: Bug) {
    sync::plant(Some(bug));
    let start = Instant::now();
    let search = || simulate(1, move |_| start.elapsed() < Duration::from_secs(300));
    let is_found = catch_unwind(AssertUnwindSafe(search)).is_err();
    sync::plant(None);
    let Progress { seed, worlds, steps, .. } = progress();
    assert!(is_found, "not found in {steps} steps");
    let took = start.elapsed();
    println!("{bug:?}: found by seed {seed}, in {worlds} worlds, {steps} steps, {took:.1?}");
}

/// More than any world needs: who spins is found out.
const MOST_STEPS: usize = 3_000_000;
