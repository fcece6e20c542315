//! `openline run`: `python -m openline run`, with the Python that is meant.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::RunArgs;
use crate::failure::{Failure, Outcome};

/// Does not return if it is well.
pub(crate) fn run(args: &RunArgs) -> Outcome<()> {
    let python = python(args)?;
    check(&python)?;
    let mut command = Command::new(&python);
    command.args(["-m", "openline", "run"]);
    if args.module {
        command.arg("-m");
    }
    let error = command.args(&args.program).exec();
    Err(cannot_run(&python)(error))
}

/// The Python of the arguments, that of the active virtual environment, or that which the shell would take.
fn python(args: &RunArgs) -> Outcome<PathBuf> {
    if let Some(path) = &args.python {
        return Ok(path.clone());
    }
    match env::var_os("VIRTUAL_ENV") {
        Some(directory) if !directory.is_empty() => {
            let path = Path::new(&directory).join("bin/python");
            if !path.exists() {
                let (path, directory) = (path.display(), Path::new(&directory).display());
                return Err(Failure::Usage(format!(
                    "VIRTUAL_ENV is {directory}, but there is no {path}; give --python, or unset VIRTUAL_ENV"
                )));
            }
            Ok(path)
        }
        _ => Ok("python3".into()),
    }
}

/// Whether it has the package. Else Python would say so in its own words, which are not helpful.
fn check(python: &Path) -> Outcome<()> {
    let mut command = Command::new(python);
    command.args(["-c", HAS_PACKAGE]).stdin(Stdio::null()).stdout(Stdio::null());
    match command.stderr(Stdio::null()).status().map_err(cannot_run(python))? {
        status if status.success() => Ok(()),
        status if status.code() == Some(NO_PACKAGE) => {
            let python = python.display();
            Err(Failure::Usage(format!(
                "{python} has no package openline; install it there ({python} -m pip install .), or give another \
                 --python"
            )))
        }
        status => Err(Failure::Usage(format!("{} does not work: {status}", python.display()))),
    }
}

fn cannot_run(python: &Path) -> impl FnOnce(io::Error) -> Failure {
    Failure::system(format!("run {}", python.display()))
}

/// It only looks for the package, and loads nothing. A directory of that name has no origin.
const HAS_PACKAGE: &str = "\
import importlib.util
spec = importlib.util.find_spec('openline')
raise SystemExit(0 if spec and spec.origin else 77)";

const NO_PACKAGE: i32 = 77;
