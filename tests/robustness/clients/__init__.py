"""The libraries that the probes run with."""

from __future__ import annotations

from robustness.probes import Client

__all__ = ["load"]


def load(library: str) -> Client:
    """Import a library, and no other."""
    if library == "openline":
        from robustness.clients.openline import Openline

        return Openline()
    if library == "websockets":
        from robustness.clients.websockets import Websockets

        return Websockets()
    from robustness.clients.websocket_client import WebsocketClient

    return WebsocketClient()
