"""What stands in for `websockets.sync.server`: openline's server, following release 17 where they differ.

Its connections behave as those of the client in drop-in mode do. Loggers and the `Server` header begin with
`websockets`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..http11 import Request, Response
from ..protocol import Side as Side  # in `beside` others are put in their place
from ..protocol import State as State
from ..server import ServerProtocol as OpenlineProtocol
from ..sync import _service, server
from ..sync.server import basic_auth
from .client import VERSION
from .connection import Connection, broadcast

if TYPE_CHECKING:
    import socket
    import ssl as ssl_module

    from ..extensions.base import ServerExtensionFactory
    from ..typing import LoggerLike, PathLike

__all__ = ["broadcast", "serve", "unix_serve", "ServerConnection", "Server", "basic_auth"]

SERVER = os.environ.get(
    "WEBSOCKETS_SERVER",
    f"Python/{sys.version_info.major}.{sys.version_info.minor} websockets/{VERSION}",
)
"""The `Server` header of handshake responses, unless the caller chooses another."""


class ServerProtocol(OpenlineProtocol):
    """Settings of a server's connection, and a live view of it, as `openline.server.ServerProtocol`."""

    def __init__(self, *, logger: LoggerLike | None = None, **kwargs: Any) -> None:
        super().__init__(logger=logging.getLogger("websockets.server") if logger is None else logger, **kwargs)
        self.side: Side = Side(self.side)

    @property
    def state(self) -> Any:
        """Where the connection is in its life, a `websockets.protocol.State`."""
        return State(super().state)

    @property
    def _max_log_size(self) -> int:
        size = os.environ.get("WEBSOCKETS_MAX_LOG_SIZE")
        return super()._max_log_size if size is None else int(size)


class ServerConnection(Connection, server.ServerConnection):  # pyright: ignore[reportIncompatibleMethodOverride]  # as there
    """A server's end of a WebSocket connection, as a handler gets it."""

    _protocol_class = ServerProtocol

    def handshake(
        self,
        process_request: Callable[[Any, Request], Response | None] | None = None,
        process_response: Callable[[Any, Request, Response], Response | None] | None = None,
        server_header: str | None = SERVER,
        timeout: float | None = None,
    ) -> None:
        """Make the opening handshake, as `openline.sync.server.ServerConnection.handshake` does.

        Args:
            process_request, process_response, server_header: as for `serve`.
            timeout: seconds for all of it. Default: None, no limit.
        """
        super().handshake(process_request, process_response, server_header, timeout)


class Server(server.Server):
    """A server that `serve` has made, as `openline.sync.server.Server`."""

    _logger_name = "websockets.server"


class _Service(_service.Service):
    server_class = Server
    protocol_class = ServerProtocol
    connection_class = ServerConnection


def serve(
    handler: Callable[[Any], None],
    host: str | None = None,
    port: int | None = None,
    *,
    # TCP and TLS
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    # WebSocket
    origins: Sequence[str | re.Pattern[str] | None] | None = None,
    extensions: Sequence[ServerExtensionFactory] | None = None,
    subprotocols: Sequence[str] | None = None,
    select_subprotocol: Callable[[Any, Sequence[str]], str | None] | None = None,
    compression: str | None = "deflate",
    # HTTP
    process_request: Callable[[Any, Request], Response | None] | None = None,
    process_response: Callable[[Any, Request, Response], Response | None] | None = None,
    server_header: str | None = SERVER,
    # Times
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    # Limits
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    # Logging
    logger: LoggerLike | None = None,
    # What makes the connections
    create_connection: Callable[..., Any] | None = None,
    # For socket.create_server
    **kwargs: Any,
) -> Server:
    """Make a server, as `openline.sync.server.serve` does.

    Returns:
        The server, which listens.
    """
    parameters = locals()  # which are the parameters at this point
    given = parameters.pop("kwargs")
    if "ssl_context" in given:
        warnings.warn("ssl_context was renamed to ssl", DeprecationWarning, stacklevel=2)
        renamed = given.pop("ssl_context")
        parameters["ssl"] = renamed if ssl is None else ssl
    beyond = {name: given.pop(name, None) for name in _BEYOND}
    made = _Service(**beyond, **given, **parameters).server
    assert isinstance(made, Server), "that is its class"
    return made


# What only openline has.
_BEYOND = ("idle_timeout", "max_connections", "max_handshakes", "max_per_address")


def unix_serve(handler: Callable[[Any], None], path: PathLike | None = None, **kwargs: Any) -> Server:
    """Make a server that listens on a Unix socket, as `openline.sync.server.unix_serve` does.

    Args:
        handler: as for `serve`.
        path: the path of the socket.
        **kwargs: as `serve`.
    """
    return serve(handler, unix=True, path=path, **kwargs)


def __getattr__(name: str) -> Any:
    if name != "WebSocketServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("WebSocketServer was renamed to Server", DeprecationWarning, stacklevel=2)
    return Server
