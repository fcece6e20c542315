"""What openline does not have of `websockets`: names to import, which raise when they are used."""

from __future__ import annotations

import functools
from typing import Any, NoReturn

__all__ = ["LEGACY", "PLACEHOLDERS", "placeholder"]


@functools.cache  # one class, however often it is asked for
def placeholder(module: str, name: str) -> type:
    """Return a class that can be imported and inherited from, and raises `ImportError` when it is called."""

    def refuse(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(
            f"{module}.{name} is not a part of openline, whose drop-in mode has the blocking client and server; "
            "for this, install websockets: pip install websockets",
            name="websockets",
        )

    return type(name, (), {"__module__": module, "__new__": refuse, "__doc__": f"In `websockets`, {name}."})


PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "websockets.asyncio": (),
    "websockets.asyncio.client": ("connect", "unix_connect", "ClientConnection"),
    "websockets.asyncio.connection": ("Connection", "broadcast"),
    "websockets.asyncio.router": ("route", "unix_route", "Router"),
    "websockets.asyncio.server": (
        "basic_auth",
        "broadcast",
        "serve",
        "unix_serve",
        "Server",
        "ServerConnection",
    ),
    "websockets.cli": ("main",),
    "websockets.streams": ("StreamReader",),
}
"""Modules with nothing but such names."""

LEGACY = (
    "BasicAuthWebSocketServerProtocol",
    "WebSocketClientProtocol",
    "WebSocketCommonProtocol",
    "WebSocketServer",
    "WebSocketServerProtocol",
    "basic_auth_protocol_factory",
)
"""Names of `websockets` itself that are deprecated there."""
