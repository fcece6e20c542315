//! Looking for bytes for a moment before going to sleep for them. To be woken takes 15 to 30 µs, many times what a fast
//! peer takes to answer.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// Whether, and for how long, a receiver looks before it sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spin {
    Off,
    Fixed(Duration),
    /// It learns whether that pays: it looks only after some answers in a row that came within [`LONGEST`], and stops
    /// with the first one that does not. Whenever it has looked in vain it wants more of them: so a peer that shares
    /// our CPU, and cannot go on meanwhile, is soon left alone.
    Adaptive {
        fast: u16,
        needed: u16,
    },
}

impl Spin {
    /// As `busy_poll` asks for.
    pub(super) fn new(busy_poll: Option<Duration>) -> Spin {
        match busy_poll.or_else(|| *FROM_ENVIRONMENT.as_ref().unwrap_or(&None)) {
            Some(Duration::ZERO) => Spin::Off,
            Some(time) => Spin::Fixed(time),
            None => Spin::Adaptive { fast: 0, needed: LEAST_FAST },
        }
    }

    /// How long to look.
    pub(super) fn time(self) -> Duration {
        match self {
            Spin::Fixed(time) => time,
            Spin::Adaptive { fast, needed } if fast >= needed => LONGEST,
            Spin::Off | Spin::Adaptive { .. } => Duration::ZERO,
        }
    }

    /// To be held while it looks, as one of those that do so in this process. `None`: half of the CPUs are
    /// busy with that.
    pub(super) fn begin(self, spinning: &AtomicUsize) -> Option<Spinning<'_>> {
        let others = spinning.fetch_add(1, Ordering::Relaxed);
        let spinning = Spinning(spinning);
        let is_asked_for = matches!(self, Spin::Fixed(_));
        (is_asked_for || others < *HALF_OF_CPUS).then_some(spinning)
    }

    /// Notes how long an answer took, and whether it was looked for.
    pub(super) fn note(&mut self, time: Duration, looked: bool) {
        let Spin::Adaptive { fast, needed } = self else { return };
        if time > LONGEST {
            *fast = 0;
            if looked {
                *needed = (*needed * 2).min(MOST_FAST);
            }
        } else if looked {
            *fast = MOST_FAST;
            *needed = (*needed - 1).max(LEAST_FAST);
        } else {
            *fast = (*fast + 1).min(MOST_FAST);
        }
    }
}

/// One that looks now.
pub(super) struct Spinning<'s>(&'s AtomicUsize);

impl Drop for Spinning<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether it can be done, and what `None` means in this process: the number of microseconds in
/// `OPENLINE_BUSY_POLL_US`.
///
/// # Errors
///
/// That it is too long, or that the variable is no such number.
pub(crate) fn check_busy_poll(busy_poll: Option<Duration>) -> Result<()> {
    let from_environment = FROM_ENVIRONMENT.as_ref().map_err(|text| {
        Error::Argument(format!(
            "the environment variable {VARIABLE} must be a number of microseconds, not {text:?}"
        ))
    })?;
    match busy_poll.or(*from_environment) {
        Some(time) if time > MOST => {
            let text = format!(
                "busy_poll is {time:?}, and can be {MOST:?} at most, as signals wait for it"
            );
            Err(Error::Argument(text))
        }
        _ => Ok(()),
    }
}

static FROM_ENVIRONMENT: LazyLock<std::result::Result<Option<Duration>, String>> =
    LazyLock::new(|| match std::env::var_os(VARIABLE) {
        None => Ok(None),
        Some(text) => match text.to_str().and_then(|text| text.parse().ok()) {
            Some(time) => Ok(Some(Duration::from_micros(time))),
            None => Err(text.to_string_lossy().into_owned()),
        },
    });

const VARIABLE: &str = "OPENLINE_BUSY_POLL_US";

static HALF_OF_CPUS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, |cpus| cpus.get().div_ceil(2)));

/// To look longer costs more than to sleep.
const LONGEST: Duration = Duration::from_micros(50);

/// A signal is seen after that at the latest.
const MOST: Duration = Duration::from_millis(100);

const LEAST_FAST: u16 = 4;
const MOST_FAST: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(10);
    const SLOW: Duration = Duration::from_millis(1);

    fn adaptive() -> Spin {
        Spin::Adaptive { fast: 0, needed: LEAST_FAST }
    }

    /// For how many of these answers it looked in vain.
    fn in_vain(spin: &mut Spin, answers: impl IntoIterator<Item = Duration>) -> usize {
        let mut count = 0;
        for time in answers {
            let looks = !spin.time().is_zero();
            count += usize::from(looks && time > LONGEST);
            spin.note(time, looks);
        }
        count
    }

    #[test]
    fn it_looks_after_some_fast_answers() {
        let mut spin = adaptive();
        for _ in 0..LEAST_FAST {
            assert_eq!(spin.time(), Duration::ZERO);
            spin.note(FAST, false);
        }
        assert_eq!(spin.time(), LONGEST);
        spin.note(SLOW, true);
        assert_eq!(spin.time(), Duration::ZERO);
    }

    #[test]
    fn who_finds_no_place_has_not_looked_in_vain() {
        let spinning = AtomicUsize::new(0);
        let mut spin = adaptive();
        in_vain(&mut spin, [FAST; 4]);
        let others: Vec<_> = (0..*HALF_OF_CPUS).map(|_| spin.begin(&spinning)).collect();
        assert!(others.iter().all(Option::is_some));
        for _ in 0..20 {
            assert!(spin.begin(&spinning).is_none());
            spin.note(SLOW, false);
        }
        assert!(Spin::Fixed(LONGEST).begin(&spinning).is_some(), "it was asked for");
        drop(others);
        in_vain(&mut spin, [FAST; 4]);
        assert_eq!(spin.time(), LONGEST);
        assert!(spin.begin(&spinning).is_some());
    }

    #[test]
    fn it_rarely_looks_in_vain_whatever_the_peer_does() {
        let mut spin = adaptive();
        assert_eq!(in_vain(&mut spin, [SLOW; 10_000]), 0);
        // Just as many fast ones as make it look, at first; then it wants more.
        let pattern = [FAST, FAST, FAST, FAST, SLOW].into_iter().cycle().take(10_000);
        assert_eq!(in_vain(&mut spin, pattern), 1);
        let pattern = (1..200).flat_map(|n| [vec![FAST; n], vec![SLOW]].concat());
        assert!(in_vain(&mut adaptive(), pattern) < 10);
    }

    #[test]
    fn it_leaves_a_peer_alone_that_cannot_answer_while_it_looks() {
        let mut spin = adaptive();
        let mut count = 0;
        for _ in 0..100_000 {
            let looks = !spin.time().is_zero();
            count += usize::from(looks);
            spin.note(if looks { SLOW } else { FAST }, looks);
        }
        assert!(count < 40, "{count}");
    }

    #[test]
    fn it_forgives_a_peer_that_was_fast_for_long() {
        let mut spin = adaptive();
        for _ in 0..20 {
            in_vain(&mut spin, [vec![FAST; 2 * usize::from(MOST_FAST)], vec![SLOW]].concat());
        }
        in_vain(&mut spin, [FAST; 8]);
        assert_eq!(spin.time(), LONGEST);
    }
}
