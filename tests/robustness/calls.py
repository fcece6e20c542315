"""Every public call of a connection, for tests that take all of them, or all pairs."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator

from openline.exceptions import ConcurrencyError, ConnectionClosed, InvalidState, SendTimeout
from openline.sync.client import ClientConnection

__all__ = ["ATTRIBUTES", "CALLS", "ENDS_AT_ONCE", "LARGE", "Holder", "public_names"]

LARGE = bytes(range(256)) * (1 << 16)
"""More than the buffers of two sockets hold: 16 MiB."""


class Holder:
    """Has the connection until it is dropped, and notes what was received and sent.

    Args:
        connection: the connection. Its caller must not keep it.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection: ClientConnection | None = connection
        self.received: list[str | bytes] = []
        self.sent: list[str | bytes] = []

    @property
    def connection(self) -> ClientConnection:
        """The connection; a `ConcurrencyError` once it was dropped."""
        connection = self._connection
        if connection is None:
            raise ConcurrencyError("dropped by the other thread")
        return connection

    @property
    def is_dropped(self) -> bool:
        return self._connection is None

    def drop(self) -> None:
        self._connection = None
        gc.collect()


ATTRIBUTES = [
    "close_code",
    "close_reason",
    "close_timeout",
    "closed",
    "debug",
    "extensions",
    "handshake_request",
    "handshake_response",
    "id",
    "latency",
    "local_address",
    "logger",
    "opening_times",
    "remote_address",
    "request",
    "response",
    "state",
    "state_number",
    "subprotocol",
    "timings",
]
"""What never waits for anything."""

ENDS_AT_ONCE = ["__del__", "abort", "close_socket"]
"""Calls after which what was on its way is lost."""


def recv(holder: Holder) -> None:
    holder.received.append(holder.connection.recv())


def recv_with_a_timeout(holder: Holder) -> None:
    try:
        holder.received.append(holder.connection.recv(timeout=0.02))
    except TimeoutError:
        pass


def recv_into(holder: Holder) -> None:
    buffer = bytearray(100)
    length = holder.connection.recv_into(buffer)
    holder.received.append(buffer[:length].decode())


def recv_many(holder: Holder) -> None:
    holder.received += holder.connection.recv_many(3)


def recv_streaming(holder: Holder) -> None:
    holder.received.append("".join(map(str, holder.connection.recv_streaming())))


def iterate(holder: Holder) -> None:
    for message in holder.connection:
        holder.received.append(message)


def next_message(holder: Holder) -> None:
    holder.received += itertools.islice(holder.connection, 1)


def send(holder: Holder) -> None:
    holder.connection.send("small")
    holder.sent.append("small")


def send_large(holder: Holder) -> None:
    holder.connection.send(LARGE)
    holder.sent.append(LARGE)


def send_with_a_timeout(holder: Holder) -> None:
    try:
        holder.connection.send("in time", timeout=0.02)
    except SendTimeout as error:
        if not error.committed:
            return
    holder.sent.append("in time")


def send_fragments(holder: Holder) -> None:
    holder.connection.send(iter(["in ", "fragments"]))
    holder.sent.append("in fragments")


def send_many(holder: Holder) -> None:
    messages = [f"many {number}" for number in range(100)]
    holder.connection.send_many(messages)
    holder.sent += messages


def ping(holder: Holder) -> None:
    holder.connection.ping()


def wait_answered(holder: Holder) -> None:
    connection = holder.connection
    connection.wait_answered(connection.send_ping())


def leave(holder: Holder) -> None:
    with holder.connection:
        pass


def handshake(holder: Holder) -> None:
    try:
        holder.connection.handshake()
    except InvalidState:
        pass


def look(holder: Holder) -> None:
    for name in ATTRIBUTES:
        getattr(holder.connection, name)


CALLS: dict[str, Callable[[Holder], object]] = {
    "recv": recv,
    "recv, with a timeout": recv_with_a_timeout,
    "recv_into": recv_into,
    "recv_many": recv_many,
    "recv_streaming": recv_streaming,
    "__iter__": iterate,
    "__next__": next_message,
    "send": send,
    "send, large": send_large,
    "send, with a timeout": send_with_a_timeout,
    "send, fragments": send_fragments,
    "send_many": send_many,
    "ping": ping,
    "send_ping": lambda holder: holder.connection.send_ping(),
    "wait_answered": wait_answered,
    "pong": lambda holder: holder.connection.pong(),
    "close": lambda holder: holder.connection.close(),
    "wait_closed": lambda holder: holder.connection.wait_closed(),
    "abort": lambda holder: holder.connection.abort(),
    "close_socket": lambda holder: holder.connection.close_socket(),
    "start_keepalive": lambda holder: holder.connection.start_keepalive(),
    "handshake": handshake,
    "fileno": lambda holder: holder.connection.fileno(),
    "__exit__": leave,
    "__del__": Holder.drop,
    "attributes": look,
}
"""Each call, with variants behind a comma. What it raises besides is a `ConnectionClosed`, or a
`ConcurrencyError` where the other thread does the same."""


def public_names() -> Iterator[str]:
    """The public names of `ClientConnection`, and its special methods that wait or end something."""
    special = {"__del__", "__exit__", "__iter__", "__next__"}
    for name in dir(ClientConnection):
        if not name.startswith("_") or name in special:
            yield name


def outcome(call: str, holder: Holder) -> str:
    """How a call of `CALLS` ends: what it raised, or "done". Any other exception comes through."""
    try:
        CALLS[call](holder)
    except (ConnectionClosed, ConcurrencyError) as error:
        return type(error).__name__
    return "done"
