//! Who has the next turn: by chance, in one of several tempers, since each finds other bugs.

use std::cell::{Cell, RefCell};

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use super::dice::Dice;

/// The thread that lets time pass: the first one that a world starts.
pub(super) const TIME: usize = 1;

/// Where a run of worlds is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The seed of the world.
    pub(super) seed: u64,
    pub(super) worlds: u64,
    /// Turns of threads, in all worlds.
    pub(super) steps: u64,
    /// A number that follows from who had each turn.
    pub(super) trace: u64,
}

/// The progress of the run on this thread.
pub(super) fn progress() -> Progress {
    PROGRESS.get()
}

/// Whether only time can go on.
pub(super) fn is_everybody_waiting() -> bool {
    IS_IDLE.get()
}

/// Mixes a number into the trace.
pub(super) fn note(number: u64) {
    let mut progress = PROGRESS.get();
    progress.trace = (progress.trace.rotate_left(5) ^ number).wrapping_mul(0x0100_0000_01b3);
    PROGRESS.set(progress);
}

/// The dice of the world that is simulated, for all but its schedule.
pub(super) fn world_dice() -> Dice {
    DICE.with_borrow_mut(Dice::fork)
}

#[derive(Clone, Copy, Debug)]
enum Temper {
    /// Everybody has the same chance at each step.
    Even,
    /// Who has its turn keeps it for about that many steps.
    Patient(usize),
    /// The highest in rank goes on until it waits; now and then one is put last. Few switches, at any
    /// place: what needs one particular thread to stand still is found by this.
    Ranked,
}

/// Simulates worlds until a limit, whose seeds follow each other.
#[derive(Debug)]
pub(super) struct Weaver<F> {
    goes_on: F,
    dice: Dice,
    temper: Temper,
    /// How many steps there are for each that lets time pass while others could go on.
    haste: usize,
    /// By the number of the thread.
    ranks: Vec<u64>,
    lowest: u64,
}

impl<F: FnMut(Progress) -> bool> Weaver<F> {
    pub(super) fn new(first_seed: u64, goes_on: F) -> Weaver<F> {
        PROGRESS.set(Progress { seed: first_seed.wrapping_sub(1), ..Progress::default() });
        let dice = Dice::new(first_seed);
        Weaver { goes_on, dice, temper: Temper::Even, haste: 1, ranks: Vec::new(), lowest: 0 }
    }

    fn rank(&mut self, task: usize) -> u64 {
        while self.ranks.len() <= task {
            self.ranks.push(self.dice.roll() | 1 << 63);
        }
        self.ranks[task]
    }
}

impl<F: FnMut(Progress) -> bool> Scheduler for Weaver<F> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let mut progress = PROGRESS.get();
        if !(self.goes_on)(progress) {
            return None;
        }
        progress.seed = progress.seed.wrapping_add(1);
        progress.worlds += 1;
        PROGRESS.set(progress);
        self.dice = Dice::new(progress.seed);
        DICE.set(self.dice.fork());
        self.temper = self.dice.pick(&[
            Temper::Even,
            Temper::Patient(4),
            Temper::Patient(30),
            Temper::Ranked,
        ]);
        self.haste = self.dice.pick(&[20, 300, 2000]);
        self.ranks.clear();
        self.lowest = 1 << 62;
        Some(Schedule::new(progress.seed))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let number = |task: &Task| usize::from(task.id());
        let others = runnable.iter().filter(|task| number(task) != TIME).count();
        let time = runnable.iter().find(|task| number(task) == TIME);
        IS_IDLE.set(others == 0);
        let chosen = match time {
            Some(time) if others == 0 || self.dice.one_in(self.haste) => time.id(),
            _ => {
                let nth = self.dice.below(others);
                let mut others = runnable.iter().filter(|task| number(task) != TIME);
                let current = current.filter(|current| {
                    usize::from(*current) != TIME && runnable.iter().any(|t| t.id() == *current)
                });
                match (self.temper, current) {
                    (Temper::Patient(steps), Some(current))
                        if !is_yielding && !self.dice.one_in(steps) =>
                    {
                        current
                    }
                    (Temper::Ranked, current) => {
                        if let Some(current) = current
                            && (is_yielding || self.dice.one_in(60))
                        {
                            self.lowest -= 1;
                            self.rank(usize::from(current));
                            self.ranks[usize::from(current)] = self.lowest;
                        }
                        others.max_by_key(|task| self.rank(number(task)))?.id()
                    }
                    _ => others.nth(nth)?.id(),
                }
            }
        };
        let mut progress = PROGRESS.get();
        progress.steps += 1;
        PROGRESS.set(progress);
        note(usize::from(chosen) as u64);
        Some(chosen)
    }

    fn next_u64(&mut self) -> u64 {
        self.dice.roll()
    }
}

thread_local! {
    static PROGRESS: Cell<Progress> = Cell::default();
    static IS_IDLE: Cell<bool> = const { Cell::new(false) };
    static DICE: RefCell<Dice> = RefCell::new(Dice::new(0));
}
