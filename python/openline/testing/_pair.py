"""The two ends of a connection without a network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, Unpack

from .. import _openline
from ..protocol import SERVER, Protocol
from ..sync._opener import Opener
from ..sync._socket import view
from ..sync.connection import Connection

if TYPE_CHECKING:
    from types import TracebackType

    from ..sync._options import C, ConnectOptions
    from ..typing import LoggerLike
else:
    C = TypeVar("C")


class Pair(NamedTuple, Generic[C]):
    """The two ends of a connection, as `pair` makes them. As a context manager it closes both.

    >>> with pair() as (client, server):
    ...     server.send("hello")
    ...     client.recv()
    'hello'
    """

    client: C
    """The client's end: what `create_connection` makes, a `ClientConnection`."""
    server: Connection
    """The server's end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Both at once: an end that has messages to be received does not see the other's close.
        other = threading.Thread(target=self.server.__exit__, args=(exc_type, exc_value, traceback))
        other.start()
        try:
            self.client.__exit__(exc_type, exc_value, traceback)
        finally:
            other.join()


def pair(uri: str = "ws://localhost/", **kwargs: Unpack[ConnectOptions[C]]) -> Pair[C]:
    """Make the two ends of a connection, the client's and the server's, without a network.

    They are connections as any others, over a socket pair of the kernel: there is no port, no file and
    nobody else who could connect. Their handshake is a real one: the server agrees to the subprotocol that
    is offered first and to compression, to no other extension.

    Example:
        def greet(websocket):  # what is to be tested
            websocket.send("hello")

        with pair() as (client, server):
            greet(client)
            assert server.recv() == "hello"

    Args:
        uri: what the client's request says. Default: "ws://localhost/".
        **kwargs: as `connect`, but for what is about networks, proxies and TLS. Limits and times hold for
            both ends; `create_connection` is for the client's end, and only that is logged.

    Returns:
        A pair `(client, server)`, which also is a context manager that closes both.

    Raises:
        TypeError: an argument has the wrong type or an unknown name, or is about networks.
        ValueError: an argument has a value that cannot be used.
    """
    for name in kwargs:
        if name in _OF_NETWORKS:
            raise TypeError(f"pair() got the argument {name!r}, and has no network that it could be for")
    options: Any = kwargs
    opener = _PairOpener("pair", None, uri, proxy=None, **options)
    try:
        client: C = opener.open()
        return Pair(client, opener.server_connection(kwargs.get("logger")))
    except BaseException:
        if opener.server is not None:
            opener.server.abort()
        raise


class _PairOpener(Opener):
    """Opens a client's end, with the other one in this process."""

    server: _openline.Handle | None = None

    def open_line(self, log: tuple[LoggerLike, int] | None, *, secured: bool = False) -> _openline.Handle:
        client, self.server = self.client.pair(self.uri, log)
        return client

    def server_connection(self, logger: LoggerLike | None) -> Connection:
        """Return the other end of the connection that was opened."""
        assert self.server is not None
        options = self.connection_options
        protocol = Protocol(SERVER, max_size=self.protocol_options["max_size"], logger=logger)
        protocol._handle = self.server
        protocol._keepalive = options["ping_interval"], options["ping_timeout"]
        return Connection(view(self.server), protocol, **options)


# Arguments of `connect` that mean nothing without a network.
_OF_NETWORKS = frozenset(
    """
    sock ssl server_hostname proxy proxy_ssl proxy_server_hostname
    timeout source_address all_errors address
    """.split()
)
