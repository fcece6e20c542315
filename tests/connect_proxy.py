"""An HTTP proxy of a few lines, with one user, for the examples of the documents."""

from __future__ import annotations

import base64
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager

from peers.socks4a import copy_both, serving


@contextmanager
def running(user: str, password: str) -> Iterator[int]:
    """Run it; give its port."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = []
            while line := self.rfile.readline().decode().strip():
                head.append(line)
            if f"Proxy-Authorization: Basic {credentials}" not in head:
                self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            host, _, port = head[0].split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as target:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                copy_both(self.connection, target)

    with serving(Handler) as port:
        yield port
