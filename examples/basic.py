"""Connect, send text and bytes, receive them, close.

python examples/basic.py [URI]
"""

from __future__ import annotations

import argparse

from openline.sync.client import connect
from openline.testing import EchoServer


def run(uri: str) -> None:
    with connect(uri) as websocket:
        print(f"connected from {websocket.local_address} to {websocket.remote_address}")

        websocket.send("Grüße")
        text = websocket.recv()
        print(f"sent 'Grüße', received {text!r}")
        assert text == "Grüße"

        websocket.send(b"\x00\x01\xff")
        data = websocket.recv()
        print(f"sent b'\\x00\\x01\\xff', received {data!r}")
        assert data == b"\x00\x01\xff"

        # An iterable is one message in fragments: its length need not be known when it starts.
        websocket.send(word for word in ["one ", "message ", "in fragments"])
        text = websocket.recv()
        print(f"sent three fragments, received {text!r}")
        assert text == "one message in fragments"

    print(f"closed with code {websocket.close_code}")
    assert websocket.closed
    assert websocket.close_code == 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Connect, send, receive, close.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, one of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
