"""A Python package as an endpoint of the suite: it sends back every message.

python conformance/endpoint.py PACKAGE client URI AGENT
python conformance/endpoint.py PACKAGE server

PACKAGE is `openline` or `websockets`. A client lets the suite's server at URI play its cases, one after the
other, for the report on AGENT. A server listens on a free port, prints its URI and ends with its input.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

# Section 9 has messages of 16 MiB. All else is as users have it.
OPTIONS: dict[str, Any] = {"max_size": None}


def main(package: str, role: str, *arguments: str) -> None:
    if role == "client":
        client(package, *arguments)
    else:
        server(package)


def client(package: str, uri: str, agent: str) -> None:
    """All cases, and then the word that there will be no more."""
    connect: Any = importlib.import_module(f"{package}.sync.client").connect
    closed: Any = importlib.import_module(f"{package}.exceptions").ConnectionClosed
    with connect(f"{uri}/getCaseCount", **OPTIONS) as websocket:
        count = int(websocket.recv())
    for case in range(1, count + 1):
        with connect(f"{uri}/runCase?case={case}&agent={agent}", **OPTIONS) as websocket:
            echo(websocket, closed)
    with connect(f"{uri}/updateReports?agent={agent}", **OPTIONS):
        pass


def server(package: str) -> None:
    """One connection for each case, until the suite has seen enough."""
    serve: Any = importlib.import_module(f"{package}.sync.server").serve
    closed: Any = importlib.import_module(f"{package}.exceptions").ConnectionClosed
    with serve(lambda websocket: echo(websocket, closed), "127.0.0.1", 0, **OPTIONS) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        host, port = running.socket.getsockname()
        print(f"ws://{host}:{port}/", flush=True)
        sys.stdin.read()


def echo(websocket: Any, closed: type[Exception]) -> None:
    """The connection from its first message to its end; many cases end it by an error, on purpose."""
    try:
        for message in websocket:
            websocket.send(message)
    except closed:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
