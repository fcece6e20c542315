"""Servers that nobody here wrote, each in a process of its own: `websockets`, and Node's `ws`.

Both do the same, which they are told by the path of the URI. Options are in its query.

    /echo?fragment=N              sends every message back; with `fragment`, in fragments of N bytes
    /send?count=N&code=C&reason=R sends "message 0" to "message N-1", then closes
    /abort?count=N                sends N messages, then ends the connection without a Close frame
    /ping                         pings, and sends "pong " and the payload of the Pong
    /pings?count=N&id=ID          notes that N pings came, and sends it as "N pings"
    /watch?id=ID                  reads up to the end, then notes the code and the reason of the close
    /noted?id=ID                  sends what was noted under ID, as soon as it is
    /report                       sends the request's path and headers, and the subprotocol, as JSON
    /status?code=C&body=B         refuses the handshake with this status
    /idle                         reads up to the end
    /census?count=N&pings=P       `websockets` only: waits until N connections are on /idle, pings each, waits
                                  for every Pong and for P pings of each client, then sends "N pongs"
"""

from __future__ import annotations

import itertools
import json
import pathlib
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openline.sync.client import ClientConnection, connect, unix_connect

TRANSPORTS = ["ws", "wss", "unix", "unix+tls"]

_TESTS = pathlib.Path(__file__).resolve().parent.parent
_COMMANDS = {
    "websockets": [sys.executable, "-W", "error", str(_TESTS / "peers" / "websockets_server.py")],
    "node": ["node", str(_TESTS / "node" / "server.mjs")],
}


_keys = itertools.count()


@dataclass(frozen=True)
class Server:
    """A running server, which listens in four ways at once."""

    library: str
    ports: Mapping[str, int]
    """By scheme."""
    sockets: Mapping[str, str]
    """The paths of Unix sockets, by scheme."""


@dataclass(frozen=True)
class Target:
    """A server, and one of the ways to it."""

    server: Server
    transport: str

    def uri(self, path: str, **query: str | int) -> str:
        scheme = {"unix": "ws", "unix+tls": "wss"}.get(self.transport, self.transport)
        # `localhost` may be ::1 for others; the servers are on 127.0.0.1 alone.
        authority = "localhost" if self.is_unix else f"127.0.0.1:{self.server.ports[scheme]}"
        return f"{scheme}://{authority}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")

    def connect(self, path: str, query: Mapping[str, str | int] = {}, **kwargs: Any) -> ClientConnection:
        return self.connect_to(self.uri(path, **query), **kwargs)

    def connect_to(self, uri: str, **kwargs: Any) -> ClientConnection:
        ws: ClientConnection
        if self.is_unix:
            scheme = urllib.parse.urlsplit(uri).scheme
            ws = unix_connect(self.server.sockets[scheme], uri, **kwargs)
        else:
            ws = connect(uri, **kwargs)
        return ws

    @staticmethod
    def new_key() -> str:
        """A key for what a server is to note."""
        return str(next(_keys))

    def noted(self, key: str) -> Any:
        """What the server noted under this key. Waits for it."""
        with self.connect("/noted", {"id": key}) as ws:
            return json.loads(ws.recv(timeout=20))

    @property
    def is_unix(self) -> bool:
        return self.transport.startswith("unix")


@contextmanager
def running(library: str, certificate: pathlib.Path, sockets: pathlib.Path) -> Iterator[Server]:
    """Run a server. It ends with the block, and with its standard input if this process is killed.

    Args:
        library: "websockets" or "node".
        certificate: a PEM file with its key and its certificate.
        sockets: a directory for its Unix sockets.
    """
    paths = {"ws": str(sockets / "ws.sock"), "wss": str(sockets / "wss.sock")}
    command = [*_COMMANDS[library], str(certificate), paths["ws"], paths["wss"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            ports = json.loads(process.stdout.readline())
            yield Server(library, ports, paths)
        finally:
            process.kill()  # it has nothing to lose, and others' idle connections to wait for
