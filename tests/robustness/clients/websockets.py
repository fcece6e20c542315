"""websockets.sync.client."""

from __future__ import annotations

import importlib.metadata
from typing import Any, cast

import websockets
import websockets.sync.client as sync
from robustness.probes import Connection

__all__ = ["Websockets"]


class Websockets:
    name = "websockets"
    version = importlib.metadata.version("websockets")
    closed: tuple[type[Exception], ...] = (websockets.ConnectionClosed,)

    def connect(self, uri: str, **options: Any) -> Connection:
        # legacy: a connection without `with`.
        return Line(sync.connect(uri, **{"proxy": None, "legacy": True, **options}))

    def is_open(self, connection: Connection) -> bool:
        return cast(Line, connection).websocket.state is websockets.State.OPEN


class Line:
    def __init__(self, websocket: sync.ClientConnection) -> None:
        self.websocket = websocket

    def send(self, message: str | bytes, timeout: float | None = None) -> None:
        self.websocket.send(message)  # there is no time-out

    def recv(self, timeout: float | None = None) -> str | bytes:
        return self.websocket.recv(timeout)

    def ping(self, *, timeout: float | None = None) -> None:
        if not self.websocket.ping().wait(timeout):
            raise TimeoutError

    def close(self) -> None:
        self.websocket.close()
