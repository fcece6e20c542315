"""A server that plays a script, and notes what reaches it."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parity.script import CLOSE, PING, PONG, RSV1, frame

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

__all__ = [
    "REFUSED",
    "Connection",
    "Response",
    "Server",
    "Step",
    "deaf_to_pings",
    "end",
    "expect",
    "http",
    "reset",
    "silent",
    "wait",
]

Step = bytes | Callable[["Connection"], None]
"""Bytes to send, or what else to do."""


@dataclass(frozen=True)
class Response:
    """How a server answers an opening handshake: as is right, but for what is given here.

    Attributes:
        headers: what follows the right headers.
        without: right headers that are left out.
        accept: the `Sec-WebSocket-Accept`; None for the right one.
        status: the status line.
    """

    headers: str = ""
    without: str = ""
    accept: str | None = None
    status: str = "HTTP/1.1 101 Switching Protocols"

    def to(self, request: str) -> bytes:
        key = re.search(r"(?i)^sec-websocket-key: *(\S*)", request, re.MULTILINE)
        right = base64.b64encode(hashlib.sha1((key[1] if key else "").encode() + GUID).digest()).decode()
        lines = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": right if self.accept is None else self.accept,
        }
        lines.pop(self.without, None)
        head = [
            self.status,
            *(f"{name}: {value}" for name, value in lines.items()),
            *self.headers.splitlines(),
        ]
        return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def http(status: str, body: str = "", headers: str = "") -> bytes:
    """Another response than the one to a handshake."""
    lines = [f"HTTP/1.1 {status}", *headers.splitlines(), f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


REFUSED = b""
"""In place of a response: the connection ends without one."""


def expect(connection: Connection) -> None:
    """Wait for a frame."""
    connection.read_frame()


def end(connection: Connection) -> None:
    """End the stream, without a Close frame."""
    connection.ended = True
    if isinstance(connection.socket, ssl.SSLSocket):
        connection.socket = connection.socket.unwrap()
    connection.socket.shutdown(socket.SHUT_WR)


def reset(connection: Connection) -> None:
    """Reset the connection."""
    connection.ended = True
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()


def silent(connection: Connection) -> None:
    """From now on answer nothing, not even a Close."""
    connection.silent = True


def deaf_to_pings(connection: Connection) -> None:
    """From now on do not note pings, of which nobody knows how many will come."""
    connection.deaf_to_pings = True


def wait(connection: Connection) -> None:
    """Wait for the case: for `Server.go`."""
    assert connection.server.told.wait(10), "the case does not go on"
    connection.server.told.clear()


class Server:
    """Serves one connection after the other, each by the script.

    Behind the script, it reads up to the end, and answers a Close as it came.

    Args:
        steps: the script.
        responses: how each handshake is answered, the last one for all that follow; bytes as they are.
        listener: where to listen. Default: None, a free port of 127.0.0.1.
        tls: for connections by TLS.
    """

    def __init__(
        self,
        *steps: Step,
        responses: list[Response | bytes | Callable[[Connection], None]],
        listener: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.steps = steps
        self.responses = responses
        self.tls = tls
        self.told = threading.Event()
        self.answered = threading.Event()
        self.connections: list[Connection] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.address[1])

    @property
    def uri(self) -> str:
        scheme, host = ("wss", "localhost") if self.tls else ("ws", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}/"

    def go(self) -> None:
        """Let the script go on where it waits."""
        self.told.set()

    def finish(self) -> list[list[str]]:
        """Stop, and tell what reached the server on each connection, if anything did."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        except OSError:
            pass
        self.listener.close()
        self._thread.join(10)
        if self._thread.is_alive():
            raise AssertionError("the server of the case is still busy: the client has not closed?")
        if self.error is not None:
            raise self.error
        return [connection.received for connection in self.connections if connection.received != ["END"]]

    def _serve(self) -> None:
        try:
            while True:
                try:
                    accepted, _ = self.listener.accept()
                except OSError:
                    return
                number = len(self.connections)
                connection = Connection(self, accepted)
                self.connections.append(connection)
                connection.play(self.responses[min(number, len(self.responses) - 1)], self.steps)
        except BaseException as error:
            self.error = error


@dataclass
class Connection:
    """One connection of a server, from its side."""

    server: Server
    socket: socket.socket
    received: list[str] = field(default_factory=list)
    """What the client sent: the lines of its request, its frames, and END."""
    ended: bool = False
    silent: bool = False
    deaf_to_pings: bool = False
    _buffer: bytes = b""
    _inflater: Any = field(default_factory=lambda: zlib.decompressobj(-15))
    _compressed: bool = False

    def play(
        self, response: Response | bytes | Callable[[Connection], None], steps: tuple[Step, ...]
    ) -> None:
        self.socket.settimeout(10)
        try:
            if self.server.tls is not None:
                self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
            request = self.read_request()
            if not request:
                return
            if callable(response):
                response(self)
            elif isinstance(response, bytes):
                self.socket.sendall(response)
                self.socket.shutdown(socket.SHUT_WR)
                self.read_end()
                return
            else:
                first = b"".join(step for step in steps if isinstance(step, bytes))
                alone = all(isinstance(step, bytes) for step in steps)
                # What follows the response at once comes with it, as from a fast server.
                self.socket.sendall(response.to(request) + (first if alone else b""))
                steps = () if alone else steps
            for step in steps:
                if callable(step):
                    step(self)
                else:
                    self.socket.sendall(step)
            while not self.ended and self.read_frame():
                pass
            self.read_end()
        except (OSError, ssl.SSLError):
            pass
        finally:
            if not self.received or self.received[-1] != "END":
                self.received.append("END")
            self.socket.close()

    def read_request(self) -> str:
        while b"\r\n\r\n" not in self._buffer:
            data = self.socket.recv(2**16)
            if not data:
                return ""
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        request = head.decode("latin-1")
        self.received += request.split("\r\n")
        return request

    def read_frame(self) -> bool:
        """Read a frame, and answer it if it is a Close. False at the end."""
        head = self._read(2)
        if head is None:
            return False
        length = head[1] & 0x7F
        if length > 125:
            length = int.from_bytes(self._exactly(2 if length == 126 else 8), "big")
        mask = self._exactly(4) if head[1] & 0x80 else b"\0\0\0\0"
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._exactly(length)))
        if head[0] & 15 != PING or not self.deaf_to_pings:
            self.received.append(self._told(head[0], payload) + ("" if head[1] & 0x80 else " unmasked"))
        if head[0] & 15 == CLOSE and not self.silent and not self.ended:
            self.socket.sendall(frame(CLOSE, payload))
            end(self)
        return True

    def answer_ping(self) -> None:
        """Read a ping, note only its length, and send its pong."""
        head = self._exactly(6)
        payload = self._exactly(head[1] & 0x7F)
        self.received.append(f"PING of {len(payload)} bytes")
        self.socket.sendall(
            frame(PONG, bytes(byte ^ head[2 + index % 4] for index, byte in enumerate(payload)))
        )

    def read_end(self) -> None:
        try:
            while self.read_frame():
                pass
        except AssertionError:
            pass
        self.received.append("END")

    def _told(self, first: int, payload: bytes) -> str:
        opcode = first & 15
        told = _OPCODES.get(opcode, f"OPCODE {opcode}")
        if not first & 0x80:
            told += " continued"
        if opcode in (1, 2):
            self._compressed = bool(first & RSV1)
        if self._compressed and opcode < CLOSE:
            told += " compressed"
            last = b"\0\0\xff\xff" if first & 0x80 else b""
            payload = self._inflater.decompress(payload + last)
        if opcode == PING and len(payload) == 4:
            return f"{told} of 4 bytes"  # at random
        if opcode == CLOSE and len(payload) > 1:
            reason = payload[2:].decode(errors="backslashreplace")
            return f"{told} {int.from_bytes(payload[:2], 'big')} {reason}".strip()
        return f"{told} {payload if len(payload) < 200 else f'of {len(payload)} bytes'!r}"

    def _read(self, length: int) -> bytes | None:
        while len(self._buffer) < length:
            data = self.socket.recv(2**16)
            if not data:
                return None
            self._buffer += data
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data

    def _exactly(self, length: int) -> bytes:
        data = self._read(length)
        assert data is not None, "the stream ends within a frame"
        return data


_OPCODES = {0: "CONT", 1: "TEXT", 2: "BINARY", 8: "CLOSE", 9: "PING", 10: "PONG"}
