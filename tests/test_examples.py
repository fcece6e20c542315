"""The programs of examples/, of the Rust crate's examples/, and the demonstration do what they claim."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from openline import ConnectionClosedOK
from openline.sync.client import connect

# The demonstration runs all programs, one after the other.

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Each program and what its output must show, beside an exit status of 0.
PYTHON = {
    "basic.py": ["received 'Grüße'", "received 'one message in fragments'", "closed with code 1000"],
    "compression.py": ["500 quotes: ", "agreed on PerMessageDeflate("],
    "fault_proxy.py": ["counted to 500 over", "silence noticed after", "a ping took"],
    "headers.py": ["sent      X-Trace: 42", "answered  101", "chosen    chat.v2", "refused   401"],
    "iterate.py": ["message 3: 'third'", "closed with code 1000 'that is all'"],
    "logging_frames.py": ["DEBUG > TEXT 'hello' [5 bytes]", "Authorization: (hidden)", "INFO  two messages"],
    "reconnect.py": ["connection 2 is open", "ConnectionRefusedError", "6 messages over 2 connections"],
    "server.py": ["bob hears: I am here", "bob hears: hello, everybody"],
    "stats.py": ["round trip, p50", "round trip, p99", "send_many", "recv_many"],
    "subclass.py": ["hello from ada", "2 sent, 2 received", "the socket has TCP_NODELAY"],
    "threads.py": ["8 threads, a connection each: 4000 messages echoed", "two threads, one connection"],
    "timeouts.py": ["nothing came in 0.1 s", "a ping took", "no handshake in 0.2 s"],
    "unix_socket.py": ["received 'over a Unix socket'", "asked for /feed?from=7", "no such socket"],
}
RUST = {
    "basic": ['received Text("Grüße")', "closed: sent 1000 (OK) done; then received 1000 (OK) done"],
    "logging": ["> TEXT 'hello' [5 bytes]", "Authorization: (hidden)", "= connection is CLOSED"],
    "threads": ["8 threads, a connection each: 4000 messages echoed", "two threads, one connection"],
    "timeouts": ["nothing came: timed out while waiting for a message", "a ping took"],
}


def run(command: list[str]) -> str:
    """What a program prints; it must succeed, quietly."""
    environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}
    program = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=100
    )
    assert program.returncode == 0, program.stdout + program.stderr
    assert program.stderr == ""
    return program.stdout


def rust(name: str) -> list[str]:
    """The command for a Rust example, which `make test-examples` has built."""
    return ["cargo", "run", "--quiet", "--locked", "-p", "openline", "--example", name]


def test_every_program_is_here() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == PYTHON.keys()
    rust_examples = {path.stem for path in (ROOT / "crates/openline/examples").glob("*.rs")}
    assert rust_examples == RUST.keys() | {"autobahn", "server"}  # conformance/ runs autobahn


@pytest.mark.parametrize("name", PYTHON)
def test_python(name: str) -> None:
    output = run([sys.executable, f"examples/{name}"])
    for expected in PYTHON[name]:
        assert expected in output


@pytest.mark.parametrize("name", RUST)
def test_rust(name: str) -> None:
    output = run(rust(name))
    for expected in RUST[name]:
        assert expected in output


def test_rust_server() -> None:
    server = subprocess.Popen(
        rust("server"), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    with server:
        assert server.stdin is not None and server.stdout is not None
        uri = server.stdout.readline().strip()
        with connect(uri, subprotocols=["capitals"]) as websocket:
            assert websocket.subprotocol == "capitals"
            assert str(websocket.recv(timeout=10)).startswith("welcome, 127.0.0.1")
            websocket.send("Grüße")
            assert websocket.recv(timeout=10) == "GRÜSSE"
            server.stdin.close()
            with pytest.raises(ConnectionClosedOK, match="1001"):
                websocket.recv(timeout=10)
        assert server.stdout.read() == "shut down\n"
        assert server.wait(timeout=10) == 0


def test_demo() -> None:
    output = run([sys.executable, "tools/demo.py"])
    statuses = re.findall(r"^exit status (.*) after", output, re.MULTILINE)
    assert statuses == ["0"] * len(PYTHON)
    assert output.endswith(f"all {len(PYTHON)} programs did what they claim\n")
