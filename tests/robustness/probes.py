"""What must hold when the network or the peer does its worst, here and in other blocking clients.

A row is a module: the first line of its documentation names the situation, the next paragraph says what must
hold. Its tests are probes, functions that take a client, bring about the situation and return what they saw:

    @probe
    def test_with_a_time_out(client: Client) -> str:
        \"""`send(timeout=0.5)`\"""
        with Peer() as peer:
            connection = client.connect(peer.uri)
            return ended(lambda: connection.send(LARGE, 0.5), within=5).told(TimeoutError)

A probe runs in a process of its own, since some clients hang for good. pytest runs it with openline and
asserts that it holds; with `--peer websockets` or `--peer websocket-client` it only prints what was seen.
`python -m robustness.page`, in tests/, runs all of them with every client and writes docs/robustness.md.
"""

from __future__ import annotations

import json
import pathlib
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

__all__ = [
    "CLIENTS",
    "LARGE",
    "PROBES",
    "SOON",
    "Breaks",
    "Call",
    "Client",
    "Connection",
    "Ending",
    "Lacks",
    "Outcome",
    "Verdict",
    "ended",
    "observe",
    "peak_memory",
    "probe",
]

CLIENTS = ("openline", "websockets", "websocket-client")

LARGE = bytes(16 << 20)
"""A message that no socket takes at once."""

SOON = 6
"""Seconds within which ends what takes half a second, however busy the machine is."""

TESTS = pathlib.Path(__file__).resolve().parent.parent

SECONDS, SECONDS_OF_OTHERS = 25, 120
"""How long a probe may take with openline, and with others, to see what their end is."""


class Connection(Protocol):
    """What probes do with a connection. A client without time-outs for a call takes none there."""

    def send(self, message: str | bytes, timeout: float | None = None) -> object: ...
    def recv(self, timeout: float | None = None) -> str | bytes: ...
    def ping(self, *, timeout: float | None = None) -> object: ...
    def close(self) -> object: ...


class Client(Protocol):
    """A library, in the words of the probes.

    Attributes:
        closed: the exceptions that say that the connection is over.
    """

    name: str
    version: str
    closed: tuple[type[Exception], ...]

    def connect(self, uri: str, **options: Any) -> Connection:
        """Connect directly. The options are those of openline; what the library has not is left out."""

    def is_open(self, connection: Connection) -> bool:
        """Whether the connection is open, as the library tells."""


class Breaks(Exception):
    """What must hold does not: what was seen."""


class Lacks(Exception):
    """The library has not what the probe is about."""


class Verdict(StrEnum):
    HOLDS = "✅"
    BREAKS = "❌"
    LACKS = "—"


@dataclass(frozen=True)
class Outcome:
    verdict: Verdict
    seen: str


Run = Callable[[Client], str]

PROBES: dict[str, dict[str, Run]] = {}
"""The probes of the modules that have been imported, in their order, by name."""


def probe(run: Run) -> Callable[[str], None]:
    """Make a test of a probe. It returns what it saw, or raises `Breaks` or `Lacks`."""
    row = run.__module__.rpartition(".")[2]
    PROBES.setdefault(row, {})[run.__name__] = run

    def test(library: str) -> None:
        outcome = observe(row, run.__name__, library)
        print(outcome.verdict, outcome.seen)
        if library != "openline":
            return
        if outcome.verdict is Verdict.LACKS:
            import pytest  # which the processes of probes do without

            pytest.skip(outcome.seen)
        assert outcome.verdict is Verdict.HOLDS, outcome.seen

    test.__name__, test.__module__, test.__doc__ = run.__name__, run.__module__, run.__doc__
    return test


def observe(row: str, name: str, library: str) -> Outcome:
    """Run a probe in a process of its own."""
    seconds = SECONDS if library == "openline" else SECONDS_OF_OTHERS
    command = [sys.executable, "-W", "ignore", "-m", "robustness.child", row, name, library]
    try:
        run = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return Outcome(Verdict.BREAKS, f"the whole process hangs (over {seconds} s)")
    try:
        told = json.loads(run.stdout)
    except ValueError:
        return Outcome(Verdict.BREAKS, f"the process ends with {run.returncode}: {run.stderr[-2000:]}")
    if run.stderr and told["verdict"] != Verdict.HOLDS and library == "openline":
        told["seen"] += "\n" + run.stderr
    return Outcome(Verdict(told["verdict"]), told["seen"])


def tell(outcome: Outcome) -> str:
    """What a process writes for `observe`."""
    return json.dumps(asdict(outcome))


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    seconds: float
    value: Any
    error: BaseException | None

    def told(self, *expected: type[BaseException]) -> str:
        """How, and after how long.

        Args:
            expected: the exceptions with which it may end. Default: none, it must return.

        Raises:
            Breaks: it ended in another way.
        """
        if isinstance(self.error, expected) if expected else self.error is None:
            return str(self)
        raise Breaks(str(self))

    def __str__(self) -> str:
        how = "returns" if self.error is None else type(self.error).__name__
        return f"{how} after {self.seconds:.2f} s"


class Call:
    """A call in a thread of its own, which may never end.

    Args:
        call: what to call.
        name: of the call, for what is told if it hangs.
    """

    def __init__(self, call: Callable[[], Any], name: str = "") -> None:
        self._call = call
        self._name = f"`{name}` " if name else ""
        self._ending: Ending | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def runs_for(self, seconds: float) -> None:
        """Wait a moment in which it should not end.

        Raises:
            Breaks: it has ended.
        """
        self._thread.join(seconds)
        if self._ending is not None:
            raise Breaks(f"{self._name}does not wait: {self._ending}")

    def ended(self, within: float) -> Ending:
        """Wait for its end.

        Raises:
            Breaks: it has not ended in time.
        """
        self._thread.join(within)
        if self._ending is None:
            raise Breaks(f"{self._name}hangs (over {within:g} s)")
        return self._ending

    def _run(self) -> None:
        start = time.monotonic()
        value, error = None, None
        try:
            value = self._call()
        except BaseException as raised:
            error = raised
        self._ending = Ending(time.monotonic() - start, value, error)


def ended(call: Callable[[], Any], within: float, name: str = "") -> Ending:
    """Call, and wait for the end. See `Call`."""
    return Call(call, name).ended(within)

def peak_memory() -> int:
    """Bytes of memory that this process has had in use at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
