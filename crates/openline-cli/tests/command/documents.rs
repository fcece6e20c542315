//! `openline completions` and `openline man`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::running::{run, temporary};

#[test]
fn each_shell_gets_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let finished = run(&["completions", shell], "");
        assert_eq!(finished.status, Some(0));
        for word in ["write-out", "bench", "unix-socket", "message-size", "stall-after", "run"] {
            assert!(finished.stdout.contains(word), "no {word} for {shell}");
        }
    }
    run(&["completions", "cmd"], "").failed(2, "possible values");
}

#[test]
fn bash_understands_its_script() {
    let script = run(&["completions", "bash"], "").stdout;
    let mut bash = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let bash = bash.as_mut().unwrap();
    let complete = "COMP_WORDS=(openline pi) COMP_CWORD=1; _openline openline pi openline; \
                    echo ${COMPREPLY[@]}";
    writeln!(bash.stdin.take().unwrap(), "{script}\n{complete}").unwrap();
    let mut completed = String::new();
    std::io::Read::read_to_string(bash.stdout.as_mut().unwrap(), &mut completed).unwrap();
    bash.wait().unwrap();
    assert_eq!(completed, "ping\n");
}

#[test]
fn each_command_has_a_manual_page() {
    let finished = run(&["man"], "");
    assert!(finished.stdout.contains(".SH NAME\nopenline \\- WebSockets from a terminal"));
    assert!(finished.stdout.contains(".SH NOTES\n.nf\n"), "{finished:?}");
    let directory = temporary("man");
    let path = directory.to_str().unwrap();
    run(&["man", path], "").printed("");
    let pages = [
        "openline",
        "openline-bench",
        "openline-check",
        "openline-connect",
        "openline-echo",
        "openline-proxy",
        "openline-record",
        "openline-replay",
        "openline-run",
    ];
    for name in pages {
        let page = std::fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    std::fs::remove_dir_all(directory).unwrap();
    run(&["man", "/dev/null/pages"], "").failed(2, "cannot write the manual");
}
