//! Running the command.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openline::rustls;
use openline::rustls::pki_types::PrivateKeyDer;

pub(crate) fn openline(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "socks_proxy", "NO_COLOR"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

/// Runs it to its end, with this input.
pub(crate) fn run(args: &[&str], input: &str) -> Finished {
    let mut child = openline(args).spawn().unwrap();
    // It may end without having read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Finished::of(child.wait_with_output().unwrap())
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(output: Output) -> Finished {
        Finished {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended as it should, and printed this.
    #[track_caller]
    pub(crate) fn printed(&self, text: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (Some(0), text), "{self:?}");
    }

    /// It ended with this status, and said something with this in it.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, text: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.stderr.contains(text), "{self:?}");
    }
}

/// The command at work; killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stderr: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Running {
        let mut child = openline(args).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running { child, stderr }
    }

    /// Waits for a line of standard error with this in it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.stderr.read_line(&mut seen).unwrap(), 0, "no {text:?} in {seen:?}");
            if seen[start..].contains(text) {
                return seen[start..].trim().to_owned();
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn finish(mut self) -> Finished {
        let mut stderr = String::new();
        drop(self.child.stdin.take());
        std::io::Read::read_to_string(&mut self.stderr, &mut stderr).unwrap();
        let mut stdout = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut output, &mut stdout).unwrap();
        }
        Finished { status: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has most often ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for localhost and its key, in files that are removed when it is dropped.
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) server: std::sync::Arc<rustls::ServerConfig>,
}

impl Identity {
    pub(crate) fn new(name: &str) -> Identity {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let rcgen::CertifiedKey { cert, signing_key } = made;
        let [cert_file, key_file] =
            ["cert", "key"].map(|part| temporary(&format!("{name}-{part}.pem")));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let server = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Identity { cert: cert_file, key: key_file, server: server.into() }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        for file in [&self.cert, &self.key] {
            std::fs::remove_file(file).unwrap();
        }
    }
}

/// A path that nobody else uses.
pub(crate) fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("openline-cli-{}-{name}", std::process::id()))
}
