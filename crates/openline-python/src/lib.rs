//! The Python module `openline._openline`: the engine of the crate `openline` as Python objects.
//!
//! There is no protocol logic here. A method converts its arguments, detaches from the interpreter,
//! calls the engine, attaches, and converts the result. The package around it, in `python/openline`,
//! has the signatures that users see, the checks of arguments and the exceptions.

mod broadcast;
mod connect;
mod connection;
mod convert;
mod deflate;
mod echo_server;
mod error;
mod extension;
mod fault_proxy;
mod fields;
mod fragments;
mod frames;
mod gate;
mod handle;
mod incoming;
mod interpreter;
mod line;
mod lobby;
mod receive;
mod send;
mod signals;
mod ssl;
mod timeout;
mod wait;

use pyo3::prelude::*;

/// The binding of openline's Rust core. Import `openline` instead.
// A build for a free-threaded Python has it switch its GIL on: openline has not been tested without.
#[pymodule(gil_used = true)]
fn _openline(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::check(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(connect::parse_uri, module)?)?;
    module.add_function(wrap_pyfunction!(connect::parse_proxy, module)?)?;
    module.add_function(wrap_pyfunction!(connect::is_proxy_in_environment, module)?)?;
    fields::register(module)?;
    frames::register(module)?;
    module.add_class::<connect::Client>()?;
    module.add_class::<handle::Handle>()?;
    module.add_class::<incoming::Incoming>()?;
    module.add_class::<lobby::Lobby>()?;
    module.add_function(wrap_pyfunction!(incoming::check_request, module)?)?;
    module.add_class::<connection::Connection>()?;
    module.add_function(wrap_pyfunction!(broadcast::broadcast, module)?)?;
    module.add_class::<echo_server::EchoServer>()?;
    module.add_class::<fault_proxy::FaultProxy>()?;
    module.add_class::<deflate::Deflate>()?;
    module.add_class::<deflate::DeflateCodec>()?;
    gate::register(module)?;
    forget_in_children(module)
}

/// A forked child starts without the threads of its parent.
fn forget_in_children(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[pyfunction]
    fn after_in_child() {
        gate::forget_visitors();
    }

    let py = module.py();
    let hooks = pyo3::types::PyDict::new(py);
    hooks.set_item("after_in_child", wrap_pyfunction!(after_in_child, module)?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}
