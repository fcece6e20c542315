"""WebSockets for blocking code: the names of `openline.sync.client`, for short.

    from openline.sync import connect

    with connect("ws://localhost:8765") as websocket:
        websocket.send("hello")
        print(websocket.recv())
"""

from __future__ import annotations

from .client import ClientConnection, connect, unix_connect

__all__ = ["ClientConnection", "connect", "unix_connect"]
