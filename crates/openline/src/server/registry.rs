//! The open connections of a server: how many there may be, and which there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lobby::SHUTTING_DOWN;
use crate::connection::Connection;

/// The connections that are open, or about to be.
pub(super) struct Registry {
    /// How many there may be.
    limit: Option<usize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_ending: bool,
    admitted: usize,
    connections: HashMap<u64, Connection>,
    next_id: u64,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    registry: Arc<Registry>,
    /// `None` as long as the connection is not open.
    id: Option<u64>,
}

impl Registry {
    pub(super) fn new(limit: Option<usize>) -> Arc<Registry> {
        Arc::new(Registry { limit, state: Mutex::default() })
    }

    /// A place for a connection that is about to be opened; or why there is none, for the client.
    pub(super) fn admit(self: &Arc<Registry>) -> Result<Place, &'static str> {
        let mut state = self.state();
        if state.is_ending {
            return Err(SHUTTING_DOWN);
        }
        if self.limit.is_some_and(|limit| state.admitted >= limit) {
            return Err("The server has as many connections as it may.\n");
        }
        state.admitted += 1;
        Ok(Place { registry: self.clone(), id: None })
    }

    /// Admits no more.
    pub(super) fn end(&self) {
        self.state().is_ending = true;
    }

    pub(super) fn is_ending(&self) -> bool {
        self.state().is_ending
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        self.state().connections.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection is open. If the server has ended meanwhile, it closes at once.
    pub(super) fn fill(&mut self, connection: &Connection) {
        let mut state = self.registry.state();
        state.next_id += 1;
        let id = state.next_id;
        state.connections.insert(id, connection.clone());
        self.id = Some(id);
        let is_ending = state.is_ending;
        drop(state);
        if is_ending {
            go_away(connection);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        state.admitted -= 1;
        let connection = self.id.and_then(|id| state.connections.remove(&id));
        drop(state);
        // What it may be the last handle of ends outside of the lock.
        drop(connection);
    }
}

pub(super) fn go_away(connection: &Connection) {
    // RFC 6455 §7.4.1: such as a server going down.
    let outcome = connection.start_close(1001, "");
    outcome.expect("bug: a code that may be sent");
}
