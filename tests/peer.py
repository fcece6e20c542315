"""A server whose every byte the test decides, for what no well-behaved server would do."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from openline.sync.client import ClientConnection, connect
from parity.script import RSV1, binary, close, frame, text

__all__ = [
    "GUID",
    "RSV1",
    "RSV2",
    "RSV3",
    "Peer",
    "binary",
    "close",
    "frame",
    "interrupt_later",
    "text",
    "wait_until",
]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
RSV2 = 0x20
RSV3 = 0x10


class Peer:
    """Accepts one connection and answers its handshake; the rest is the test's.

    Args:
        first: bytes sent right behind the response.
        response: what to answer in place of a correct response; None: nothing at all.
        extensions: the extensions in a correct response.
        context: with what to speak TLS; None: not at all.
    """

    def __init__(
        self,
        first: bytes = b"",
        response: bytes | None = b"correct",
        extensions: str = "",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        if context is not None:
            self._listener = context.wrap_socket(self._listener, server_side=True)
            self.uri = self.uri.replace("ws", "wss", 1)
        self._first = first
        self._response = response
        self._extensions = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
        self._accepted = threading.Event()
        self._socket: socket.socket | None = None
        self._received = b""
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def connect(self, **kwargs: Any) -> ClientConnection:
        """Connect to this peer. Its keepalive is off, so that no ping is among the frames."""
        ws: ClientConnection = connect(self.uri, **{"ping_interval": None, "close_timeout": 0.2, **kwargs})
        return ws

    @property
    def socket(self) -> socket.socket:
        assert self._accepted.wait(10), "nobody has connected"
        assert self._socket is not None
        return self._socket

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def expect(self) -> tuple[int, bytes]:
        """Read a frame: its first byte, and its payload without the mask."""
        first, second = self._read(2)
        assert second & 0x80, "a client masks its frames"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        mask = self._read(4)
        payload = int.from_bytes(self._read(length), "big")
        mask = (mask * (length // 4 + 1))[:length]
        return first, (payload ^ int.from_bytes(mask, "big")).to_bytes(length, "big")

    def expect_fast(self) -> tuple[int, int]:
        """Read a frame that may be large: its first byte, and the length of its payload."""
        first, second = self._read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        self._read(4 + length)
        return first, length

    def expect_end(self) -> None:
        """Read the end of the stream."""
        try:
            assert self.socket.recv(1) == b""
        except ConnectionResetError:
            pass

    def close(self) -> None:
        self._listener.close()
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:  # wakes the thread if nobody has connected
            socket.create_connection(self._listener.getsockname()).close()
        except OSError:
            pass
        self._thread.join(10)
        self.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.settimeout(10)
        self._socket = connection
        while b"\r\n\r\n" not in self._received:
            data = connection.recv(4096)
            if not data:
                break
            self._received += data
        request, _, self._received = self._received.partition(b"\r\n\r\n")
        if self._response == b"correct" and b"Sec-WebSocket-Key: " in request:
            key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: "
                + accept
                + b"\r\n"
                + self._extensions.encode()
                + b"\r\n"
                + self._first
            )
        elif self._response is not None:
            connection.sendall(self._response)
            connection.shutdown(socket.SHUT_WR)
        self._accepted.set()

    def await_bytes(self, length: int) -> None:
        """Wait until so many bytes have come; `expect` begins with them."""
        pieces, missing = [self._received], length - len(self._received)
        while missing > 0:
            data = self.socket.recv(2**16)
            assert data, "the stream is over"
            pieces.append(data)
            missing -= len(data)
        self._received = b"".join(pieces)

    def _read(self, length: int) -> bytes:
        self.await_bytes(length)
        data, self._received = self._received[:length], self._received[length:]
        return data


def interrupt_later(seconds: float = 0.2, signum: int = signal.SIGINT) -> threading.Timer:
    """Send this process a signal, by default as Ctrl-C does, after some time."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signum))
    timer.start()
    return timer


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads bring about."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.001)
