"""Compression: what it spares on the line, and how to choose it for each message.

python examples/compression.py [URI]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from typing import Any

from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from openline.sync.client import connect
from openline.testing import EchoServer
from openline.uri import parse_uri

QUOTES = [json.dumps({"symbol": "ACME", "price": 100 + n / 4, "size": n * 100}) for n in range(500)]


class Counting:
    """A connected socket that counts what is sent. `connect` takes any object with these methods."""

    def __init__(self, uri: str) -> None:
        parsed = parse_uri(uri)
        self._socket = socket.create_connection((parsed.host, parsed.port))
        self.sent = 0

    def sendall(self, data: bytes) -> None:
        self.sent += len(data)
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        return self._socket.recv(size)

    def close(self) -> None:
        self._socket.close()


def run(uri: str) -> None:
    sizes = {}
    for name, compression in [("plain", None), ("deflate", "deflate")]:
        counting = Counting(uri)
        sock: Any = counting
        with connect(uri, sock=sock, compression=compression) as websocket:
            start = counting.sent
            for quote in QUOTES:
                websocket.send(quote)
                assert websocket.recv() == quote
            sizes[name] = counting.sent - start
    print(f"{len(QUOTES)} quotes: {sizes['plain']} bytes plain, {sizes['deflate']} compressed")
    assert sizes["deflate"] < sizes["plain"] / 2

    # Without takeover each message stands alone: more bytes, and no memory between messages.
    alone = ClientPerMessageDeflateFactory(client_no_context_takeover=True)
    with connect(uri, extensions=[alone]) as websocket:
        (extension,) = websocket.extensions
        print(f"agreed on {extension}")
        websocket.send(json.dumps(QUOTES))
        assert websocket.recv() == json.dumps(QUOTES)
        # What is random, or compressed already, is better sent as it is.
        noise = os.urandom(10_000)
        websocket.send(noise, compress=False)
        assert websocket.recv() == noise


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What compression spares, and how to choose it.")
    parser.add_argument("uri", nargs="?", help="default: an echo server of this program's own")
    arguments = parser.parse_args()
    if arguments.uri:
        run(arguments.uri)
    else:
        with EchoServer() as server:
            run(server.uri)
