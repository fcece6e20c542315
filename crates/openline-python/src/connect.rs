//! Opening connections, with the options that the Python layer has checked.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use openline::proxy::ProxyUri;
use openline::transport::Stream;
use openline::{Connection, Journal, Role};
use openline_proto::Uri;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::duplicate;
use crate::error;
use crate::extension::Negotiation;
use crate::handle::{Handle, Opened};
use crate::line::Log;
use crate::signals;
use crate::ssl;
use crate::timeout::limit;

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

/// Takes the URL of a proxy apart: scheme, host, port, user name, password.
///
/// Args:
///     proxy: an `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h` URL.
///
/// Raises:
///     InvalidProxy: it is not one.
#[pyfunction]
pub(crate) fn parse_proxy(py: Python<'_>, proxy: &str) -> PyResult<ProxyParts> {
    let proxy = ProxyUri::parse(proxy).map_err(|error| error::to_python(py, error.into()))?;
    let (user, password) = proxy.user_info().unzip();
    Ok((
        proxy.scheme().to_string(),
        proxy.host().to_owned(),
        proxy.port(),
        user.map(str::to_owned),
        password.map(str::to_owned),
    ))
}

type ProxyParts = (String, String, u16, Option<String>, Option<String>);

/// How to open connections, with options that the Python layer has checked.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Client {
    client: openline::Client,
    /// The factories of extensions to offer.
    factories: Vec<Py<PyAny>>,
    large_limit: usize,
}

#[pymethods]
impl Client {
    /// Args:
    ///     tls: an `ssl.SSLContext` for `wss://`; None takes secure defaults.
    ///     server_hostname: the name for TLS; None takes the URI's host.
    ///     proxy: a function that gives a proxy's URL or None for whether a URI is secure, its host and
    ///         its port; None connects directly.
    ///     proxy_tls: an `ssl.SSLContext` for an `https` proxy; None takes secure defaults.
    ///     proxy_server_hostname: the name for TLS to the proxy; None takes the host of its URL.
    ///     address: host and port to connect to in place of the URI's.
    ///     local_addresses: addresses and ports to bind to, one for each family.
    ///     connect_timeout: seconds for TCP alone; None sets no limit.
    ///     max_redirects: how many redirects to follow.
    ///     origin: the `Origin` header, or None.
    ///     subprotocols: what to offer, best first.
    ///     compression: whether to offer permessage-deflate with its defaults.
    ///     extensions: factories of other extensions, or of that one, to offer before it.
    ///     headers: names and values to add to the request.
    ///     user_agent: the `User-Agent` header, or None.
    ///     open_timeout: seconds for all of it; None waits for ever.
    ///     ping_interval: seconds between keepalive pings; None sends none.
    ///     ping_timeout: seconds for the answer to one; None waits for ever.
    ///     idle_timeout: seconds without a message; None sets no limit.
    ///     close_timeout: seconds for the closing handshake; None waits for ever.
    ///     busy_poll: seconds to look for data before sleeping; None looks while it pays.
    ///     max_size: bytes of a message at most; None sets no limit.
    ///     max_fragment_size: bytes of a fragment at most; None sets no limit.
    ///     max_queue_high: messages that may wait to be received; None sets no limit.
    ///     max_queue_low: how few of them let reading go on; None takes a quarter.
    #[new]
    #[pyo3(signature = (
        *, tls, server_hostname, proxy, proxy_tls, proxy_server_hostname, address, local_addresses,
        connect_timeout, max_redirects, origin, subprotocols, compression, extensions, headers,
        user_agent, open_timeout, ping_interval, ping_timeout, idle_timeout, close_timeout, busy_poll,
        max_size, max_fragment_size, max_queue_high, max_queue_low,
    ))]
    #[allow(clippy::too_many_arguments)] // They are those of the Python function, by name.
    fn new(
        py: Python<'_>,
        tls: Option<&Bound<'_, PyAny>>,
        server_hostname: Option<&str>,
        proxy: Option<Py<PyAny>>,
        proxy_tls: Option<&Bound<'_, PyAny>>,
        proxy_server_hostname: Option<&str>,
        address: Option<(String, u16)>,
        local_addresses: Vec<(IpAddr, u16)>,
        connect_timeout: Option<f64>,
        max_redirects: usize,
        origin: Option<&str>,
        subprotocols: Vec<String>,
        compression: bool,
        extensions: Vec<Py<PyAny>>,
        headers: Vec<(String, String)>,
        user_agent: Option<&str>,
        open_timeout: Option<f64>,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
        idle_timeout: Option<f64>,
        close_timeout: Option<f64>,
        busy_poll: Option<f64>,
        max_size: Option<usize>,
        max_fragment_size: Option<usize>,
        max_queue_high: Option<usize>,
        max_queue_low: Option<usize>,
    ) -> PyResult<Client> {
        let mut client = openline::Client::new()
            .no_proxy()
            .max_redirects(max_redirects)
            .connect_timeout(limit(connect_timeout))
            .subprotocols(subprotocols)
            .user_agent(user_agent)
            .open_timeout(limit(open_timeout))
            .ping_interval(limit(ping_interval))
            .ping_timeout(limit(ping_timeout))
            .idle_timeout(limit(idle_timeout))
            .close_timeout(limit(close_timeout))
            .busy_poll(limit(busy_poll))
            .max_size(max_size)
            .max_fragment_size(max_fragment_size)
            .max_queue(max_queue_high)
            .resume_queue(max_queue_low)
            .interruptible(true)
            .interrupted_by(signals::are_raised);
        if let Some(context) = tls {
            client = client.tls_by(ssl::context_tls(context));
        }
        if let Some(name) = server_hostname {
            client = client.server_hostname(name);
        }
        if let Some(choose) = proxy {
            client = client.proxy_by(move |uri| choose_proxy(&choose, uri));
        }
        if let Some(context) = proxy_tls {
            client = client.proxy_tls_by(ssl::context_tls(context));
        }
        if let Some(name) = proxy_server_hostname {
            client = client.proxy_server_hostname(name);
        }
        if let Some((host, port)) = address {
            client = client.address(host, port);
        }
        for address in local_addresses {
            client = client.local_address(address.into());
        }
        if let Some(origin) = origin {
            client = client.origin(origin);
        }
        for (name, value) in headers {
            client = client.header(&name, &value).map_err(|error| error::to_python(py, error))?;
        }
        if !compression {
            client = client.compression(None);
        }
        let large_limit = max_size.unwrap_or(UNLIMITED_LARGE_LEN);
        Ok(Client { client, factories: extensions, large_limit })
    }

    /// Connects to a URI's host and port, or whatever leads there.
    ///
    /// Args:
    ///     uri: the URI.
    ///     log: the logger and how many characters of a payload it shows, if it wants to know what
    ///         happens on the connection. It is told now if there is no connection, and by the
    ///         `Connection` otherwise.
    ///
    /// Returns:
    ///     A handle to make a `Connection` of.
    ///
    /// Raises:
    ///     InvalidURI, ConnectError, ssl.SSLError, InvalidHandshake, TimeoutError: as `connect` says.
    #[pyo3(signature = (uri, log))]
    fn connect(&self, py: Python<'_>, uri: &str, log: Wanted) -> PyResult<Handle> {
        self.open(py, log, |client, give_up| client.connect_unless(uri, give_up))
    }

    /// Connects over the Unix socket at a path. Returns and raises as `connect`.
    #[pyo3(signature = (path, uri, log))]
    fn connect_unix(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        uri: &str,
        log: Wanted,
    ) -> PyResult<Handle> {
        let path = socket_path(path)?;
        self.open(py, log, |client, give_up| client.connect_unix_unless(&path, uri, give_up))
    }

    /// Connects over a `socket.socket`. A plain one is used by a descriptor of our own; an
    /// `ssl.SSLSocket` by its methods. Returns and raises as `connect`.
    ///
    /// Args:
    ///     sock: the socket.
    ///     uri: the URI.
    ///     log: as for `connect`.
    ///     secured: whether a `wss://` URI needs no TLS over the socket.
    #[pyo3(signature = (sock, uri, log, *, secured=false))]
    fn connect_over(
        &self,
        py: Python<'_>,
        sock: &Bound<'_, PyAny>,
        uri: &str,
        log: Wanted,
        secured: bool,
    ) -> PyResult<Handle> {
        let stream = given_stream(sock)?;
        self.open(py, log, move |client, give_up| {
            let secured = secured.then(|| client.clone().tls_by(Arc::new(ssl::Secured)));
            secured.as_ref().unwrap_or(client).connect_over_unless(stream, uri, give_up)
        })
    }

    /// Takes a `socket.socket` over whose handshake somebody else has made.
    ///
    /// Args:
    ///     sock: as for `connect_over`.
    ///     is_server: which side we are.
    ///     leftover: what was read behind the handshake.
    ///     log: as for `connect`.
    fn upgraded(
        &self,
        py: Python<'_>,
        sock: &Bound<'_, PyAny>,
        is_server: bool,
        leftover: &[u8],
        log: Wanted,
    ) -> PyResult<Handle> {
        let stream = given_stream(sock)?;
        let role = if is_server { Role::Server } else { Role::Client };
        self.open(py, log, move |client, _give_up| client.upgraded(stream, role, leftover))
    }

    /// Makes both ends of a connection, in this process.
    ///
    /// Args:
    ///     uri: what the request says.
    ///     log: as for `connect`, for the client's end.
    ///
    /// Returns:
    ///     The handles of the client's end and of the server's.
    fn pair(&self, py: Python<'_>, uri: &str, log: Wanted) -> PyResult<(Handle, Handle)> {
        let mut server = None;
        let handle = self.open(py, log, |client, _give_up| {
            let (ours, theirs) = openline::testing::pair_of(client, uri)?;
            server = Some(theirs);
            Ok(ours)
        })?;
        let connection = server.expect("bug: both ends are made, or none");
        let large_limit = self.large_limit;
        Ok((handle, Handle::new(Opened { connection, large_limit, journal: None })))
    }
}

impl Client {
    /// Opens a connection, detached. A signal handler that raises ends that; the engine closes what
    /// it has opened then.
    fn open(
        &self,
        py: Python<'_>,
        log: Wanted,
        open: impl FnOnce(&openline::Client, &dyn Fn() -> bool) -> openline::Result<Connection> + Send,
    ) -> PyResult<Handle> {
        let negotiation = Negotiation::new(py, &self.factories)?;
        let mut client = negotiation.offered_by(self.client.clone());
        let journal = log.as_ref().map(|(_, max_log_size)| Journal::new(Some(*max_log_size)));
        if let Some(journal) = &journal {
            client = client.journal(journal);
        }
        let raised = Mutex::new(None);
        let give_up = || match Python::attach(signals::check) {
            Ok(()) => false,
            Err(error) => {
                *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                true
            }
        };
        let outcome = py.detach(|| open(&client, &give_up)).map_err(|error| {
            let raised = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
            let raised = raised.or_else(|| negotiation.take_raised());
            raised.unwrap_or_else(|| error::to_python(py, error))
        });
        let connection = match (outcome, &journal, log) {
            (Ok(connection), ..) => connection,
            (Err(error), Some(journal), Some((logger, _))) => {
                let log = Log::without_connection(py, journal.clone(), logger)?;
                return log.report(py, Err(error));
            }
            (Err(error), ..) => return Err(error),
        };
        Ok(Handle::new(Opened { connection, large_limit: self.large_limit, journal }))
    }
}

/// A `socket.socket`, used by a descriptor of our own; an `ssl.SSLSocket` by its methods.
fn given_stream(sock: &Bound<'_, PyAny>) -> PyResult<Stream> {
    if ssl::is_ssl_socket(sock)? {
        return ssl::ssl_socket_stream(sock);
    }
    Ok(Stream::from(duplicate(sock)?))
}

/// The logger that wants to know what happens, and how many characters of a payload it shows.
type Wanted = Option<(Py<PyAny>, usize)>;

/// Asks the Python layer for the proxy of a URI.
fn choose_proxy(choose: &Py<PyAny>, uri: &Uri) -> openline::Result<Option<ProxyUri>> {
    let url = Python::attach(|py| {
        let url = choose.call1(py, (uri.is_secure(), uri.host(), uri.port()))?;
        url.extract::<Option<String>>(py)
    });
    match url.map_err(|error| openline::Error::Other(error.into()))? {
        None => Ok(None),
        Some(url) => Ok(Some(ProxyUri::parse(&url)?)),
    }
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
