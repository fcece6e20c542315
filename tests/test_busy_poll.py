"""Looking for data before sleeping for it. Whether it pays is what bench/ shows."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from openline.sync.client import connect
from openline.testing import EchoServer

from fixtures import handle_signals, server  # noqa: F401  # pytest finds them by name
from peer import interrupt_later


@pytest.mark.parametrize("busy_poll", [None, 0, 50e-6, 0.1])
def test_messages_come_whether_or_not_they_are_looked_for(server: EchoServer, busy_poll: float | None) -> None:
    with connect(server.uri, busy_poll=busy_poll) as ws:
        for n in range(2000):
            ws.send(f"{n}")
            assert ws.recv(None if n % 2 else 20) == f"{n}"
            if n % 500 == 0:
                with pytest.raises(TimeoutError):
                    ws.recv(0.01)


@pytest.mark.parametrize("busy_poll", [None, 0.1])
@pytest.mark.parametrize("timeout", [None, 20])
def test_ctrl_c(server: EchoServer, busy_poll: float | None, timeout: float | None) -> None:
    with connect(server.uri, busy_poll=busy_poll) as ws:
        for _ in range(100):  # until it is worth while
            ws.send("fast")
            ws.recv()
        for _ in range(5):
            timer = interrupt_later(0.05)
            start = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                ws.recv(timeout)
            assert time.monotonic() - start < 1
            timer.join()
        ws.send("usable")
        assert ws.recv() == "usable"


def test_no_longer_than_signals_may_wait(server: EchoServer) -> None:
    with pytest.raises(ValueError, match=r"^busy_poll is 200ms, and can be 100ms at most, as signals wait for it$"):
        connect(server.uri, busy_poll=0.2)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("0", "connected"),
        ("200", "connected"),
        ("20 µs", 'must be a number of microseconds, not "20 µs"'),
        ("-1", 'must be a number of microseconds, not "-1"'),
        ("200000", "busy_poll is 200ms"),
    ],
)
def test_from_the_environment(server: EchoServer, value: str, outcome: str) -> None:
    program = """
        import sys
        from openline.sync.client import connect
        try:
            with connect(sys.argv[1]) as ws:
                ws.send("connected")
                print(ws.recv())
        except ValueError as error:
            print(error)
        """
    command = [sys.executable, "-c", "if True:" + program, server.uri]
    environment = {"OPENLINE_BUSY_POLL_US": value, "PYTHONUTF8": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert outcome in run.stdout, run.stderr
