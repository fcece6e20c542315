//! `openline run`: with a Python of the test's, and with the real one.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::running::{openline, run, temporary};

/// A program that stands for Python: a shell script.
struct Fake {
    directory: PathBuf,
}

impl Fake {
    fn new(name: &str, script: &str) -> Fake {
        let directory = temporary(name);
        std::fs::create_dir_all(directory.join("bin")).unwrap();
        let fake = Fake { directory };
        // Not by this process: another test may start one at that moment, which would have the file open for writing,
        // and such a file cannot be run.
        let write = "cat >\"$1\" && chmod +x \"$1\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", write, "sh"]).arg(fake.python()).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        writeln!(shell.stdin.take().unwrap(), "#!/bin/sh\n{script}").unwrap();
        assert!(shell.wait().unwrap().success());
        fake
    }

    fn python(&self) -> PathBuf {
        self.directory.join("bin/python")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// Has the package, and prints what it is called with.
const WITH_PACKAGE: &str = r#"if [ "$1" = -c ]; then exit 0; fi
printf '<%s>' "$@"; cat; exit 7"#;

fn in_environment(fake: &Fake, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = openline(args);
    command.env("VIRTUAL_ENV", &fake.directory).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_gets_its_arguments_and_gives_its_status() {
    let fake = Fake::new("run-venv", WITH_PACKAGE);
    let (status, stdout, stderr) = in_environment(&fake, &["run", "app.py", "-v", "--", "--help"]);
    assert_eq!(stdout, "<-m><openline><run><app.py><-v><--><--help>", "{stderr}");
    assert_eq!((status, stderr.as_str()), (Some(7), ""));
    let (_, stdout, _) = in_environment(&fake, &["run", "-m", "app.main", "-m"]);
    assert_eq!(stdout, "<-m><openline><run><-m><app.main><-m>");
    let python = fake.python();
    let finished = run(&["run", "--python", python.to_str().unwrap(), "-"], "input");
    assert_eq!(
        (finished.status, finished.stdout.as_str()),
        (Some(7), "<-m><openline><run><->input")
    );
}

#[test]
fn it_becomes_the_program() {
    let fake =
        Fake::new("run-exec", r#"if [ "$1" = -c ]; then exit 0; fi; echo $$; kill -TERM $$"#);
    let python = fake.python();
    let child = openline(&["run", "--python", python.to_str().unwrap(), "app.py"]).spawn().unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), id.to_string());
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(15));
}

#[test]
fn where_the_package_is_not_is_told() {
    let fake = Fake::new("run-without", "exit 77");
    let (status, _, stderr) = in_environment(&fake, &["run", "app.py"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("bin/python has no package openline; install it there"), "{stderr}");
    let broken = Fake::new("run-broken", "exit 3");
    let (status, _, stderr) = in_environment(&broken, &["run", "app.py"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("does not work: exit status: 3"), "{stderr}");
    run(&["run", "--python", "/nonexistent/python", "app.py"], "")
        .failed(2, "cannot run /nonexistent/python: No such file");
    let output = openline(&["run", "app.py"]).env("VIRTUAL_ENV", "/nonexistent").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("there is no /nonexistent/bin/python; give --python"), "{stderr}");
    run(&["run"], "").failed(2, "SCRIPT");
}

#[test]
fn python_looks_for_the_package_as_it_will_be_asked() {
    // What stands where it is run comes first, as for python -m.
    let directory = temporary("run-real");
    let package = directory.join("openline");
    std::fs::create_dir_all(&package).unwrap();
    let in_directory = |args: &[&str]| {
        let mut command: Command = openline(args);
        command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").current_dir(&directory);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let script = "import sys; print(sys.argv[1:])";
    std::fs::write(package.join("__init__.py"), "").unwrap();
    std::fs::write(package.join("__main__.py"), script).unwrap();
    assert_eq!(
        in_directory(&["run", "app.py", "x"]),
        (Some(0), "['run', 'app.py', 'x']\n".to_owned())
    );
    std::fs::remove_dir_all(directory).unwrap();
}
