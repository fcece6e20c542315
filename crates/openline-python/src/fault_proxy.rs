//! The class `FaultProxy`: the engine's proxy for tests.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openline::Address;
use openline::testing::{Direction, FaultCounts, FaultProxy as Proxy, Faults};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::connect::socket_path;
use crate::connection::address;
use crate::error;

/// The engine's fault proxy. Use `openline.testing.FaultProxy` instead.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct FaultProxy {
    uri: String,
    address: Address,
    state: Mutex<State>,
}

#[pymethods]
impl FaultProxy {
    /// Starts the proxy, with arguments that `openline.testing.FaultProxy` has checked.
    ///
    /// Args:
    ///     uri: the server's, for TCP, or None.
    ///     paths: the paths of the server's Unix socket and of the proxy's, or None.
    ///     up: the faults on the way to the server, in the order of `openline.testing.Faults`.
    ///     down: those on the way to the client.
    ///     seed: what decides on all that is left to chance.
    ///
    /// Raises:
    ///     InvalidURI, ValueError: there is no proxy to that URI.
    ///     OSError: it cannot listen.
    #[new]
    #[pyo3(signature = (*, uri, paths, up, down, seed))]
    fn new(
        py: Python<'_>,
        uri: Option<&str>,
        paths: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        up: FaultValues,
        down: FaultValues,
        seed: u64,
    ) -> PyResult<FaultProxy> {
        let options = Proxy::options().seed(seed).up(faults(up)).down(faults(down));
        let paths = match &paths {
            Some((server, own)) => Some((socket_path(server)?, socket_path(own)?)),
            None => None,
        };
        let started = py.detach(|| match (uri, paths) {
            (Some(uri), _) => options.start(uri),
            (None, Some((server, own))) => options.start_unix(server, own),
            (None, None) => Err(openline::Error::Argument("no server is given".to_owned())),
        });
        let proxy = started.map_err(|error| error::to_python(py, error))?;
        Ok(FaultProxy {
            uri: proxy.uri().to_owned(),
            address: proxy.address().clone(),
            state: Mutex::new(State::Running(proxy)),
        })
    }

    /// Stop passing on.
    fn stall(&self, py: Python<'_>, direction: &str, connection: Option<usize>) -> PyResult<()> {
        let direction = to_direction(direction)?;
        self.command(py, |proxy| proxy.stall(direction, connection));
        Ok(())
    }

    /// Pass on again.
    fn resume(&self, py: Python<'_>, direction: &str, connection: Option<usize>) -> PyResult<()> {
        let direction = to_direction(direction)?;
        self.command(py, |proxy| proxy.resume(direction, connection));
        Ok(())
    }

    /// End one direction, or each of both.
    fn half_close(
        &self,
        py: Python<'_>,
        direction: &str,
        connection: Option<usize>,
    ) -> PyResult<()> {
        let direction = to_direction(direction)?;
        self.command(py, |proxy| proxy.half_close(direction, connection));
        Ok(())
    }

    /// End connections in order.
    fn cut(&self, py: Python<'_>, connection: Option<usize>) {
        self.command(py, |proxy| proxy.cut(connection));
    }

    /// Reset connections.
    fn reset(&self, py: Python<'_>, connection: Option<usize>) {
        self.command(py, |proxy| proxy.reset(connection));
    }

    /// Reset all connections, and new ones, until it is online again.
    fn offline(&self, py: Python<'_>) {
        self.command(py, Proxy::offline);
    }

    /// Let connections pass again.
    fn online(&self, py: Python<'_>) {
        self.command(py, Proxy::online);
    }

    /// End it, and its connections. Doing so again has no effect.
    fn shutdown(&self, py: Python<'_>) {
        // Its thread never attaches, so nothing here waits for Python.
        py.detach(|| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = state.counts();
            *state = State::Ended(counts);
        });
    }

    /// Where clients connect to.
    #[getter]
    fn uri(&self) -> &str {
        &self.uri
    }

    /// Where it listens: `(host, port)`, or the path of the Unix socket.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        address(py, &self.address)
    }

    /// How many connections are passed on.
    #[getter]
    fn connections(&self, py: Python<'_>) -> usize {
        self.command(py, Proxy::connections).unwrap_or(0)
    }

    /// What was done, in the order of `openline.testing.FaultCounts`.
    #[getter]
    fn injected(&self, py: Python<'_>) -> (u64, u64, u64, u64, u64, u64, u64) {
        let lock = || self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = py.detach(|| lock().counts());
        let FaultCounts { delays, splits, stalls, cuts, .. } = counts;
        (delays, splits, stalls, cuts, counts.half_closes, counts.resets, counts.corruptions)
    }
}

impl FaultProxy {
    /// Does something unless it is shut down. Its lock may be held while it accepts.
    fn command<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&Proxy) -> T + Send) -> Option<T> {
        py.detach(|| match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Running(proxy) => Some(act(proxy)),
            State::Ended(_) => None,
        })
    }
}

/// The proxy, or what it has done.
enum State {
    Running(Proxy),
    Ended(FaultCounts),
}

impl State {
    fn counts(&self) -> FaultCounts {
        match self {
            State::Running(proxy) => proxy.injected(),
            State::Ended(counts) => *counts,
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let state = std::mem::replace(state, State::Ended(FaultCounts::default()));
        // Its end waits for its thread, and other Python threads may go on meanwhile.
        Python::attach(|py| py.detach(|| drop(state)));
    }
}

/// Delay, jitter, split, rate, and where and how often the other faults happen.
type FaultValues = (
    f64,
    f64,
    Option<usize>,
    Option<u64>,
    Option<(u64, u64)>,
    f64,
    Option<(u64, u64)>,
    Option<(u64, u64)>,
    Option<(u64, u64)>,
    Option<(u64, u64)>,
);

fn faults(values: FaultValues) -> Faults {
    let (delay, jitter, split, rate, corrupt_at, corrupt_per_mib, stall, cut, half_close, reset) =
        values;
    let set = |faults: Faults, place, set: fn(Faults, RangeInclusive<u64>) -> Faults| match place {
        Some((first, last)) => set(faults, first..=last),
        None => faults,
    };
    let mut faults = Faults::new()
        .delay(Duration::from_secs_f64(delay))
        .jitter(Duration::from_secs_f64(jitter))
        .corrupt_per_mib(corrupt_per_mib);
    if let Some(bytes) = split {
        faults = faults.split(bytes);
    }
    if let Some(rate) = rate {
        faults = faults.rate(rate);
    }
    faults = set(faults, corrupt_at, Faults::corrupt_at);
    faults = set(faults, stall, Faults::stall_after);
    faults = set(faults, cut, Faults::cut_after);
    faults = set(faults, half_close, Faults::half_close_after);
    set(faults, reset, Faults::reset_after)
}

fn to_direction(name: &str) -> PyResult<Direction> {
    match name {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err(PyValueError::new_err(format!(
            "direction must be 'up', 'down' or 'both', not {name:?}"
        ))),
    }
}
