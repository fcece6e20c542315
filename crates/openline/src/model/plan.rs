//! What a world is like, rolled from its seed.

use std::time::Duration;

use openline_proto::Limits;
use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::extension::{Agreed, Extension};
use openline_proto::handshake::ExtensionParams;

use super::dice::Dice;
use super::network::{Fault, Weather};
use crate::line::Settings;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) weather: Weather,
    /// What goes wrong with the network, and when.
    pub(super) faults: Vec<(Duration, Fault)>,
    /// Whether both ends are in one process, with one driver.
    pub(super) shares_driver: bool,
    pub(super) is_compressed: bool,
    pub(super) sides: [Side; 2],
    /// How it ends, unless somebody ends it before.
    pub(super) ending: Ending,
}

/// One end and its users.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) settings: Settings,
    /// Threads that send, and how many times each does something.
    pub(super) senders: usize,
    pub(super) sends: usize,
    /// About how long a message is, and how long one may be at most.
    pub(super) typical_len: usize,
    pub(super) longest: usize,
    /// Threads that ping.
    pub(super) pingers: usize,
    pub(super) receiver: Receiver,
    /// When somebody ends the connection in the middle, and how.
    pub(super) end_early: Option<(Duration, Ending)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    /// It takes what comes.
    Lively,
    /// It makes long pauses.
    Sleepy,
    /// It stops after some messages.
    Lazy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A side closes.
    Close(usize),
    BothClose,
    /// A side aborts.
    Abort(usize),
}

impl Plan {
    pub(super) fn roll(dice: &mut Dice) -> Plan {
        let window = dice.pick(&[1, 10, 200, 4_000, 65_536, 1 << 20]);
        let weather = Weather {
            // A message of some windows must not take as long as a time-out of keepalive.
            latency: if window < 200 { 0 } else { dice.pick(&[0, 1, 10]) },
            jitter: dice.pick(&[0, 0, 2]),
            window,
            splits: dice.one_in(2),
            has_signals: dice.one_in(4),
            // What is only looked at goes on by a window every 50 ms.
            may_be_watched: window < 200 || !dice.one_in(8),
        };
        let typical_len = match window {
            1 => 20,
            10 => dice.pick(&[20, 60]),
            _ => dice.pick(&[20, 200, window.min(3_000)]),
        };
        let mut sides = [0, 1].map(|_| Side::roll(dice, window, typical_len));
        for side in &mut sides {
            side.settings.interruptible = weather.has_signals && dice.one_in(2);
        }
        let faults = match dice.below(8) {
            0 => vec![(
                dice.millis_below(300),
                Fault::Stall { from: dice.below(2), until: dice.millis_below(5_000) },
            )],
            1 => {
                let start = dice.millis_below(300);
                let until = Duration::from_secs(100_000);
                let stall = |from| (start, Fault::Stall { from, until });
                if dice.one_in(2) { vec![stall(dice.below(2))] } else { vec![stall(0), stall(1)] }
            }
            2 => {
                let (start, from) = (dice.millis_below(300), dice.below(2));
                let later = start + dice.millis_below(20);
                vec![(start, Fault::Cut { from }), (later, Fault::Cut { from: 1 - from })]
            }
            3 => vec![(dice.millis_below(300), Fault::Reset)],
            _ => vec![],
        };
        Plan {
            weather,
            faults,
            shares_driver: dice.one_in(3),
            is_compressed: dice.one_in(3),
            sides,
            ending: Ending::roll(dice),
        }
    }

    /// Whether nothing is done that could end the connection or hold it up for long.
    pub(super) fn is_peaceful(&self) -> bool {
        self.faults.is_empty() && self.sides.iter().all(Side::is_peaceful)
    }

    pub(super) fn extensions(&self) -> Vec<Agreed> {
        if !self.is_compressed {
            return Vec::new();
        }
        let coding = PerMessageDeflate::client().accept(&[]).expect("the answer has no parameters");
        vec![Agreed { params: ExtensionParams::new("permessage-deflate"), coding }]
    }
}

impl Side {
    fn roll(dice: &mut Dice, window: usize, typical_len: usize) -> Side {
        let millis = |n: u64| Some(Duration::from_millis(n));
        let max_queue = dice.pick(&[Some(1), Some(2), Some(16), None]);
        let limited = dice.one_in(12).then_some(2 * typical_len + 20);
        let max_message = limited.or(Limits::default().max_message);
        let settings = Settings {
            ping_interval: dice.pick(&[None, millis(300), millis(2_000)]),
            ping_timeout: dice.pick(&[None, millis(2_000), millis(5_000)]),
            idle_timeout: if dice.one_in(10) { millis(1_000) } else { None },
            close_timeout: dice.pick(&[
                None,
                millis(0),
                millis(3_000),
                millis(3_000),
                millis(3_000),
            ]),
            limits: Limits { max_message, ..Limits::default() },
            max_queue,
            resume_queue: max_queue.and_then(|max| dice.pick(&[None, Some(max - 1), Some(0)])),
            busy_poll: Some(Duration::ZERO), // the clock stands while somebody spins
            ..Settings::default()
        };
        let receiver = dice.pick(&[
            Receiver::Lively,
            Receiver::Lively,
            Receiver::Lively,
            Receiver::Sleepy,
            Receiver::Lazy,
        ]);
        let end_early = dice.one_in(6).then(|| (dice.millis_below(100), Ending::roll(dice)));
        // Now and then one whose payload is read to its place.
        let longest = if window >= 65_536 && dice.one_in(6) { 300_000 } else { 3 * typical_len };
        Side {
            settings,
            senders: dice.pick(&[0, 1, 1, 2]),
            sends: 1 + dice.below(8),
            typical_len,
            longest,
            pingers: dice.pick(&[0, 0, 1, 2]),
            receiver,
            end_early,
        }
    }

    fn is_peaceful(&self) -> bool {
        self.receiver == Receiver::Lively
            && self.end_early.is_none()
            && self.settings.idle_timeout.is_none()
            && self.settings.limits.max_message == Limits::default().max_message
    }
}

impl Ending {
    fn roll(dice: &mut Dice) -> Ending {
        let side = dice.below(2);
        dice.pick(&[
            Ending::Close(side),
            Ending::Close(side),
            Ending::BothClose,
            Ending::Abort(side),
        ])
    }
}
