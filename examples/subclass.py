"""A connection of a class of your own, which sends JSON and counts its messages.

python examples/subclass.py [URI]

The server echoes messages.
"""

from __future__ import annotations

import argparse
import json
import socket
from typing import Any

from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer


class JsonConnection(ClientConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # the connection is open from here on
        self.sent = self.received = 0

    def send_json(self, value: Any) -> None:
        self.send(json.dumps(value))

    def send(self, *args: Any, **kwargs: Any) -> None:
        super().send(*args, **kwargs)
        self.sent += 1

    def recv(self, *args: Any, **kwargs: Any) -> Any:
        message = super().recv(*args, **kwargs)
        self.received += 1
        return message


def run(uri: str) -> None:
    with connect(uri, create_connection=JsonConnection) as ws:
        ws.send_json({"text": "hello", "from": "ada"})
        ws.send_json({"text": "bye", "from": "ada"})
        for message in ws:  # calls the `recv` above
            value = json.loads(message)
            print(f"{value['text']} from {value['from']}")
            if value["text"] == "bye":
                break
        print(f"{ws.sent} sent, {ws.received} received by {ws!r}")
        assert ws.sent == ws.received == 2

        if ws.socket.family != socket.AF_UNIX:
            assert ws.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            print("the socket has TCP_NODELAY")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A connection of a class of your own.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, a server of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
