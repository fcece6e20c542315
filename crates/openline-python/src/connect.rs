//! Opening connections, with the options that the Python layer has checked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use openline::{Client, Connection};
use openline_proto::Uri;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error;
use crate::timeout::limit;

/// An open connection on its way into a `Connection`, which takes it.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Handle(Mutex<Option<Opened>>);

/// A connection, and how large a message may be for its memory to be allocated when only its header
/// has come.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) large_limit: usize,
}

impl Handle {
    pub(crate) fn take(&self) -> PyResult<Opened> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        opened.take().ok_or_else(|| PyValueError::new_err("this handle has been used already"))
    }
}

/// Takes a WebSocket URI apart: whether it is secure, host, port, path, query, user name, password.
///
/// Args:
///     uri: a `ws://` or `wss://` URI.
///
/// Raises:
///     InvalidURI: it is not one.
#[pyfunction]
pub(crate) fn parse_uri(py: Python<'_>, uri: &str) -> PyResult<UriParts> {
    let uri = Uri::parse(uri).map_err(|error| error::to_python(py, error.into()))?;
    let (path, query) = match uri.resource_name().split_once('?') {
        Some((path, query)) => (path, query),
        None => (uri.resource_name(), ""),
    };
    let (user, password) = uri.user_info().unzip();
    Ok((
        uri.is_secure(),
        uri.host().to_owned(),
        uri.port(),
        path.to_owned(),
        query.to_owned(),
        user.map(str::to_owned),
        password.map(str::to_owned),
    ))
}

type UriParts = (bool, String, u16, String, String, Option<String>, Option<String>);

/// Opens a connection. `openline.sync.client.connect` calls this with arguments it has checked.
///
/// Args:
///     uri: a `ws://` or `wss://` URI.
///     path: the path of a Unix socket to connect to; None connects to the URI's host and port.
///     server_hostname: the name for TLS; None takes the URI's host.
///     origin: the `Origin` header, or None.
///     subprotocols: what to offer, best first.
///     headers: names and values to add to the request.
///     user_agent: the `User-Agent` header, or None.
///     open_timeout: seconds for all of it; None waits for ever.
///     ping_interval: seconds between keepalive pings; None sends none.
///     ping_timeout: seconds for the answer to one; None waits for ever.
///     close_timeout: seconds for the closing handshake; None waits for ever.
///     max_size: bytes of a message at most; None sets no limit.
///     max_fragment_size: bytes of a fragment at most; None sets no limit.
///     max_queue_high: messages that may wait to be received; None sets no limit.
///     max_queue_low: how few of them let reading go on; None takes a quarter.
///
/// Returns:
///     A handle to make a `Connection` of.
///
/// Raises:
///     InvalidURI, ConnectError, ssl.SSLError, InvalidHandshake, TimeoutError: as `connect` says.
#[pyfunction]
#[pyo3(signature = (
    uri, *, path, server_hostname, origin, subprotocols, headers, user_agent, open_timeout,
    ping_interval, ping_timeout, close_timeout, max_size, max_fragment_size, max_queue_high,
    max_queue_low,
))]
#[allow(clippy::too_many_arguments)] // They are those of the Python function, by name.
pub(crate) fn connect(
    py: Python<'_>,
    uri: &str,
    path: Option<&Bound<'_, PyAny>>,
    server_hostname: Option<&str>,
    origin: Option<&str>,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    user_agent: Option<&str>,
    open_timeout: Option<f64>,
    ping_interval: Option<f64>,
    ping_timeout: Option<f64>,
    close_timeout: Option<f64>,
    max_size: Option<usize>,
    max_fragment_size: Option<usize>,
    max_queue_high: Option<usize>,
    max_queue_low: Option<usize>,
) -> PyResult<Handle> {
    let mut client = Client::new()
        .subprotocols(subprotocols)
        .user_agent(user_agent)
        .open_timeout(limit(open_timeout))
        .ping_interval(limit(ping_interval))
        .ping_timeout(limit(ping_timeout))
        .close_timeout(limit(close_timeout))
        .max_size(max_size)
        .max_fragment_size(max_fragment_size)
        .max_queue(max_queue_high)
        .resume_queue(max_queue_low)
        .interruptible(true);
    if let Some(origin) = origin {
        client = client.origin(origin);
    }
    if let Some(name) = server_hostname {
        client = client.server_hostname(name);
    }
    for (name, value) in headers {
        client = client.header(&name, &value).map_err(|error| error::to_python(py, error))?;
    }
    let path = path.map(socket_path).transpose()?;

    // What a signal handler raised. The engine gives up then, and closes what it has opened.
    let raised = Mutex::new(None);
    let give_up = || match Python::attach(|py| py.check_signals()) {
        Ok(()) => false,
        Err(error) => {
            *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            true
        }
    };
    let outcome = py.detach(|| match &path {
        None => client.connect_unless(uri, &give_up),
        Some(path) => client.connect_unix_unless(path, uri, &give_up),
    });
    let connection = outcome.map_err(|error| {
        let raised = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.unwrap_or_else(|| error::to_python(py, error))
    })?;
    let large_limit = max_size.unwrap_or(UNLIMITED_LARGE_LEN);
    Ok(Handle(Mutex::new(Some(Opened { connection, large_limit }))))
}

/// A path as Python's `os` functions take it.
pub(crate) fn socket_path(path: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    Ok(match path.cast::<PyBytes>() {
        Ok(bytes) => OsStr::from_bytes(bytes.as_bytes()).into(),
        Err(_) => path.extract::<OsString>()?.into(),
    })
}

/// Without `max_size`, the memory for longer messages grows as they come.
const UNLIMITED_LARGE_LEN: usize = 64 << 20;
