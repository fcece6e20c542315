//! Whether a ping of keepalive has reached the peer, or is behind messages that the peer takes slowly. What the
//! peer takes meanwhile is a sign of its life. Time comes from the caller.

use std::time::Instant;

/// How it stands with what we send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// Bytes that were taken until now: acknowledged by the peer's system, or, where nobody can tell, taken by ours.
    pub(crate) taken: u64,
    /// Bytes in our system that are to be acknowledged, as far as is known.
    pub(crate) queued: u64,
    /// Whether some are with us yet.
    pub(crate) is_held: bool,
}

impl Backlog {
    fn is_empty(self) -> bool {
        !self.is_held && self.queued == 0
    }

    /// The place in the stream of what is sent now, unless something is before it with us.
    fn end(self) -> Option<u64> {
        (!self.is_held).then_some(self.taken + self.queued)
    }
}

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
    /// What was taken when it was sent.
    taken: u64,
    /// Its place in the stream, once that is known.
    position: Option<u64>,
    /// When to look whether it is delivered; `None` afterwards.
    look: Option<Instant>,
    is_delivered: bool,
}

impl Delivery {
    /// A ping goes out behind that, and by then a sign of life must come.
    pub(crate) fn sent(&mut self, now: Instant, until: Option<Instant>, before: Backlog) {
        if self.ping.as_ref().map(|ping| ping.until) == until {
            return; // It is one more of the same wait.
        }
        self.ping = until.map(|until| Ping {
            until,
            taken: before.taken,
            position: before.end(),
            look: (!before.is_empty()).then(|| now + until.saturating_duration_since(now) / 2),
            is_delivered: before.is_empty(),
        });
    }

    /// When [`handle_deadline`](Delivery::handle_deadline) is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ping.as_ref()?.look
    }

    /// Looks whether the ping is with the peer.
    pub(crate) fn handle_deadline(&mut self, now: Instant, backlog: Backlog) {
        if let Some(ping) = &mut self.ping
            && ping.look.take_if(|look| *look <= now).is_some()
        {
            ping.is_delivered =
                backlog.is_empty() || ping.position.is_some_and(|it| backlog.taken > it);
        }
    }

    /// At the end of the wait: whether the ping came too late to the peer to be answered, or did not yet, and the
    /// peer has taken some of what is before it.
    pub(crate) fn is_under_way(&self, backlog: Backlog) -> bool {
        let ping = self.ping.as_ref();
        ping.is_some_and(|ping| !ping.is_delivered && backlog.taken != ping.taken)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A ping with a time-out of 20 seconds behind `before`: whether it is under way at its end, if the first of
    /// `looks` is found after 10 seconds, and the second one then.
    fn is_under_way(before: Backlog, looks: [Backlog; 2]) -> bool {
        let start = Instant::now();
        let mut delivery = Delivery::default();
        delivery.sent(start, Some(start + 20 * SECOND), before);
        if let Some(look) = delivery.deadline() {
            assert_eq!(look, start + 10 * SECOND);
            delivery.handle_deadline(look, looks[0]);
            assert_eq!(delivery.deadline(), None);
        }
        delivery.is_under_way(looks[1])
    }

    fn held(taken: u64, queued: u64) -> Backlog {
        Backlog { taken, queued, is_held: true }
    }

    fn queued(taken: u64, queued: u64) -> Backlog {
        Backlog { taken, queued, is_held: false }
    }

    #[test]
    fn a_peer_that_takes_what_is_before_the_ping_lives() {
        assert!(is_under_way(held(0, 900), [held(500, 900), held(1000, 900)]));
        assert!(is_under_way(held(0, 900), [held(500, 900), queued(2000, 0)]));
        assert!(is_under_way(queued(0, 900), [queued(500, 400), queued(899, 1)]));
        // It came too late to be answered: the peer is given the time of another ping.
        assert!(is_under_way(queued(0, 900), [queued(900, 6), queued(906, 0)]));
    }

    #[test]
    fn a_peer_that_takes_nothing_does_not() {
        assert!(!is_under_way(held(7, 900), [held(7, 900), held(7, 900)]));
        assert!(!is_under_way(queued(7, 900), [queued(7, 906), queued(7, 906)]));
    }

    #[test]
    fn a_ping_that_has_come_in_time_is_to_be_answered() {
        // Whatever the peer's system takes of what follows it.
        assert!(!is_under_way(queued(0, 0), [queued(5000, 300), held(9000, 0)]));
        assert!(!is_under_way(queued(0, 900), [queued(907, 300), held(9000, 0)]));
        assert!(!is_under_way(held(0, 900), [queued(5000, 0), held(9000, 0)]));
    }

    #[test]
    fn the_wait_is_for_the_first_of_several_pings() {
        let start = Instant::now();
        let until = Some(start + 20 * SECOND);
        let mut delivery = Delivery::default();
        delivery.sent(start, until, held(0, 900));
        delivery.handle_deadline(start + 10 * SECOND, held(500, 900));
        // This one is delivered at once, after what the first one was behind.
        delivery.sent(start + 19 * SECOND, until, queued(1500, 0));
        assert_eq!(delivery.deadline(), None);
        assert!(delivery.is_under_way(queued(1506, 0)));
        delivery.sent(start + 20 * SECOND, Some(start + 40 * SECOND), queued(1506, 0));
        assert!(!delivery.is_under_way(queued(1512, 0)));
    }

    #[test]
    fn without_a_wait_there_is_nothing_to_look_for() {
        let mut delivery = Delivery::default();
        delivery.sent(Instant::now(), None, held(0, 900));
        assert_eq!(delivery.deadline(), None);
    }
}
