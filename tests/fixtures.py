"""What the tests of connections share; imported by name where it is used."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from peer import Peer

__all__ = ["handle_signals", "peer", "pool", "server", "ws"]


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


@pytest.fixture
def ws(server: EchoServer) -> Iterator[ClientConnection]:
    with connect(server.uri, max_size=None) as ws:
        yield ws


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def handle_signals() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Install a handler of SIGUSR1 for the length of the test."""
    before = signal.getsignal(signal.SIGUSR1)

    def install(handler: Callable[[], object]) -> None:
        signal.signal(signal.SIGUSR1, lambda signum, frame: handler() and None)

    yield install
    signal.signal(signal.SIGUSR1, before)
