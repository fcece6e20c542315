//! The TLS handshake by an `ssl.SSLContext`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use openline::transport::{Interest, Opening, Secure, ServerTls, TlsHandshake, Transport};
use openline::{Error, TlsError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::outcome::{Step, is_of_tls, to_io};
use super::transport::PythonTls;
use crate::gate;

/// An `ssl.SSLContext`.
#[derive(Debug)]
pub(super) struct Context {
    context: Py<PyAny>,
    is_server: bool,
}

impl Context {
    pub(super) fn new(context: &Bound<'_, PyAny>, is_server: bool) -> Context {
        Context { context: context.clone().unbind(), is_server }
    }

    fn begin(&self, below: Arc<dyn Transport>, peer: &str) -> openline::Result<Handshake> {
        let transport = below.clone();
        let tls = attached(|py| self.wrap(py, transport, peer).map_err(other))?;
        Ok(Handshake { tls, peer: peer.to_owned() })
    }

    /// The object that speaks TLS over the transport below.
    fn wrap(
        &self,
        py: Python<'_>,
        below: Arc<dyn Transport>,
        server_name: &str,
    ) -> PyResult<PythonTls> {
        let ssl = py.import("ssl")?;
        let context = self.context.bind(py);
        let options = PyDict::new(py);
        let mut sessions = None;
        if self.is_server {
            options.set_item("server_side", true)?;
        } else {
            options.set_item("server_hostname", server_name)?;
            let known = Sessions::of(context, server_name)?;
            if let Some(session) = known.recall(py)? {
                options.set_item("session", session)?;
            }
            sessions = Some(known);
        }
        // Who gives the context a class for its sockets wants objects of it. It takes a socket, whose
        // bytes go as they are: inside of another TLS there is none.
        let class = context.getattr("sslsocket_class")?;
        if !class.is(&ssl.getattr("SSLSocket")?)
            && let Some(socket) = below.as_socket()
        {
            return over_socket(context, socket, &options);
        }
        let bio = ssl.getattr("MemoryBIO")?;
        let (incoming, outgoing) = (bio.call0()?, bio.call0()?);
        let object = context.call_method("wrap_bio", (&incoming, &outgoing), Some(&options))?;
        let class = ssl.getattr("SSLObject")?;
        let object = match object.getattr("_sslobj") {
            // What its methods do in Python costs as much as what they do in C, and is where signal
            // handlers run; but a class of the user's own is to be used.
            Ok(inner) if object.get_type().is(&class) => inner,
            _ => object,
        };
        let (incoming, outgoing) = (incoming.unbind(), outgoing.unbind());
        Ok(PythonTls::over_memory(object.unbind(), incoming, outgoing, below, sessions))
    }
}

fn over_socket(
    context: &Bound<'_, PyAny>,
    socket: BorrowedFd<'_>,
    options: &Bound<'_, PyDict>,
) -> PyResult<PythonTls> {
    let py = context.py();
    let number = py.import("os")?.call_method1("dup", (socket.as_raw_fd(),))?;
    let fileno = PyDict::new(py);
    fileno.set_item("fileno", number)?;
    let plain = py.import("socket")?.call_method("socket", (), Some(&fileno))?;
    options.set_item("do_handshake_on_connect", false)?;
    plain.call_method1("setblocking", (false,))?;
    PythonTls::over_socket(&context.call_method("wrap_socket", (plain,), Some(options))?, true)
}

/// A handshake by a context.
#[derive(Debug)]
struct Handshake {
    tls: PythonTls,
    /// The name of the server, or who it is for errors.
    peer: String,
}

impl TlsHandshake for Handshake {
    fn go_on(&mut self) -> openline::Result<Option<Interest>> {
        let Handshake { tls, peer } = self;
        attached(|py| {
            let fail = |error| Error::Tls(TlsError::new(peer, error));
            loop {
                let step = match tls.handshake(py) {
                    Ok(step) => step.map_err(fail)?,
                    Err(error) if is_of_tls(py, &error) => return Err(fail(to_io(py, error))),
                    Err(error) => return Err(other(error)),
                };
                return Ok(match step {
                    Step::Done(()) => None,
                    Step::WantsRead if tls.fetch(py).map_err(fail)? => continue,
                    Step::WantsRead => Some(Interest::Read),
                    Step::WantsWrite => Some(Interest::Write),
                });
            }
        })
    }

    fn finish(self: Box<Self>) -> Arc<dyn Transport> {
        Arc::new(self.tls)
    }
}

impl Secure for Context {
    fn secure(
        &self,
        transport: Arc<dyn Transport>,
        server_name: &str,
        opening: &Opening<'_>,
    ) -> openline::Result<Arc<dyn Transport>> {
        let mut handshake = Box::new(self.begin(transport.clone(), server_name)?);
        while let Some(interest) = handshake.go_on()? {
            opening.wait(&*transport, interest)?;
        }
        Ok(handshake.finish())
    }
}

impl ServerTls for Context {
    fn begin(&self, transport: Arc<dyn Transport>) -> openline::Result<Box<dyn TlsHandshake>> {
        Ok(Box::new(self.begin(transport, CLIENT)?))
    }
}

/// Whom a server speaks TLS with, for errors.
pub(crate) const CLIENT: &str = "a client";

/// Runs a step of the handshake, attached.
fn attached<T>(step: impl FnOnce(Python<'_>) -> openline::Result<T>) -> openline::Result<T> {
    gate::visit(step).unwrap_or_else(|| {
        let error = io::Error::other("the interpreter is shutting down");
        Err(Error::System { action: "use TLS of Python".to_owned(), error })
    })
}

/// An exception of Python code that is not about TLS.
fn other(error: PyErr) -> Error {
    Error::Other(error.into())
}

/// The TLS sessions of a context with one server, for the next connection to resume. They are kept in
/// Python, as long as the context.
pub(super) struct Sessions {
    context: Py<PyAny>,
    server_name: String,
}

impl Sessions {
    fn of(context: &Bound<'_, PyAny>, server_name: &str) -> PyResult<Sessions> {
        Ok(Sessions { context: context.clone().unbind(), server_name: server_name.to_owned() })
    }

    fn recall<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let arguments = (&self.context, &self.server_name);
        let session = py.import("openline._sessions")?.call_method1("recall", arguments)?;
        Ok(if session.is_none() { None } else { Some(session) })
    }

    /// Keeps the session that an object has now.
    pub(super) fn remember(&self, py: Python<'_>, object: &Py<PyAny>) {
        let arguments = (&self.context, &self.server_name, object);
        // Without it the next handshake is a full one.
        let _ = py
            .import("openline._sessions")
            .and_then(|sessions| sessions.call_method1("remember", arguments));
    }
}
