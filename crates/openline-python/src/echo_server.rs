//! The class `EchoServer`: the engine's server for tests.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openline::http::Request;
use openline::rustls::crypto::ring;
use openline::rustls::pki_types::pem::PemObject;
use openline::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use openline::rustls::{self, ServerConfig};
use openline::testing::EchoServer as Server;
use openline::{Address, Message};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::connect::socket_path;
use crate::connection::{address, request_parts};
use crate::error;

/// The engine's echo server. Use `openline.testing.EchoServer` instead.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct EchoServer {
    uri: String,
    address: Address,
    /// `None` once it is shut down.
    server: Mutex<Option<Server>>,
    /// Requests that the server has given and Python has not asked for yet.
    requests: Mutex<Vec<Request>>,
}

#[pymethods]
impl EchoServer {
    /// Starts the server, with arguments that `openline.testing.EchoServer` has checked.
    ///
    /// Args:
    ///     host: where to listen.
    ///     port: the port; 0 is a free one.
    ///     path: the path of a Unix socket to listen on instead, or None.
    ///     certfile: a PEM file with the certificates for TLS, or None.
    ///     keyfile: a PEM file with the key; None looks for it in `certfile`.
    ///     subprotocols: what it speaks, best first.
    ///     basic_auth: the user's name and password that clients must have, or None.
    ///     welcome: messages for each client.
    ///     close_after: after how many echoes it closes; None is never.
    ///     close_code: the code of that close.
    ///     close_reason: its reason.
    ///
    /// Raises:
    ///     OSError: it cannot listen there, or a certificate cannot be read.
    #[new]
    #[pyo3(signature = (
        *, host, port, path, certfile, keyfile, subprotocols, basic_auth, welcome, close_after,
        close_code, close_reason,
    ))]
    #[allow(clippy::too_many_arguments)] // They are those of the Python class, by name.
    fn new(
        py: Python<'_>,
        host: &str,
        port: u16,
        path: Option<&Bound<'_, PyAny>>,
        certfile: Option<&Bound<'_, PyAny>>,
        keyfile: Option<&Bound<'_, PyAny>>,
        subprotocols: Vec<String>,
        basic_auth: Option<(String, String)>,
        welcome: Vec<Bound<'_, PyAny>>,
        close_after: Option<usize>,
        close_code: u16,
        close_reason: &str,
    ) -> PyResult<EchoServer> {
        let welcome = welcome.iter().map(to_message).collect::<PyResult<Vec<_>>>()?;
        let mut options = Server::options().subprotocols(subprotocols).welcome(welcome);
        if let Some((user, password)) = &basic_auth {
            options = options.basic_auth(user, password);
        }
        if let Some(echoes) = close_after {
            options = options.close_after(echoes, close_code, close_reason);
        }
        if let Some(certfile) = certfile {
            let certfile = socket_path(certfile)?;
            let keyfile = keyfile.map_or(Ok(certfile.clone()), socket_path)?;
            options = options.tls(tls_config(py, &certfile, &keyfile)?);
        }
        let path = path.map(socket_path).transpose()?;
        let started = py.detach(|| match &path {
            None => options.start_at(host, port),
            Some(path) => options.start_unix(path),
        });
        let server = started.map_err(|error| error::to_python(py, error))?;
        Ok(EchoServer {
            uri: server.uri().to_owned(),
            address: server.address().clone(),
            server: Mutex::new(Some(server)),
            requests: Mutex::default(),
        })
    }

    /// Close all connections with code 1001 and stop listening. Doing so again has no effect.
    fn shutdown(&self, py: Python<'_>) {
        let Some(server) = lock(&self.server).take() else { return };
        // Its threads never attach, so nothing here waits for Python.
        let requests = py.detach(|| {
            let requests = server.take_requests();
            server.shutdown();
            requests
        });
        lock(&self.requests).extend(requests);
    }

    /// Return the handshake requests since the last call, as paths and headers.
    fn take_requests<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut requests = std::mem::take(&mut *lock(&self.requests));
        if let Some(server) = &*lock(&self.server) {
            requests.extend(server.take_requests());
        }
        requests
            .iter()
            .map(|request| Ok(request_parts(request).into_pyobject(py)?.into_any()))
            .collect()
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

    /// How many connections are open now.
    #[getter]
    fn connections(&self) -> usize {
        lock(&self.server).as_ref().map_or(0, Server::connections)
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        let server = lock(&self.server).take();
        // Its end waits for its threads, and other Python threads may go on meanwhile.
        Python::attach(|py| py.detach(|| drop(server)));
    }
}

fn to_message(object: &Bound<'_, PyAny>) -> PyResult<Message> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Message::Text(text.to_str()?.to_owned()));
    }
    match object.cast::<PyBytes>() {
        Ok(bytes) => Ok(Message::Binary(bytes.as_bytes().to_vec())),
        Err(_) => Err(PyTypeError::new_err("welcome must be a list of str and bytes")),
    }
}

/// TLS with the certificates and the key of PEM files.
fn tls_config(py: Python<'_>, certfile: &Path, keyfile: &Path) -> PyResult<Arc<ServerConfig>> {
    let unusable = |path: &Path, what: &dyn std::fmt::Display| {
        error::tls_error(py, format!("{}: {what}", path.display()), false)
    };
    let chain = CertificateDer::pem_slice_iter(&read(certfile)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certfile, &error))?;
    if chain.is_empty() {
        return Err(unusable(certfile, &"no certificate in PEM form"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(keyfile)?).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            unusable(keyfile, &"no private key in PEM form")
        }
        error => unusable(keyfile, &error),
    })?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(certfile, &error))?;
    Ok(Arc::new(config))
}

fn read(path: &Path) -> PyResult<Vec<u8>> {
    std::fs::read(path).map_err(|error| match error.raw_os_error() {
        // With three arguments, OSError tells the file.
        Some(number) => {
            let text = error.to_string();
            let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
            pyo3::exceptions::PyOSError::new_err((
                number,
                text.to_owned(),
                path.as_os_str().to_owned(),
            ))
        }
        None => error.into(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
