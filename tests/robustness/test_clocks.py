"""Deadlines are of the monotonic clock, and hold across a time in which the process stood still."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

from openline.frames import Opcode

from fixtures import peer  # noqa: F401  # pytest finds it by name
from peer import Peer, frame, text

ROOT = pathlib.Path(__file__).parent.parent.parent


def test_no_code_asks_for_the_time_of_day() -> None:
    """Somebody may set it, or daylight saving time does."""
    sources = [*ROOT.glob("crates/*/src/**/*.rs"), *ROOT.glob("python/openline/**/*.py")]
    pattern = re.compile(r"SystemTime|UNIX_EPOCH|time\.time\b|datetime\.now|time_ns\b")
    assert len(sources) > 100
    dated = {str(path.relative_to(ROOT)) for path in sources if pattern.search(path.read_text())}
    # The Date header of HTTP, and what the command prints beside a message: nothing waits for either.
    assert dated == {
        "crates/openline/src/server/answer.rs",
        "crates/openline-cli/src/interactive/view.rs",
        "crates/openline-cli/src/output.rs",
        "crates/openline-cli/src/session/recorder.rs",  # a name in its lines
    }


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@contextmanager
def standing_still(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    yield
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def test_calls_end_at_once_when_their_deadline_passed_meanwhile() -> None:
    program = """
        import sys, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from openline.sync.client import connect

        TIMEOUT = 4

        def opened(**kwargs):
            return connect(sys.argv.pop(), ping_interval=None, **kwargs)

        a, b, c, d, e = (opened(close_timeout=TIMEOUT) for _ in range(5))
        calls = {
            "recv": lambda: a.recv(timeout=TIMEOUT),
            "send": lambda: b.send(bytes(32 << 20), timeout=TIMEOUT),
            "ping": lambda: c.ping(timeout=TIMEOUT),
            "close": d.close,
            "wait_closed": lambda: e.wait_closed(timeout=TIMEOUT),
            "connect": lambda: opened(open_timeout=TIMEOUT),
        }

        def measured(call):
            start = time.monotonic()
            try:
                call()
            except TimeoutError:
                pass
            return time.monotonic() - start

        with ThreadPoolExecutor(len(calls)) as pool:
            ends = {name: pool.submit(measured, call) for name, call in calls.items()}
            print("waiting", flush=True)
            for name, end in ends.items():
                print(name, end.result(), flush=True)
        for connection in (a, b, c, e):
            connection.abort()
        """
    peers = [Peer() for _ in range(5)]
    silent = Peer(response=None)
    try:
        with running(program, silent.uri, *(peer.uri for peer in peers)) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            assert silent.socket, "the last of them waits by now"
            with standing_still(process, 4.2):
                pass
            for line in process.stdout:
                call, seconds = line.split()
                # Who begins anew after a signal, or waits in steps, takes almost twice as long.
                assert 4 <= float(seconds) < 7, call
            assert process.wait(10) == 0
    finally:
        for each in (*peers, silent):
            each.__exit__(None, None, None)


class TestKeepalive:
    """A pong that came while we stood still is a sign of life, however late we look."""

    PROGRAM = """
        import sys
        from openline.sync.client import connect

        with connect(sys.argv[1], ping_interval=0.5, ping_timeout=0.5) as ws:
            print("connected", flush=True)
            if sys.argv[2] == "idle":
                sys.stdin.readline()
            print(ws.recv(), flush=True)
        """

    def check(self, peer: Peer, what: str) -> None:
        with running(self.PROGRAM, peer.uri, what) as process:
            assert process.stdout is not None and process.stdin is not None
            assert process.stdout.readline() == "connected\n"
            opcode, payload = peer.expect()
            assert opcode == 0x89
            with standing_still(process, 1):  # ping_timeout passes
                peer.send(frame(Opcode.PONG, payload))
            opcode, payload = peer.expect()
            assert opcode == 0x89, "the next ping, and no Close"
            peer.send(frame(Opcode.PONG, payload), text("still open"))
            process.stdin.write("go on\n")
            process.stdin.flush()
            assert process.stdout.readline() == "still open\n"
            while (received := peer.expect())[0] == 0x89:
                peer.send(frame(Opcode.PONG, received[1]))
            assert received == (0x88, b"\x03\xe8")
            peer.socket.close()
            assert process.wait(10) == 0

    def test_while_receiving(self, peer: Peer) -> None:
        self.check(peer, "receiving")

    def test_while_nobody_receives(self, peer: Peer) -> None:
        self.check(peer, "idle")


def test_a_message_that_came_meanwhile_ends_idleness(peer: Peer) -> None:
    program = """
        import sys
        from openline.sync.client import connect

        with connect(sys.argv[1], ping_interval=None, idle_timeout=0.5) as ws:
            print("connected", flush=True)
            print(ws.recv(), flush=True)
        """
    with running(program, peer.uri) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        with standing_still(process, 1):
            peer.send(text("in time"))
        assert process.stdout.readline() == "in time\n"
        assert peer.expect() == (0x88, b"\x03\xe8"), "closed by the program"
        peer.socket.close()
        assert process.wait(10) == 0
