//! Readiness of the sockets of the simulation: one-shot watches, as epoll has them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Ready, Watch};
use crate::deadline::Deadline;
use crate::model::network::{End, Socket};
use crate::sync::{self, Sleeper};
use crate::transport::{Interest, Transport};

pub(crate) type Events = Vec<Ready>;

#[derive(Debug, Default)]
pub(crate) struct Poller(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    watched: BTreeMap<usize, (End, Watch)>,
    is_woken: bool,
    sleeper: Option<Sleeper>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller::default())
    }

    pub(crate) fn register(
        &self,
        transport: &dyn Transport,
        id: usize,
        watch: Watch,
    ) -> io::Result<()> {
        let socket = socket(transport)?;
        if !socket.end().may_be_watched() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        socket.end().set_registered(true);
        self.state().watched.insert(id, (socket.end().clone(), watch));
        self.look_again();
        Ok(())
    }

    pub(crate) fn watch(&self, _: &dyn Transport, id: usize, watch: Watch) -> io::Result<()> {
        self.state().watched.get_mut(&id).ok_or(io::ErrorKind::NotFound)?.1 = watch;
        self.look_again();
        Ok(())
    }

    pub(crate) fn deregister(&self, transport: &dyn Transport) {
        if let Ok(socket) = socket(transport) {
            socket.end().set_registered(false);
            self.state().watched.retain(|_, (end, _)| end != socket.end());
        }
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        // An end also for the driver that nobody wakes, when the world is over.
        let deadline = Deadline::from(timeout.unwrap_or(LONG));
        loop {
            sync::switch();
            let sleeper = Sleeper::default();
            let mut until = deadline;
            {
                let mut state = self.state();
                for (id, (end, watch)) in &mut state.watched {
                    let Some(interest) = watch.interest() else { continue };
                    let found = end.readiness(interest);
                    if found.is_none() {
                        end.subscribe(&sleeper);
                        until = until.min(end.next_arrival());
                    } else {
                        let (readable, writable) = (found.readable, found.writable);
                        events.push(Ready { id: *id, readable, writable });
                        *watch = Watch { readable: false, writable: false };
                    }
                }
                let is_woken = std::mem::take(&mut state.is_woken);
                if is_woken || !events.is_empty() || deadline.has_passed() {
                    return Ok(());
                }
                state.sleeper = Some(sleeper.clone());
            }
            sleeper.sleep(until);
        }
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        sync::switch();
        self.state().is_woken = true;
        self.look_again();
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().watched.is_empty()
    }

    fn look_again(&self) {
        let sleeper = self.state().sleeper.take();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn events() -> Events {
    Events::new()
}

pub(crate) fn ready(events: &Events) -> impl Iterator<Item = Ready> {
    events.iter().copied()
}

impl Watch {
    fn interest(self) -> Option<Interest> {
        match (self.readable, self.writable) {
            (true, true) => Some(Interest::ReadOrWrite),
            (true, false) => Some(Interest::Read),
            (false, true) => Some(Interest::Write),
            (false, false) => None,
        }
    }
}

/// Longer than any world.
const LONG: Duration = Duration::from_secs(100_000);

fn socket(transport: &dyn Transport) -> io::Result<&Socket> {
    let transport: &dyn std::any::Any = transport;
    transport.downcast_ref().ok_or_else(|| io::ErrorKind::Unsupported.into())
}
