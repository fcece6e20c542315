"""What stands in for `websockets.sync.connection`: the base of the connections of drop-in mode."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..exceptions import ConnectionClosed, ConnectionClosedOK
from ..frames import CloseCode
from ..protocol import CONNECTING
from ..protocol import State as State  # in `beside` another is put in its place
from ..sync import connection
from ..sync.connection import broadcast

if TYPE_CHECKING:
    from ..typing import BytesLike, DataLike

__all__ = ["Connection", "broadcast"]


class Connection(connection.Connection):
    """A connection of a client or a server that behaves like one of `websockets` where openline's differ."""

    @property
    def state(self) -> Any:
        """Where the connection is in its life, a `websockets.protocol.State`."""
        return State(self.state_number)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # an iterator of its own each time
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def __next__(self) -> Any:
        try:
            return self.recv()
        except ConnectionClosedOK:
            raise StopIteration from None

    def send(  # type: ignore[override]  # `timeout` by name only
        self,
        message: DataLike | Iterable[DataLike],
        *,
        text: bool | None = None,
        timeout: float | None = None,
        compress: bool | None = None,
    ) -> None:
        """Send a message, as `openline.sync.connection.Connection.send` does.

        Args:
            message: `str`, bytes-like, or an iterable of either for a message in fragments.
            text: True sends text also for bytes, False sends binary also for a `str`.
            timeout: seconds to wait while the peer does not read. Default: None, as long as it lives.
            compress: whether to compress. Default: None, if it pays.
        """
        try:
            super().send(message, timeout, text=text, compress=compress)
        except BufferError:
            if not isinstance(message, memoryview):
                raise
            super().send(bytes(message), timeout, text=text, compress=compress)  # its items lie apart

    def recv_streaming(self, decode: bool | None = None) -> Generator[Any]:
        """Receive a message in fragments, as `openline.sync.connection.Connection.recv_streaming` does.

        Args:
            decode: True for `str`, False for `bytes`. Default: None, by the kind of the message.

        Returns:
            A generator of the fragments. To close it early drops the rest of the message.
        """
        yield from super().recv_streaming(decode)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close the connection, as that of openline does; once it is closed, do nothing.

        Args:
            code: 1000 to 1003, 1007 to 1014, or 3000 to 4999. Default: 1000, a normal closure.
            reason: a text for people, at most 123 bytes in UTF-8. Default: "".
        """
        if self.state_number == CONNECTING:
            self.close_socket()
        elif self.closed:
            super().close()  # which lets go of a socket that was given
        else:
            super().close(code, reason)

    def ping(  # type: ignore[override]  # an event, in place of waiting
        self,
        data: str | BytesLike | None = None,
        *,
        ack_on_close: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Send a Ping.

        Args:
            data: at most 125 bytes. Default: None, four random bytes.
            ack_on_close: whether the event is set, too, when the connection closes before the Pong comes.
            timeout: seconds to wait for the Pong, as `openline.sync.connection.Connection.ping` does.
                Default: None, do not wait.

        Returns:
            Without `timeout` a `threading.Event` that is set when the Pong comes; with it, the round trip in
            seconds.

        Raises:
            ConnectionClosed: the connection is closed.
            ConcurrencyError: another ping with the same data waits for its Pong.
            TimeoutError: no Pong came within `timeout`.
        """
        if timeout is not None:
            return super().ping(b"" if data is None else data, timeout)
        return PongReceived(self, self.send_ping(data), ack_on_close)


class PongReceived(threading.Event):
    """An event that is set when a Pong has come: it asks the connection when somebody asks it.

    So no thread waits for Pongs on its behalf. `wait` ends when the connection ends, since no Pong can come
    then.
    """

    def __init__(self, connection: Connection, number: int, ack_on_close: bool) -> None:
        super().__init__()
        self._connection: Connection | None = connection
        self._number = number
        self._ack_on_close = ack_on_close

    def is_set(self) -> bool:
        """Tell whether the Pong has come."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the Pong.

        Args:
            timeout: seconds to wait. Default: None, as long as the connection lives.

        Returns:
            Whether it has come.
        """
        connection = self._connection
        if connection is None:  # it came, and who has cleared the event waits for who sets it again
            return super().wait(timeout)
        if not super().is_set():
            try:
                acknowledged = connection.wait_answered(self._number, timeout)
            except ConnectionClosed:
                acknowledged = self._ack_on_close
            if acknowledged:
                self.set()
                self._connection = None
        return super().is_set()
