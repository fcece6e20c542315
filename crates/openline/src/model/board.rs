//! Who is doing what, since when and how long it may take.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scheduler;
use crate::deadline::Deadline;
use crate::sync::{self, Sleeper};

/// The threads of a world, and the calls that they are in.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<String, Option<(&'static str, Instant)>>,
    /// Whether long pauses are to end.
    is_urgent: bool,
    is_over: bool,
    /// Who wants to know of changes.
    sleepers: Vec<Sleeper>,
}

impl Board {
    /// Runs a thread's work, which it ends with.
    pub(super) fn work(&self, who: &str, work: impl FnOnce(&Caller<'_>)) {
        work(&Caller { board: self, who });
        self.state().calls.remove(who);
        self.change();
    }

    /// Notes a thread that is going to work.
    pub(super) fn expect(&self, who: &str) {
        self.state().calls.insert(who.to_owned(), None);
    }

    /// Waits until something holds, which is asked whenever something changes; whether it does.
    pub(super) fn until(&self, deadline: Deadline, holds: impl Fn(&Board) -> bool) -> bool {
        loop {
            let sleeper = Sleeper::default();
            self.state().sleepers.push(sleeper.clone());
            if holds(self) {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            sleeper.sleep(deadline);
        }
    }

    /// Whether all threads have ended whose names begin with one of these.
    pub(super) fn have_ended(&self, names: &[&str]) -> bool {
        let state = self.state();
        !state.calls.keys().any(|who| names.iter().any(|name| who.starts_with(name)))
    }

    pub(super) fn change(&self) {
        let sleepers = std::mem::take(&mut self.state().sleepers);
        sleepers.iter().for_each(Sleeper::wake);
    }

    /// Ends long pauses.
    pub(super) fn urge(&self) {
        self.state().is_urgent = true;
        self.change();
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().is_over
    }

    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.change();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = sync::now();
        for (who, call) in &self.state().calls {
            match call {
                Some((what, since)) => write!(f, "{who} is in {what} for {:?}; ", now - *since)?,
                None => write!(f, "{who} is between calls; ")?,
            }
        }
        Ok(())
    }
}

/// A thread of the world.
pub(super) struct Caller<'b> {
    pub(super) board: &'b Board,
    who: &'b str,
}

impl Caller<'_> {
    /// Makes a call, which must not take longer than its bound.
    pub(super) fn call<T>(
        &self,
        what: &'static str,
        bound: Option<Duration>,
        call: impl FnOnce() -> T,
    ) -> T {
        let start = sync::now();
        show(|| format!("{}: {what} begins", self.who));
        self.board.state().calls.insert(self.who.to_owned(), Some((what, start)));
        let outcome = call();
        let took = sync::now() - start;
        show(|| format!("{}: {what} took {took:?}", self.who));
        if let Some(bound) = bound {
            assert!(took <= bound + SLACK, "{}: {what} took {took:?}, not {bound:?}", self.who);
        }
        scheduler::note(took.as_nanos() as u64);
        self.board.state().calls.insert(self.who.to_owned(), None);
        self.board.change();
        outcome
    }

    /// Does nothing for so long.
    pub(super) fn pause(&self, time: Duration) {
        Sleeper::default().sleep(Deadline::from(time));
    }

    /// Does nothing for so long, or until there is hurry.
    pub(super) fn pause_long(&self, time: Duration) {
        self.board.until(Deadline::from(time), |board| board.state().is_urgent);
    }
}

/// Tells what happens, if `SHOW` is set.
#[allow(clippy::print_stdout, reason = "it is run as a command")]
pub(super) fn show(what: impl FnOnce() -> String) {
    static IS_SHOWN: LazyLock<bool> = LazyLock::new(|| std::env::var_os("SHOW").is_some());
    if *IS_SHOWN {
        println!("{:?} {}", shuttle::current::me(), what());
    }
}

/// What a call may take beyond its bound: the machine is busy, too.
const SLACK: Duration = Duration::from_millis(200);
