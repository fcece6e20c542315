//! Time-outs as Python gives them, in seconds.

use std::time::Duration;

use openline::Deadline;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Until when a call with this `timeout` may wait. To be computed once, at its start: a call that
/// goes on after a signal keeps its deadline (PEP 475).
pub(crate) fn deadline(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Deadline> {
    let Some(timeout) = timeout else { return Ok(Deadline::NEVER) };
    let seconds: f64 =
        match timeout.extract() {
            Ok(seconds) => seconds,
            // An int beyond all floats. Its sign tells whether that is never or at once.
            Err(error) if error.is_instance_of::<PyOverflowError>(timeout.py()) => {
                if timeout.lt(0)? { 0.0 } else { f64::INFINITY }
            }
            Err(error) if error.is_instance_of::<PyTypeError>(timeout.py()) => {
                let kind = timeout.get_type().name()?;
                let text = format!("timeout must be a number of seconds or None, not {kind}");
                return Err(PyTypeError::new_err(text));
            }
            Err(error) => return Err(error),
        };
    if seconds.is_nan() {
        return Err(PyValueError::new_err("timeout must be a number of seconds or None, not nan"));
    }
    // Beyond what a Duration holds, waiting never ends.
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).map_or(Deadline::NEVER, Deadline::from))
}

/// A duration that the Python layer has checked; more than a Duration holds is no limit.
pub(crate) fn limit(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
