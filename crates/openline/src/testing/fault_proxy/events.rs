//! What a proxy tells of its connections.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::Direction;

/// Something that happened to a connection of a [`FaultProxy`](super::FaultProxy), for
/// [`ProxyOptions::on_event`](super::ProxyOptions::on_event). Connections are numbered from 0, as they came.
///
/// ```
/// use std::sync::mpsc;
/// use openline::testing::{EchoServer, FaultProxy, Faults, ProxyEvent};
/// # fn main() -> openline::Result<()> {
/// # let server = EchoServer::start()?;
/// let (told, events) = mpsc::channel();
/// let proxy = FaultProxy::options()
///     .up(Faults::new().cut_after(10)) // in the midst of the request
///     .on_event(move |event| drop(told.send(event.to_string())))
///     .start(server.uri())?;
/// assert!(openline::connect(proxy.uri()).is_err());
/// assert_eq!(events.recv().as_deref(), Ok("connection 0: opened"));
/// assert_eq!(events.recv().as_deref(), Ok("connection 0: cut"));
/// # let _ = ProxyEvent::Opened { connection: 0 };
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyEvent {
    /// Both sides were ended, without a close frame.
    Cut {
        /// The number of the connection.
        connection: usize,
    },
    /// Nothing is passed on any more, in any direction, and the sockets are closed.
    Ended {
        /// The number of the connection.
        connection: usize,
        /// Bytes that were passed on to the server.
        up: u64,
        /// Bytes that were passed on to the client.
        down: u64,
        /// What was wrong with one of the sockets, if something was: the server may not have been there.
        error: Option<io::ErrorKind>,
    },
    /// One direction was ended.
    HalfClosed {
        /// The number of the connection.
        connection: usize,
        /// Which one.
        direction: Direction,
    },
    /// A client has come.
    Opened {
        /// The number of the connection.
        connection: usize,
    },
    /// Both sides were reset.
    Reset {
        /// The number of the connection.
        connection: usize,
    },
    /// A direction passes on nothing for now.
    Stalled {
        /// The number of the connection.
        connection: usize,
        /// Which one.
        direction: Direction,
    },
    /// No connection to the server could be made; the client was reset.
    Unreachable {
        /// The number of the connection.
        connection: usize,
        /// Why.
        error: io::ErrorKind,
    },
}

impl fmt::Display for ProxyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |direction| match direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Both => "both ways",
        };
        match *self {
            ProxyEvent::Cut { connection } => write!(f, "connection {connection}: cut"),
            ProxyEvent::Ended { connection, up, down, error } => {
                write!(f, "connection {connection}: ended, {up} bytes up, {down} bytes down")?;
                error.map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            ProxyEvent::HalfClosed { connection, direction } => {
                write!(f, "connection {connection}: half closed, {}", way(direction))
            }
            ProxyEvent::Opened { connection } => write!(f, "connection {connection}: opened"),
            ProxyEvent::Reset { connection } => write!(f, "connection {connection}: reset"),
            ProxyEvent::Stalled { connection, direction } => {
                write!(f, "connection {connection}: stalled, {}", way(direction))
            }
            ProxyEvent::Unreachable { connection, error } => {
                write!(f, "connection {connection}: the server cannot be reached: {error}")
            }
        }
    }
}

/// Whoever is told.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<dyn Fn(ProxyEvent) + Send + Sync>>);

impl Observer {
    pub(super) fn new(observe: impl Fn(ProxyEvent) + Send + Sync + 'static) -> Observer {
        Observer(Some(Arc::new(observe)))
    }

    /// A list of what it is to be told of.
    pub(super) fn events(&self) -> Events {
        Events { list: Vec::new(), is_wanted: self.0.is_some() }
    }

    /// With no lock held.
    pub(super) fn tell(&self, events: Vec<ProxyEvent>) {
        if let Some(observe) = &self.0 {
            events.into_iter().for_each(|event| observe(event));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}

/// What happened, until it is told.
#[derive(Debug, Default)]
pub(super) struct Events {
    list: Vec<ProxyEvent>,
    is_wanted: bool,
}

impl Events {
    pub(super) fn add(&mut self, event: ProxyEvent) {
        if self.is_wanted {
            self.list.push(event);
        }
    }

    pub(super) fn take(&mut self) -> Vec<ProxyEvent> {
        std::mem::take(&mut self.list)
    }
}
