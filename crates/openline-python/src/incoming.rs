//! The class `Incoming`: a client of a server on its way into a connection.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openline::extension::Agreed;
use openline::handshake::server::ReceivedRequest;
use openline::handshake::{ExtensionParams, HandshakeError};
use openline::http::{Headers, Request, Response};
use openline::transport::{Opening, Stream, Transport};
use openline::{Address, Deadline, Error, Journal, Seat};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::connect::{Client, Wanted, given_stream};
use crate::connection::address;
use crate::error;
use crate::extension;
use crate::handle::{self, Handle, Opened};
use crate::line::Log;
use crate::signals;
use crate::ssl;
use crate::timeout::limit;

/// A client that was accepted: first its request is received, then it is answered.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Incoming {
    stage: Mutex<Stage>,
    is_given_up: AtomicBool,
    /// Of a client of a lobby.
    addresses: Option<(Address, Address)>,
    /// What the connection has for its address.
    seat: Mutex<Option<Seat>>,
}

enum Stage {
    Connected(Stream),
    /// Its request has come, of which no logger knows yet.
    Arrived(Box<openline::Incoming>),
    Asked(Box<openline::Incoming>, Option<Log>, Option<Journal>),
    Over,
}

#[pymethods]
impl Incoming {
    /// Args:
    ///     sock: the socket, as `Client.connect_over` takes it.
    #[new]
    fn new(sock: &Bound<'_, PyAny>) -> PyResult<Incoming> {
        Ok(Incoming::at(Stage::Connected(given_stream(sock)?)))
    }

    // Until the request is answered, these are those of `Handle`.

    /// End the connection at once.
    fn abort(&self, py: Python<'_>) {
        let stage = self.take();
        py.detach(|| drop(stage));
    }

    /// The socket's descriptor; -1 once the request is answered.
    fn fileno(&self) -> i32 {
        let source = self.transport().and_then(|transport| Some(transport.source()?.as_raw_fd()));
        source.unwrap_or(-1)
    }

    /// Duplicate the socket's descriptor, for the caller to close.
    ///
    /// Raises:
    ///     OSError: the request is answered, or there are too many descriptors.
    fn dup(&self, py: Python<'_>) -> PyResult<i32> {
        handle::dup(py, &*self.transport().ok_or_else(|| handle::closed(py))?)
    }

    /// Shut one direction of the stream down, or both, by the numbers of `socket.SHUT_RD`, `SHUT_WR` and
    /// `SHUT_RDWR`.
    ///
    /// Raises:
    ///     OSError: the request is answered.
    fn shutdown(&self, py: Python<'_>, how: i32) -> PyResult<()> {
        let how = handle::direction(how)?;
        let transport = self.transport().ok_or_else(|| handle::closed(py))?;
        py.detach(|| transport.shutdown(how));
        Ok(())
    }

    /// Whether there is TLS of ours.
    #[getter]
    fn is_secure(&self) -> bool {
        self.transport().is_some_and(|transport| ssl::is_used_by(&transport))
    }

    /// None: there is no TLS by rustls.
    fn tls_details(&self) -> Option<()> {
        None
    }

    /// Get an attribute of the object of Python's `ssl` that the connection uses, or call it with arguments.
    ///
    /// Raises:
    ///     OSError: the request is answered.
    ///     AttributeError: there is no such object, or no such attribute of it.
    #[pyo3(signature = (name, arguments=None))]
    fn ask_ssl<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let transport = self.transport().ok_or_else(|| handle::closed(py))?;
        ssl::ask(py, &transport, name, arguments)
    }

    /// Our address, and the peer's, as `socket` gives them.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (local, remote) = self.addresses.as_ref().ok_or_else(|| handle::closed(py))?;
        Ok((address(py, local)?, address(py, remote)?))
    }

    /// Seconds that are left for the handshake; None if there is no limit.
    fn time_left(&self) -> Option<f64> {
        match &*self.stage() {
            Stage::Arrived(incoming) => {
                incoming.deadline().remaining().map(|left| left.as_secs_f64())
            }
            _ => None,
        }
    }

    /// Give the place of the client's address to others.
    fn leave(&self) {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Receive the request. One that is none is answered here.
    ///
    /// Args:
    ///     timeout: seconds; None waits for ever.
    ///     log: the logger that is told what happens, as for `Client.connect`.
    ///
    /// Returns:
    ///     Method, path, version of HTTP, and headers.
    ///
    /// Raises:
    ///     InvalidHandshake: what came is no HTTP request, or is over a limit.
    ///     TimeoutError: `timeout` was over.
    ///     InterruptedError: `give_up` was called.
    ///     InvalidState: it was received already.
    #[pyo3(signature = (timeout, log))]
    fn receive(&self, py: Python<'_>, timeout: Option<f64>, log: Wanted) -> PyResult<RequestParts> {
        let stage = self.take();
        let journal = log.as_ref().map(|(_, max_log_size)| Journal::new(Some(*max_log_size)));
        let log = match (&journal, log) {
            (Some(journal), Some((logger, _))) => Some(Log::of_connection(journal.clone(), logger)),
            _ => None,
        };
        let noted = journal.clone();
        let outcome = match stage {
            Stage::Connected(stream) => self.step(py, timeout, move |opening| {
                openline::Incoming::receive(stream, opening, noted.as_ref())
            }),
            Stage::Arrived(incoming) => Ok(match &noted {
                Some(journal) => incoming.with_journal(journal),
                None => *incoming,
            }),
            Stage::Asked(..) | Stage::Over => {
                return Err(error::invalid_state(py, "the request was received already"));
            }
        };
        let incoming = report(py, log.as_ref(), outcome)?;
        let Request { method, path, headers, .. } = incoming.request();
        let headers = headers.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let version = incoming.received().version();
        let parts = (method.clone(), path.clone(), version, headers);
        *self.stage() = Stage::Asked(Box::new(incoming), log, journal);
        Ok(parts)
    }

    /// Answer with a response that opens no connection, and close the socket. One that cannot be sent leaves the
    /// request to be answered.
    ///
    /// Args:
    ///     response: status, reason, headers and body.
    ///     timeout: seconds; None waits for ever.
    fn refuse(
        &self,
        py: Python<'_>,
        response: ResponseParts,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let response = to_response(py, response)?;
        let (incoming, log, _) = self.take_asked(py)?;
        let outcome = self.step(py, timeout, move |opening| incoming.refuse(&response, opening));
        report(py, log.as_ref(), outcome)
    }

    /// Answer with a response that opens the connection.
    ///
    /// Args:
    ///     client: whose options for open connections hold.
    ///     response: status, reason and headers; the body is not used.
    ///     subprotocol: what was agreed on.
    ///     extensions: name, parameters and object of each that was agreed on.
    ///     timeout: seconds; None waits for ever.
    #[pyo3(signature = (client, response, subprotocol, extensions, timeout))]
    fn accept(
        &self,
        py: Python<'_>,
        client: &Client,
        response: ResponseParts,
        subprotocol: Option<String>,
        extensions: Vec<Accepted<'_>>,
        timeout: Option<f64>,
    ) -> PyResult<Handle> {
        let agreed = extensions
            .into_iter()
            .map(|(name, params, object)| {
                let mut agreed = ExtensionParams::new(name);
                agreed.params = params;
                Ok(Agreed { params: agreed, coding: extension::coding_of(&object)? })
            })
            .collect::<PyResult<Vec<_>>>()?;
        let response = to_response(py, response)?;
        let (incoming, log, journal) = self.take_asked(py)?;
        let outcome = self.step(py, timeout, |opening| {
            incoming.accept(response, subprotocol, agreed, client.client(), opening)
        });
        let connection = report(py, log.as_ref(), outcome)?;
        Ok(Handle::new(Opened { connection, large_limit: client.large_limit(), journal }))
    }

    /// Have whoever waits for the client stop that.
    fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Incoming {
    /// A client of a lobby.
    pub(crate) fn arrived(mut incoming: Box<openline::Incoming>) -> Incoming {
        let seat = Mutex::new(incoming.take_seat());
        let addresses = Some((incoming.local_address().clone(), incoming.remote_address().clone()));
        Incoming { seat, addresses, ..Incoming::at(Stage::Arrived(incoming)) }
    }

    fn at(stage: Stage) -> Incoming {
        let (is_given_up, seat) = (AtomicBool::new(false), Mutex::new(None));
        Incoming { stage: Mutex::new(stage), is_given_up, addresses: None, seat }
    }

    /// For the lobby, which takes it back.
    pub(crate) fn take_arrived(&self, py: Python<'_>) -> PyResult<Box<openline::Incoming>> {
        match self.take() {
            Stage::Arrived(incoming) => Ok(incoming),
            _ => Err(error::invalid_state(py, "the request was received already")),
        }
    }

    /// Until the request is answered.
    fn transport(&self) -> Option<Arc<dyn Transport>> {
        match &*self.stage() {
            Stage::Arrived(incoming) | Stage::Asked(incoming, ..) => {
                Some(incoming.transport().clone())
            }
            Stage::Connected(_) | Stage::Over => None,
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Stage {
        std::mem::replace(&mut *self.stage(), Stage::Over)
    }

    fn take_asked(
        &self,
        py: Python<'_>,
    ) -> PyResult<(openline::Incoming, Option<Log>, Option<Journal>)> {
        match self.take() {
            Stage::Asked(incoming, log, journal) => Ok((*incoming, log, journal)),
            _ => Err(error::invalid_state(py, "there is no request to answer")),
        }
    }

    /// Does one step of the handshake, detached.
    fn step<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        step: impl FnOnce(&Opening<'_>) -> openline::Result<T> + Send,
    ) -> PyResult<T> {
        // Handlers of signals run in the main thread only: the others need not ask.
        let raised = signals::are_handled_here(py).then(signals::Raised::default);
        let give_up = || {
            self.is_given_up.load(Ordering::Relaxed)
                || raised.as_ref().is_some_and(signals::Raised::look)
        };
        let deadline = limit(timeout.map(|seconds| seconds.max(0.0)));
        let deadline = deadline.map_or(Deadline::NEVER, Duration::into);
        let outcome = py.detach(|| step(&Opening::new(deadline, &give_up)));
        outcome.map_err(|error| match raised.and_then(|raised| raised.take()) {
            Some(raised) => raised,
            None => error::to_python(py, error),
        })
    }
}

fn report<T>(py: Python<'_>, log: Option<&Log>, outcome: PyResult<T>) -> PyResult<T> {
    match log {
        None => outcome,
        Some(log) => log.report(py, outcome),
    }
}

/// Check whether a request asks for a WebSocket (RFC 6455 §4.2.1).
///
/// Returns:
///     None if it does; or the exception that tells what is wrong, and the status, reason, headers and body of
///     the answer.
#[pyfunction]
pub(crate) fn check_request(
    py: Python<'_>,
    method: String,
    path: String,
    version: String,
    headers: Vec<(String, String)>,
) -> PyResult<Option<(Py<PyAny>, ResponseParts)>> {
    let mut request = Request::new(method, path);
    request.headers = to_headers(py, headers)?;
    let outcome = match &*version {
        "HTTP/1.1" => ReceivedRequest::new(request).check().map(drop),
        _ => Err(HandshakeError::InvalidProtocol(version)),
    };
    let Err(error) = outcome else { return Ok(None) };
    let Response { status_code, reason_phrase, headers, body, .. } = error.response();
    let headers = headers.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let exception = error::to_python(py, Error::Handshake(error)).into_value(py).into_any();
    Ok(Some((exception, (status_code, reason_phrase, headers, body))))
}

fn to_response(py: Python<'_>, parts: ResponseParts) -> PyResult<Response> {
    let (status, reason, headers, body) = parts;
    let mut response = Response::new(status, reason);
    response.headers = to_headers(py, headers)?;
    response.body = body;
    Ok(response)
}

fn to_headers(py: Python<'_>, pairs: Vec<(String, String)>) -> PyResult<Headers> {
    let mut headers = Headers::new();
    for (name, value) in pairs {
        let fail = |error: openline::http::InvalidField| {
            error::to_python(py, Error::Handshake(error.into()))
        };
        headers.append(&name, &value).map_err(fail)?;
    }
    Ok(headers)
}

/// Name, parameters, object.
type Accepted<'py> = (String, Vec<(String, Option<String>)>, Bound<'py, PyAny>);

/// Method, path, version, headers.
type RequestParts = (String, String, &'static str, Vec<(String, String)>);

/// Status, reason, headers, body.
type ResponseParts = (u16, String, Vec<(String, String)>, Vec<u8>);
