"""A WebSocket over a Unix socket.

python examples/unix_socket.py [PATH]
"""

from __future__ import annotations

import argparse
import tempfile

from openline.sync.client import unix_connect
from openline.testing import EchoServer


def run(path: str) -> None:
    with unix_connect(path) as websocket:
        websocket.send("over a Unix socket")
        text = websocket.recv()
        print(f"received {text!r} from {websocket.remote_address}")
        assert text == "over a Unix socket"

    # With a path and a query for the request; and the socket as a URI.
    with unix_connect(path, "ws://localhost/feed?from=7") as websocket:
        print(f"asked for {websocket.request.path}")
        assert websocket.request.path == "/feed?from=7"
    with unix_connect(uri=f"unix://{path}") as websocket:
        print(f"a ping took {websocket.ping(timeout=5) * 1000:.3f} ms")

    try:
        unix_connect(f"{path}.missing")
    except FileNotFoundError as error:
        print(f"no such socket: {error}")
    else:
        raise SystemExit("connected to a socket that does not exist")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A WebSocket over a Unix socket.")
    parser.add_argument("path", nargs="?", help="of an echo server's socket; without it, one of our own")
    path = parser.parse_args().path
    with tempfile.TemporaryDirectory() as directory:
        with EchoServer(path=f"{directory}/echo.sock"):
            run(path or f"{directory}/echo.sock")
