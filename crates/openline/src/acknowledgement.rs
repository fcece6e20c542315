//! The end of a connection whose peer acknowledges nothing, at the level of TCP: also while we do not read, and
//! without any ping. Time comes from the caller.

use std::time::{Duration, Instant};

use crate::transport::SentBytes;

/// Looks now and then whether sent bytes stay without an acknowledgement. The end comes half of the time-out late at
/// most, never early.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    timeout: Option<Duration>,
    /// Since when one is overdue, as far as is known, and none came.
    overdue_since: Option<Instant>,
    next_look: Option<Instant>,
}

impl Acknowledgement {
    pub(crate) fn new(timeout: Option<Duration>, now: Instant) -> Acknowledgement {
        let mut acknowledgement = Acknowledgement { timeout, overdue_since: None, next_look: None };
        acknowledgement.plan(now);
        acknowledgement
    }

    /// When to look next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next_look
    }

    /// Whether the peer has acknowledged nothing for the time-out. `sent` is `None` if nobody can tell,
    /// which stays so.
    pub(crate) fn handle_deadline(&mut self, now: Instant, sent: Option<SentBytes>) -> bool {
        let Some((sent, timeout)) = sent.zip(self.timeout) else {
            self.next_look = None;
            return false;
        };
        self.plan(now);
        if !sent.are_unacknowledged {
            self.overdue_since = None;
            return false;
        }
        let since = *self.overdue_since.get_or_insert(now);
        let time = now.saturating_duration_since(since);
        if sent.last_acknowledgement < time + CLOCK_TICK {
            // What is overdue now may have been sent later.
            self.overdue_since = Some(now);
            return false;
        }
        time >= timeout
    }

    fn plan(&mut self, now: Instant) {
        self.next_look = self.timeout.and_then(|timeout| now.checked_add(timeout / 2));
    }
}

/// The kernel's clock goes in steps, and is read after ours: an acknowledgement may seem older by this.
const CLOCK_TICK: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs it with a time-out of 20 seconds; `sent` tells the state at a time. When it ends, within 1,000 seconds.
    fn end(sent: impl Fn(Duration) -> Option<SentBytes>) -> Option<Duration> {
        let start = Instant::now();
        let mut acknowledgement = Acknowledgement::new(Some(20 * SECOND), start);
        while let Some(now) = acknowledgement.deadline() {
            let time = now - start;
            if acknowledgement.handle_deadline(now, sent(time)) {
                return Some(time);
            }
            if time > 1000 * SECOND {
                break;
            }
        }
        None
    }

    fn state(are_unacknowledged: bool, last_acknowledgement: Duration) -> Option<SentBytes> {
        Some(SentBytes { are_unacknowledged, last_acknowledgement, counts: None })
    }

    #[test]
    fn a_peer_that_acknowledges_nothing_is_given_up_at_most_half_late() {
        for gone in 0..60 {
            let gone = gone * SECOND;
            let took = end(|now| match now.checked_sub(gone) {
                Some(silent) => state(true, silent),
                None => state(false, SECOND),
            });
            let took = took.unwrap() - gone;
            assert!((20 * SECOND..=30 * SECOND).contains(&took), "{gone:?}: {took:?}");
        }
    }

    #[test]
    fn a_peer_that_acknowledges_is_not_whatever_is_on_its_way() {
        assert_eq!(end(|_| state(true, 9 * SECOND)), None);
        // Nothing was sent for an hour: nothing is there to be acknowledged.
        assert_eq!(end(|now| state(false, 3600 * SECOND + now)), None);
        // A segment is on its way at every look, each a new one.
        assert_eq!(end(|_| state(true, Duration::from_millis(1))), None);
    }

    #[test]
    fn an_acknowledgement_right_after_the_look_counts_whatever_the_clocks_say() {
        let start = Instant::now();
        let mut acknowledgement = Acknowledgement::new(Some(SECOND), start);
        // Both looks meet a ping that has just gone out; the first one was acknowledged at once.
        assert!(!acknowledgement.handle_deadline(start, state(true, SECOND)));
        let rounded_up = SECOND + Duration::from_millis(8);
        assert!(!acknowledgement.handle_deadline(start + SECOND, state(true, rounded_up)));
    }

    #[test]
    fn an_acknowledgement_in_time_begins_anew() {
        // The first bytes are acknowledged after 15 seconds; of the next ones none are.
        let took = end(|now| state(true, now.checked_sub(15 * SECOND).unwrap_or(now)));
        assert_eq!(took, Some(40 * SECOND));
    }

    #[test]
    fn where_nobody_can_tell_there_is_no_second_look() {
        let mut acknowledgement = Acknowledgement::new(Some(SECOND), Instant::now());
        assert!(!acknowledgement.handle_deadline(Instant::now() + SECOND, None));
        assert_eq!(acknowledgement.deadline(), None);
    }
}
