"""Servers of ours that serve in a thread of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openline.sync.server import Server, ServerConnection, serve

__all__ = ["ask", "echo", "port_of", "run", "serving", "until"]


def echo(websocket: ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Serve in another thread; gives the server's URI."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = server.socket.getsockname()
        yield f"ws://127.0.0.1:{address[1]}" if isinstance(address, tuple) else "ws://localhost"
    thread.join(10)
    assert not thread.is_alive()


@contextmanager
def run(handler: Callable[[Any], None] = echo, port: int = 0, **options: Any) -> Iterator[str]:
    with serving(serve(handler, "127.0.0.1", port, **options)) as uri:
        yield uri


def port_of(uri: str) -> int:
    return int(uri.rpartition(":")[2])


def ask(uri: str, request: bytes) -> bytes:
    """Send bytes to a server, and return all that it answers."""
    with socket.create_connection(("127.0.0.1", port_of(uri)), timeout=10) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads bring about."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.001)
