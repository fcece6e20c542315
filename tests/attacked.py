"""A server of ours in a process of its own, to be attacked: what it has in use is looked at from outside.

As a program it serves, with the options of `serve` and the limit of descriptors in its argument, as JSON; it
writes its port, and ends with its standard input. What its handler does is told by the path:

    /       sends every message back
    /flood  sends 64 KiB again and again
    /cast   gets what is broadcast, 64 KiB again and again
    /deaf   receives nothing
    /close  closes at once
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import pathlib
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openline.sync.client import connect
from openline.sync.server import ServerConnection, broadcast, serve
from robustness.census import FULL
from serving import until

__all__ = ["KIB", "MASKED", "MIB", "Attack", "Target", "Usage", "frame", "read_close", "read_frames", "running"]

MIB = 2**20
KIB = 2**10
BLOCK = bytes(64 * KIB)


@dataclass(frozen=True)
class Usage:
    """What a process has in use."""

    threads: int
    descriptors: int
    resident: int
    """Bytes of memory."""


class Target:
    """The server, as attackers and honest clients see it, and as the system does."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.uri = f"ws://127.0.0.1:{port}"
        self._proc = pathlib.Path(f"/proc/{pid}")

    def usage(self) -> Usage:
        return Usage(
            len(os.listdir(self._proc / "task")), len(os.listdir(self._proc / "fd")), self._memory("VmRSS")
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def open(self, path: str = "/", *headers: str) -> socket.socket:
        """Connect, and make the handshake."""
        sock = self.connect()
        try:
            sock.sendall(request(path, *headers))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = sock.recv(1)
                assert byte, head
                head += byte
            assert head.startswith(b"HTTP/1.1 101 "), head
        except BaseException:
            sock.close()
            raise
        return sock

    @contextmanager
    def under_attack(self, most: int = 16 * MIB, left: int = 16 * MIB) -> Iterator[Attack]:
        """An attack: honest clients are served at its end, before and after the attackers leave, and then all is
        as before.

        Args:
            most: bytes of memory that it may cost, for a moment.
            left: bytes that the allocator may keep of that.
        """
        self.serves_honest_clients()
        with connect(self.uri, ping_interval=None) as honest, contextlib.ExitStack() as sockets:
            attack = Attack(self, self._calm(), sockets)
            (self._proc / "clear_refs").write_text("5")  # what its memory was at most begins anew
            yield attack
            honest.send("still open")
            assert honest.recv(10) == "still open"
            self.serves_honest_clients()
            sockets.close()
            attack.await_end()
            honest.send("still open")
            assert honest.recv(10) == "still open"
        before = attack.before.resident
        peak = self._memory("VmHWM") - before
        assert peak <= most, f"{peak / MIB:.1f} MiB"
        until(lambda: self.usage().resident - before <= left)

    def serves_honest_clients(self) -> None:
        with connect(self.uri, open_timeout=10) as honest:
            honest.send("hello")
            assert honest.recv(10) == "hello"

    def _calm(self) -> Usage:
        """What is in use when the threads of those who were served have ended."""
        before = self.usage()
        while True:
            time.sleep(0.02)
            now = self.usage()
            if (now.threads, now.descriptors) == (before.threads, before.descriptors):
                return now
            before = now

    def _memory(self, name: str) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)


@dataclass(frozen=True)
class Attack:
    """An attack that goes on. Its sockets are closed at its end."""

    target: Target
    before: Usage
    _sockets: contextlib.ExitStack

    def connect(self) -> socket.socket:
        return self._sockets.enter_context(self.target.connect())

    def open(self, path: str = "/", *headers: str) -> socket.socket:
        return self._sockets.enter_context(self.target.open(path, *headers))

    def await_end(self) -> None:
        """Wait until the server is rid of the attackers, whether or not they know. Others are served meanwhile."""
        deadline = time.monotonic() + (300 if FULL else 20)
        for number in itertools.count(1):
            now = self.target.usage()
            if now.threads <= self.before.threads and now.descriptors <= self.before.descriptors:
                return
            assert time.monotonic() < deadline, (self.before, now)
            time.sleep(0.005)
            if number % 50 == 0:
                self.target.serves_honest_clients()


@contextmanager
def running(log: pathlib.Path, **options: Any) -> Iterator[Target]:
    """Run a server. No thread of it may end with an exception.

    Args:
        log: a file for what it logs.
        **options: as `serve` takes them; `certificate`, a file, is for TLS, `descriptors` is the limit of them.
    """
    with log.open("w+b") as stderr:
        with subprocess.Popen(
            [sys.executable, __file__, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process:
            assert process.stdout is not None and process.stdin is not None
            try:
                yield Target(int(process.stdout.readline()), process.pid)
                process.stdin.close()
                assert process.wait(20) == 0
            finally:
                process.kill()
        told = log.read_text(errors="replace")
    assert "Traceback" not in told and "panic" not in told, told[-5000:]


# What attackers send and read.


def request(path: str = "/", *headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


MASKED = 0x80


def frame(first: int, payload: bytes = b"", length: int | None = None, masked: int = MASKED) -> bytes:
    """Make a frame: its first byte, and a payload which is masked with zeros.

    Args:
        length: what it says of its length. Default: None, the truth.
        masked: 0 for a frame without a mask.
    """
    if length is None:
        length = len(payload)
    if length < 126:
        head = bytes([first, masked | length])
    elif length < 2**16:
        head = bytes([first, masked | 126]) + struct.pack("!H", length)
    else:
        head = bytes([first, masked | 127]) + struct.pack("!Q", length)
    return head + (bytes(4) if masked else b"") + payload


def read_frames(sock: socket.socket) -> Iterable[tuple[int, bytes]]:
    """The frames of the server, up to the end of the stream."""
    with sock.makefile("rb") as file:
        while len(head := file.read(2)) == 2:
            length = head[1]
            if length == 126:
                (length,) = struct.unpack("!H", file.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", file.read(8))
            yield head[0], file.read(length)


def read_close(sock: socket.socket) -> int | None:
    """The code of the server's Close; None if the stream ends without one."""
    try:
        for first, payload in read_frames(sock):
            if first == 0x88:
                return int.from_bytes(payload[:2], "big")
    except ConnectionResetError:
        pass
    return None


# The program.


# Those who get what is broadcast.
listening: set[ServerConnection] = set()


def handler(websocket: ServerConnection) -> None:
    assert websocket.request is not None
    match websocket.request.path:
        case "/flood":
            while True:
                websocket.send(BLOCK)
        case "/cast":
            listening.add(websocket)
            websocket.wait_closed()
            listening.remove(websocket)
        case "/deaf":
            websocket.wait_closed()
        case "/close":
            pass
        case _:
            for message in websocket:
                websocket.send(message)


def main(certificate: str | None = None, descriptors: int | None = None, **options: Any) -> None:
    logging.basicConfig(level=logging.WARNING)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors or hard, hard))
    if certificate is not None:
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(certificate)
    with serve(handler, "127.0.0.1", 0, backlog=1024, **options) as server:
        threading.Thread(target=server.serve_forever).start()

        def cast() -> None:
            while server.fileno() != -1:
                broadcast(list(listening), BLOCK)
                time.sleep(0.01)

        threading.Thread(target=cast).start()
        print(server.socket.getsockname()[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
