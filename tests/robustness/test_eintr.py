"""A thousand signals a second (EINTR) while a call waits: its deadline is kept, and nothing is lost."""

from __future__ import annotations

import hashlib
import pathlib
import random
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from openline.exceptions import ConnectionClosed
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import peer, pool  # noqa: F401  # pytest finds them by name
from peer import Peer, binary, text

PERIOD = 0.001


@contextmanager
def alarms() -> Iterator[list[int]]:
    """Send this process SIGALRM every millisecond; the list grows with each one that was handled."""
    handled: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda signum, frame: handled.append(signum))
    signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)
    try:
        yield handled
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # One may be on its way to another thread, and would end the process by default: to ignore it discards it.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, before)


class TestDeadlines:
    """A signal neither ends a wait nor makes it begin anew."""

    @staticmethod
    def check(call: Callable[[], object], expected: type[Exception] | None = TimeoutError) -> None:
        with alarms() as handled:
            start = time.monotonic()
            if expected is None:
                call()
            else:
                with pytest.raises(expected):
                    call()
            elapsed = time.monotonic() - start
        assert 0.3 <= elapsed < 5
        assert len(handled) > 10, "handlers run while the call waits"

    def test_recv(self, peer: Peer) -> None:
        with peer.connect() as ws:
            self.check(lambda: ws.recv(timeout=0.3))
            peer.send(text("later"))
            assert ws.recv(10) == "later"

    def test_recv_into(self, peer: Peer) -> None:
        with peer.connect() as ws:
            self.check(lambda: ws.recv_into(bytearray(9), timeout=0.3))

    def test_recv_many(self, peer: Peer) -> None:
        with peer.connect() as ws:
            self.check(lambda: ws.recv_many(timeout=0.3))

    def test_recv_within_a_large_message(self, peer: Peer) -> None:
        payload = random.Random(1).randbytes(500_000)
        message = binary(payload)
        with peer.connect() as ws:
            peer.send(message[:300_000])
            self.check(lambda: ws.recv(timeout=0.3))
            peer.send(message[300_000:])
            assert ws.recv(10) == payload

    def test_send(self, peer: Peer) -> None:
        ws = peer.connect()
        self.check(lambda: ws.send(bytes(32 << 20), timeout=0.3))
        ws.close()

    def test_send_many(self, peer: Peer) -> None:
        ws = peer.connect()
        self.check(lambda: ws.send_many([bytes(1 << 20)] * 32, timeout=0.3))
        ws.close()

    def test_ping(self, peer: Peer) -> None:
        with peer.connect() as ws:
            self.check(lambda: ws.ping(timeout=0.3))

    def test_wait_closed(self, peer: Peer) -> None:
        with peer.connect() as ws:
            self.check(lambda: ws.wait_closed(timeout=0.3), None)

    def test_close(self, peer: Peer) -> None:
        ws = peer.connect(close_timeout=0.3)
        self.check(ws.close, None)
        assert ws.close_code == 1006

    def test_keepalive(self, peer: Peer) -> None:
        ws = peer.connect(ping_interval=0.15, ping_timeout=0.15)
        self.check(ws.recv, ConnectionClosed)

    def test_connect(self) -> None:
        with Peer(response=None) as peer:
            self.check(lambda: peer.connect(open_timeout=0.3))


@pytest.fixture(params=["TCP", "rustls", "SSLContext"])
def echo(
    request: pytest.FixtureRequest,
    certificate: pathlib.Path,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ClientConnection]:
    """A connection to an echo server, by each transport."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.create_default_context() if request.param == "SSLContext" else None
    with EchoServer(certfile=None if request.param == "TCP" else certificate) as server:
        with connect(server.uri, ssl=context, max_size=None, compression=None) as ws:
            yield ws


def messages() -> Iterator[bytes]:
    numbers = random.Random(6)
    for _ in range(400):
        yield numbers.randbytes(numbers.choice([0, 10, 1_000, 70_000, 300_000]))


def send_all(ws: ClientConnection) -> None:
    for message in messages():
        ws.send(message)


class TestStream:
    """All that was sent arrives once, in order and whole."""

    def test_receiving(self, echo: ClientConnection, pool: ThreadPoolExecutor) -> None:
        """The thread that is interrupted, the main one, receives."""
        sending = pool.submit(send_all, echo)
        with alarms() as handled:
            for message in messages():
                assert echo.recv(timeout=20) == message
        sending.result(20)
        assert handled

    def test_sending(self, echo: ClientConnection, pool: ThreadPoolExecutor) -> None:
        """The main thread sends, to a peer that is slow to read."""

        def receive() -> bool:
            return all(echo.recv(timeout=20) == message for message in messages())

        receiving = pool.submit(receive)
        with alarms() as handled:
            send_all(echo)
        assert receiving.result(20)
        assert handled

    def test_sending_to_a_slow_reader(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        payload = random.Random(7).randbytes(16 << 20)

        def read() -> bytes:
            digest = hashlib.sha256()
            for _ in range(8):
                first, message = peer.expect()
                assert first == 0x82
                digest.update(message)
            return digest.digest()

        reading = pool.submit(read)
        with peer.connect() as ws, alarms() as handled:
            for start in range(0, len(payload), 2 << 20):
                ws.send(payload[start : start + (2 << 20)])
        assert reading.result(20) == hashlib.sha256(payload).digest()
        assert handled

    def test_in_calls_that_nobody_may_interrupt(self) -> None:
        """The Rust crate's own calls, which go on after a signal: those of the echo server's threads."""
        with EchoServer() as server, connect(server.uri, max_size=None, compression=None) as ws:
            # The kernel gives a signal of the process to any thread that does not block it.
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            try:
                with alarms():
                    sender = threading.Thread(target=send_all, args=(ws,))
                    sender.start()
                    for message in messages():
                        assert ws.recv(timeout=20) == message
                    sender.join()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
