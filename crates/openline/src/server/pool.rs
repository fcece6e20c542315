//! Threads for what may take its time: as many as there is work at once, which stay for a while when there is none.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::status::SLICE;

/// A growing pool of threads, each of which does one piece of work at a time.
pub(super) struct Pool<T> {
    work: Box<dyn Fn(T) + Send + Sync>,
    state: Mutex<State<T>>,
    /// There is work.
    came: Condvar,
    /// A thread has done its work.
    done: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Threads without work.
    idle: usize,
    /// Threads with work.
    busy: usize,
    is_over: bool,
}

impl<T: Send + 'static> Pool<T> {
    /// A pool that does this with each piece.
    pub(super) fn new(work: impl Fn(T) + Send + Sync + 'static) -> Arc<Pool<T>> {
        let state = State { waiting: VecDeque::new(), idle: 0, busy: 0, is_over: false };
        Arc::new(Pool {
            work: Box::new(work),
            state: Mutex::new(state),
            came: Condvar::new(),
            done: Condvar::new(),
        })
    }

    /// Has a thread do a piece of work at once.
    ///
    /// # Errors
    ///
    /// The piece, when no thread can be started.
    pub(super) fn take_on(self: &Arc<Pool<T>>, piece: T) -> Result<(), (T, io::Error)> {
        let mut state = self.state();
        state.waiting.push_back(piece);
        if state.waiting.len() <= state.idle {
            drop(state);
            self.came.notify_one();
            return Ok(());
        }
        state.busy += 1; // as which it begins
        drop(state);
        let pool = self.clone();
        let spawned =
            thread::Builder::new().name("openline-handler".to_owned()).spawn(move || pool.run());
        match spawned {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut state = self.state();
                state.busy -= 1;
                // One that has become idle meanwhile may have taken it.
                match state.waiting.pop_back() {
                    Some(piece) => Err((piece, error)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Has the threads end when they are done, and waits for that until a deadline.
    pub(super) fn end(&self, deadline: Deadline) {
        let mut state = self.state();
        state.is_over = true;
        self.came.notify_all();
        while state.busy > 0 && !deadline.has_passed() {
            let left = deadline.remaining().unwrap_or(SLICE);
            let outcome = self.done.wait_timeout(state, left);
            state = outcome.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(self: Arc<Pool<T>>) {
        let mut state = self.state();
        loop {
            if let Some(piece) = state.waiting.pop_front() {
                drop(state);
                let busy = Busy(&self);
                (self.work)(piece);
                std::mem::forget(busy);
                state = self.state();
            }
            if !state.waiting.is_empty() {
                continue;
            }
            state.busy -= 1;
            self.done.notify_all();
            if state.is_over {
                return;
            }
            state.idle += 1;
            let outcome = self.came.wait_timeout_while(state, IDLE_TIME, |state| {
                state.waiting.is_empty() && !state.is_over
            });
            state = outcome.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            if state.waiting.is_empty() {
                return;
            }
            state.busy += 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a thread out that ends by a panic.
struct Busy<'p, T: Send + 'static>(&'p Pool<T>);

impl<T: Send + 'static> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
        self.0.done.notify_all();
    }
}

/// A thread without work ends after this time.
const IDLE_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_is_done_takes_the_next_piece() {
        let (sender, threads) = mpsc::channel();
        let pool = Pool::new(move |()| sender.send(thread::current().id()).unwrap());
        let mut seen = Vec::new();
        for _ in 0..10 {
            pool.take_on(()).unwrap();
            seen.push(threads.recv().unwrap());
            while pool.state().idle == 0 {
                thread::yield_now();
            }
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
        pool.end(Deadline::NEVER);
    }

    #[test]
    fn no_piece_waits_for_another() {
        let barrier = Arc::new(std::sync::Barrier::new(20));
        let meeting = barrier.clone();
        let pool = Pool::new(move |()| {
            meeting.wait();
        });
        for _ in 0..19 {
            pool.take_on(()).unwrap();
        }
        barrier.wait(); // all of them are at it at once
        pool.end(Deadline::NEVER);
        assert_eq!(pool.state().busy, 0);
    }

    #[test]
    fn a_panic_ends_one_thread_only() {
        let (sender, done) = mpsc::channel();
        let pool = Pool::new(move |panics: bool| {
            assert!(!panics, "as the test wants it");
            sender.send(()).unwrap();
        });
        pool.take_on(true).unwrap();
        pool.take_on(false).unwrap();
        done.recv().unwrap();
        pool.end(Deadline::NEVER);
        assert_eq!(pool.state().busy, 0);
    }
}
