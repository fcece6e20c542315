//! Looks, all the time, whether what waits for room goes out while there is room.

use std::time::{Duration, Instant};

use openline_proto::State;

use super::board::Caller;
use super::network::Network;
use super::world::USERS;
use crate::line::Line;
use crate::sync::{self, Ordering, Weak};

/// Watches over what one end sends.
pub(super) struct Watchman {
    line: Weak<Line>,
    network: Network,
    side: usize,
    /// Since when bytes wait though there is room, and how many had been written.
    left: Option<(Instant, u64)>,
}

impl Watchman {
    pub(super) fn new(line: Weak<Line>, network: Network, side: usize) -> Watchman {
        Watchman { line, network, side, left: None }
    }

    /// Watches as long as the connection is open and has users.
    pub(super) fn watch(mut self, caller: &Caller<'_>) {
        while !caller.board.have_ended(&USERS)
            && let Some(line) = self.line.upgrade()
            && line.state() != State::Closed
        {
            self.look(&line, caller);
            drop(line);
            caller.pause(PAUSE);
        }
    }

    fn look(&mut self, line: &Line, caller: &Caller<'_>) {
        let meters = line.bell.status().meters.clone();
        let written = meters.outgoing.bytes();
        if meters.unsent_bytes.load(Ordering::Relaxed) == 0 || !self.network.has_room(self.side) {
            self.left = None;
            return;
        }
        let now = sync::now();
        self.left.take_if(|(_, before)| *before != written);
        let (since, _) = *self.left.get_or_insert((now, written));
        let side = self.side;
        assert!(
            now - since < PATIENCE,
            "side {side}: bytes wait though there is room: {}",
            caller.board
        );
    }
}

const PAUSE: Duration = Duration::from_millis(100);

/// Some ticks of the driver.
const PATIENCE: Duration = Duration::from_millis(500);
