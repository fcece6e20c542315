//! The arguments of `openline run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Run a Python program that was written for websockets on openline, unchanged.
///
/// The same as python -m openline run, with the Python of the active virtual environment ($VIRTUAL_ENV), or else
/// python3 of $PATH. The package openline has to be installed there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// The Python to take.
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
    /// The program is the name of a module, as for python -m.
    #[arg(short, long)]
    pub(crate) module: bool,
    /// The program, and its arguments: a file, a directory or zip file with __main__.py, or - for standard input.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(value_names = ["SCRIPT", "ARGS"], num_args = 1..)]
    pub(crate) program: Vec<OsString>,
}

const EXAMPLES: &str = "\
It becomes that program: exit status and signals are the program's. Status 2 if there is no Python to run it.

Examples:
  openline run app.py --verbose            as python app.py --verbose
  openline run -m app.main                 as python -m app.main
  openline run --python .venv/bin/python app.py";
