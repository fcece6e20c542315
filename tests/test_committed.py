"""What a send that stopped early says of itself is what the peer gets.

The peer reads nothing while messages are sent without waiting: some are taken, one is cut, others refused.
Then it reads all that came, and that must be the messages that were sent or `committed`, whole and in order.
"""

from __future__ import annotations

import operator
import os
import pathlib
import random
import signal
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import trustme

from openline import CloseCause, ConnectionClosedError, SendTimeout
from openline.sync.client import ClientConnection

from fixtures import handle_signals, pool  # noqa: F401  # pytest finds them by name
from peer import RSV1, Peer, frame

CLOSE = 0x88
LARGE = 2**20
ROOM = 2**16


class Sending:
    """A connection with little room on its way, and a peer that reads when it is told to."""

    def __init__(self, peer: Peer, ws: ClientConnection) -> None:
        self.peer = peer
        self.ws = ws
        ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self._inflater = zlib.decompressobj(-15)

    def received(self) -> Iterator[bytes]:
        """The payloads of messages as they come, up to the Close."""
        while True:
            first, payload = self.peer.expect()
            if first == CLOSE:
                self.peer.send(frame(0x8, payload[:2]))
                self.peer.socket.shutdown(socket.SHUT_WR)
                return
            assert first & 0x8F == 0x82, "whole binary messages"
            if first & RSV1:
                payload = self._inflater.decompress(payload + b"\x00\x00\xff\xff")
            yield payload


@pytest.fixture(params=["TCP", "compressed", "rustls", "SSLContext"])
def sending(
    request: pytest.FixtureRequest,
    authority: trustme.CA,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sending]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    extensions = "permessage-deflate" if request.param == "compressed" else ""
    context = None
    if request.param in ("rustls", "SSLContext"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with Peer(extensions=extensions, context=context) as peer:
        ours = ssl.create_default_context() if request.param == "SSLContext" else None
        ws = peer.connect(ssl=ours, close_timeout=20)
        yield Sending(peer, ws)
        ws.abort()


def messages(seed: int, *lengths: int) -> list[bytes]:
    return [random.Random(f"{seed} {index}").randbytes(length) for index, length in enumerate(lengths)]


def committed(send: Callable[[], None]) -> bool:
    """Whether what is sent will come."""
    try:
        send()
    except SendTimeout as error:
        assert error.sent == error.committed
        return error.committed
    return True


def reading(pool: ThreadPoolExecutor, sending: Sending) -> Future[list[bytes]]:
    return pool.submit(lambda: list(sending.received()))


@pytest.mark.parametrize("seed", range(3))
def test_single_messages(sending: Sending, pool: ThreadPoolExecutor, seed: int) -> None:
    ws = sending.ws
    lengths = random.Random(seed).choices([1, 10_000, 200_000, LARGE], k=12)
    all_of_them = messages(seed, LARGE, *lengths)
    gone = [message for message in all_of_them if committed(lambda: ws.send(message, timeout=0))]
    assert all_of_them[0] in gone, "a part of a large message has room"
    assert all_of_them[-1] not in gone, "at last there is room for nothing"
    received = reading(pool, sending)
    ws.send(b"the next call")
    ws.close()
    assert received.result(20) == [*gone, b"the next call"]


def test_the_next_call_is_close(sending: Sending, pool: ThreadPoolExecutor) -> None:
    (message,) = messages(0, LARGE)
    with pytest.raises(SendTimeout) as caught:
        sending.ws.send(message, timeout=0)
    assert (caught.value.committed, caught.value.sent) == (True, 1)
    received = reading(pool, sending)
    sending.ws.close()
    assert received.result(20) == [message]


@pytest.mark.parametrize("lengths", [[1_000] * 3_000, [10, 200_000] * 10], ids=["small", "mixed"])
def test_many_messages(sending: Sending, pool: ThreadPoolExecutor, lengths: list[int]) -> None:
    all_of_them = messages(1, *lengths)
    with pytest.raises(SendTimeout, match=r"; (\d+) of \d+ messages are sent") as caught:
        sending.ws.send_many(all_of_them, timeout=0)
    sent = caught.value.sent
    assert 0 < sent < len(lengths)
    assert caught.value.committed is True
    with pytest.raises(SendTimeout) as caught:
        sending.ws.send_many(all_of_them[sent:], timeout=0)
    again = caught.value.sent
    assert caught.value.committed is (again > 0)
    received = reading(pool, sending)
    sending.ws.send_many(all_of_them[sent + again :])
    sending.ws.close()
    assert received.result(20) == all_of_them


def test_behind_another_sender(sending: Sending, pool: ThreadPoolExecutor) -> None:
    ws = sending.ws
    (message,) = messages(2, LARGE)
    other = pool.submit(ws.send, message)
    sending.peer.await_bytes(1_000)
    for send in (ws.send, lambda data, timeout: ws.send_many([data], timeout)):
        with pytest.raises(SendTimeout) as caught:
            send(b"late", timeout=0.01)
        assert (caught.value.committed, caught.value.sent) == (False, 0)
    with pytest.raises(SendTimeout) as caught:
        ws.send(iter([b"late"]), timeout=0.01)
    assert (caught.value.committed, caught.value.sent) == (False, 0)
    received = reading(pool, sending)
    other.result(20)
    ws.send(b"the next call")
    ws.close()
    assert received.result(20) == [message, b"the next call"]


@pytest.mark.parametrize("before", [[], [b"before"]], ids=["the first", "a later one"])
def test_a_fragment(before: list[bytes]) -> None:
    with Peer() as peer:
        ws = peer.connect(close_timeout=20)
        ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        (fragment,) = messages(3, 4 * LARGE)
        with pytest.raises(SendTimeout) as caught:
            ws.send(iter([*before, fragment]), timeout=0)
        assert (caught.value.committed, caught.value.sent) == (True, 0)
        firsts = [0x02, *[0x00 for _ in before]]
        assert [peer.expect() for _ in firsts] == list(zip(firsts, [*before, fragment], strict=True))
        assert peer.expect() == (CLOSE, b"\x03\xf3error in fragmented message")
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedError) as closed:
            ws.recv(10)
        assert closed.value.cause is CloseCause.BROKEN_OFF


class Interrupted(Exception):
    """What the handler of a signal raises, once."""


@pytest.fixture
def interrupt(handle_signals: Callable[[Callable[[], object]], None]) -> Callable[[], None]:
    """What interrupts the main thread: it sends signals until one was noticed, in a wait or after it."""
    noticed = threading.Event()

    def handle() -> None:
        if not noticed.is_set():
            noticed.set()
            raise Interrupted

    def interrupt() -> None:
        while not noticed.wait(0.05):
            os.kill(os.getpid(), signal.SIGUSR1)

    handle_signals(handle)
    return interrupt


class TestSignals:
    @pytest.mark.parametrize("name", ["send", "send_many", "fragments"])
    def test_within_a_message(
        self, sending: Sending, pool: ThreadPoolExecutor, interrupt: Callable[[], None], name: str
    ) -> None:
        def interrupt_later() -> None:
            sending.peer.await_bytes(1_000)
            interrupt()

        (message,) = messages(4, 4 * LARGE)
        send: dict[str, Callable[[], None]] = {
            "send": lambda: sending.ws.send(message),
            "send_many": lambda: sending.ws.send_many([b"first", message, b"last"]),
            "fragments": lambda: sending.ws.send(iter([message])),
        }
        interrupting = pool.submit(interrupt_later)
        with pytest.raises(Interrupted) as caught:
            send[name]()
        interrupting.result(20)
        told = operator.attrgetter("committed", "sent")(caught.value)
        assert told == {"send": (True, 1), "send_many": (True, 2), "fragments": (True, 0)}[name]
        if name != "fragments":
            received = reading(pool, sending)
            sending.ws.close()
            assert received.result(20) == ([message] if name == "send" else [b"first", message])

    def test_behind_another_sender(
        self, sending: Sending, pool: ThreadPoolExecutor, interrupt: Callable[[], None]
    ) -> None:
        (message,) = messages(5, LARGE)
        other = pool.submit(sending.ws.send, message)
        sending.peer.await_bytes(1_000)
        interrupting = pool.submit(interrupt)
        with pytest.raises(Interrupted) as caught:
            sending.ws.send(b"late")
        interrupting.result(20)
        assert operator.attrgetter("committed", "sent")(caught.value) == (False, 0)
        received = reading(pool, sending)
        other.result(20)
        sending.ws.close()
        assert received.result(20) == [message]

    def test_an_exception_that_takes_no_attributes(
        self, pool: ThreadPoolExecutor, interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: object, name: str, value: object) -> None:
            raise AttributeError(name)

        monkeypatch.setattr(Interrupted, "__setattr__", refuse)
        with Peer() as peer:
            ws = peer.connect()
            interrupting = pool.submit(interrupt)
            with pytest.raises(Interrupted) as caught:
                ws.send(bytes(2**25))
            interrupting.result(20)
            assert not hasattr(caught.value, "committed")
            ws.abort()
