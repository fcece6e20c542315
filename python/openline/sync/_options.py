"""The keyword arguments of `connect`, for the types of functions that pass them on.

Only checkers of types look at this module. tests/test_signatures.py compares it with `connect`.
"""

from __future__ import annotations

import socket
import ssl as ssl_module
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict

from ..datastructures import HeadersLike
from ..extensions.base import ClientExtensionFactory
from ..typing import LoggerLike
from .client import ClientConnection

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # which checkers of types bring with them

    C = TypeVar("C", bound=ClientConnection, default=ClientConnection)
    """What `create_connection` makes."""
else:
    from .client import C


class SocketOptions(TypedDict, total=False):
    """What `socket.create_connection` takes, and what programs for `websockets` may pass."""

    timeout: float | None
    source_address: tuple[str, int] | None
    all_errors: bool
    address: tuple[str, int] | None
    legacy: Any


class ConnectOptions(SocketOptions, Generic[C], total=False):
    """What `connect` takes by keyword."""

    sock: socket.socket | None
    ssl: ssl_module.SSLContext | None
    server_hostname: str | None
    origin: str | None
    extensions: Sequence[ClientExtensionFactory] | None
    subprotocols: Sequence[str] | None
    compression: str | None
    additional_headers: HeadersLike | None
    user_agent_header: str | None
    proxy: str | Literal[True] | None
    proxy_ssl: ssl_module.SSLContext | None
    proxy_server_hostname: str | None
    open_timeout: float | None
    ping_interval: float | None
    ping_timeout: float | None
    idle_timeout: float | None
    close_timeout: float | None
    busy_poll: float | None
    max_size: int | None | tuple[int | None, int | None]
    max_queue: int | None | tuple[int | None, int | None]
    logger: LoggerLike | None
    create_connection: Callable[..., C] | None


class ReconnectOptions(ConnectOptions[C], total=False):
    """What `reconnect` takes by keyword."""

    process_exception: Callable[[Exception], Exception | None]
    reconnect_delays: Callable[[], Iterator[float]]
