"""The Rust crate's client against the servers that others wrote: `crates/openline/tests/interop.rs`."""

from __future__ import annotations

import os
import pathlib
import subprocess

import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


CONVERSATION = "cargo test --quiet --locked -p openline --test interop -- --ignored".split()
"""`make test-python` has built it."""


def test_conversation(target: peers.Target) -> None:
    environment = {**os.environ, "OPENLINE_PEER_URI": target.uri("/echo")}
    if target.is_unix:
        scheme = target.uri("/").partition(":")[0]
        environment["OPENLINE_PEER_PATH"] = target.server.sockets[scheme]
    done = subprocess.run(CONVERSATION, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
