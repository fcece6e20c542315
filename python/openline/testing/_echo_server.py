"""A server for tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _arguments as arguments
from .. import _openline
from ..exceptions import ProtocolError
from ..frames import Close
from ..http11 import Request
from ._listener import Listener

if TYPE_CHECKING:
    from ..typing import PathLike


class EchoServer(Listener):
    """A server that sends every message back, running in threads of this process until it is closed.

    It listens from the moment it is made. It serves tests and nothing else: it can only be reached from the
    same machine, so that a test never opens a port to the network.

    Example:
        with EchoServer(close_after=1, close_code=4401, close_reason="token expired") as server:
            with connect(server.uri) as websocket:
                websocket.send("hello")
                assert websocket.recv() == "hello"
                with pytest.raises(ConnectionClosedError, match="token expired"):
                    websocket.recv()
            assert server.requests[0].path == "/"

    Args:
        host: the loopback address or name to listen on. Default: "127.0.0.1".
        port: the TCP port. Default: 0, a free one.
        path: the path of a Unix socket to listen on instead. Default: None.
        certfile: a PEM file with the certificate, and its chain, for TLS. Default: None, no TLS.
        keyfile: a PEM file with the private key. Default: None, the key is in `certfile`.
        subprotocols: what the server speaks, best first; it takes the first that the client offers too.
            Default: none.
        basic_auth: the `(user, password)` that clients must have; others get status 401. Default: None, any
            client.
        welcome: messages sent to each client as soon as it is connected. Default: none.
        close_after: after how many echoed messages the server closes a connection; 0 is right after the
            welcome. Default: None, never.
        close_code: the code of that close. Default: 1000.
        close_reason: the reason of that close, at most 123 bytes in UTF-8. Default: "".

    Raises:
        TypeError, ValueError: an argument cannot be used; nothing has been opened.
        OSError: the server cannot listen there, or a certificate cannot be read.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: PathLike | None = None,
        certfile: PathLike | None = None,
        keyfile: PathLike | None = None,
        subprotocols: Sequence[str] = (),
        basic_auth: tuple[str, str] | None = None,
        welcome: Sequence[str | bytes] = (),
        close_after: int | None = None,
        close_code: int = 1000,
        close_reason: str = "",
    ) -> None:
        _check_loopback(host)
        if not arguments.is_integer(port):
            raise TypeError(f"port must be int, not {type(port).__name__}")
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be between 0, for a free one, and 65535, not {port}")
        if path is not None:
            path = arguments.socket_path("path", path)
            if port:
                raise ValueError("path and port are both given; leave one out")
        if keyfile is not None and certfile is None:
            raise ValueError("keyfile is given without certfile")
        if close_after is not None:
            if not arguments.is_integer(close_after):
                raise TypeError(f"close_after must be int or None, not {type(close_after).__name__}")
            if close_after < 0:
                raise ValueError(f"close_after must be at least 0, not {close_after}; None means never")
        if not arguments.is_integer(close_code):
            raise TypeError(f"close_code must be int, not {type(close_code).__name__}")
        if not isinstance(close_reason, str):
            raise TypeError(f"close_reason must be str, not {type(close_reason).__name__}")
        try:
            Close(close_code, close_reason).check()
        except ProtocolError as error:
            raise ValueError(f"close_code {close_code} and close_reason {close_reason!r}: {error}") from None

        self._requests: list[Request] = []
        self._requests_lock = threading.Lock()
        self._server = _openline.EchoServer(
            host=host,
            port=port,
            path=path,
            certfile=_file("certfile", certfile),
            keyfile=_file("keyfile", keyfile),
            subprotocols=arguments.subprotocol_list("subprotocols", subprotocols),
            basic_auth=_check_basic_auth(basic_auth),
            welcome=arguments.listed("welcome", welcome, "str and bytes", _is_message),
            close_after=close_after,
            close_code=int(close_code),
            close_reason=close_reason,
        )

    @property
    def uri(self) -> str:
        """Where clients connect to: `ws://127.0.0.1:PORT/`, or `wss://localhost:PORT/` with TLS.

        For a Unix socket it is the URI for the request; the path is `address`.

        >>> with EchoServer() as server:
        ...     server.uri == f"ws://127.0.0.1:{server.address[1]}/"
        True
        """
        return self._server.uri

    @property
    def address(self) -> Any:
        """Where the server listens: `(host, port)`, or the path of the Unix socket."""
        return self._server.address

    @property
    def requests(self) -> list[Request]:
        """The handshake requests so far, oldest first, including those that were refused.

        >>> from openline import connect
        >>> with EchoServer() as server:
        ...     connect(server.uri, user_agent_header="app/1.0").close()
        ...     [request.headers["User-Agent"] for request in server.requests]
        ['app/1.0']
        """
        with self._requests_lock:
            self._requests += [Request._received(*request) for request in self._server.take_requests()]
            return self._requests.copy()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return self._server.connections

    def close(self) -> None:
        """Close all connections with code 1001 and stop listening. Closing again does nothing.

        Clients that do not answer the close are waited for, 10 seconds at most.
        """
        self._server.shutdown()


def _check_loopback(host: str) -> None:
    if not isinstance(host, str):
        raise TypeError(f"host must be str, not {type(host).__name__}")
    if host == "localhost":
        return
    import ipaddress

    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"host must be localhost or a loopback address such as 127.0.0.1 or ::1, not {host!r}"
        )


def _check_basic_auth(value: tuple[str, str] | None) -> tuple[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(item, str) for item in value):
        raise TypeError("basic_auth must be a (user, password) tuple of str, or None")
    if ":" in value[0]:
        # RFC 7617 §2: a user-id containing a colon character is invalid.
        raise ValueError("the user's name in basic_auth must not contain a colon")
    return value


def _file(name: str, value: PathLike | None) -> str | None:
    return None if value is None else os.fsdecode(arguments.socket_path(name, value))


def _is_message(value: Any) -> bool:
    return isinstance(value, (str, bytes))
