//! Payloads and sockets as Python objects and back. The one file of the binding with `unsafe` in it:
//! for bytes that are filled before anybody can see them, for the buffer protocol, and for descriptors,
//! which Python has as numbers.

#![allow(unsafe_code)] // Each block says why it may.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

use openline::{Deadline, Kind, Outgoing};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::line::Line;
use crate::wait::once;

/// A descriptor of our own for a Python socket, which thereby may be closed at any time.
pub(crate) fn duplicate(sock: &Bound<'_, PyAny>) -> PyResult<OwnedFd> {
    let number = sock.call_method0("fileno")?;
    let duplicate = sock.py().import("os")?.call_method1("dup", (number,))?.extract()?;
    // SAFETY: `os.dup` has just made this descriptor, so it is open, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// A `str` of UTF-8. Bytes that are none are a `UnicodeDecodeError`.
pub(crate) fn to_str<'py>(py: Python<'py>, utf8: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let len = ffi::Py_ssize_t::try_from(utf8.len())?;
    // SAFETY: pointer and length are those of a slice that lives through the call, which validates
    // its content. `py` proves that we are attached.
    let text = unsafe { ffi::PyUnicode_FromStringAndSize(utf8.as_ptr().cast(), len) };
    // SAFETY: the call returned a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, text) }
}

/// Receives the large message of `len` bytes that the engine has announced into `bytes` that nobody
/// sees yet, without a copy and without filling them with zeros first. `None`: there is no memory for
/// them, or the message has come in the usual way meanwhile.
pub(crate) fn recv_large<'py>(
    py: Python<'py>,
    line: &Line,
    len: usize,
    deadline: Deadline,
) -> PyResult<openline::Result<Option<Bound<'py, PyBytes>>>> {
    let Ok(size) = ffi::Py_ssize_t::try_from(len) else { return Ok(Ok(None)) };
    // SAFETY: with a null pointer, the content is left to be filled in. `py` proves that we are
    // attached.
    let bytes = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size) };
    // SAFETY: the call returned a new reference, or null with an exception set.
    let Ok(bytes) = (unsafe { Bound::from_owned_ptr_or_err(py, bytes) }) else {
        return Ok(Ok(None)); // The message comes in another way, which needs less at once.
    };
    // SAFETY: the object is a `bytes`, as just made, so this points to its payload.
    let start = unsafe { ffi::PyBytes_AsString(bytes.as_ptr()) };
    // SAFETY: `len` bytes were allocated there. Nobody else has a reference to the object, and the
    // garbage collector does not know of it, so the memory is ours alone, also while detached. It is
    // not initialised; `Connection::recv_large` has the socket write to it and looks only at what
    // was written.
    let memory = unsafe { std::slice::from_raw_parts_mut(start.cast::<u8>(), len) };
    let outcome = once(py, line, || line.recv_large(memory, deadline))?;
    Ok(match outcome {
        Ok(true) => Ok(Some(bytes.cast_into()?)),
        // Not all of it is written, so it is dropped unseen.
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    })
}

/// A message to send, with what keeps its payload in place while detached: strings and bytes are
/// immutable and referred to; what can change is copied.
pub(crate) enum Data<'py> {
    Text(Bound<'py, PyString>),
    Bytes(Bound<'py, PyBytes>),
    Copy(Vec<u8>),
}

impl<'py> Data<'py> {
    /// `None` if it is neither a string nor bytes-like.
    pub(crate) fn new(object: &Bound<'py, PyAny>) -> PyResult<Option<Data<'py>>> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Some(Data::Text(text.clone())));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Some(Data::Bytes(bytes.clone())));
        }
        match Buffer::is_supported(object) {
            true => Ok(Some(Data::Copy(Buffer::new(object, ffi::PyBUF_SIMPLE)?.to_vec()))),
            false => Ok(None),
        }
    }

    /// For a payload that must be a string or bytes-like.
    pub(crate) fn of(what: &str, object: &Bound<'py, PyAny>) -> PyResult<Data<'py>> {
        Data::new(object)?.ok_or_else(|| match object.get_type().name() {
            Ok(kind) => {
                PyTypeError::new_err(format!("{what} must be str or bytes-like, not {kind}"))
            }
            Err(error) => error,
        })
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Data::Text(_))
    }

    /// The payload. A string with lone surrogates has none: `UnicodeEncodeError`.
    pub(crate) fn payload(&self) -> PyResult<&[u8]> {
        Ok(match self {
            // The string keeps its UTF-8, so that this encodes at most once.
            Data::Text(text) => text.to_str()?.as_bytes(),
            Data::Bytes(bytes) => bytes.as_bytes(),
            Data::Copy(bytes) => bytes,
        })
    }

    /// Text or binary: as `text` says, else by the type.
    pub(crate) fn kind(&self, text: Option<bool>) -> Kind {
        if text.unwrap_or(self.is_text()) { Kind::Text } else { Kind::Binary }
    }

    pub(crate) fn outgoing(&self, text: Option<bool>) -> PyResult<Outgoing<'_>> {
        Ok(Outgoing::new(self.kind(text), self.payload()?))
    }
}

/// The memory of an object that supports the buffer protocol, as bytes one after another whatever its
/// items are. While it lives, the object cannot be resized.
pub(crate) struct Buffer<'py> {
    view: Box<ffi::Py_buffer>,
    /// It is used and released attached.
    attached: PhantomData<Python<'py>>,
}

impl<'py> Buffer<'py> {
    /// For writing. An object that cannot be written to or is not contiguous is a `BufferError`.
    pub(crate) fn writable(object: &Bound<'py, PyAny>) -> PyResult<Buffer<'py>> {
        if !Buffer::is_supported(object) {
            let kind = object.get_type().name()?;
            let text = format!("buffer must be a writable bytes-like object, not {kind}");
            return Err(PyTypeError::new_err(text));
        }
        Buffer::new(object, ffi::PyBUF_WRITABLE)
    }

    fn is_supported(object: &Bound<'_, PyAny>) -> bool {
        // SAFETY: the object is a live one, and `Bound` proves that we are attached.
        unsafe { ffi::PyObject_CheckBuffer(object.as_ptr()) != 0 }
    }

    /// `flags` are `PyBUF_SIMPLE` or `PyBUF_WRITABLE`: both ask for contiguous bytes.
    fn new(object: &Bound<'py, PyAny>, flags: c_int) -> PyResult<Buffer<'py>> {
        // On the heap, since exporters may point from the view into itself.
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::uninit());
        // SAFETY: the object is a live one, `Bound` proves that we are attached, and the view has
        // room for what is written there.
        let outcome = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) };
        if outcome != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: the call succeeded, so it has filled the view.
        let view = unsafe { view.assume_init() };
        Ok(Buffer { view, attached: PhantomData })
    }

    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.view.len).unwrap_or(0)
    }

    fn to_vec(&self) -> Vec<u8> {
        let len = self.len();
        let mut copy = vec![0; len];
        if len > 0 {
            // SAFETY: the view has `len` contiguous bytes, kept in place by the exporter until it is
            // released, and the copy has as many. We are attached, so no Python code writes them.
            unsafe { std::ptr::copy_nonoverlapping(self.view.buf.cast(), copy.as_mut_ptr(), len) };
        }
        copy
    }

    /// Writes `bytes` to the start; the buffer was made with [`Buffer::writable`] and is as long.
    pub(crate) fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.len() && self.view.readonly == 0, "bug: no room in the buffer");
        if !bytes.is_empty() {
            // SAFETY: the view has at least as many contiguous bytes, as just checked, which may be
            // written and are kept in place until it is released. We are attached, so no Python code
            // looks at them. `bytes` are the engine's, so they are not the same memory.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.view.buf.cast(), bytes.len());
            }
        }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: the view was filled by `PyObject_GetBuffer` and is released once, here. A `Buffer`
        // cannot leave the thread that is attached, since it contains a `Python`.
        unsafe { ffi::PyBuffer_Release(&mut *self.view) };
    }
}
