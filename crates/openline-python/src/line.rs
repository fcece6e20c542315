//! A connection of the engine's, with the logger that what happens on it is for.

use std::ops::Deref;
use std::sync::Arc;

use openline::{Connection, Journal, Record};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyTuple};

use crate::{error, gate};

/// A connection whose calls end with what they have to log, if it has a logger.
#[derive(Clone)]
pub(crate) struct Line {
    connection: Connection,
    log: Option<Arc<Log>>,
}

impl Line {
    pub(crate) fn new(connection: Connection, log: Option<Log>) -> Line {
        Line { connection, log: log.map(Arc::new) }
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.log.is_some()
    }

    /// Logs what happened. An exception of the logger, such as one out of a filter, is the caller's.
    #[inline]
    pub(crate) fn give_out(&self, py: Python<'_>) -> PyResult<()> {
        match &self.log {
            None => Ok(()),
            Some(log) => log.give_out(py),
        }
    }

    /// Logs what happened in a call, before it ends. If the logger fails too, the exception of the call is
    /// the one that is raised.
    #[inline]
    pub(crate) fn report<T>(&self, py: Python<'_>, outcome: PyResult<T>) -> PyResult<T> {
        match &self.log {
            None => outcome,
            Some(log) => log.report(py, outcome),
        }
    }

    /// Shows the garbage collector the logger.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.log {
            // While a message's fragments are read, the logger is theirs too, and each reference may be
            // shown only once.
            Some(log) if Arc::strong_count(log) == 1 => visit.call(&log.logger),
            _ => Ok(()),
        }
    }
}

impl Deref for Line {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// The engine's records, and the Python logger for them.
pub(crate) struct Log {
    journal: Journal,
    logger: Py<PyAny>,
    /// What to add to each record, where the logger does not do that.
    extra: Option<Py<PyDict>>,
}

impl Log {
    /// For a connection's own logger, a `LoggerAdapter` that adds the connection.
    pub(crate) fn of_connection(journal: Journal, logger: Py<PyAny>) -> Log {
        Log { journal, logger, extra: None }
    }

    /// For a connection that has not come to be.
    pub(crate) fn without_connection(
        py: Python<'_>,
        journal: Journal,
        logger: Py<PyAny>,
    ) -> PyResult<Log> {
        let extra = [("websocket", py.None())].into_py_dict(py)?;
        Ok(Log { journal, logger, extra: Some(extra.unbind()) })
    }

    pub(crate) fn report<T>(&self, py: Python<'_>, outcome: PyResult<T>) -> PyResult<T> {
        match (self.give_out(py), outcome) {
            (Ok(()), outcome) => outcome,
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(raised)) => {
                error.write_unraisable(py, Some(self.logger.bind(py)));
                Err(raised)
            }
        }
    }

    pub(crate) fn give_out(&self, py: Python<'_>) -> PyResult<()> {
        if gate::is_inside() {
            return Ok(()); // Locks of a connection are held here; the next call does it.
        }
        match gate::stay() {
            None => Ok(()),
            Some(_stay) => self.journal.give_out(|record| self.log(py, record)),
        }
    }

    fn log(&self, py: Python<'_>, record: &Record) -> PyResult<()> {
        let options = PyDict::new(py);
        if let Some(extra) = &self.extra {
            options.set_item(intern!(py, "extra"), extra)?;
        }
        if let Some(error) = record.error() {
            let exception = error::os_error(py, error, None);
            options.set_item(intern!(py, "exc_info"), exception.into_value(py))?;
        }
        let args = std::iter::once(record.template().to_owned()).chain(record.args());
        let args = PyTuple::new(py, args.collect::<Vec<_>>())?;
        self.logger.bind(py).getattr(intern!(py, "debug"))?.call(args, Some(&options))?;
        Ok(())
    }
}
