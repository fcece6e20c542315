"""Receive until the peer ends the connection.

python examples/iterate.py [URI]
"""

from __future__ import annotations

import argparse

from openline.sync.client import connect
from openline.testing import EchoServer


def run(uri: str) -> None:
    with connect(uri) as websocket:
        count = 0
        # The loop ends with the connection, after all messages that came before its end.
        for message in websocket:
            count += 1
            print(f"message {count}: {message!r}")

        print(f"the server closed with code {websocket.close_code} {websocket.close_reason!r}")
        assert count > 0
        # How it ended is to be looked at: the loop ends in the same way when the line breaks.
        assert websocket.close_code in (1000, 1001)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Receive until the peer ends the connection.")
    parser.add_argument("uri", nargs="?", help="of a server that sends and closes; without it, one of our own")
    uri = parser.parse_args().uri
    news = ["first", "second", "third"]
    with EchoServer(welcome=news, close_after=0, close_reason="that is all") as server:
        run(uri or server.uri)
