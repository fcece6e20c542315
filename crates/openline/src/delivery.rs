//! Whether a ping of keepalive has reached the peer, or is behind messages that the peer takes slowly. What the
//! peer takes meanwhile is a sign of its life. Time comes from the caller.

use std::time::Instant;

/// Follows the ping with which the wait for a sign of life began, if something is before it. In the middle of the wait
/// it looks whether the ping is with the peer: if so, the peer has the other half to answer.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    ping: Option<Ping>,
}

#[derive(Debug)]
struct Ping {
    /// The end of the wait.
    until: Instant,
    /// How much was taken when it was sent.
    taken: u64,
    /// When to look whether it is delivered; `None` afterwards.
    look: Option<Instant>,
    is_delivered: bool,
}

impl Delivery {
    /// A ping goes out when so much is taken, behind nothing if `is_free`; a sign of life must come by `until`.
    /// Whether this ping is the one to follow.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        taken: u64,
        is_free: bool,
    ) -> bool {
        if self.ping.as_ref().map(|ping| ping.until) == until {
            return false; // It is one more of the same wait.
        }
        self.ping = until.map(|until| Ping {
            until,
            taken,
            look: (!is_free).then(|| now + until.saturating_duration_since(now) / 2),
            is_delivered: is_free,
        });
        self.deadline().is_some()
    }

    /// When [`handle_deadline`](Delivery::handle_deadline) is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ping.as_ref()?.look
    }

    /// Looks whether the ping is with the peer.
    pub(crate) fn handle_deadline(&mut self, now: Instant, is_delivered: bool) {
        if let Some(ping) = &mut self.ping
            && ping.look.take_if(|look| *look <= now).is_some()
        {
            ping.is_delivered = is_delivered;
        }
    }

    /// At the end of the wait: whether the ping came too late to the peer to be answered, or did not yet, and the
    /// peer has taken some of what is before it.
    pub(crate) fn is_under_way(&self, taken: u64) -> bool {
        self.ping.as_ref().is_some_and(|ping| !ping.is_delivered && taken != ping.taken)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A ping with a time-out of 20 seconds behind something: whether it is under way at the end.
    fn is_under_way(is_delivered_by_half: bool, is_some_taken: bool) -> bool {
        let start = Instant::now();
        let mut delivery = Delivery::default();
        assert!(delivery.sent(start, Some(start + 20 * SECOND), 500, false));
        assert_eq!(delivery.deadline(), Some(start + 10 * SECOND));
        delivery.handle_deadline(start + 9 * SECOND, true);
        delivery.handle_deadline(start + 10 * SECOND, is_delivered_by_half);
        assert_eq!(delivery.deadline(), None);
        delivery.is_under_way(500 + u64::from(is_some_taken))
    }

    #[test]
    fn a_peer_that_takes_what_is_before_the_ping_lives() {
        assert!(is_under_way(false, true));
        assert!(!is_under_way(false, false));
    }

    #[test]
    fn a_ping_that_has_come_in_time_is_to_be_answered() {
        // Whatever is taken of what follows it.
        assert!(!is_under_way(true, true));
    }

    #[test]
    fn a_ping_with_nothing_before_it_is_not_followed() {
        let start = Instant::now();
        let mut delivery = Delivery::default();
        assert!(!delivery.sent(start, Some(start + 20 * SECOND), 500, true));
        assert_eq!(delivery.deadline(), None);
        assert!(!delivery.is_under_way(900));
    }

    #[test]
    fn the_wait_is_for_the_first_of_several_pings() {
        let start = Instant::now();
        let until = Some(start + 20 * SECOND);
        let mut delivery = Delivery::default();
        assert!(delivery.sent(start, until, 0, false));
        delivery.handle_deadline(start + 10 * SECOND, false);
        // This one is delivered at once, after what the first one was behind.
        assert!(!delivery.sent(start + 19 * SECOND, until, 1500, true));
        assert_eq!(delivery.deadline(), None);
        assert!(delivery.is_under_way(1506));
        assert!(!delivery.sent(start + 20 * SECOND, Some(start + 40 * SECOND), 1506, true));
        assert!(!delivery.is_under_way(1512));
    }

    #[test]
    fn without_a_wait_there_is_nothing_to_look_for() {
        let mut delivery = Delivery::default();
        assert!(!delivery.sent(Instant::now(), None, 0, false));
        assert_eq!(delivery.deadline(), None);
    }
}
