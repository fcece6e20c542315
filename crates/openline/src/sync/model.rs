//! Those of shuttle, and time that passes only when somebody lets it ([`pass`]).
//!
//! All threads of a model run on one thread of the system, in turns. So what is kept for them here can
//! be thread-local, and a lock of the standard library that is held for no other turn is always free.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::PoisonError;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use shuttle::future::block_on;
use shuttle::scheduler::TaskId;

use super::Bug;
use crate::deadline::Deadline;

pub(crate) use shuttle::sync::{
    Arc, Mutex, MutexGuard, TryLockError, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// What time it is.
pub(crate) fn now() -> Instant {
    CLOCK.get()
}

/// The time since some moment.
pub(crate) fn coarse_now() -> Duration {
    CLOCK.get() - START.with(|start| *start)
}

/// Lets time pass until the next thread wakes, but at most so long; whether there is such a thread.
pub(crate) fn pass(at_most: Duration) -> bool {
    let next = TIMERS.with_borrow(|timers| timers.keys().next().map(|(at, _)| *at));
    let latest = now().checked_add(at_most);
    let Some(target) = next.into_iter().chain(latest).min() else { return false };
    CLOCK.set(now().max(target));
    loop {
        let due = TIMERS.with_borrow_mut(|timers| match timers.first_entry() {
            Some(timer) if timer.key().0 <= now() => Some(timer.remove()),
            _ => None,
        });
        match due {
            Some(sleeper) => sleeper.wake(),
            None => return next.is_some(),
        }
    }
}

/// Lets other threads have their turn.
pub(crate) fn switch() {
    shuttle::thread::sleep(Duration::ZERO);
}

/// A thread that is going to sleep, for those who will wake it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sleeper(Arc<std::sync::Mutex<Sleep>>);

#[derive(Debug, Default)]
struct Sleep {
    is_over: bool,
    waker: Option<Waker>,
}

impl Sleeper {
    /// Ends the sleep, also one that has not begun.
    pub(crate) fn wake(&self) {
        let waker = {
            let mut sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sleep.is_over = true;
            sleep.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Sleeps until it is woken, or until the moment has come.
    pub(crate) fn sleep(&self, until: Deadline) {
        if until.has_passed() {
            return;
        }
        let timer = until.at().map(|at| (at, NEXT_TIMER.replace(NEXT_TIMER.get() + 1)));
        if let Some(timer) = timer {
            TIMERS.with_borrow_mut(|timers| timers.insert(timer, self.clone()));
        }
        block_on(poll_fn(|context| {
            let mut sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if sleep.is_over {
                return Poll::Ready(());
            }
            sleep.waker = Some(context.waker().clone());
            Poll::Pending
        }));
        if let Some(timer) = timer {
            TIMERS.with_borrow_mut(|timers| timers.remove(&timer));
        }
    }
}

/// A condition variable whose waits end in virtual time, and never by themselves.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    waiting: std::sync::Mutex<Vec<Sleeper>>,
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar::default()
    }

    pub(crate) fn notify_all(&self) {
        switch();
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.iter().for_each(Sleeper::wake);
    }
}

/// Waits for the condition variable, at most until then.
pub(crate) fn wait<'m, T>(
    condvar: &Condvar,
    mutex: &'m Mutex<T>,
    guard: MutexGuard<'m, T>,
    deadline: Deadline,
) -> MutexGuard<'m, T> {
    let me = shuttle::current::me();
    SUSPECTS.with_borrow_mut(|suspects| suspects.remove(&me));
    // Who rings without the lock may do so here, where nobody hears it yet.
    switch();
    let sleeper = Sleeper::default();
    WAITING.with_borrow_mut(|waiting| waiting.insert(me, sleeper.clone()));
    condvar.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(sleeper.clone());
    drop(guard);
    sleeper.sleep(deadline);
    WAITING.with_borrow_mut(|waiting| waiting.remove(&me));
    super::lock(mutex)
}

/// Has everybody who waits for a condition variable look again, at a moment when nobody can go on; whether
/// there is anybody. They must go on to wait: [`suspects`].
pub(crate) fn audit() -> bool {
    let waiting = WAITING.with_borrow(Clone::clone);
    SUSPECTS.set(waiting.keys().copied().collect());
    waiting.values().for_each(Sleeper::wake);
    !waiting.is_empty()
}

/// Threads that found in the audit what they wait for, and that nobody had told of it.
pub(crate) fn suspects() -> Vec<String> {
    let name = |task: &TaskId| shuttle::current::get_name_for_task(*task);
    SUSPECTS.with_borrow(|tasks| tasks.iter().filter_map(name).map(|it| it.into()).collect())
}

/// Plants a bug, or none, in the engine.
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted, for a simulation that has to find it.
pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

thread_local! {
    static START: Instant = CLOCK.get();
    static CLOCK: Cell<Instant> = Cell::new(Instant::now());
    /// Who wakes when, in order; the number tells those of one moment apart.
    static TIMERS: RefCell<BTreeMap<(Instant, u64), Sleeper>> = RefCell::default();
    static NEXT_TIMER: Cell<u64> = const { Cell::new(0) };
    /// Who waits for a condition variable.
    static WAITING: RefCell<BTreeMap<TaskId, Sleeper>> = RefCell::default();
    static SUSPECTS: RefCell<BTreeSet<TaskId>> = RefCell::default();
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}
