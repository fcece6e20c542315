"""Time-outs that lose nothing, and the round trip of a ping.

python examples/timeouts.py [URI]
"""

from __future__ import annotations

import argparse
import socket
import time

from openline.sync.client import connect
from openline.testing import EchoServer


def run(uri: str) -> None:
    with connect(uri) as websocket:
        try:
            websocket.recv(timeout=0.1)
        except TimeoutError as error:
            print(f"nothing came in 0.1 s: {error}")
        else:
            raise SystemExit("a message came that nobody sent")

        # The connection is as it was before: what comes later is received as usual.
        websocket.send("after the time-out")
        text = websocket.recv(timeout=5)
        print(f"received {text!r}")
        assert text == "after the time-out"

        round_trip = websocket.ping(timeout=5)
        print(f"a ping took {round_trip * 1000:.3f} ms; latency is {websocket.latency * 1000:.3f} ms")
        assert 0 < round_trip < 5
        assert websocket.latency == round_trip

    # A server that accepts the connection and never answers: the time for opening is limited too.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        try:
            connect(f"ws://127.0.0.1:{port}/", open_timeout=0.2)
        except TimeoutError as error:
            print(f"no handshake in {time.monotonic() - start:.1f} s: {error}")
        else:
            raise SystemExit("a server that says nothing was taken for a WebSocket server")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time-outs that lose nothing, and a ping.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, one of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
