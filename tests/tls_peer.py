"""A server of TLS whose every byte the test decides."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from openline.sync.client import ClientConnection, connect

from peer import GUID

__all__ = ["TlsPeer"]


class TlsPeer:
    """Answers the handshake of one connection; then what it sends goes out when it is told to."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"wss://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def connect(self, **kwargs: Any) -> ClientConnection:
        """Connect, with a `close_timeout` that no test waits for."""
        ws: ClientConnection = connect(self.uri, close_timeout=60, ping_interval=None, **kwargs)
        self._thread.join(10)
        return ws

    def write(self, data: bytes) -> None:
        """Make a record of the data. It is not sent yet."""
        self._tls.write(data)

    def write_close_notify(self) -> None:
        """Make the alert that ends our direction. It is not sent yet."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()

    def take(self) -> bytes:
        """The bytes of all that was made, to be sent by `send_raw`."""
        return self._outgoing.read()

    def flush(self) -> None:
        """Send all that was made, in one piece."""
        self.send_raw(self.take())

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def read_to_end(self) -> None:
        while self._socket.recv(2**16):
            pass

    def shutdown(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()
        self._socket.close()

    def _accept(self) -> None:
        self._socket, _ = self._listener.accept()
        self._socket.settimeout(10)
        self._run(self._tls.do_handshake)
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._run(lambda: self._tls.read(4096))
        key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n"
        )
        self.flush()

    def _run(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                outcome = step()
            except ssl.SSLWantReadError:
                self.flush()
                self._incoming.write(self._socket.recv(2**16))
            else:
                self.flush()
                return outcome
