"""websocket-client, whose module is `websocket`: requirements-robustness.txt."""

from __future__ import annotations

import importlib
import urllib.parse
from typing import Any, cast

from robustness.probes import Connection

__all__ = ["WebsocketClient"]

websocket: Any = importlib.import_module("websocket")

# The same things by other names. Keepalive, close_timeout and limits it has not.
NAMES = {"additional_headers": "header", "open_timeout": "timeout"}
AS_THEY_ARE = {"origin", "subprotocols"}


class WebsocketClient:
    name = "websocket-client"
    version: str = websocket.__version__
    # A broken pipe is told as it comes.
    closed: tuple[type[Exception], ...] = (websocket.WebSocketConnectionClosedException, OSError)

    def connect(self, uri: str, **options: Any) -> Connection:
        theirs = {name: value for name, value in options.items() if name in AS_THEY_ARE}
        theirs |= {NAMES[name]: value for name, value in options.items() if name in NAMES}
        if options.get("ssl") is not None:
            theirs["sslopt"] = {"context": options["ssl"]}
        if options.get("proxy") is not None:
            proxy = urllib.parse.urlsplit(options["proxy"])
            theirs |= {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port}
            theirs["http_proxy_auth"] = (proxy.username, proxy.password)
        return Line(websocket.create_connection(uri, **theirs), options.get("close_timeout", 3))

    def is_open(self, connection: Connection) -> bool:
        return bool(cast(Line, connection).websocket.connected)


class Line:
    def __init__(self, websocket: Any, close_timeout: float) -> None:
        self.websocket = websocket
        self.close_timeout = close_timeout
        self.websocket.settimeout(None)

    def send(self, message: str | bytes, timeout: float | None = None) -> None:
        opcode = websocket.ABNF.OPCODE_TEXT if isinstance(message, str) else websocket.ABNF.OPCODE_BINARY
        # The time-out is one of the socket, for all threads.
        self.websocket.settimeout(timeout)
        try:
            self.websocket.send(message, opcode)
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError from error

    def recv(self, timeout: float | None = None) -> str | bytes:
        self.websocket.settimeout(timeout)
        try:
            opcode, data = self.websocket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException("the peer has closed")
        return data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else bytes(data)

    def ping(self, *, timeout: float | None = None) -> None:
        self.websocket.ping()  # its pong is not waited for

    def close(self) -> None:
        self.websocket.close(timeout=self.close_timeout)
