"""The connection as Python sees it, whichever side made it.

Sending and receiving is the binding's. Here are the attributes that are Python objects, and what `with` does.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, NoReturn, Self

from .. import _arguments as arguments
from .. import _openline
from .._made_once import made_once
from ..client import ClientProtocol
from ..exceptions import ConnectionClosed
from ..frames import CloseCode
from ..http11 import Request, Response
from ..protocol import CLOSED, CONNECTING, OPEN, Protocol, State
from ._opener import Opener

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable
    from types import TracebackType

    from ..extensions.base import Extension
    from ..typing import DataLike, LoggerLike

__all__ = ["Connection", "broadcast"]


class Connection(_openline.Connection):
    """A WebSocket connection: what clients and servers have in common.

    `connect` makes objects of `ClientConnection`, or of a class that was derived from that.

    Example:
        class Chat(ClientConnection):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.received = 0

            def recv(self, timeout=None, decode=None):
                message = super().recv(timeout, decode)
                self.received += 1
                return message

        with connect("ws://localhost:8765", create_connection=Chat) as chat:
            chat.send("hello")
            for message in chat:  # calls `recv`
                print(chat.received, message)

    With a protocol object whose state is `OPEN` it takes a socket over whose handshake somebody else has
    made, such as an HTTP library; either side can be ours, and no extension takes part:

        connection = Connection(sock, Protocol(Side.SERVER), leftover=rest)

    Args:
        sock: the socket.
        protocol: the protocol object. If `connect` has made it, the handshake is over, and this connection
            is open from here on.
        ping_interval, ping_timeout, close_timeout, max_queue: as for `connect`, with the same defaults. A
            connection that is open already keeps the `max_queue` of `connect`.
        leftover: with a protocol object of state `OPEN`, what was read of the socket behind the handshake.
            Default: nothing.

    Attributes:
        socket: the socket: the one that was given, or a view of ours.
        protocol: the protocol object, which tells settings and state.
        ping_interval: seconds between keepalive pings; None if there are none. See `start_keepalive`.
        ping_timeout: seconds to wait for the answer to a keepalive ping; None if that is for ever.

    Raises:
        InvalidState: `protocol` has a connection already.
        ConnectError: the state of `protocol` is `OPEN`, and the socket is not connected.
        TypeError, ValueError: with such a protocol, an argument cannot be used.
    """

    # What is made of a protocol object of `websockets`.
    _protocol_class: type[Any] = ClientProtocol

    def __init__(
        self,
        sock: Any,
        protocol: Protocol,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        leftover: bytes = b"",
    ) -> None:
        self.socket = sock
        self.protocol: Protocol = self._protocol_class._of(protocol)
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        if self.protocol._handle is not None:
            self._adopt(self.protocol._handle, sock)
            # A subclass may have chosen others than `connect` was told.
            if (ping_interval, ping_timeout) != self.protocol._keepalive:
                self.start_keepalive()
            if close_timeout != self.close_timeout:
                self.close_timeout = close_timeout
            return
        # For when it is opened.
        self._close_timeout = close_timeout
        self._max_queue = max_queue
        # As they are without a handshake.
        self.__dict__.update(request=None, response=None)
        if self.protocol.state == OPEN:
            opener = self._opener(type(self).__name__, "ws://localhost/")
            self.protocol._handle = opener.take_over(self.protocol.side, leftover, self._log)
            self._adopt(self.protocol._handle, sock)
        elif leftover:
            raise ValueError("leftover is what was read behind a handshake; there was none")

    def _opener(self, function: str, uri: str, **options: Any) -> Opener:
        """Return what opens a connection over this socket, with the settings of this object."""
        return Opener(
            function,
            None,
            uri,
            sock=self.socket,
            compression=None,
            proxy=None,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
            close_timeout=self._close_timeout,
            max_size=(self.protocol.max_message_size, self.protocol.max_fragment_size),
            max_queue=self._max_queue,
            **options,
        )

    @property
    def _log(self) -> tuple[LoggerLike, int] | None:
        """As the protocol's, with the logger that adds this connection."""
        log = self.protocol._log
        return None if log is None else (self.logger, log[1])

    @made_once
    def id(self) -> uuid.UUID:
        """A unique identifier, the same for the connection's whole life. Useful in logs."""
        return self.protocol.id

    @made_once
    def logger(self) -> LoggerLike:
        """The connection's logger, which adds the connection to each record, as `websocket`."""
        import logging
        import weakref

        return logging.LoggerAdapter(self.protocol.logger, {"websocket": weakref.proxy(self)})

    @made_once
    def debug(self) -> bool:
        """Whether the logger is enabled for DEBUG."""
        return self.protocol.debug

    @made_once
    def request(self) -> Request:
        """The request of the opening handshake, with `path` and `headers`; None before it."""
        return Request._received(*self.handshake_request)

    @made_once
    def response(self) -> Response:
        """The response of the opening handshake; `status_code` and `headers` tell most. None before it."""
        return Response._received(*self.handshake_response)

    @property
    def extensions(self) -> list[Extension]:
        """The extensions that were agreed on, such as `PerMessageDeflate`, in the server's order."""
        return self.protocol.extensions

    @property
    def state(self) -> State:
        """Where the connection is in its life. To learn of its end, rather handle `ConnectionClosed`."""
        return State(self.state_number)

    def start_keepalive(self) -> None:
        """Begin keepalive anew, with `ping_interval` and `ping_timeout` as they are now.

        It runs from the handshake on, so this is for a connection whose `ping_interval` was changed:

            websocket.ping_interval = 5
            websocket.start_keepalive()

        Raises:
            TypeError, ValueError: one of them cannot be used.
            InvalidState: the connection is not open yet.
        """
        self._set_keepalive(
            arguments.ping_interval("ping_interval", self.ping_interval),
            arguments.ping_timeout("ping_timeout", self.ping_timeout),
        )

    def close_socket(self) -> None:
        """End the connection at once, without waiting for the peer.

        Before the handshake it closes the socket, which ends a handshake that is made in another thread.
        """
        if self.state_number == CONNECTING:
            import socket

            self._give_up()
            self.protocol._state = CLOSED
            try:
                self.socket.shutdown(socket.SHUT_RDWR)  # `close` alone wakes no thread
            except Exception:
                pass  # it is not connected any more, or cannot be shut down
            self.socket.close()
        else:
            self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self.state_number == CONNECTING:
                self.close_socket()
            elif exc_type is None:
                self.close()
            else:
                self.close(CloseCode.INTERNAL_ERROR)
        except Exception:
            if exc_type is None:
                raise
            # The exception of the body is the one that tells what happened.

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"cannot pickle or copy a {type(self).__name__}: a connection stays in its process; "
            "pass the URI and connect there, or pass the messages"
        )

    def __repr__(self) -> str:
        state = State(self.state_number)  # `__del__` wants it, whatever a subclass makes of `state`
        to = "" if state == CONNECTING else f" to {self.remote_address!r}"
        return f"<{type(self).__qualname__} {state.name}{to}>"

    def __del__(self) -> None:
        state = self.state_number
        if state == CONNECTING:
            return
        try:
            if state != CLOSED:
                # As for files and sockets: whoever forgets to close can find out where, with -X tracemalloc.
                warnings.warn(f"unclosed connection {self!r}", ResourceWarning, source=self)
        finally:
            self.abort()  # it closes the socket that was given, too


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    raise_exceptions: bool = False,
    text: bool | None = None,
    **kwargs: Any,
) -> None:
    """Send a message to many connections.

    A connection that is not open is left out. Those that cannot take the message at once, because their peers are
    behind or other threads write to them, have 50 ms, all of them together, when all others have got it; then they
    are skipped, which is logged as a warning. A peer that was behind the last time, and still is, is skipped at
    once. So one that does not read holds up nobody but once, and takes no more memory than a message.

    Example:
        broadcast(server.connections, "hello, everybody")

    Args:
        connections: the connections, of servers or clients.
        message: as for `send`, in one piece.
        raise_exceptions: True raises what is logged otherwise, in an `ExceptionGroup`, at the end. Default: False.
        text: as for `send`. Default: None.
        **kwargs: `max_workers` and the like, which have no effect; for programs written for `websockets`.

    Raises:
        TypeError: the message is neither `str` nor bytes-like.
        ExceptionGroup: with `raise_exceptions`, connections were skipped.
    """
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
    connections = list(connections)
    skipped = _openline.broadcast(connections, message, text)
    if raise_exceptions and skipped:
        raise ExceptionGroup("skipped broadcast", [problem for _, problem in skipped])
    for index, problem in skipped:
        connections[index].logger.warning("skipped broadcast: %s", problem)
