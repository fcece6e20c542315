"""What stands in for `websockets.sync.client`: openline's client, following release 17 where they differ.

- `ping()` without `timeout` returns a `threading.Event` at once.
- Iteration raises `ConnectionClosedError` when the connection ended badly.
- `send` takes `timeout` by name only.
- A connection that cannot be made raises the `OSError` that Python alone would raise.
- Loggers, the user agent and environment variables begin with `websockets`.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..client import ClientProtocol as OpenlineProtocol
from ..client import backoff as backoff_between
from ..client import process_exception
from ..datastructures import HeadersLike
from ..exceptions import ConnectError
from ..protocol import Side as Side  # in `beside` others are put in their place
from ..protocol import State as State
from ..sync import client
from ..sync._opener import Opener, unix_target
from ..uri import WebSocketURI, parse_uri
from .connection import Connection as Connection  # which programs import from here, too

if TYPE_CHECKING:
    import socket
    import ssl as ssl_module

    from ..extensions.base import ClientExtensionFactory
    from ..typing import LoggerLike, PathLike

__all__ = ["connect", "unix_connect", "reconnect", "unix_reconnect", "ClientConnection"]

VERSION = "17.4"
"""The release of `websockets` that this follows."""

USER_AGENT = os.environ.get(
    "WEBSOCKETS_USER_AGENT",
    f"Python/{sys.version_info.major}.{sys.version_info.minor} websockets/{VERSION}",
)
"""The `User-Agent` header of handshake requests, unless the caller chooses another."""


def backoff(
    initial_delay: float | None = None,
    min_delay: float | None = None,
    max_delay: float | None = None,
    factor: float | None = None,
) -> Generator[float]:
    """Generate the seconds to wait before each attempt, as `openline.client.backoff` does.

    The environment variables that set other defaults begin with `WEBSOCKETS_BACKOFF_` here.
    """
    given = {
        "initial_delay": initial_delay,
        "min_delay": min_delay,
        "max_delay": max_delay,
        "factor": factor,
    }
    for name, value in given.items():
        text = os.environ.get(f"WEBSOCKETS_BACKOFF_{name.upper()}")
        if value is None and text is not None:
            given[name] = float(text)
    return backoff_between(**given)


def connect(
    uri: str,
    *,
    # TCP and TLS
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    server_hostname: str | None = None,
    # WebSocket
    origin: str | None = None,
    extensions: Sequence[ClientExtensionFactory] | None = None,
    subprotocols: Sequence[str] | None = None,
    compression: str | None = "deflate",
    # HTTP
    additional_headers: HeadersLike | None = None,
    user_agent_header: str | None = USER_AGENT,
    proxy: str | Literal[True] | None = True,
    proxy_ssl: ssl_module.SSLContext | None = None,
    proxy_server_hostname: str | None = None,
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
    # What makes the connection
    create_connection: Callable[..., Any] | None = None,
    # Whether this connects at once
    legacy: bool | None = None,
    # For socket.create_connection
    **kwargs: Any,
) -> Any:
    """Connect to the WebSocket server at `uri`, as `openline.sync.client.connect` does.

    Args:
        legacy: False returns a `reconnect` in place of a connection. Default: None.

    Returns:
        The open connection, a `ClientConnection`.

    Raises:
        OSError: there is no connection to the host.
        Exception: all that `openline.sync.client.connect` raises.
    """
    parameters = locals()  # which are the parameters at this point
    del parameters["legacy"]
    arguments = {**parameters.pop("kwargs"), **parameters}
    if legacy is False:
        return reconnect(**arguments)
    return _Opener("connect", None, arguments.pop("uri"), **arguments).open()


def unix_connect(
    path: PathLike | None = None, uri: str | None = None, *, legacy: bool | None = None, **kwargs: Any
) -> Any:
    """Connect over a Unix socket, as `openline.sync.client.unix_connect` does.

    Args:
        path: the path of the socket.
        uri: the URI that the request is for. Default: None, `ws://localhost/`, or `wss://localhost/` when
            `ssl` is given.
        legacy: False returns a `reconnect` in place of a connection. Default: None.
        **kwargs: as `connect`.

    Returns:
        The open connection, a `ClientConnection`.
    """
    if legacy is False:
        return unix_reconnect(path, uri, **kwargs)
    path, uri = _unix_target(path, uri, kwargs)
    return _Opener("unix_connect", path, uri, **kwargs).open()


class ClientProtocol(OpenlineProtocol):
    """Settings of a client's connection, and a live view of it, as `openline.client.ClientProtocol`."""

    def __init__(self, uri: WebSocketURI | str, *, logger: LoggerLike | None = None, **kwargs: Any) -> None:
        super().__init__(uri, logger=_logger() if logger is None else logger, **kwargs)
        self.side: Side = Side(self.side)

    @property
    def state(self) -> Any:
        """Where the connection is in its life, a `websockets.protocol.State`."""
        return State(super().state)

    @property
    def _max_log_size(self) -> int:
        size = os.environ.get("WEBSOCKETS_MAX_LOG_SIZE")
        return super()._max_log_size if size is None else int(size)


class _Opener(Opener):
    """Opens connections with the defaults, and the exceptions, of `websockets`."""

    environment = "WEBSOCKETS"
    protocol_class = ClientProtocol
    _never_open: Any = None

    def __init__(self, function: str, path: str | bytes | None, uri: str, /, **kwargs: Any) -> None:
        if "ssl_context" in kwargs:
            warnings.warn("ssl_context was renamed to ssl", DeprecationWarning, stacklevel=3)
            renamed = kwargs.pop("ssl_context")
            kwargs["ssl"] = renamed if kwargs.get("ssl") is None else kwargs["ssl"]
        secure = parse_uri(uri).secure  # here, so that `reconnect` fails at once if it is wrong
        if kwargs.get("ssl") is not None and not secure:
            raise ValueError("ssl argument is incompatible with a ws:// URI")
        if kwargs.get("compression") not in (None, "deflate"):
            raise ValueError(f"unsupported compression: {kwargs['compression']}")
        marks = kwargs.get("max_queue")
        high = marks[0] if isinstance(marks, tuple) and len(marks) == 2 else marks
        if high == 0:
            kwargs["max_queue"] = (1, 0)  # nothing is read while a message waits, as there
        kwargs.setdefault("user_agent_header", USER_AGENT)
        if kwargs.get("logger") is None:
            kwargs["logger"] = _logger()
        if kwargs.get("create_connection") is None:
            kwargs["create_connection"] = ClientConnection
        super().__init__(function, path, uri, **kwargs)

    def open(self) -> Any:
        try:
            return super().open()
        except ConnectError as error:
            raise _os_error(error) from error
        except ExceptionGroup as group:
            raise ExceptionGroup(group.message, [_os_error(error) for error in group.exceptions]) from group
        finally:
            self._never_open = None

    def log_of(self, protocol: OpenlineProtocol) -> tuple[LoggerLike, int] | None:
        if protocol._log is None:
            return None
        # There, records of a handshake that fails have a connection as well: one that never opens.
        self._never_open = never_open = ClientConnection(None, protocol)
        return never_open._log


def _os_error(error: Any) -> OSError:
    """Return the exception that Python's sockets would raise."""
    made: OSError = error._os_error(error.errno, error.strerror)
    return made


def _logger() -> logging.Logger:
    return logging.getLogger("websockets.client")


class reconnect(client.reconnect):
    """Connects to the server at `uri` again and again, as `openline.sync.client.reconnect` does."""

    _opener_class = _Opener

    def __init__(
        self,
        uri: str,
        *,
        # TCP and TLS
        sock: socket.socket | None = None,
        ssl: ssl_module.SSLContext | None = None,
        server_hostname: str | None = None,
        # WebSocket
        origin: str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: str | None = "deflate",
        # HTTP
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        proxy_ssl: ssl_module.SSLContext | None = None,
        proxy_server_hostname: str | None = None,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        # Times
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        # Limits
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        # Logging
        logger: LoggerLike | None = None,
        # What makes the connection
        create_connection: Callable[..., Any] | None = None,
        # For socket.create_connection
        **kwargs: Any,
    ) -> None:
        parameters = locals()  # which are the parameters at this point
        del parameters["self"]
        self._prepare("reconnect", None, parameters.pop("uri"), **parameters.pop("kwargs"), **parameters)


def unix_reconnect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> reconnect:
    """Connect to a WebSocket server that listens on a Unix socket, again and again, as `reconnect` does.

    Args:
        path: as for `unix_connect`.
        uri: as for `unix_connect`.
        **kwargs: as `reconnect`.
    """
    path, uri = _unix_target(path, uri, kwargs)
    made = reconnect.__new__(reconnect)
    made._prepare("unix_reconnect", path, uri, **{"reconnect_delays": backoff, **kwargs})
    return made


def _unix_target(path: Any, uri: Any, kwargs: dict[str, Any]) -> tuple[str | bytes | None, str]:
    sock = kwargs.get("sock")
    if path is None and sock is None and not str(uri).startswith("unix:"):
        raise ValueError("missing path argument")
    if path is not None and sock is not None:
        raise ValueError("path is incompatible with sock")
    ssl = kwargs.get("ssl")
    return unix_target(path, uri, sock, kwargs.get("ssl_context") if ssl is None else ssl)


class ClientConnection(Connection, client.ClientConnection):  # pyright: ignore[reportIncompatibleMethodOverride]  # as there
    """An open WebSocket connection, as `connect` returns it."""

    _protocol_class = ClientProtocol

    def handshake(
        self,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        timeout: float | None = None,
    ) -> None:
        """Make the opening handshake, as `openline.sync.client.ClientConnection.handshake` does.

        Args:
            additional_headers: as for `connect`.
            user_agent_header: as for `connect`.
            timeout: seconds for all of it. Default: None, no limit.
        """
        super().handshake(additional_headers, user_agent_header, timeout)
