//! Extensions written in Python: negotiated by the methods of a factory, and coding frames by those of
//! the extension that the factory makes.

use std::sync::{Arc, Mutex, PoisonError};

use openline::CloseCode;
use openline::extension::{Agreed, Coding, CodingError, Extension, Frame, FrameCoding, Parameter};
use openline::handshake::HandshakeError;
use openline_proto::{Opcode, Rsv};
use pyo3::exceptions::{PyException, PyTypeError, PyUnicodeDecodeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyType};

use crate::convert::Data;
use crate::deflate::{settings, to_agreed};
use crate::error;
use crate::gate;
use crate::signals;

/// The negotiation of one connection's extensions.
pub(crate) struct Negotiation {
    factories: Vec<Arc<dyn Extension>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The extensions that were accepted so far: factories look at them.
    accepted: Mutex<Vec<Py<PyAny>>>,
    /// What a factory raised.
    raised: Mutex<Option<PyErr>>,
}

impl Negotiation {
    /// Asks the factories, in this order, what to offer.
    pub(crate) fn new(py: Python<'_>, factories: &[Py<PyAny>]) -> PyResult<Negotiation> {
        let shared = Arc::new(Shared::default());
        let mut made: Vec<Arc<dyn Extension>> = Vec::new();
        for factory in factories {
            let factory = factory.bind(py);
            let name: String = factory.getattr(intern!(py, "name"))?.extract()?;
            let offer = factory.call_method0(intern!(py, "get_request_params"))?;
            let offer = parameters(&offer).ok_or_else(|| {
                PyTypeError::new_err(format!(
                    "get_request_params of {name} must return pairs of a name and a value or None"
                ))
            })?;
            let factory = factory.clone().unbind();
            made.push(Arc::new(Factory { factory, name, offer, shared: shared.clone() }));
        }
        Ok(Negotiation { factories: made, shared })
    }

    pub(crate) fn offered_by(&self, mut client: openline::Client) -> openline::Client {
        for factory in &self.factories {
            client = client.extension(factory.clone());
        }
        client
    }

    /// What a factory raised, which made the handshake fail.
    pub(crate) fn take_raised(&self) -> Option<PyErr> {
        self.shared.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug)]
struct Factory {
    factory: Py<PyAny>,
    name: String,
    offer: Vec<Parameter>,
    shared: Arc<Shared>,
}

impl Extension for Factory {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&self) -> Vec<Parameter> {
        self.offer.clone()
    }

    fn accept(&self, answer: &[Parameter]) -> Result<Coding, HandshakeError> {
        let outcome = gate::visit(|py| {
            let outcome = self.accept_in_python(py, answer);
            let mut raised = self.shared.raised.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                // Another factory of the same name has refused before.
                Ok(coding) => {
                    *raised = None;
                    Ok(coding)
                }
                Err(error) => {
                    raised.get_or_insert(error);
                    // The exception itself takes the place of this.
                    Err(HandshakeError::NegotiationError(format!("{} raised", self.name)))
                }
            }
        });
        match outcome {
            Some(outcome) => outcome,
            None => Err(HandshakeError::NegotiationError(EXITING.to_owned())),
        }
    }
}

impl Factory {
    fn accept_in_python(&self, py: Python<'_>, answer: &[Parameter]) -> PyResult<Coding> {
        let accepted = {
            let accepted = self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            accepted.iter().map(|extension| extension.clone_ref(py)).collect::<Vec<_>>()
        };
        let accepted = PyList::new(py, accepted)?;
        let process = intern!(py, "process_response_params");
        let extension = self.factory.bind(py).call_method1(process, (answer.to_vec(), accepted))?;
        if !is_extension(&extension)? {
            let (name, kind) = (&self.name, extension.get_type().name()?);
            let text = format!(
                "process_response_params of {name} must return an extension, with encode and decode, \
                 not {kind}"
            );
            return Err(PyTypeError::new_err(text));
        }
        let coding = coding_of(&extension)?;
        let mut accepted = self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.push(extension.unbind());
        Ok(coding)
    }
}

/// The parameters of an offer; `None` if they are none.
fn parameters(offer: &Bound<'_, PyAny>) -> Option<Vec<Parameter>> {
    offer.try_iter().ok()?.map(|parameter| parameter.ok()?.extract().ok()).collect()
}

fn is_extension(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    for name in ["encode", "decode"] {
        if !object.getattr_opt(name)?.is_some_and(|method| method.is_callable()) {
            return Ok(false);
        }
    }
    Ok(!object.is_instance_of::<PyType>())
}

/// What an extension does: permessage-deflate is done by the engine, all else in Python.
pub(crate) fn coding_of(extension: &Bound<'_, PyAny>) -> PyResult<Coding> {
    let py = extension.py();
    if !is_deflate(&extension.get_type())? {
        return Ok(Coding::Frames(Arc::new(PythonCoding::new(extension)?)));
    }
    let get = |name: &str| extension.getattr(name);
    let agreed = (
        get("remote_no_context_takeover")?.is_truthy()?,
        get("local_no_context_takeover")?.is_truthy()?,
        get("remote_max_window_bits")?.extract()?,
        get("local_max_window_bits")?.extract()?,
    );
    let module = py.import("openline.extensions.permessage_deflate")?;
    let effort = module.call_method1("_effort", (get("compress_settings")?,))?.extract()?;
    Ok(Coding::Deflate(settings(agreed, effort)?))
}

/// Whether a class is the `PerMessageDeflate` of this package or of `websockets`, rather than one that
/// was derived from it and may do something else.
fn is_deflate(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let (name, module) = (class.qualname()?, class.module()?);
    let modules =
        ["openline.extensions.permessage_deflate", "websockets.extensions.permessage_deflate"];
    Ok(name == "PerMessageDeflate" && modules.iter().any(|known| module == *known))
}

/// An extension of a connection as an object of Python.
pub(crate) fn to_python<'py>(py: Python<'py>, agreed: &Agreed) -> PyResult<Bound<'py, PyAny>> {
    match &agreed.coding {
        Coding::Deflate(settings) => {
            let (remote_takeover, local_takeover, remote_bits, local_bits) = to_agreed(settings);
            let effort = PyDict::new(py);
            effort.set_item("level", settings.effort.level)?;
            effort.set_item("memLevel", settings.effort.mem_level)?;
            effort.set_item("strategy", settings.effort.strategy as u8)?;
            py.import("openline.extensions.permessage_deflate")?
                .getattr("PerMessageDeflate")?
                .call1((remote_takeover, local_takeover, remote_bits, local_bits, effort))
        }
        Coding::Frames(coding) => {
            let coding: &dyn std::any::Any = &**coding;
            match coding.downcast_ref::<PythonCoding>() {
                Some(coding) => Ok(coding.extension.bind(py).clone()),
                None => unreachable!("bug: an extension that is neither built in nor of Python"),
            }
        }
        _ => unreachable!("bug: an extension of a new kind"),
    }
}

/// An extension that was written in Python.
#[derive(Debug)]
struct PythonCoding {
    extension: Py<PyAny>,
    /// The class of the frames that it gets, and of their opcodes.
    frame: Py<PyAny>,
    opcode: Py<PyAny>,
}

impl FrameCoding for PythonCoding {
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
        // What goes wrong with a message is raised by `send`.
        let is_raised = !frame.opcode.is_control();
        self.code(frame, is_raised, |extension, frame| {
            extension.call_method1(intern!(frame.py(), "encode"), (frame,))
        })
    }

    fn decode(&self, frame: &mut Frame, max_size: Option<usize>) -> Result<(), CodingError> {
        self.code(frame, false, |extension, frame| {
            let py = frame.py();
            let keywords = PyDict::new(py);
            keywords.set_item(intern!(py, "max_size"), max_size)?;
            extension.call_method(intern!(py, "decode"), (frame,), Some(&keywords))
        })
    }
}

impl PythonCoding {
    fn new(extension: &Bound<'_, PyAny>) -> PyResult<PythonCoding> {
        let py = extension.py();
        // One that was written for `websockets` compares opcodes by identity with that package's own.
        let bases = extension.get_type().mro();
        let is_of_websockets = |class: Bound<'_, PyAny>| {
            let module = class.getattr("__module__")?.extract::<String>()?;
            PyResult::Ok(module == "websockets" || module.starts_with("websockets."))
        };
        let mut frames = "openline.frames";
        for class in bases {
            if is_of_websockets(class)? {
                frames = "websockets.frames";
            }
        }
        let frames = py.import(frames)?;
        Ok(PythonCoding {
            extension: extension.clone().unbind(),
            frame: frames.getattr("Frame")?.unbind(),
            opcode: frames.getattr("Opcode")?.unbind(),
        })
    }

    fn code(
        &self,
        frame: &mut Frame,
        is_raised: bool,
        call: impl for<'py> FnOnce(&Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> Result<(), CodingError> {
        gate::visit(|py| {
            self.to_python_frame(py, frame)
                .and_then(|given| call(self.extension.bind(py), given))
                .and_then(|made| read_frame(&made, frame))
                .map_err(|error| coding_error(py, error, is_raised))
        })
        .unwrap_or_else(|| Err(CodingError::new(CloseCode::GOING_AWAY, "", EXITING)))
    }

    fn to_python_frame<'py>(&self, py: Python<'py>, frame: &Frame) -> PyResult<Bound<'py, PyAny>> {
        let Frame { opcode, fin, rsv, payload } = frame;
        let opcode = self.opcode.bind(py).call1((*opcode as u8,))?;
        let [rsv1, rsv2, rsv3] = [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3].map(|bit| rsv.contains(bit));
        let payload = PyBytes::new(py, payload);
        self.frame.bind(py).call1((opcode, payload, *fin, rsv1, rsv2, rsv3))
    }
}

/// Takes what the extension made of a frame.
fn read_frame(made: &Bound<'_, PyAny>, frame: &mut Frame) -> PyResult<()> {
    let py = made.py();
    let data = made.getattr(intern!(py, "data"))?;
    frame.payload = Data::of("the data of a frame", &data)?.payload()?.to_vec();
    frame.rsv = Rsv::NONE;
    for (name, bit) in [
        (intern!(py, "rsv1"), Rsv::RSV1),
        (intern!(py, "rsv2"), Rsv::RSV2),
        (intern!(py, "rsv3"), Rsv::RSV3),
    ] {
        if made.getattr(name)?.is_truthy()? {
            frame.rsv = frame.rsv.union(bit);
        }
    }
    frame.fin = made.getattr(intern!(py, "fin"))?.is_truthy()?;
    let opcode: u8 = made.getattr(intern!(py, "opcode"))?.extract()?;
    if opcode != frame.opcode as u8 {
        // The core refuses any other; which one does not matter.
        frame.opcode = match frame.opcode {
            Opcode::Close => Opcode::Ping,
            _ => Opcode::Close,
        };
    }
    Ok(())
}

/// The code to close with is that of `websockets`: 1002 and 1009 for the exceptions that say so, 1007
/// for text that is none, and 1011 for all others.
fn coding_error(py: Python<'_>, error: PyErr, is_raised: bool) -> CodingError {
    if !is_raised && !error.is_instance_of::<PyException>(py) && signals::are_handled_here(py) {
        // Of a signal handler, such as KeyboardInterrupt: it is raised in any case.
        signals::keep(py, error.clone_ref(py));
    }
    let reason = || error.value(py).to_string();
    let (code, reason) = if error::is_a(py, &error, "ProtocolError") {
        (CloseCode::PROTOCOL_ERROR, reason())
    } else if error::is_a(py, &error, "PayloadTooBig") {
        (CloseCode::MESSAGE_TOO_BIG, reason())
    } else if error.is_instance_of::<PyUnicodeDecodeError>(py) {
        (CloseCode::INVALID_DATA, reason())
    } else {
        (CloseCode::INTERNAL_ERROR, String::new())
    };
    CodingError::new(code, reason, error)
}

const EXITING: &str = "the interpreter is exiting";
