//! Opening connections, with the options that the Python layer has checked.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use openline::proxy::ProxyUri;
use openline::transport::Stream;
use openline::{Connection, Journal, Role};
use openline_proto::Uri;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyString};

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

/// Whether an environment variable asks for a proxy, or for none: one whose name ends with `_proxy`, in
/// whatever case, as Python's `urllib.request` takes them.
#[pyfunction]
pub(crate) fn is_proxy_in_environment() -> bool {
    std::env::vars_os().any(|(name, _)| {
        let suffix = name.as_bytes().last_chunk::<6>();
        suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"_proxy"))
    })
}

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
    ///     **options: the parameters of `connect`, in these shapes; what is left out is as the core has it.
    ///         `ssl`, `proxy_ssl`: an `ssl.SSLContext`.
    ///         `server_hostname`, `proxy_server_hostname`, `origin`: text.
    ///         `user_agent_header`: text, or None.
    ///         `proxy`: a function that gives a proxy's URL or None for whether a URI is secure, its host and
    ///             its port. Without it connections are direct.
    ///         `extensions`: factories to offer.
    ///         `compression`: whether to offer permessage-deflate with its defaults.
    ///         `subprotocols`: what to offer, best first.
    ///         `additional_headers`: names and values.
    ///         `address`: host and port to connect to in place of the URI's.
    ///         `source_address`: addresses and ports to bind to, one for each family.
    ///         `timeout`, `open_timeout`, `ping_interval`, `ping_timeout`, `idle_timeout`, `close_timeout`,
    ///             `busy_poll`: seconds, or None.
    ///         `max_redirects`: how many to follow.
    ///         `max_size`: bytes of a message and of a fragment at most, or None.
    ///         `max_queue`: how many messages may wait, and how few of them let reading go on, or None.
    #[new]
    #[pyo3(signature = (**options))]
    fn new(options: Option<&Bound<'_, PyDict>>) -> PyResult<Client> {
        let mut client = openline::Client::new()
            .no_proxy()
            .interruptible(true)
            .interrupted_by(signals::are_raised);
        let mut factories = Vec::new();
        let mut large_limit = UNLIMITED_LARGE_LEN;
        for (name, value) in options.into_iter().flatten() {
            match name.cast::<PyString>()?.to_str()? {
                "extensions" => factories = value.extract()?,
                "max_size" => {
                    let (message, fragment): (Option<usize>, Option<usize>) = value.extract()?;
                    large_limit = message.unwrap_or(UNLIMITED_LARGE_LEN);
                    client = client.max_size(message).max_fragment_size(fragment);
                }
                name => client = with(client, name, &value)?,
            }
        }
        Ok(Client { client, factories, large_limit })
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
    pub(crate) fn client(&self) -> &openline::Client {
        &self.client
    }

    pub(crate) fn large_limit(&self) -> usize {
        self.large_limit
    }

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
        let raised = signals::Raised::default();
        let give_up = || raised.look();
        let outcome = py.detach(|| open(&client, &give_up)).map_err(|error| {
            let raised = raised.take().or_else(|| negotiation.take_raised());
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

/// A client with one more option. A name that is not known is a mistake of the Python layer's.
fn with(
    client: openline::Client,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<openline::Client> {
    let text = || value.extract::<PyBackedStr>();
    let seconds = || PyResult::Ok(limit(value.extract()?));
    Ok(match name {
        "ssl" => client.tls_by(ssl::context_tls(value)),
        "server_hostname" => client.server_hostname(&*text()?),
        "origin" => client.origin(&*text()?),
        "subprotocols" => client.subprotocols(value.extract::<Vec<String>>()?),
        "compression" if value.is_truthy()? => client,
        "compression" => client.compression(None),
        "additional_headers" => {
            let mut client = client;
            for (header, text) in value.extract::<Vec<(String, String)>>()? {
                let added = client.header(&header, &text);
                client = added.map_err(|error| error::to_python(value.py(), error))?;
            }
            client
        }
        "user_agent_header" => {
            client.user_agent(value.extract::<Option<PyBackedStr>>()?.as_deref())
        }
        "proxy" => {
            let choose = value.clone().unbind();
            client.proxy_by(move |uri| choose_proxy(&choose, uri))
        }
        "proxy_ssl" => client.proxy_tls_by(ssl::context_tls(value)),
        "proxy_server_hostname" => client.proxy_server_hostname(&*text()?),
        "address" => {
            let (host, port): (String, u16) = value.extract()?;
            client.address(host, port)
        }
        "source_address" => {
            let addresses: Vec<(IpAddr, u16)> = value.extract()?;
            addresses
                .into_iter()
                .fold(client, |client, address| client.local_address(address.into()))
        }
        "timeout" => client.connect_timeout(seconds()?),
        "open_timeout" => client.open_timeout(seconds()?),
        "ping_interval" => client.ping_interval(seconds()?),
        "ping_timeout" => client.ping_timeout(seconds()?),
        "idle_timeout" => client.idle_timeout(seconds()?),
        "close_timeout" => client.close_timeout(seconds()?),
        "busy_poll" => client.busy_poll(seconds()?),
        "max_redirects" => client.max_redirects(value.extract()?),
        "max_queue" => {
            let (high, low): (Option<usize>, Option<usize>) = value.extract()?;
            client.max_queue(high).resume_queue(low)
        }
        _ => return Err(PyTypeError::new_err(format!("no such option: {name}"))),
    })
}

/// A `socket.socket`, used by a descriptor of our own; an `ssl.SSLSocket` by its methods.
pub(crate) fn given_stream(sock: &Bound<'_, PyAny>) -> PyResult<Stream> {
    if ssl::is_ssl_socket(sock)? {
        return ssl::ssl_socket_stream(sock);
    }
    Ok(Stream::from(duplicate(sock)?))
}

/// The logger that wants to know what happens, and how many characters of a payload it shows.
pub(crate) type Wanted = Option<(Py<PyAny>, usize)>;

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
