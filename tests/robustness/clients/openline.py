"""openline itself."""

from __future__ import annotations

from typing import Any, cast

import openline
from openline.protocol import State
from openline.sync.client import ClientConnection, connect
from robustness.probes import Connection

__all__ = ["Openline"]


class Openline:
    name = "openline"
    version = openline.__version__
    closed: tuple[type[Exception], ...] = (openline.ConnectionClosed,)

    def connect(self, uri: str, **options: Any) -> Connection:
        connection: ClientConnection = connect(uri, **{"proxy": None, **options})
        return connection

    def is_open(self, connection: Connection) -> bool:
        return cast(ClientConnection, connection).state is State.OPEN
