"""The two sides and the four states of a connection, and its protocol object."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, NoReturn

from . import _arguments as arguments
from ._made_once import made_once

if TYPE_CHECKING:
    import uuid

    from . import _openline
    from .exceptions import ConnectionClosed
    from .extensions.base import Extension
    from .frames import Close
    from .typing import LoggerLike

__all__ = ["Protocol", "Side", "State"]


class Side(enum.IntEnum):
    """Which end of a connection this is.

    >>> Side.CLIENT.name
    'CLIENT'
    """

    SERVER = 0
    CLIENT = 1


SERVER = Side.SERVER
CLIENT = Side.CLIENT


class State(enum.IntEnum):
    """Where a connection is in its life; it only ever moves forward (RFC 6455 §4.1, §7.1.3, §7.1.4).

    >>> State.OPEN < State.CLOSING < State.CLOSED
    True
    """

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


CONNECTING = State.CONNECTING
OPEN = State.OPEN
CLOSING = State.CLOSING
CLOSED = State.CLOSED


class Protocol:
    """Settings of a connection, and a live view of it: `connection.protocol`.

    The protocol itself is run in Rust, so this object has none of the methods that take and give bytes.

    Args:
        side: which end of the connection we are.
        state: the state to begin with. Default: `OPEN`.
        max_size: as for `connect`. Default: 2**20.
        logger: the logger. Default: None, `logging.getLogger("openline.client")` or `"openline.server"`.

    Attributes:
        side: which end of the connection we are.
        max_message_size: bytes of a message at most; None is no limit.
        max_fragment_size: bytes of a fragment at most; None is no limit.
        origin: the `Origin` header of the handshake; None if there is none.
        handshake_exc: why the opening handshake failed; None if it did not.

    Raises:
        TypeError, ValueError: `max_size` or `logger` cannot be used.

    >>> protocol = Protocol(Side.CLIENT, max_size=(2**20, 2**16))
    >>> protocol.state.name, protocol.max_fragment_size
    ('OPEN', 65536)
    """

    def __init__(
        self,
        side: Side,
        *,
        state: State = OPEN,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        logger: LoggerLike | None = None,
    ) -> None:
        self.side = side
        self.max_message_size: int | None
        self.max_fragment_size: int | None
        self.max_message_size, self.max_fragment_size = arguments.size_limits("max_size", max_size)
        arguments.logger("logger", logger)
        if logger is not None:
            self.logger = logger
        self.origin: str | None = None
        self.handshake_exc: Exception | None = None
        self._state = state
        # The connection, once it is open.
        self._handle: _openline.Handle | None = None
        # The interval and time-out of pings that it was opened with.
        self._keepalive: tuple[float | None, float | None] | None = None

    @made_once
    def id(self) -> uuid.UUID:
        """A unique identifier of the connection."""
        import uuid

        return uuid.uuid4()

    @made_once
    def logger(self) -> LoggerLike:
        """The logger; the connection adds itself to its records, as `websocket`."""
        import logging

        return logging.getLogger(f"openline.{self.side.name.lower()}")

    @made_once
    def debug(self) -> bool:
        """Whether the logger is enabled for DEBUG."""
        return self._log is not None

    @property
    def _log(self) -> tuple[LoggerLike, int] | None:
        """The logger, and how many characters of a payload it shows; None unless it is enabled for DEBUG."""
        # Who has not imported `logging` has not configured it, and need not wait for it to be imported.
        logging = sys.modules.get("logging")
        if logging is None or not self.logger.isEnabledFor(logging.DEBUG):
            return None
        return self.logger, self._max_log_size

    @property
    def _max_log_size(self) -> int:
        from .frames import Frame

        return Frame.MAX_LOG_SIZE

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._state if self._handle is None else State(self._handle.state_number)

    @made_once
    def _agreed_extensions(self) -> list[Extension]:
        return [] if self._handle is None else self._handle.agreed_extensions

    @property
    def extensions(self) -> list[Extension]:
        """The extensions that were agreed on, in the server's order; empty before the handshake."""
        return [] if self._handle is None else self._agreed_extensions

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on; None if there is none."""
        return None if self._handle is None else self._handle.subprotocol

    @property
    def close_rcvd(self) -> Close | None:
        """The close frame of the peer's, once the connection is closed; None if there was none."""
        return None if self._closed is None else self._closed.rcvd

    @property
    def close_sent(self) -> Close | None:
        """Our close frame, once the connection is closed; None if there was none."""
        return None if self._closed is None else self._closed.sent

    @property
    def close_rcvd_then_sent(self) -> bool | None:
        """Whether the peer's close frame came first; None unless the connection is closed with both."""
        return None if self._closed is None else self._closed.rcvd_then_sent

    @property
    def close_code(self) -> int | None:
        """The code that the peer closed with: 1005 if it gave none, 1006 without a close frame of its.

        None until the connection is closed.
        """
        if self.state != CLOSED:
            return None
        return 1006 if self.close_rcvd is None else self.close_rcvd.code

    @property
    def close_reason(self) -> str | None:
        """The reason that the peer closed with; empty if it gave none. None until the connection is closed."""
        if self.state != CLOSED:
            return None
        return "" if self.close_rcvd is None else self.close_rcvd.reason

    @property
    def close_exc(self) -> ConnectionClosed:
        """The exception that tells how the connection ended.

        Raises:
            InvalidState: it is not closed.
        """
        from .exceptions import ConnectionClosedError, InvalidState

        if self.state != CLOSED:
            raise InvalidState(f"connection is {self.state.name.lower()}, not closed")
        if self._closed is None:  # it has never been open
            return ConnectionClosedError(None, None)
        return self._closed

    @property
    def _closed(self) -> ConnectionClosed | None:
        return None if self._handle is None else self._handle.close_exc

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self).__qualname__
            raise AttributeError(
                f"{kind!r} object has no attribute {name!r}; it tells settings and state, "
                "and the protocol is run in Rust",
                name=name,
                obj=self,
            )
