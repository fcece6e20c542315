//! `openline echo`.

use nix::sys::signal::Signal;

use crate::running::{Running, run};

#[test]
fn lines_become_messages_and_messages_lines() {
    let mut server = Running::start(&["echo", "127.0.0.1:0"]);
    let line = server.wait_for("echoing at ");
    let uri = line.strip_prefix("echoing at ").unwrap();
    run(&["connect", uri], "one\ntwo\r\n\nlast").printed("one\ntwo\n\nlast\n");
    server.signal(Signal::SIGINT);
    let finished = server.finish();
    finished.printed("");
    assert_eq!(finished.stderr, "");
}
