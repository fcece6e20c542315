"""WebSockets for blocking code: the names of `openline.sync.client`, for short.

    from openline.sync import connect

    with connect("ws://localhost:8765") as websocket:
        websocket.send("hello")
        print(websocket.recv())
"""

from __future__ import annotations

from .client import ClientConnection, Timings, connect, reconnect, unix_connect, unix_reconnect

__all__ = ["ClientConnection", "Timings", "connect", "reconnect", "unix_connect", "unix_reconnect"]
