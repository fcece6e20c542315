"""All pairs of calls in two threads: each ends within its bound, and the connection is in a defined state.

The calls are those of `calls.CALLS`; a new public method that is not among them fails a test here.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from openline.protocol import State
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import pool  # noqa: F401  # pytest finds it by name
from peer import Peer, text
from robustness.calls import ATTRIBUTES, CALLS, ENDS_AT_ONCE, Holder, outcome, public_names

# To drop a connection that is open is one of the calls.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection:ResourceWarning")

# Seconds that guard against a hang: the bounds of the calls themselves are a fraction of one.
BOUND = 10

# Nobody receives in most pairs, and what stands behind a full queue is not seen.
NO_LIMITS: dict[str, Any] = {"max_size": None, "max_queue": None}

WELCOME = [f"message {number}" for number in range(20)]


def test_every_public_call_is_among_the_pairs() -> None:
    named = {call.partition(",")[0] for call in CALLS} - {"attributes"}
    assert named | set(ATTRIBUTES) == set(public_names())


@pytest.fixture(params=["at once", "one after the other"])
def start(request: pytest.FixtureRequest) -> str:
    """Whether the second call comes with the first one, or when that waits already."""
    assert isinstance(request.param, str)
    return request.param


class Pair:
    """Two calls on their way, in two threads."""

    def __init__(self, calls: tuple[str, str], connection: ClientConnection, start: str) -> None:
        self.calls = calls
        self.holder = Holder(connection)
        del connection
        self._ends: list[Future[str]] = [Future(), Future()]
        together = threading.Barrier(2)

        def run(number: int) -> None:
            if start == "at once":
                together.wait(BOUND)
            elif number == 1:
                wait(self._ends[:1], 0.02)
            try:
                self._ends[number].set_result(outcome(calls[number], self.holder))
            except BaseException as error:
                self._ends[number].set_exception(error)

        for number in range(2):
            threading.Thread(target=run, args=(number,), daemon=True).start()

    def is_over(self, seconds: float) -> bool:
        return not wait(self._ends, seconds).not_done

    def check_ends(self) -> None:
        """The two calls have ended, or do so now, in one of the ways that they may."""
        assert self.is_over(BOUND), f"{self.calls}: {[end.done() for end in self._ends]}"
        if "ConcurrencyError" in [end.result() for end in self._ends]:
            assert "__del__" in self.calls or all(is_exclusive(call) for call in self.calls), self.calls


def is_exclusive(call: str) -> bool:
    """Whether only one thread at a time may do this: receiving."""
    return call.startswith("recv") or call in ("__iter__", "__next__")


def partners(first: str, start: str, calls: list[str]) -> list[str]:
    """What to pair a call with: where both come at once, their order does not matter."""
    return calls[calls.index(first) :] if start == "at once" else calls


class TestWithAPeerThatAnswers:
    """What waits for the end of the connection sees it; nothing is lost, doubled or torn."""

    @pytest.mark.parametrize("first", CALLS)
    def test_pairs(self, first: str, start: str, pool: ThreadPoolExecutor) -> None:
        list(pool.map(lambda second: self.check((first, second), start), partners(first, start, [*CALLS])))

    def check(self, calls: tuple[str, str], start: str) -> None:
        with EchoServer(welcome=WELCOME) as server:
            pair = Pair(calls, connect(server.uri, **NO_LIMITS, close_timeout=BOUND), start)
            holder = pair.holder
            is_over = pair.is_over(0.1) and not holder.is_dropped
            is_usable = is_over and holder.connection.state is State.OPEN
            if is_usable:
                self.use(holder)
            if holder.is_dropped:
                server.close()
                pair.check_ends()
            else:
                holder.connection.close()
                pair.check_ends()
                holder.received += holder.connection
                if not set(calls) & set(ENDS_AT_ONCE):
                    # A close between two fragments is a failure.
                    codes = {1000, 1011} if "send, fragments" in calls else {1000}
                    assert holder.connection.close_code in codes, calls
            self.check_messages(pair, is_usable)

    @staticmethod
    def use(holder: Holder) -> None:
        """All that was sent before comes back before this."""
        holder.connection.send("the end")
        while (message := holder.connection.recv(BOUND)) != "the end":
            holder.received.append(message)

    @staticmethod
    def check_messages(pair: Pair, is_complete: bool) -> None:
        received, sent = pair.holder.received, Counter(pair.holder.sent)
        welcome = sorted((message for message in received if message in WELCOME), key=WELCOME.index)
        assert welcome == WELCOME[: len(welcome)], f"{pair.calls}: lost, or doubled"
        echoed = Counter(message for message in received if message not in WELCOME)
        if is_complete:
            assert len(welcome) == len(WELCOME), f"{pair.calls}: lost"
            assert echoed == sent, f"{pair.calls}: lost, doubled or torn"


class TestWithAPeerThatDoesNothing:
    """It neither reads nor answers: keepalive or `close_timeout` ends what waits; the stream is whole."""

    @pytest.mark.parametrize("first", CALLS)
    def test_pairs(self, first: str, start: str, pool: ThreadPoolExecutor) -> None:
        list(pool.map(lambda second: self.check((first, second), start), partners(first, start, [*CALLS])))

    def check(self, calls: tuple[str, str], start: str) -> None:
        with Peer() as peer:
            ws = peer.connect(ping_interval=0.1, ping_timeout=0.1, close_timeout=0.1)
            pair = Pair(calls, ws, start)
            del ws
            pair.check_ends()
            if not pair.holder.is_dropped:
                pair.holder.connection.close()
                assert pair.holder.connection.close_code == 1006
            check_frames(read_to_end(peer.socket), calls)


class TestWithAPeerThatOnlySends:
    """It sends for ever and reads nothing: `close` ends what waits, within `close_timeout`."""

    # Nobody could close a connection that was dropped.
    CALLS = [call for call in CALLS if call != "__del__"]

    @pytest.mark.parametrize("first", CALLS)
    def test_pairs(self, first: str, start: str, pool: ThreadPoolExecutor) -> None:
        list(pool.map(lambda second: self.check((first, second), start), partners(first, start, self.CALLS)))

    def check(self, calls: tuple[str, str], start: str) -> None:
        with Peer() as peer:
            pair = Pair(calls, peer.connect(close_timeout=0.1), start)
            flood = threading.Thread(target=send_for_ever, args=(peer.socket,))
            flood.start()
            pair.is_over(0.1)
            pair.holder.connection.close()
            assert pair.holder.connection.closed
            pair.check_ends()
            check_frames(read_to_end(peer.socket), calls)
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was reset
            flood.join()


def send_for_ever(stream: socket.socket) -> None:
    try:
        while True:
            stream.sendall(text("flood") * 100)
    except OSError:
        pass


def read_to_end(stream: socket.socket) -> bytes:
    """What is there to be read, up to the end."""
    data = bytearray()
    try:
        while piece := stream.recv(1 << 20):
            data += piece
    except OSError:
        pass
    return bytes(data)


def check_frames(stream: bytes, calls: tuple[str, str]) -> None:
    """What we have sent are whole frames in a right order, the last of which may be cut."""
    in_fragments = False
    position = 0
    while position + 14 <= len(stream):
        first, second = stream[position : position + 2]
        assert second & 0x80, f"{calls}: a frame without a mask at {position}"
        length, position = second & 0x7F, position + 2
        if length >= 126:
            form = "!H" if length == 126 else "!Q"
            (length,) = struct.unpack_from(form, stream, position)
            position += struct.calcsize(form)
        position += 4 + length
        opcode, fin = first & 0x0F, bool(first & 0x80)
        is_frame = first & 0x70 == 0 and opcode in (0, 1, 2, 8, 9, 10)
        assert is_frame, f"{calls}: no frame begins with {first:#x}"
        if opcode >= 8:
            assert fin and length <= 125, f"{calls}: a broken control frame"
            if opcode == 8:
                assert position >= len(stream), f"{calls}: something follows the close"
        else:
            assert in_fragments == (opcode == 0), f"{calls}: the fragments are mixed"
            in_fragments = not fin


def test_the_check_of_frames() -> None:
    """It sees what it is there for."""
    fragment, end = b"\x01\x80\0\0\0\0", b"\x80\x80\0\0\0\0"
    whole = b"\x81\x80\0\0\0\0"
    rest = bytes(14)
    check_frames(b"".join(itertools.repeat(fragment + end + whole, 5)), ("", ""))
    for torn in (fragment + whole + rest, whole + b"\0" + whole + rest, b"\x88\x80\0\0\0\0" + whole + rest):
        with pytest.raises(AssertionError):
            check_frames(torn, ("", ""))
