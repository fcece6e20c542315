"""The protocol object of a client, and what decides on connecting again."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from . import _arguments as arguments
from ._made_once import made_once
from .exceptions import InvalidMessage, InvalidProxyStatus, InvalidStatus
from .protocol import CLIENT, CONNECTING, Protocol, Side, State
from .uri import WebSocketURI, parse_uri

if TYPE_CHECKING:
    from .extensions.base import ClientExtensionFactory
    from .typing import LoggerLike

__all__ = ["ClientProtocol", "backoff", "process_exception"]


class ClientProtocol(Protocol):
    """Settings of a client's connection, and a live view of it: `connection.protocol`.

    Programs make one themselves for a handshake over a socket of their own:

        connection = ClientConnection(sock, ClientProtocol("ws://localhost/chat"))
        connection.handshake()

    Args:
        uri: the URI for the request, `ws://` or `wss://`, as a text or as `parse_uri` gives it.
        origin: the `Origin` header. Default: None, no such header.
        extensions: factories of extensions to offer, best first. Default: None; compression too is
            offered only by `ClientPerMessageDeflateFactory` here.
        subprotocols: the subprotocols to offer, best first. Default: None.
        state: the state to begin with. Default: `CONNECTING`.
        max_size: as for `connect`. Default: 2**20.
        logger: the logger. Default: None, `logging.getLogger("openline.client")`.

    Attributes:
        available_extensions: `extensions`.
        available_subprotocols: `subprotocols`.

    Raises:
        InvalidURI: `uri` is not a WebSocket URI.
        TypeError, ValueError: an argument cannot be used.

    >>> protocol = ClientProtocol("ws://localhost:8765/chat")
    >>> protocol.uri.port, protocol.state.name, protocol.subprotocol
    (8765, 'CONNECTING', None)
    """

    def __init__(
        self,
        uri: WebSocketURI | str,
        *,
        origin: str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        state: State = CONNECTING,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(CLIENT, state=state, max_size=max_size, logger=logger)
        self._uri = uri
        if isinstance(uri, str):
            parse_uri(uri)  # what is none is refused here
        self.origin: str | None = arguments.header_value("origin", origin, "Origin")
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols

    @made_once
    def uri(self) -> WebSocketURI:
        """The URI, taken apart."""
        return parse_uri(self._uri) if isinstance(self._uri, str) else self._uri

    @classmethod
    def _of(cls, protocol: Any) -> Any:
        """Return a protocol object of openline's for one that may be of `websockets`."""
        if isinstance(protocol, Protocol):
            return protocol
        if hasattr(protocol, "max_message_size"):
            max_size = protocol.max_message_size, protocol.max_fragment_size
        else:
            max_size = protocol.max_size  # of release 15
        settings: dict[str, Any] = {
            "state": State(protocol.state),
            "max_size": max_size,
            "logger": protocol.logger,
        }
        if protocol.side == CLIENT and hasattr(protocol, "uri"):
            made: Protocol = cls(
                WebSocketURI(*(getattr(protocol.uri, name) for name in WebSocketURI.__match_args__)),
                origin=protocol.origin,
                extensions=protocol.available_extensions,
                subprotocols=protocol.available_subprotocols,
                **settings,
            )
        else:
            made = Protocol(Side(protocol.side), **settings)
        made.id = protocol.id
        return made


def process_exception(exc: Exception) -> Exception | None:
    """Tell whether connecting again may help; the default of `reconnect`.

    That is so for `OSError`, which includes `TimeoutError`, errors of TLS and connections that cannot be
    made; for `InvalidMessage` when the server hung up; for `InvalidStatus` and `InvalidProxyStatus` with 500,
    502, 503 or 504.

    Args:
        exc: why the connection could not be opened.

    Returns:
        None to try again; an exception, `exc` or another one, to raise it.

    >>> process_exception(ConnectionRefusedError()) is None
    True
    >>> process_exception(ValueError("x"))
    ValueError('x')
    """
    if isinstance(exc, OSError):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, EOFError):
        return None
    if isinstance(exc, (InvalidStatus, InvalidProxyStatus)) and exc.response.status_code in _BUSY:
        return None
    return exc


def backoff(
    initial_delay: float | None = None,
    min_delay: float | None = None,
    max_delay: float | None = None,
    factor: float | None = None,
) -> Generator[float]:
    """Generate the seconds to wait before each attempt; the default of `reconnect`.

    Args:
        initial_delay: the most seconds of the first wait, which is random, so that the clients of a server
            that restarts do not all come back at once (RFC 6455 §7.2.3). Default: 5.
        min_delay: seconds of the second wait. Default: 3.1.
        max_delay: the most seconds of any wait after the first. Default: 90.
        factor: by how much waits grow. Default: 1.618.

    The environment variables `OPENLINE_BACKOFF_INITIAL_DELAY`, `…_MIN_DELAY`, `…_MAX_DELAY` and `…_FACTOR`
    set other defaults.

    >>> from itertools import islice
    >>> list(islice(backoff(0, 1, 5, 2), 5))
    [0.0, 1, 2, 4, 5]
    """
    import random  # costs as much time as all of `import openline`

    initial_delay = _default("INITIAL_DELAY", 5.0) if initial_delay is None else initial_delay
    delay = _default("MIN_DELAY", 3.1) if min_delay is None else min_delay
    max_delay = _default("MAX_DELAY", 90.0) if max_delay is None else max_delay
    factor = _default("FACTOR", 1.618) if factor is None else factor
    yield random.random() * initial_delay
    while delay < max_delay:
        yield delay
        delay *= factor
    while True:
        yield max_delay


def _default(name: str, otherwise: float) -> float:
    return float(os.environ.get(f"OPENLINE_BACKOFF_{name}", otherwise))


# Server errors that pass (RFC 9110 §15.6): internal error, bad gateway, unavailable, gateway time-out.
_BUSY = (500, 502, 503, 504)
