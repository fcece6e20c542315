//! Frames as bytes, for `openline.frames` and `openline.utils`: written by the core.

use openline_proto::{FrameHeader, MaskKey, Opcode, Rsv, mask};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::Data;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(apply_mask, module)?)?;
    module.add_function(wrap_pyfunction!(encode_frame, module)?)
}

/// The data masked, or unmasked.
#[pyfunction]
fn apply_mask<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    key: [u8; 4],
) -> PyResult<Bound<'py, PyBytes>> {
    let data = binary(data)?;
    let payload = data.payload()?;
    PyBytes::new_with(py, payload.len(), |out| {
        mask::copy(MaskKey::new(key), payload, out);
        Ok(())
    })
}

/// A frame as it is on the wire.
///
/// Args:
///     opcode: its number.
///     fin: whether it is the last of its message.
///     rsv: the three reserved bits.
///     payload: what is in it.
///     key: what to mask it with; None does not mask it.
///
/// Raises:
///     ValueError: the opcode is a reserved one.
#[pyfunction]
fn encode_frame<'py>(
    py: Python<'py>,
    opcode: u8,
    fin: bool,
    rsv: (bool, bool, bool),
    payload: &Bound<'py, PyAny>,
    key: Option<[u8; 4]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let opcode = Opcode::from_number(opcode)
        .ok_or_else(|| PyValueError::new_err(format!("{opcode} is no opcode")))?;
    let rsv = [(rsv.0, Rsv::RSV1), (rsv.1, Rsv::RSV2), (rsv.2, Rsv::RSV3)]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(Rsv::NONE, |set, (_, bit)| set.union(bit));
    let payload = binary(payload)?;
    let payload = payload.payload()?;
    let mask = key.map(MaskKey::new);
    let header = FrameHeader { fin, rsv, opcode, mask, payload_len: payload.len() as u64 }.encode();
    let header = header.as_ref();
    PyBytes::new_with(py, header.len() + payload.len(), |out| {
        let (start, rest) = out.split_at_mut(header.len());
        start.copy_from_slice(header);
        match mask {
            Some(key) => mask::copy(key, payload, rest),
            None => rest.copy_from_slice(payload),
        }
        Ok(())
    })
}

/// A payload that is bytes, not text.
fn binary<'py>(object: &Bound<'py, PyAny>) -> PyResult<Data<'py>> {
    match Data::of("data", object)? {
        Data::Text(_) => Err(PyTypeError::new_err("data must be bytes-like, not str")),
        data => Ok(data),
    }
}
