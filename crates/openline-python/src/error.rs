//! The engine's errors as the exceptions of `openline.exceptions`, one to one.

use std::io;

use openline::extension::CodingError;
use openline::handshake::{HandshakeError, MessageFault};
use openline::http::{Headers, Response};
use openline::proxy::ProxyError;
use openline::{
    Cause, CloseFrame, CloseReport, Closed, ConnectError, Error, ProtocolError, Traffic, rustls,
};
use pyo3::exceptions::{
    PyEOFError, PyInterruptedError, PyOSError, PyRuntimeError, PyTimeoutError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyBytes, PyTuple};
use pyo3::{IntoPyObjectExt, intern};

/// The exception for an error of the engine.
pub(crate) fn to_python(py: Python<'_>, error: Error) -> PyErr {
    // What goes wrong while an exception is made is an exception too.
    translate(py, error).unwrap_or_else(|error| error)
}

/// Whether an exception is a `ConnectionClosed`, of either kind.
pub(crate) fn is_connection_closed(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    Ok(error.is_instance(py, &exceptions(py)?.getattr("ConnectionClosed")?))
}

/// Whether an exception is of a class of `openline.exceptions`, or of the same name in
/// `websockets.exceptions`.
pub(crate) fn is_a(py: Python<'_>, error: &PyErr, name: &str) -> bool {
    let is_that = |class: Bound<'_, PyAny>| -> PyResult<bool> {
        let module = class.getattr("__module__")?.extract::<String>()?;
        Ok(["openline.exceptions", "websockets.exceptions"].contains(&module.as_str())
            && class.getattr("__name__")?.extract::<String>()? == name)
    };
    error.get_type(py).mro().iter().any(|class| is_that(class).unwrap_or(false))
}

/// A `ProtocolError` that the engine's types cannot express.
pub(crate) fn protocol_error(py: Python<'_>, text: String) -> PyErr {
    make(py, "ProtocolError", (text,)).unwrap_or_else(|error| error)
}

/// An `InvalidState`.
pub(crate) fn invalid_state(py: Python<'_>, text: &str) -> PyErr {
    make(py, "InvalidState", (text,)).unwrap_or_else(|error| error)
}

/// The `ConnectionClosedError` of a connection that could not be opened.
pub(crate) fn never_open(py: Python<'_>) -> PyErr {
    make(py, "ConnectionClosedError", (py.None(), py.None())).unwrap_or_else(|error| error)
}

/// A `ConcurrencyError`.
pub(crate) fn concurrency_error(py: Python<'_>, text: &str) -> PyErr {
    make(py, "ConcurrencyError", (text,)).unwrap_or_else(|error| error)
}

/// The `SendTimeout` that tells what went out.
pub(crate) fn send_timeout(py: Python<'_>, text: &str, committed: bool, sent: usize) -> PyErr {
    let made = || {
        let what = [("committed", committed.into_py_any(py)?), ("sent", sent.into_py_any(py)?)];
        let class = exceptions(py)?.getattr(intern!(py, "SendTimeout"))?;
        Ok(PyErr::from_value(class.call((text,), Some(&what.into_py_dict(py)?))?))
    };
    made().unwrap_or_else(|error: PyErr| error)
}

/// An `ssl.SSLError`.
pub(crate) fn tls_error(py: Python<'_>, text: String, is_verification: bool) -> PyErr {
    make(py, "_tls_error", (text, is_verification)).unwrap_or_else(|error| error)
}

/// The `OSError` of the subclass that Python has for the error's number.
pub(crate) fn os_error(py: Python<'_>, error: &io::Error, what: Option<&str>) -> PyErr {
    if let Some(exception) = exception_in(py, error) {
        return exception;
    }
    let text = without_number(error.to_string(), error.raw_os_error());
    let text = what.map_or(text.clone(), |what| format!("{what}: {text}"));
    if let Some(number) = error.raw_os_error() {
        return PyOSError::new_err((number, text));
    }
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return tls_error(py, text, false);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => PyEOFError::new_err(text),
        _ => PyOSError::new_err(text),
    }
}

/// A handshake's headers as the Python layer takes them.
pub(crate) fn header_pairs(headers: &Headers) -> Vec<(&str, &str)> {
    headers.iter().collect()
}

/// The exception that an error of the engine carries, if it came from Python.
fn exception_in(py: Python<'_>, error: &io::Error) -> Option<PyErr> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<CodingError>() {
        Some(coding) => exception_of(py, coding),
        None => inner.downcast_ref::<PyErr>().map(|exception| exception.clone_ref(py)),
    }
}

/// The text of an error, and of what caused it.
fn with_cause(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        None => error.to_string(),
        Some(cause) => format!("{error}: {cause}"),
    }
}

/// The exception that an extension raised.
fn exception_of(py: Python<'_>, error: &CodingError) -> Option<PyErr> {
    error.cause().downcast_ref::<PyErr>().map(|exception| exception.clone_ref(py))
}

/// The exception of an `ssl` object, with the name of the host in its text.
fn tls_failed(py: Python<'_>, exception: PyErr, host: &str) -> PyResult<PyErr> {
    let value = exception.value(py);
    let mut text = match value.getattr("strerror")?.extract::<String>() {
        Ok(text) => format!("TLS with {host}: {text}"),
        Err(_) => format!("TLS with {host}: {value}"),
    };
    let reason = value.getattr("reason").and_then(|reason| reason.extract::<String>());
    let is_server_at_fault = host != crate::ssl::CLIENT;
    if is_server_at_fault && reason.is_ok_and(|reason| NO_TLS.contains(&reason.as_str())) {
        text.push_str(
            "; the server does not speak TLS; for a connection without encryption use ws://",
        );
    }
    value.setattr("strerror", &text)?;
    value.setattr("args", (value.getattr("errno")?, text))?;
    Ok(exception)
}

/// How OpenSSL says that what came is no TLS.
const NO_TLS: [&str; 4] =
    ["HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"];

fn translate(py: Python<'_>, error: Error) -> PyResult<PyErr> {
    let text = error.to_string();
    Ok(match error {
        Error::Argument(_) | Error::BufferTooSmall { .. } => PyValueError::new_err(text),
        Error::Closed(closed) => connection_closed(py, &closed)?,
        Error::Concurrency(_) => make(py, "ConcurrencyError", (text,))?,
        Error::Connect(error) => cannot_connect(py, &error)?,
        Error::Forked => {
            // A loop that connects again after a ConnectionClosed does what is right here.
            let error = make(py, "ConnectionClosedError", (py.None(), py.None(), py.None()))?;
            error.set_cause(py, Some(PyRuntimeError::new_err(text)));
            error
        }
        Error::Handshake(error) => handshake_failed(py, &error)?,
        Error::Interrupted { .. } => PyInterruptedError::new_err(text),
        Error::InvalidProxy(error) => make(py, "InvalidProxy", (error.proxy, error.reason))?,
        Error::InvalidUri(error) => make(py, "InvalidURI", (error.uri, error.reason))?,
        Error::Other(error) => match error.downcast::<PyErr>() {
            Ok(error) => *error,
            Err(error) => error
                .downcast_ref::<CodingError>()
                .and_then(|coding| exception_of(py, coding))
                .unwrap_or_else(|| PyRuntimeError::new_err(with_cause(&*error))),
        },
        Error::Protocol(_) => make(py, "ProtocolError", (text,))?,
        Error::Proxy(error) => proxy_failed(py, &error)?,
        Error::System { action, error } => os_error(py, &error, Some(&format!("cannot {action}"))),
        Error::Timeout { .. } => PyTimeoutError::new_err(text),
        Error::Tls(error) => match exception_in(py, error.io_error()) {
            Some(exception) => tls_failed(py, exception, error.host())?,
            None => tls_error(py, text, error.is_verification()),
        },
        _ => PyRuntimeError::new_err(text),
    })
}

/// The exception that tells how a connection ended.
pub(crate) fn connection_closed(py: Python<'_>, closed: &Closed) -> PyResult<PyErr> {
    let name = if closed.is_ok() { "ConnectionClosedOK" } else { "ConnectionClosedError" };
    let received = close_frame(py, closed.received())?;
    let sent = close_frame(py, closed.sent())?;
    let error = make(py, name, (received, sent, closed.received_first()))?;
    let cause = closed.cause();
    let member = exceptions(py)?.getattr(intern!(py, "CloseCause"))?.getattr(cause_name(cause))?;
    error.value(py).setattr(intern!(py, "cause"), member)?;
    error.value(py).setattr(intern!(py, "_report"), raw_report(closed.report()))?;
    error.set_cause(py, fault_of(py, cause)?);
    Ok(error)
}

/// What the Python layer makes a `CloseReport` of.
fn raw_report(report: &CloseReport) -> RawReport {
    (
        report.lifetime.as_secs_f64(),
        report.latency.map(|latency| latency.as_secs_f64()),
        raw_traffic(&report.incoming),
        raw_traffic(&report.outgoing),
        report.unread_messages,
        report.unsent_bytes,
        report.to_string(),
    )
}

fn raw_traffic(traffic: &Traffic) -> RawTraffic {
    let last = traffic.last_frame.map(|frame| {
        let first = u8::from(frame.fin) << 7 | frame.rsv.bits() | frame.opcode as u8;
        (first, frame.payload_len)
    });
    let age = traffic.age.map(|age| age.as_secs_f64());
    (traffic.messages, traffic.frames, traffic.bytes, last, age)
}

type RawReport = (f64, Option<f64>, RawTraffic, RawTraffic, u64, u64, String);
type RawTraffic = (u64, u64, u64, Option<(u8, u64)>, Option<f64>);

/// The member of `CloseCause`.
fn cause_name(cause: &Cause) -> &'static str {
    match cause {
        Cause::Aborted => "ABORTED",
        Cause::BrokenOff => "BROKEN_OFF",
        Cause::CloseTimeout => "CLOSE_TIMEOUT",
        Cause::Eof => "EOF",
        Cause::IdleTimeout => "IDLE_TIMEOUT",
        Cause::Local => "LOCAL",
        Cause::Peer => "PEER",
        Cause::PingTimeout => "PING_TIMEOUT",
        Cause::Protocol(_) => "PROTOCOL_ERROR",
        Cause::Reset(_) => "RESET",
        Cause::TlsEof(_) => "TLS_EOF",
        Cause::TooBig(_) => "TOO_BIG",
        Cause::UserTimeout(_) => "USER_TIMEOUT",
        _ => "IO_ERROR",
    }
}

fn close_frame<'py>(
    py: Python<'py>,
    close: Option<&CloseFrame>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(close) = close else { return Ok(None) };
    let class = py.import("openline.frames")?.getattr("Close")?;
    class.call1((u16::from(close.code()), close.reason())).map(Some)
}

/// The exception behind the end: the `__cause__` of a `ConnectionClosed`.
fn fault_of(py: Python<'_>, cause: &Cause) -> PyResult<Option<PyErr>> {
    let text = cause.to_string();
    Ok(Some(match cause {
        Cause::Aborted | Cause::Local | Cause::Peer => return Ok(None),
        Cause::CloseTimeout | Cause::IdleTimeout | Cause::PingTimeout => {
            PyTimeoutError::new_err(text)
        }
        Cause::Eof => PyEOFError::new_err(text),
        Cause::Io(error)
        | Cause::Reset(error)
        | Cause::TlsEof(error)
        | Cause::UserTimeout(error) => os_error(py, error, None),
        Cause::Protocol(error) | Cause::TooBig(error) => protocol_cause(py, error)?,
        _ => PyRuntimeError::new_err(text),
    }))
}

/// What of the peer broke the protocol or a limit.
pub(crate) fn protocol_cause(py: Python<'_>, error: &ProtocolError) -> PyResult<PyErr> {
    let text = error.to_string();
    match error {
        ProtocolError::MessageTooBig { size, limit }
        | ProtocolError::FragmentTooBig { size, limit } => {
            let error = make(py, "PayloadTooBig", (*size, *limit))?;
            // The text that tells the way out, beside the sizes for programs.
            error.value(py).setattr("message", text)?;
            Ok(error)
        }
        ProtocolError::DecodedTooBig { limit } | ProtocolError::DecodedFragmentTooBig { limit } => {
            let error = make(py, "PayloadTooBig", (py.None(), *limit))?;
            error.value(py).setattr("message", text)?;
            Ok(error)
        }
        ProtocolError::Extension(coding) if exception_of(py, coding).is_some() => {
            Ok(exception_of(py, coding).expect("bug: it is there, as just seen"))
        }
        ProtocolError::TooManyFragments { limit } => make(py, "TooManyFragments", (*limit,)),
        _ => make(py, "ProtocolError", (text,)),
    }
}

fn cannot_connect(py: Python<'_>, error: &ConnectError) -> PyResult<PyErr> {
    let is_resolution = error.is_resolution();
    // The resolver's errors have numbers of their own, which the standard library does not tell.
    let number = error.io_error().and_then(io::Error::raw_os_error).filter(|_| !is_resolution);
    let mut text = error.to_string();
    for (_, attempt) in error.attempts() {
        text = without_number(text, attempt.raw_os_error());
    }
    let made =
        make(py, "_connect_error", (number, text, if is_resolution { "dns" } else { "tcp" }))?;
    let mut attempts = Vec::new();
    for (address, attempt) in error.attempts() {
        let number = attempt.raw_os_error();
        let text = without_number(format!("{address}: {attempt}"), number);
        attempts.push(make(py, "_connect_error", (number, text, "tcp"))?.into_value(py));
    }
    made.value(py).setattr("attempts", attempts)?;
    Ok(made)
}

/// Rust writes the error's number behind its text, where Python has it in front.
fn without_number(text: String, number: Option<i32>) -> String {
    number.map_or(text.clone(), |number| text.replace(&format!(" (os error {number})"), ""))
}

fn handshake_failed(py: Python<'_>, error: &HandshakeError) -> PyResult<PyErr> {
    let text = error.to_string();
    match error {
        HandshakeError::DuplicateParameter(name) => make(py, "DuplicateParameter", (name,)),
        HandshakeError::HeaderLineTooLong { .. } => make(py, "HeaderLineTooLong", (text,)),
        HandshakeError::InvalidField(_) => Ok(PyValueError::new_err(text)),
        HandshakeError::InvalidHeader { name, value } => make(py, "InvalidHeader", (name, value)),
        HandshakeError::InvalidHeaderFormat { name, error, header, position } => {
            make(py, "InvalidHeaderFormat", (name, error, header, *position))
        }
        HandshakeError::InvalidHeaderValue { name, value } => {
            make(py, "InvalidHeaderValue", (name, value))
        }
        HandshakeError::InvalidMessage { fault, .. } => {
            invalid_message(py, "InvalidMessage", &text, fault)
        }
        HandshakeError::InvalidMethod(method) => make(py, "InvalidMethod", (method,)),
        HandshakeError::InvalidOrigin(origin) => make(py, "InvalidOrigin", (origin,)),
        HandshakeError::InvalidParameterName(name) => make(py, "InvalidParameterName", (name,)),
        HandshakeError::InvalidParameterValue { name, value } => {
            make(py, "InvalidParameterValue", (name, value))
        }
        HandshakeError::InvalidProtocol(version) => make(py, "InvalidProtocol", (version,)),
        HandshakeError::InvalidStatus(response) => {
            make(py, "_invalid_status", response_parts(py, response))
        }
        HandshakeError::InvalidUpgrade { name, value } => make(py, "InvalidUpgrade", (name, value)),
        HandshakeError::NegotiationError(_) => make(py, "NegotiationError", (text,)),
        HandshakeError::RequestLineTooLong { .. } => make(py, "RequestLineTooLong", (text,)),
        HandshakeError::SecurityError(_) => make(py, "SecurityError", (text,)),
        HandshakeError::StatusLineTooLong { .. } => make(py, "StatusLineTooLong", (text,)),
        HandshakeError::TooManyHeaders { .. } => make(py, "TooManyHeaders", (text,)),
        _ => make(py, "InvalidHandshake", (text,)),
    }
}

/// An exception for what is no message of HTTP or SOCKS, with the reason as its cause.
fn invalid_message(
    py: Python<'_>,
    name: &str,
    text: &str,
    fault: &MessageFault,
) -> PyResult<PyErr> {
    let cause = match fault {
        MessageFault::Eof(text) => PyEOFError::new_err(text.clone()),
        MessageFault::Limit(limit) => handshake_failed(py, limit)?,
        fault => PyValueError::new_err(fault.to_string()),
    };
    let error = make(py, name, (text,))?;
    error.set_cause(py, Some(cause));
    Ok(error)
}

fn proxy_failed(py: Python<'_>, error: &ProxyError) -> PyResult<PyErr> {
    let text = error.to_string();
    match error {
        ProxyError::InvalidMessage { fault, .. } => {
            invalid_message(py, "InvalidProxyMessage", &text, fault)
        }
        ProxyError::InvalidStatus(response) => {
            make(py, "_invalid_proxy_status", response_parts(py, response))
        }
        _ => make(py, "ProxyError", (text,)),
    }
}

/// What the Python layer makes a `Response` of.
pub(crate) fn response_parts<'a, 'py>(
    py: Python<'py>,
    response: &'a Response,
) -> ResponseParts<'a, 'py> {
    let headers = header_pairs(&response.headers);
    let body = PyBytes::new(py, &response.body);
    (response.status_code, &response.reason_phrase, headers, body)
}

pub(crate) type ResponseParts<'a, 'py> =
    (u16, &'a str, Vec<(&'a str, &'a str)>, Bound<'py, PyBytes>);

/// Calls a class or function of `openline.exceptions`.
fn make<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<PyErr> {
    let arguments = arguments.into_pyobject(py)?;
    Ok(PyErr::from_value(exceptions(py)?.getattr(name)?.call1(arguments)?))
}

/// `openline.exceptions`, imported when it is first needed: the package imports this module first.
fn exceptions(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static EXCEPTIONS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || py.import("openline.exceptions").map(Bound::unbind);
    Ok(EXCEPTIONS.get_or_try_init(py, import)?.bind(py))
}
