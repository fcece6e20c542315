"""What a server's connections are made with, and the life of one, from its request to its end."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _arguments as arguments
from .. import _openline
from ..exceptions import ConnectionClosed
from ..extensions.permessage_deflate import enable_server_permessage_deflate
from ..headers import validate_subprotocols
from ..protocol import CLOSED
from ..server import ServerProtocol, checked_origins
from ._server import Server
from ._socket import view

if TYPE_CHECKING:
    import ssl as ssl_module

    from ..typing import LoggerLike
    from .server import ServerConnection


class Service:
    """A server, and what its connections are made with.

    Args:
        handler, host, port, **options: the arguments of `serve`.
    """

    server_class: type[Server] = Server
    protocol_class: type[ServerProtocol] = ServerProtocol
    connection_class: Callable[..., ServerConnection]

    handler: Callable[[Any], None]
    select_subprotocol: Callable[[Any, Sequence[str]], str | None] | None
    ssl: ssl_module.SSLContext | None
    open_timeout: float | None
    idle_timeout: float | None
    create_connection: Callable[..., Any]
    handshake_options: dict[str, Any]
    protocol_options: dict[str, Any]
    connection_options: dict[str, Any]
    server: Server

    def __init__(
        self,
        handler: Callable[[Any], None],
        host: str | None,
        port: int | None,
        *,
        sock: socket.socket | None,
        ssl: ssl_module.SSLContext | None,
        origins: Any,
        extensions: Any,
        subprotocols: Any,
        select_subprotocol: Callable[[Any, Sequence[str]], str | None] | None,
        compression: str | None,
        process_request: Any,
        process_response: Any,
        server_header: str | None,
        open_timeout: float | None,
        ping_interval: float | None,
        ping_timeout: float | None,
        idle_timeout: float | None,
        close_timeout: float | None,
        max_size: Any,
        max_queue: Any,
        max_connections: int | None,
        max_handshakes: int | None,
        max_per_address: int | None,
        logger: LoggerLike | None,
        create_connection: Callable[..., ServerConnection] | None,
        **kwargs: Any,
    ) -> None:
        for name, function in [
            ("handler", handler),
            ("select_subprotocol", select_subprotocol),
            ("process_request", process_request),
            ("process_response", process_response),
            ("create_connection", create_connection),
        ]:
            if not callable(function) and (function is not None or name == "handler"):
                raise TypeError(f"{name} must be callable, not {type(function).__name__}")
        if subprotocols is not None:
            validate_subprotocols(subprotocols)
        factories = arguments.listed("extensions", extensions, "extension factories", _is_factory)
        if compression == "deflate":
            factories = list(enable_server_permessage_deflate(factories))
        elif compression is not None:
            raise ValueError(f"unsupported compression: {compression!r}; use 'deflate' or None")
        arguments.logger("logger", logger)
        arguments.header_value("server_header", server_header, "Server")
        # What cannot be used fails now, not with the first client.
        settings_of_open(ping_interval, ping_timeout, idle_timeout, close_timeout, max_size, max_queue)
        limit = arguments.count("max_connections", max_connections)
        self.max_handshakes = arguments.count("max_handshakes", max_handshakes)
        self.max_per_address = arguments.count("max_per_address", max_per_address)
        self.handler = handler
        self.select_subprotocol = select_subprotocol
        self.ssl = arguments.tls_context("ssl", ssl)
        self.open_timeout = arguments.seconds("open_timeout", open_timeout, none="waiting for ever")
        self.idle_timeout = idle_timeout
        self.create_connection = create_connection or self.connection_class
        self.handshake_options = {
            "process_request": process_request,
            "process_response": process_response,
            "server_header": server_header,
        }
        self.protocol_options = {
            "origins": checked_origins("origins", origins),
            "extensions": factories,
            "subprotocols": subprotocols,
            "max_size": max_size,
            "logger": logger,
        }
        self.connection_options = {
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
        }
        sock, path = _listen(host, port, sock, **kwargs)
        self.server = self.server_class(sock, self.serve, logger)
        self.server._service = self
        self.server._path = path
        self.server._max_connections = limit

    def lobby(self, sock: socket.socket) -> _openline.Lobby:
        """Return what accepts clients of a socket that listens, and receives their requests."""
        return _openline.Lobby(
            sock, self.ssl, self.open_timeout, self.max_handshakes, self.max_per_address
        )

    def welcome(self, incoming: _openline.Incoming) -> None:
        """Serve a client whose request has come, to the end of its connection."""
        left = incoming.time_left()
        deadline = None if left is None else time.monotonic() + left
        try:
            self._serve(view(incoming, None, self.ssl), incoming, deadline)
        finally:
            incoming.leave()

    def serve(self, sock: socket.socket, address: Any) -> None:
        """Serve a client that somebody else has accepted, without TLS."""
        deadline = None if self.open_timeout is None else time.monotonic() + self.open_timeout
        self._serve(sock, _openline.Incoming(sock), deadline)

    def _serve(self, sock: Any, incoming: _openline.Incoming, deadline: float | None) -> None:
        connection = None
        try:
            connection = self._connection(sock, incoming)
            self.server._arrive(connection)
            left = None if deadline is None else deadline - time.monotonic()
            connection.handshake(**self.handshake_options, timeout=left)
            if connection.state_number != CLOSED:
                self.server._close_late(connection)
                self._run(connection)
        except OSError as error:  # time-outs, too
            self._logger_of(connection).info("opening handshake failed: %s", error)
        except Exception:
            self._logger_of(connection).error("opening handshake failed", exc_info=True)
        finally:
            if connection is not None:
                self.server._leave(connection)
            sock.close()

    def _connection(self, sock: Any, incoming: _openline.Incoming) -> Any:
        protocol = self.protocol_class(**self.protocol_options, select_subprotocol=self._selector())
        protocol._incoming = incoming
        protocol._context = self.ssl
        protocol._idle_timeout = self.idle_timeout
        connection = self.create_connection(sock, protocol, self.server, **self.connection_options)
        if self.select_subprotocol is not None:
            protocol._connection = connection
        return connection

    def _selector(self) -> Callable[[Any, Sequence[str]], str | None] | None:
        select = self.select_subprotocol
        if select is None:
            return None
        return lambda protocol, names: select(protocol._connection, names)

    def _run(self, connection: Any) -> None:
        try:
            with connection:
                self.handler(connection)
        except ConnectionClosed as closed:
            connection.logger.info("connection closed: %s", closed)
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)

    def _logger_of(self, connection: Any) -> LoggerLike:
        logger: LoggerLike = self.server.logger if connection is None else connection.logger
        return logger


@functools.lru_cache(maxsize=16)
def settings_of_open(
    ping_interval: float | None,
    ping_timeout: float | None,
    idle_timeout: float | None,
    close_timeout: float | None,
    max_size: int | None | tuple[int | None, int | None],
    max_queue: int | None | tuple[int | None, int | None],
) -> _openline.Client:
    """Return the settings of an open connection as the binding takes them."""
    return _openline.Client(
        ping_interval=arguments.ping_interval("ping_interval", ping_interval),
        ping_timeout=arguments.ping_timeout("ping_timeout", ping_timeout),
        idle_timeout=arguments.seconds("idle_timeout", idle_timeout, none="no limit", zero=False),
        close_timeout=arguments.seconds("close_timeout", close_timeout, none="waiting for ever"),
        # Who waits for a client must not take the CPU of those who serve others.
        busy_poll=0,
        max_size=arguments.size_limits("max_size", max_size),
        max_queue=arguments.queue_marks("max_queue", max_queue),
    )


def _is_factory(value: Any) -> bool:
    return hasattr(value, "name") and callable(getattr(value, "process_request_params", None))


def _listen(
    host: str | None, port: int | None, sock: socket.socket | None, **kwargs: Any
) -> tuple[socket.socket, str | bytes | None]:
    """Return a socket that listens, and its path if that is to be removed with it."""
    is_unix = kwargs.pop("unix", False)
    path = kwargs.pop("path", None)
    if sock is not None:
        for name, value in [("host", host), ("port", port), ("path", path)]:
            if value is not None:
                raise ValueError(f"{name} is incompatible with sock")
        return sock, None
    if not is_unix:
        return socket.create_server(("" if host is None else host, 0 if port is None else port), **kwargs), None
    if path is None:
        raise ValueError("missing path argument")
    path = os.fspath(path)
    return socket.create_server(path, **{"family": socket.AF_UNIX, **kwargs}), path


