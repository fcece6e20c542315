//! permessage-deflate for Python: negotiation and coding, each by the core.

use std::sync::{Mutex, PoisonError};

use openline::extension::deflate::{
    ClientWindow, Compressor, Decompressor, Effort, Flush, OutOfRange, PerMessageDeflate, Settings,
    Strategy,
};
use openline::extension::{Coding, Extension, Parameter};
use openline::handshake::HandshakeError;
use openline::{Error, ProtocolError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};

use crate::convert::Data;
use crate::error;

/// How to negotiate permessage-deflate: what the factories of
/// `openline.extensions.permessage_deflate` ask.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct Deflate(PerMessageDeflate);

/// Whether remote and local takeover are refused, and the windows of the remote and the local side.
type Agreed = (bool, bool, u8, u8);

#[pymethods]
impl Deflate {
    /// Args:
    ///     server_no_context_takeover: whether the server is to compress each message by itself.
    ///     client_no_context_takeover: whether the client is to.
    ///     server_max_window_bits: the server's window, 8 to 15, or None.
    ///     client_max_window_bits: the client's window, 8 to 15, True for any, or None.
    ///     require_client_max_window_bits: whether a server declines a client that has no such limit.
    ///
    /// Raises:
    ///     TypeError, ValueError: a number of bits is none, or out of range.
    #[new]
    #[pyo3(signature = (
        *, server_no_context_takeover, client_no_context_takeover, server_max_window_bits,
        client_max_window_bits, require_client_max_window_bits=false,
    ))]
    fn new(
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        server_max_window_bits: Option<&Bound<'_, PyAny>>,
        client_max_window_bits: Option<&Bound<'_, PyAny>>,
        require_client_max_window_bits: bool,
    ) -> PyResult<Deflate> {
        let server_bits = server_max_window_bits
            .map(|bits| window("server_max_window_bits", bits))
            .transpose()?;
        let client_window = match client_max_window_bits {
            None => ClientWindow::Unmentioned,
            Some(bits) if bits.is(PyBool::new(bits.py(), true)) => ClientWindow::Supported,
            Some(bits) => ClientWindow::AtMost(window("client_max_window_bits", bits)?),
        };
        let deflate = PerMessageDeflate::client()
            .server_no_context_takeover(server_no_context_takeover)
            .client_no_context_takeover(client_no_context_takeover)
            .require_client_max_window_bits(require_client_max_window_bits)
            .server_max_window_bits(server_bits)
            .and_then(|deflate| deflate.client_max_window_bits(client_window))
            .map_err(out_of_range)?;
        Ok(Deflate(deflate))
    }

    /// Return the parameters for a client's offer.
    fn offer(&self) -> Vec<Parameter> {
        self.0.offer()
    }

    /// Return what a client makes of a server's answer.
    ///
    /// Raises:
    ///     NegotiationError: the answer cannot be accepted.
    fn accept(&self, py: Python<'_>, answer: Vec<Parameter>) -> PyResult<Agreed> {
        self.0.accept(&answer).map(agreed).map_err(|error| refused(py, error))
    }

    /// Return a server's answer to a client's offer, and what comes of it.
    ///
    /// Raises:
    ///     NegotiationError: the offer is to be declined.
    fn answer(&self, py: Python<'_>, offer: Vec<Parameter>) -> PyResult<(Vec<Parameter>, Agreed)> {
        let answer = self.0.answer(&offer).map_err(|error| refused(py, error))?;
        Ok((answer.0, agreed(answer.1)))
    }
}

/// Compresses and decompresses the messages of one connection.
#[pyclass(frozen, module = "openline._openline")]
pub(crate) struct DeflateCodec {
    compressor: Mutex<Compressor>,
    decompressor: Mutex<Decompressor>,
}

#[pymethods]
impl DeflateCodec {
    /// Args:
    ///     agreed: what was agreed on, as `Deflate.accept` returns it.
    ///     effort: level, mem_level and strategy.
    #[new]
    fn new(agreed: Agreed, effort: (u8, u8, u8)) -> PyResult<DeflateCodec> {
        let settings = settings(agreed, effort)?;
        Ok(DeflateCodec {
            compressor: Mutex::new(Compressor::new(&settings)),
            decompressor: Mutex::new(Decompressor::new(!settings.remote_no_context_takeover)),
        })
    }

    /// Compress the payload of a frame.
    fn compress<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyAny>,
        fin: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let data = Data::of("data", payload)?;
        let flush = if fin { Flush::Message } else { Flush::Fragment };
        let mut out = Vec::new();
        let mut compressor = self.compressor.lock().unwrap_or_else(PoisonError::into_inner);
        compressor.compress(data.payload()?, flush, &mut out);
        Ok(PyBytes::new(py, &out))
    }

    /// Decompress the payload of a frame to at most `max_size` bytes.
    ///
    /// Raises:
    ///     ProtocolError: it cannot be decompressed.
    ///     PayloadTooBig: it has more.
    fn decompress<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyAny>,
        fin: bool,
        max_size: Option<usize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let data = Data::of("data", payload)?;
        let payload = data.payload()?;
        let mut out = Vec::new();
        let mut decompressor = self.decompressor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = decompressor.decompress(payload, &mut out, max_size);
        if fin && outcome.is_ok() {
            outcome = decompressor.end_message(&mut out, max_size);
        }
        drop(decompressor);
        match outcome {
            Ok(()) => Ok(PyBytes::new(py, &out)),
            Err(error) => Err(coding_error(py, &error)),
        }
    }
}

/// What was agreed on, as the engine wants it.
pub(crate) fn settings(agreed: Agreed, effort: (u8, u8, u8)) -> PyResult<Settings> {
    let (remote_no_context_takeover, local_no_context_takeover, remote, local) = agreed;
    let (level, mem_level, strategy) = effort;
    let strategy = match strategy {
        0 => Strategy::Default,
        1 => Strategy::Filtered,
        2 => Strategy::HuffmanOnly,
        3 => Strategy::Rle,
        4 => Strategy::Fixed,
        other => {
            return Err(PyValueError::new_err(format!("strategy must be 0 to 4, not {other}")));
        }
    };
    for (name, bits, least) in
        [("remote_max_window_bits", remote, 8), ("local_max_window_bits", local, 9)]
    {
        if !(least..=15).contains(&bits) {
            let text = format!("{name} must be between {least} and 15, not {bits}");
            return Err(PyValueError::new_err(text));
        }
    }
    // For its checks.
    PerMessageDeflate::client()
        .level(level)
        .and_then(|deflate| deflate.mem_level(mem_level))
        .map_err(out_of_range)?;
    Ok(Settings {
        remote_no_context_takeover,
        local_no_context_takeover,
        remote_max_window_bits: remote,
        local_max_window_bits: local,
        effort: Effort { level, mem_level, strategy },
    })
}

/// As [`settings`] takes it.
pub(crate) fn to_agreed(settings: &Settings) -> Agreed {
    (
        settings.remote_no_context_takeover,
        settings.local_no_context_takeover,
        settings.remote_max_window_bits,
        settings.local_max_window_bits,
    )
}

/// The exception for what an extension cannot decode.
fn coding_error(py: Python<'_>, error: &ProtocolError) -> PyErr {
    error::protocol_cause(py, error).unwrap_or_else(|error| error)
}

fn agreed(coding: Coding) -> Agreed {
    match coding {
        Coding::Deflate(settings) => to_agreed(&settings),
        _ => unreachable!("bug: permessage-deflate compresses"),
    }
}

fn refused(py: Python<'_>, error: HandshakeError) -> PyErr {
    error::to_python(py, Error::Handshake(error))
}

fn out_of_range(error: OutOfRange) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn window(name: &str, bits: &Bound<'_, PyAny>) -> PyResult<u8> {
    if bits.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err(format!("{name} must be a number of bits, not bool")));
    }
    let number: i64 = bits.extract().map_err(|_| {
        let kind = bits.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{name} must be a number of bits, not {kind}"))
    })?;
    let error = |_| PyValueError::new_err(format!("{name} must be between 8 and 15, not {number}"));
    u8::try_from(number).map_err(error)
}
