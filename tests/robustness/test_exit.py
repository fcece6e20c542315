"""The end of a program with calls that wait, of every kind: it waits for none of them, and says nothing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap
import time

import pytest

from openline.testing import EchoServer

from fixtures import peer, server  # noqa: F401  # pytest finds them by name
from peer import Peer, text
from robustness.calls import CALLS

TESTS = pathlib.Path(__file__).parent.parent

# Seconds that guard against a hang: nothing else would end these calls.
BOUND = 10


def run(program: str, *arguments: str) -> subprocess.Popen[str]:
    # These programs do leave connections open.
    warnings = ["-W", "error", "-W", "ignore:unclosed connection:ResourceWarning"]
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", *warnings, "-c", textwrap.dedent(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )


def check_end(process: subprocess.Popen[str]) -> None:
    output, complaints = process.communicate(timeout=BOUND)
    assert (process.returncode, output, complaints) == (0, "the end\n", "")


@pytest.mark.parametrize("others", [[], ["send, large"]], ids=["alone", "behind another that sends"])
@pytest.mark.parametrize("call", CALLS)
def test_each_call_in_a_daemon_thread(call: str, others: list[str], peer: Peer) -> None:
    """No time of the connection's would end the call."""
    program = """
        import sys, threading, time
        from openline.sync.client import connect
        from robustness.calls import Holder, outcome

        holder = Holder(connect(sys.argv[1], ping_interval=None, close_timeout=None))
        for call in sys.argv[2:]:
            threading.Thread(target=outcome, args=(call, holder), daemon=True).start()
        time.sleep(0.05)
        print("the end")
        """
    check_end(run(program, peer.uri, *others, call))


def test_fifty_open_connections(server: EchoServer) -> None:
    program = """
        import sys, threading, time
        from openline.sync.client import connect

        connections = [connect(sys.argv[1], max_size=None) for _ in range(50)]
        for number, connection in enumerate(connections):
            if number % 2:
                threading.Thread(target=connection.recv, daemon=True).start()
        time.sleep(0.05)
        print("the end")
        """
    check_end(run(program, server.uri))


def test_a_thread_that_is_no_daemon_goes_on(peer: Peer) -> None:
    """Python's rule: the exit follows when it is done."""
    program = """
        import sys, threading
        from openline.sync.client import connect

        def receive():
            assert ws.recv() == "late"
            with ws:
                ws.send("answer")
            print("the end")

        ws = connect(sys.argv[1], ping_interval=None)
        threading.Thread(target=receive).start()
        print("end of main", flush=True)
        """
    process = run(program, peer.uri)
    assert process.stdout is not None
    assert process.stdout.readline() == "end of main\n"
    time.sleep(0.2)  # most likely the interpreter waits for the thread by now
    assert process.poll() is None
    peer.send(text("late"))
    assert peer.expect() == (0x81, b"answer")
    assert peer.expect()[0] == 0x88
    peer.socket.close()
    check_end(process)
