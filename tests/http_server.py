"""A server of HTTP requests, one by one, that answers as it is told and notes what it was asked."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from peer import GUID

Respond = Callable[[bytes], bytes]


def moved(location: str | None, status: int = 302) -> bytes:
    header = b"" if location is None else f"Location: {location}\r\n".encode()
    return b"HTTP/1.1 %d Moved\r\n%sContent-Length: 0\r\n\r\n" % (status, header)


def accepted(request: bytes) -> bytes:
    """The right answer to an opening handshake."""
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class HttpServer:
    """Answers each request by `respond`, and keeps the connection until the client ends it, or closes.

    Args:
        respond: the bytes to answer the head of a request with.
        listener: where to listen. Default: None, a free port of 127.0.0.1.
    """

    def __init__(self, respond: Respond, listener: socket.socket | None = None) -> None:
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._respond = respond
        self.requests: list[bytes] = []
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def uri(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"ws://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client was faster
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Those that are over are forgotten, for tests of memory.
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._connections = [each for each in self._connections if each.fileno() != -1]
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        with connection, contextlib.suppress(ConnectionError):  # the client may have given up
            while data := connection.recv(4096):
                received += data
                while b"\r\n\r\n" in received:
                    head, _, received = received.partition(b"\r\n\r\n")
                    self.requests.append(head)
                    response = self._respond(head)
                    connection.sendall(response)
                    if response.startswith(b"HTTP/1.1 101"):
                        connection.recv(4096)  # a Close, with which it ends
                        return
