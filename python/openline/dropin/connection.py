"""What stands in for `websockets.sync.connection`: the base of the connections of drop-in mode."""

from __future__ import annotations

from ..sync.connection import Connection

__all__ = ["Connection"]
