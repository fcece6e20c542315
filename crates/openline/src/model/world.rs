//! One world from its beginning to its end, and what must hold in it.
//!
//! ```text
//!   senders, pingers, enders ─┐                                       ┌─ …
//!                    receiver ─ Connection ─ network ─ Connection ─ receiver
//!                      driver ─┘    (time, faults)     └─ driver
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openline_proto::http::{Request, Response};
use openline_proto::{Role, State};
use shuttle::thread::{self, JoinHandle};

use super::board::{Board, Caller, show};
use super::dice::Dice;
use super::ledger::Ledger;
use super::network::{Network, Socket};
use super::plan::{Ending, Plan, Receiver};
use super::scheduler;
use super::users::{PATIENCE, User, soon};
use super::watchman::Watchman;
use crate::address::Address;
use crate::closed::Cause;
use crate::connection::{Connection, Established};
use crate::deadline::Deadline;
use crate::driver::{Driver, DriverThread};
use crate::error::Error;
use crate::sync::{self, Ordering, lock};
use crate::timings::Timings;

/// Lives through the world of the seed that the scheduler is at.
pub(super) fn live() {
    let mut dice = scheduler::world_dice();
    let plan = Plan::roll(&mut dice);
    show(|| format!("{plan:#?}"));
    let board = Arc::new(Board::default());
    let time = {
        let (board, dice) = (board.clone(), dice.fork());
        thread::spawn(move || let_time_pass(&board, dice))
    };
    World::new(plan, dice, board).live();
    time.join().expect("it did not panic");
}

/// The thread `TIME`, which has its turn when nobody else can go on, and now and then.
fn let_time_pass(board: &Board, mut dice: Dice) {
    let start = sync::now();
    let (mut stolen, mut is_audited) = (0, false);
    while !board.is_over() || !board.have_ended(&[DRIVER]) {
        if scheduler::is_everybody_waiting() {
            stolen = 0;
            let suspects = if is_audited { sync::suspects() } else { Vec::new() };
            assert!(suspects.is_empty(), "nobody woke {suspects:?}: {board}");
            is_audited = !is_audited && dice.one_in(4) && sync::audit();
            if is_audited {
                thread::yield_now();
                continue;
            }
            // Sometimes it is a little late, so that several wake at once.
            let late = if dice.one_in(10) { dice.millis_below(2) } else { Duration::ZERO };
            assert!(sync::pass(Duration::MAX), "nobody will ever wake: {board}");
            sync::pass(late);
            assert!(sync::now() - start < LIMIT || board.is_over(), "it does not end: {board}");
        } else if !is_audited && stolen < MOST_STOLEN {
            stolen += 1;
            sync::pass(Duration::from_micros(dice.below(200) as u64));
        }
        thread::yield_now();
    }
}

struct World {
    plan: Plan,
    dice: Dice,
    board: Arc<Board>,
    network: Network,
    drivers: Vec<Arc<Driver>>,
    threads: Vec<JoinHandle<()>>,
    connections: Vec<Connection>,
    /// What each side sends.
    ledgers: [Arc<Ledger>; 2],
}

impl World {
    fn new(plan: Plan, mut dice: Dice, board: Arc<Board>) -> World {
        let (network, sockets) = Network::new(plan.weather.clone(), dice.fork());
        let new_driver = || Arc::new(Driver::new().expect("a simulated one can be had"));
        let mut drivers = vec![new_driver()];
        if !plan.shares_driver {
            drivers.push(new_driver());
        }
        let roles = [Role::Client, Role::Server];
        let ends = sockets.into_iter().zip(roles).enumerate();
        let connections = ends.map(|(side, (socket, role))| {
            let driver = drivers[side.min(drivers.len() - 1)].clone();
            connect(&plan, side, socket, role, driver)
        });
        let ledgers = [0, 1].map(|side| Arc::new(Ledger::new(plan.sides[side].senders)));
        World {
            connections: connections.collect(),
            plan,
            dice,
            board,
            network,
            drivers,
            threads: Vec::new(),
            ledgers,
        }
    }

    fn live(mut self) {
        let drivers = std::mem::take(&mut self.drivers);
        let driving: Vec<_> =
            drivers.into_iter().enumerate().map(|(n, driver)| self.drive(n, driver)).collect();
        self.start_faults();
        for side in [0, 1] {
            self.start_watchman(side);
            self.start_users(side);
        }
        self.board.until(soon(), |board| board.have_ended(&WORKERS));
        if self.plan.is_peaceful() {
            let ledgers = self.ledgers.clone();
            let is_even = self.board.until(soon(), |_| ledgers.iter().all(|it| it.is_even()));
            assert!(is_even, "what was sent does not arrive: {}", self.board);
            self.check_nobody_died();
        }
        match self.plan.ending {
            ending @ (Ending::Close(side) | Ending::Abort(side)) => self.start_ender(side, ending),
            Ending::BothClose => {
                self.start_ender(0, Ending::BothClose);
                self.start_ender(1, Ending::BothClose);
            }
        }
        self.see_the_end();
        std::mem::take(&mut self.threads)
            .into_iter()
            .for_each(|thread| thread.join().expect("it did not panic"));
        self.check_the_end();
        self.drop_everything();
        self.board.end();
        driving.into_iter().for_each(|thread| thread.join().expect("it did not panic"));
    }

    fn drive(&self, number: usize, driver: Arc<Driver>) -> JoinHandle<()> {
        let (thread, board) = (DriverThread::new(driver), self.board.clone());
        let who = format!("{DRIVER} {number}");
        board.expect(&who);
        thread::spawn(move || board.work(&who, |_| thread.run_in_world(|| board.is_over())))
    }

    fn start_faults(&mut self) {
        for (at, fault) in self.plan.faults.clone() {
            let network = self.network.clone();
            self.start(format!("fault {fault:?}"), move |caller| {
                caller.pause(at);
                network.strike(fault);
            });
        }
    }

    fn start_watchman(&mut self, side: usize) {
        let line = sync::Arc::downgrade(&self.connections[side].line);
        let watchman = Watchman::new(line, self.network.clone(), side);
        self.start(format!("watchman {side}"), move |caller| watchman.watch(caller));
    }

    fn start_users(&mut self, side: usize) {
        let plan = self.plan.sides[side].clone();
        for sender in 0..plan.senders {
            let user = self.user(side);
            self.start(format!("sender {side}.{sender}"), move |caller| user.send(caller, sender));
        }
        for pinger in 0..plan.pingers {
            let user = self.user(side);
            self.start(format!("pinger {side}.{pinger}"), move |caller| user.ping(caller));
        }
        let user = self.user(side);
        self.start(format!("receiver {side}"), move |caller| user.receive(caller));
        if let Some((at, ending)) = plan.end_early {
            let user = self.user(side);
            self.start(format!("early ender {side}"), move |caller| {
                caller.pause(at);
                user.end(caller, ending);
            });
        }
    }

    fn start_ender(&mut self, side: usize, ending: Ending) {
        let user = self.user(side);
        self.start(format!("ender {side}"), move |caller| user.end(caller, ending));
    }

    fn start(&mut self, who: String, work: impl FnOnce(&Caller<'_>) + Send + 'static) {
        let board = self.board.clone();
        board.expect(&who);
        let thread = thread::Builder::new().name(who.clone());
        let spawned = thread.spawn(move || board.work(&who, work));
        self.threads.push(spawned.expect("shuttle has threads"));
    }

    fn user(&mut self, side: usize) -> User {
        User {
            connection: self.connections[side].clone(),
            dice: self.dice.fork(),
            side: self.plan.sides[side].clone(),
            outgoing: self.ledgers[side].clone(),
            incoming: self.ledgers[1 - side].clone(),
            is_peaceful: self.plan.is_peaceful(),
        }
    }

    /// Keepalive must not end what nothing is wrong with.
    fn check_nobody_died(&self) {
        for connection in &self.connections {
            assert_eq!(connection.state(), State::Open, "{:?}", connection.how_closed());
        }
    }

    /// Waits until all calls have ended. Where nobody can know that the other is gone, or does not
    /// want to, the connections are aborted; every call must end at once then.
    fn see_the_end(&self) {
        let ends_by_itself = self.plan.faults.is_empty()
            && self.plan.sides.iter().all(|side| {
                side.settings.close_timeout.is_some() && side.receiver != Receiver::Lazy
            });
        let have_ended = |board: &Board| board.have_ended(&USERS);
        self.board.until(Deadline::from(Duration::from_secs(2)), have_ended);
        self.board.urge();
        if !self.board.until(soon(), have_ended) {
            assert!(!ends_by_itself, "it does not end: {}", self.board);
            self.connections.iter().for_each(Connection::abort);
            let at_once = Deadline::from(Duration::from_millis(500));
            let is_over = self.board.until(at_once, have_ended);
            assert!(is_over, "aborted, and still: {}", self.board);
        }
    }

    fn check_the_end(&self) {
        // Who stopped to receive does not see the end; it comes with the rest of the messages.
        for connection in &self.connections {
            connection.abort();
        }
        for (side, connection) in self.connections.iter().enumerate() {
            self.check_all_arrived(side, connection);
            check_all_calls_say_closed(connection);
            let line = &connection.line;
            // A driver may have them for a moment.
            drop(lock(&line.read));
            drop(lock(&line.write));
            assert!(!line.receiving.load(Ordering::Relaxed), "somebody still receives");
            assert!(
                !line.is_looked_out.load(Ordering::Relaxed),
                "somebody is still on the lookout"
            );
            let status = line.bell.status();
            assert!(status.awaited.is_empty(), "somebody still waits for a pong");
        }
    }

    /// What came before the end can be received after it; if the peer's Close came, that is all.
    fn check_all_arrived(&self, side: usize, connection: &Connection) {
        let incoming = &self.ledgers[1 - side];
        let closed = loop {
            match connection.recv() {
                Ok(message) => incoming.receive(message.kind(), message.as_bytes()),
                Err(Error::Closed(closed)) => break closed,
                Err(Error::Interrupted { .. }) => {}
                Err(error) => panic!("receiving after the end failed: {error}"),
            }
        };
        // Of a message that was cut short its whole fragments can still be read.
        let mut bytes = Vec::new();
        for fragment in connection.recv_streaming().expect("nobody else receives") {
            let Ok(fragment) = fragment else { break };
            bytes.extend_from_slice(fragment.as_bytes());
            incoming.receive_part(Some(fragment.kind()), &bytes, false);
        }
        if closed.received().is_some() {
            incoming.check_even();
        }
        if self.plan.is_peaceful() {
            let has_timed_out = matches!(closed.cause(), Cause::PingTimeout);
            assert!(!has_timed_out, "keepalive ended what nothing was wrong with");
        }
    }

    /// Nothing may be left of the connections.
    fn drop_everything(&mut self) {
        let lines: Vec<_> =
            self.connections.iter().map(|it| sync::Arc::downgrade(&it.line)).collect();
        self.connections.clear();
        // A driver may be looking at it.
        let is_dropped = || lines.iter().all(|line| line.strong_count() == 0);
        for _ in 0..100 {
            if is_dropped() {
                return;
            }
            thread::yield_now();
        }
        self.board.until(Deadline::from(PATIENCE), |_| is_dropped());
        assert!(is_dropped(), "somebody still has a connection");
    }
}

/// One end, as if its handshake was over.
fn connect(
    plan: &Plan,
    side: usize,
    socket: Socket,
    role: Role,
    driver: Arc<Driver>,
) -> Connection {
    let nowhere = || Address::Unix(PathBuf::new());
    let established = Established {
        addresses: (nowhere(), nowhere()),
        request: Request::new("", ""),
        response: Response::new(0, ""),
        subprotocol: None,
        extensions: plan.extensions(),
        timings: Timings::default(),
    };
    let settings = plan.sides[side].settings.clone();
    Connection::new(Arc::new(socket), role, settings, b"", driver, established)
}

fn check_all_calls_say_closed(connection: &Connection) {
    let start = sync::now();
    let outcomes = [
        connection.recv().map(drop),
        connection.send("late"),
        connection.send_many(["late"], Deadline::NEVER).1,
        connection.flush(Deadline::NEVER),
        connection.ping(None, Deadline::NEVER).map(drop),
        connection.pong(b"late"),
    ];
    for (n, outcome) in outcomes.iter().enumerate() {
        assert!(matches!(outcome, Err(Error::Closed(_))), "call {n} after the end: {outcome:?}");
    }
    assert!(connection.close(1000, "late").is_ok(), "closing again failed");
    assert!(matches!(connection.wait_closed(Deadline::NEVER), Ok(true)), "it is not closed");
    assert!(connection.is_closed() && connection.how_closed().is_some(), "it is not closed");
    assert!(sync::now() - start < Duration::from_millis(100), "a call after the end waits");
}

/// Threads whose work ends by itself, unless the connection has to end first.
const WORKERS: [&str; 4] = ["sender", "pinger", "early", "fault"];

pub(super) const USERS: [&str; 6] = ["sender", "pinger", "early", "fault", "receiver", "ender"];

const DRIVER: &str = "driver";

/// Longer than everything that is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// How often time passes while others can go on, before they had to wait once.
const MOST_STOLEN: usize = 10;
