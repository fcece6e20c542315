"""A SOCKS4a proxy, since Debian has none that resolves names: a server in threads, in this process.

It takes the user id that it is given, and answers 93 to others.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running(user_id: bytes | None = None) -> Iterator[int]:
    """Run it; give its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            version, command, port, address = struct.unpack(">BBH4s", self.rfile.read(8))
            user = self._read_text()
            # An address that cannot be: a name follows.
            is_name = address[:3] == b"\0\0\0" and address[3:] != b"\0"
            host = self._read_text().decode() if is_name else socket.inet_ntoa(address)
            if (version, command) != (4, 1) or (user_id is not None and user != user_id):
                self.wfile.write(b"\0\x5d" + bytes(6))
                return
            try:
                target = socket.create_connection((host, port))
            except OSError:
                self.wfile.write(b"\0\x5b" + bytes(6))
                return
            self.wfile.write(b"\0\x5a" + bytes(6))
            with target:
                copy_both(self.connection, target)

        def _read_text(self) -> bytes:
            text = bytearray()
            while (byte := self.rfile.read(1)) not in (b"\0", b""):
                text += byte
            return bytes(text)

    with serving(Handler) as port:
        yield port


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """Run a server of a thread for each connection; give its port."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def copy_both(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes, both ways, until both have ended."""
    there = threading.Thread(target=copy, args=(one, other))
    there.start()
    copy(other, one)
    there.join()


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, until the end, and the end too."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of them has gone
