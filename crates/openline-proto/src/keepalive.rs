//! Liveness: which pings are out, how long their Pongs took (RFC 6455 §5.5.2–3), when the next keepalive
//! is due, and when a peer has sent no message for too long. Time comes from the caller.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pings that wait for their Pongs, oldest first. At most 1,024 of them are remembered, so that a peer
/// that never answers takes no memory: the Pong of an older one is not recognised, but that of a later one
/// answers it.
///
/// ```
/// use std::time::{Duration, Instant};
/// use openline_proto::Pings;
/// let now = Instant::now();
/// let mut pings = Pings::default();
/// let id = pings.sent(b"a", now);
/// let answered = pings.answered(b"a", now + Duration::from_millis(30));
/// assert_eq!(answered, Some((id, Duration::from_millis(30))));
/// assert_eq!(pings.answered(b"unsolicited", now), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pings {
    outstanding: VecDeque<Sent>,
    next_id: u64,
}

#[derive(Clone, Debug)]
struct Sent {
    id: u64,
    payload: Vec<u8>,
    at: Instant,
}

impl Pings {
    /// Notes a ping that goes out. The result grows by one with each.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Pings;
    /// let mut pings = Pings::default();
    /// let first = pings.sent(b"a", Instant::now());
    /// assert_eq!(pings.sent(b"b", Instant::now()), first + 1);
    /// ```
    pub fn sent(&mut self, payload: &[u8], now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(Sent { id, payload: payload.to_vec(), at: now });
        id
    }

    /// Notes a Pong: the latest ping that it answers and the round trip. Earlier pings count as
    /// answered too, since a peer may answer only the latest (RFC 6455 §5.5.3).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Pings;
    /// let now = Instant::now();
    /// let mut pings = Pings::default();
    /// pings.sent(b"a", now);
    /// let second = pings.sent(b"b", now);
    /// assert_eq!(pings.answered(b"b", now), Some((second, Duration::ZERO)));
    /// assert_eq!(pings.answered(b"a", now), None); // was answered with it
    /// ```
    pub fn answered(&mut self, payload: &[u8], now: Instant) -> Option<(u64, Duration)> {
        let position = self.outstanding.iter().position(|sent| sent.payload == payload)?;
        let sent = self.outstanding.drain(..=position).next_back()?;
        Some((sent.id, now.saturating_duration_since(sent.at)))
    }

    /// Whether there was a ping of this number.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Pings;
    /// let mut pings = Pings::default();
    /// let id = pings.sent(b"a", Instant::now());
    /// assert!(pings.has_sent(id) && !pings.has_sent(id + 1));
    /// ```
    pub fn has_sent(&self, id: u64) -> bool {
        id < self.next_id
    }

    /// Whether a ping with this payload waits for its Pong.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Pings;
    /// let mut pings = Pings::default();
    /// pings.sent(b"a", Instant::now());
    /// assert!(pings.is_outstanding(b"a"));
    /// assert!(!pings.is_outstanding(b"b"));
    /// ```
    pub fn is_outstanding(&self, payload: &[u8]) -> bool {
        self.outstanding.iter().any(|sent| sent.payload == payload)
    }

    /// Forgets a ping that nobody waits for any more. A late Pong still answers the earlier ones.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Pings;
    /// let mut pings = Pings::default();
    /// let id = pings.sent(b"a", Instant::now());
    /// pings.forget(id);
    /// assert!(!pings.is_outstanding(b"a"));
    /// ```
    pub fn forget(&mut self, id: u64) {
        self.outstanding.retain(|sent| sent.id != id);
    }
}

/// The keepalive of one connection: a ping every so often, and the end if nothing at all comes back.
///
/// ```
/// use std::time::{Duration, Instant};
/// use openline_proto::{Due, Keepalive};
/// let second = Duration::from_secs(1);
/// let start = Instant::now();
/// let mut keepalive = Keepalive::new(Some(20 * second), Some(5 * second), start);
/// assert_eq!(keepalive.deadline(), Some(start + 20 * second));
/// assert_eq!(keepalive.handle_deadline(start + 20 * second, 0), Some(Due::Ping));
/// assert_eq!(keepalive.handle_deadline(start + 25 * second, 0), Some(Due::Timeout));
/// ```
#[derive(Clone, Debug)]
pub struct Keepalive {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    next_ping: Option<Instant>,
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Instant,
    /// The count of signs of life when the wait began.
    life: u64,
}

/// What a [`Keepalive`] wants done.
///
/// ```
/// use std::time::{Duration, Instant};
/// use openline_proto::{Due, Keepalive};
/// let now = Instant::now();
/// let mut keepalive = Keepalive::new(Some(Duration::ZERO), None, now);
/// assert_eq!(keepalive.handle_deadline(now, 0), Some(Due::Ping));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a ping.
    Ping,
    /// Nothing came from the peer for the ping time-out: fail the connection.
    Timeout,
}

impl Keepalive {
    /// A keepalive that pings every `interval` and gives the peer `timeout` to show a sign of life.
    /// `None`: no pings; or no time-out.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Keepalive;
    /// assert_eq!(Keepalive::new(None, None, Instant::now()).deadline(), None);
    /// ```
    pub fn new(interval: Option<Duration>, timeout: Option<Duration>, now: Instant) -> Keepalive {
        let next_ping = interval.and_then(|interval| now.checked_add(interval));
        Keepalive { interval, timeout, next_ping, waiting: None }
    }

    /// The time that the peer has for a sign of life.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Keepalive;
    /// let keepalive = Keepalive::new(None, Some(Duration::from_secs(5)), Instant::now());
    /// assert_eq!(keepalive.timeout(), Some(Duration::from_secs(5)));
    /// ```
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// When the wait for a sign of life is over that began with a ping; `None` while there is none.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Keepalive;
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(Some(20 * second), Some(30 * second), now);
    /// assert_eq!(keepalive.wait_end(), None);
    /// for pings in 1..=2 {
    ///     keepalive.handle_deadline(now + pings * 20 * second, 0);
    ///     assert_eq!(keepalive.wait_end(), Some(now + 50 * second)); // since the first of them
    /// }
    /// ```
    pub fn wait_end(&self) -> Option<Instant> {
        self.waiting.map(|waiting| waiting.until)
    }

    /// Whether to give up a peer that has taken nothing for so long while we have read nothing either: that
    /// we do not read counts as its life, but not while it holds up a sender of ours.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Keepalive;
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let keepalive = Keepalive::new(Some(20 * second), Some(5 * second), now);
    /// assert!(!keepalive.ends_stall_of(4 * second));
    /// assert!(keepalive.ends_stall_of(5 * second));
    /// ```
    pub fn ends_stall_of(&self, time: Duration) -> bool {
        self.interval.is_some() && self.timeout.is_some_and(|timeout| time >= timeout)
    }

    /// When [`handle_deadline`](Keepalive::handle_deadline) is to be called next.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Keepalive;
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(Some(20 * second), Some(5 * second), now);
    /// keepalive.handle_deadline(now + 20 * second, 0);
    /// assert_eq!(keepalive.deadline(), Some(now + 25 * second)); // before the next ping
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        [self.next_ping, self.wait_end()].into_iter().flatten().min()
    }

    /// What is due now. `life` is a number that changes with every sign of life: bytes that came, or
    /// our own choice not to read.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::{Due, Keepalive};
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(Some(20 * second), Some(5 * second), now);
    /// assert_eq!(keepalive.handle_deadline(now + 20 * second, 7), Some(Due::Ping));
    /// assert_eq!(keepalive.handle_deadline(now + 25 * second, 8), None); // something came
    /// ```
    pub fn handle_deadline(&mut self, now: Instant, life: u64) -> Option<Due> {
        if let Some(waiting) = &mut self.waiting {
            if waiting.life != life {
                self.waiting = None;
            } else if now >= waiting.until {
                return Some(Due::Timeout);
            }
        }
        if self.next_ping.is_none_or(|at| now < at) {
            return None;
        }
        self.next_ping = self.interval.and_then(|interval| now.checked_add(interval));
        // With a time-out longer than the interval the first ping's wait goes on.
        if self.waiting.is_none() {
            let until = self.timeout.and_then(|timeout| now.checked_add(timeout));
            self.waiting = until.map(|until| Waiting { until, life });
        }
        Some(Due::Ping)
    }
}

/// The end of a connection on which no message comes for too long, whatever its pings are answered with.
///
/// Who reads takes no time, but counts; so the count is looked at now and then, and the end comes a
/// quarter of the time-out late at most, never early.
///
/// ```
/// use std::time::{Duration, Instant};
/// use openline_proto::Idleness;
/// let second = Duration::from_secs(1);
/// let start = Instant::now();
/// let mut idleness = Idleness::new(Some(60 * second), start);
/// assert!(!idleness.handle_deadline(start + 59 * second, 0));
/// assert!(idleness.handle_deadline(start + 60 * second, 0));
/// ```
#[derive(Clone, Debug)]
pub struct Idleness {
    timeout: Option<Duration>,
    /// The count of messages when it was looked at last.
    count: u64,
    /// Since when that is the count, as far as is known.
    since: Instant,
    next_look: Option<Instant>,
}

impl Idleness {
    /// The idleness of a connection that is open from now on, with a count of 0. `None`: no limit.
    ///
    /// ```
    /// use std::time::Instant;
    /// use openline_proto::Idleness;
    /// assert_eq!(Idleness::new(None, Instant::now()).deadline(), None);
    /// ```
    pub fn new(timeout: Option<Duration>, now: Instant) -> Idleness {
        let mut idleness = Idleness { timeout, count: 0, since: now, next_look: None };
        idleness.plan(now);
        idleness
    }

    /// When [`handle_deadline`](Idleness::handle_deadline) is to be called next.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Idleness;
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let idleness = Idleness::new(Some(60 * second), now);
    /// assert_eq!(idleness.deadline(), Some(now + 15 * second));
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.next_look
    }

    /// Whether no message has come for the time-out. `count` is a number that changes with every piece
    /// of a message that comes, and with our own choice not to read; control frames do not count.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use openline_proto::Idleness;
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let mut idleness = Idleness::new(Some(60 * second), now);
    /// assert!(!idleness.handle_deadline(now + 45 * second, 1)); // something came
    /// assert!(!idleness.handle_deadline(now + 60 * second, 1));
    /// assert!(idleness.handle_deadline(now + 105 * second, 1));
    /// ```
    pub fn handle_deadline(&mut self, now: Instant, count: u64) -> bool {
        let Some(timeout) = self.timeout else { return false };
        if count != self.count {
            (self.count, self.since) = (count, now);
        }
        let is_over = now.saturating_duration_since(self.since) >= timeout;
        self.plan(now);
        is_over
    }

    fn plan(&mut self, now: Instant) {
        let end = self.timeout.and_then(|timeout| self.since.checked_add(timeout));
        let look = self.timeout.and_then(|timeout| now.checked_add(timeout / 4));
        self.next_look = [end, look].into_iter().flatten().min();
    }
}

/// Pings that are remembered until they are answered.
const MAX_OUTSTANDING: usize = 1024;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a start for a virtual clock")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_silent_peer_is_given_up_after_interval_and_timeout() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(Some(20 * SECOND), Some(20 * SECOND), start);
        let mut now = start;
        let mut dues = Vec::new();
        while dues.last() != Some(&Due::Timeout) {
            now = keepalive.deadline().unwrap();
            dues.extend(keepalive.handle_deadline(now, 0));
        }
        assert_eq!(dues, [Due::Ping, Due::Timeout]);
        assert_eq!(now - start, 40 * SECOND);
    }

    #[test]
    fn any_sign_of_life_counts() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(Some(SECOND), Some(SECOND), start);
        for life in 0..100 {
            let now = keepalive.deadline().unwrap();
            assert_ne!(keepalive.handle_deadline(now, life), Some(Due::Timeout), "{life}");
        }
    }

    #[test]
    fn a_timeout_longer_than_the_interval_is_kept() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(Some(SECOND), Some(5 * SECOND), start);
        let mut now = start;
        while keepalive.handle_deadline(now, 7) != Some(Due::Timeout) {
            now = keepalive.deadline().unwrap();
        }
        assert_eq!(now - start, 6 * SECOND);
    }

    #[test]
    fn without_interval_or_timeout_nothing_is_due() {
        let start = Instant::now();
        assert_eq!(Keepalive::new(None, Some(SECOND), start).deadline(), None);
        let mut endless = Keepalive::new(Some(SECOND), None, start);
        for n in 1..50 {
            assert_eq!(endless.handle_deadline(start + n * SECOND, 0), Some(Due::Ping));
        }
    }

    /// Runs an idleness with this time-out until it is over; `count` gives the count at a time.
    fn end_of(timeout: Duration, count: impl Fn(Duration) -> u64) -> Duration {
        let start = Instant::now();
        let mut idleness = Idleness::new(Some(timeout), start);
        loop {
            let now = idleness.deadline().unwrap();
            if idleness.handle_deadline(now, count(now - start)) {
                return now - start;
            }
        }
    }

    #[test]
    fn a_connection_without_a_message_ends_after_the_idle_timeout() {
        assert_eq!(end_of(8 * SECOND, |_| 0), 8 * SECOND);
    }

    #[test]
    fn the_idle_timeout_is_at_most_a_quarter_late_and_never_early() {
        for last in 0..80 {
            let last = last * SECOND;
            let took = end_of(8 * SECOND, |now| now.min(last).as_secs()) - last;
            assert!((8 * SECOND..=10 * SECOND).contains(&took), "{last:?}: {took:?}");
        }
    }

    #[test]
    fn an_idle_timeout_beyond_the_clock_is_none() {
        let mut endless = Idleness::new(Some(Duration::MAX), Instant::now());
        assert!(!endless.handle_deadline(Instant::now() + 1000 * SECOND, 0));
    }

    #[test]
    fn pings_that_are_never_answered_take_bounded_memory() {
        let now = Instant::now();
        let mut pings = Pings::default();
        for n in 0..3 * MAX_OUTSTANDING {
            pings.sent(&n.to_be_bytes(), now);
        }
        assert_eq!(pings.outstanding.len(), MAX_OUTSTANDING);
        let last = 3 * MAX_OUTSTANDING - 1;
        assert_eq!(pings.answered(&0_usize.to_be_bytes(), now), None);
        let answered = pings.answered(&last.to_be_bytes(), now);
        assert_eq!(answered, Some((last as u64, Duration::ZERO)));
        assert!(pings.outstanding.is_empty());
    }

    #[test]
    fn a_pong_answers_earlier_pings_too() {
        let now = Instant::now();
        let mut pings = Pings::default();
        pings.sent(b"a", now);
        let b = pings.sent(b"b", now);
        pings.sent(b"c", now);
        assert_eq!(pings.answered(b"b", now + SECOND), Some((b, SECOND)));
        assert!(!pings.is_outstanding(b"a"));
        assert!(pings.is_outstanding(b"c"));
    }
}
