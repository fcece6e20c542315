//! The class `Lobby`: where the clients of a server wait until their request has come.

use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openline::{Arrival, Deadline, LobbyOptions};
use pyo3::prelude::*;

use crate::convert::duplicate;
use crate::error;
use crate::incoming::Incoming;
use crate::ssl;
use crate::timeout::limit;

/// Accepts clients and receives their requests, whenever `turn` is called.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Lobby {
    /// `None` once it is closed.
    lobby: Mutex<Option<openline::Lobby>>,
    fileno: i32,
}

#[pymethods]
impl Lobby {
    /// Args:
    ///     sock: a socket that listens. It is made non-blocking.
    ///     context: an `ssl.SSLContext` to shake hands by, or None.
    ///     open_timeout: seconds for TLS and the handshake; None is no limit.
    ///     max_handshakes: how many clients may be on their way; None is no limit.
    ///     max_per_address: how many clients an IP address may have; None is no limit.
    #[new]
    #[pyo3(signature = (sock, context, open_timeout, max_handshakes, max_per_address))]
    fn new(
        py: Python<'_>,
        sock: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, PyAny>>,
        open_timeout: Option<f64>,
        max_handshakes: Option<usize>,
        max_per_address: Option<usize>,
    ) -> PyResult<Lobby> {
        let mut options = LobbyOptions::default();
        options.tls = context.map(ssl::server_tls);
        options.open_timeout = limit(open_timeout);
        options.max_handshakes = max_handshakes;
        options.max_per_address = max_per_address;
        let lobby = openline::Lobby::new(duplicate(sock)?, options);
        let lobby = lobby.map_err(|error| error::to_python(py, error))?;
        Ok(Lobby { fileno: lobby.as_raw_fd(), lobby: Mutex::new(Some(lobby)) })
    }

    /// The descriptor that can be read when `turn` has something to do.
    fn fileno(&self) -> i32 {
        self.fileno
    }

    /// Serve the clients that have something to be done, without waiting.
    ///
    /// Returns:
    ///     Seconds until it is to be called again at the latest; None if that is never.
    fn turn(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        let outcome = py.detach(|| match &mut *self.lobby() {
            None => Ok(None),
            Some(lobby) => {
                lobby.turn(Deadline::from(std::time::Instant::now()))?;
                Ok(lobby.deadline().remaining())
            }
        });
        let left = outcome.map_err(|error| error::to_python(py, error))?;
        Ok(left.map(|left| left.as_secs_f64()))
    }

    /// Return the next client whose request has come, or the exception that tells why one has gone; None if there is
    /// none.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let arrival = self.lobby().as_mut().and_then(openline::Lobby::next);
        match arrival {
            None => Ok(None),
            Some(Arrival::Failed(error)) => {
                Ok(Some(error::to_python(py, error).into_value(py).into_any()))
            }
            Some(Arrival::Request(incoming)) => {
                Ok(Some(Py::new(py, Incoming::arrived(incoming))?.into_any()))
            }
        }
    }

    /// Answer a client that `next` has given, and that cannot be served, with status 503.
    fn turn_away(&self, py: Python<'_>, incoming: &Incoming, text: &str) -> PyResult<()> {
        let incoming = incoming.take_arrived(py)?;
        py.detach(|| {
            if let Some(lobby) = &mut *self.lobby() {
                lobby.turn_away(*incoming, text);
            }
        });
        Ok(())
    }

    /// Turn the clients away whose request has not come, with status 503. Doing so again has no effect.
    fn close(&self, py: Python<'_>) {
        let lobby = self.lobby().take();
        py.detach(|| drop(lobby));
    }
}

impl Lobby {
    fn lobby(&self) -> MutexGuard<'_, Option<openline::Lobby>> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
