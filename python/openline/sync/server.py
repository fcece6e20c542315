"""The blocking server: `serve`, the same over a Unix socket, and the connections that its handlers get.

What travels on the wire is the Rust core's business. Here are the Python signatures, the course of a handshake
with the functions that a program may put into it, and the life of a connection.
"""

from __future__ import annotations

import functools
import hmac
import http
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import _openline
from ..exceptions import InvalidHandshake, InvalidHeader, InvalidState
from ..headers import build_www_authenticate_basic, parse_authorization_basic
from ..http11 import SERVER, Request, Response
from ..protocol import CONNECTING
from ..server import INTERNAL_ERROR, ServerProtocol
from ._server import Server
from ._service import Service, settings_of_open
from ._socket import view
from .connection import Connection, broadcast

if TYPE_CHECKING:
    import ssl as ssl_module

    from ..extensions.base import ServerExtensionFactory
    from ..typing import LoggerLike, PathLike, StatusLike

__all__ = ["broadcast", "serve", "unix_serve", "ServerConnection", "Server", "basic_auth"]


class ServerConnection(Connection):
    """A server's end of a WebSocket connection, as a handler gets it.

    All methods may be called from any thread: one can wait in `recv` while others `send`, `ping` or `close`.
    When the handler returns the connection is closed, with code 1011 after an exception.

    Example:
        def handler(websocket):
            for message in websocket:
                websocket.send(message)

    Args:
        sock: the socket of the client.
        protocol: the protocol object.
        server: the server.
        ping_interval, ping_timeout, close_timeout, max_queue: as for `serve`, with the same defaults.

    Attributes:
        server: the server.
        username: who it is, after `basic_auth`.
        handler, handler_kwargs: what `route` has found for the request.
    """

    protocol: ServerProtocol  # pyright: ignore[reportIncompatibleVariableOverride]  # it is always one
    username: str
    handler: Callable[..., None]
    handler_kwargs: Mapping[str, Any]

    _protocol_class = ServerProtocol

    def __init__(
        self,
        sock: socket.socket,
        protocol: ServerProtocol,
        server: Server,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | None | tuple[int | None, int | None] = 16,
    ) -> None:
        self.socket: Any
        super().__init__(
            sock,
            protocol,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_queue=max_queue,
        )
        self.server = server

    @property
    def local_address(self) -> Any:
        """Our address, as `socket.getsockname` gives it."""
        return super().local_address if self._is_adopted else self.socket.getsockname()

    @property
    def remote_address(self) -> Any:
        """The client's address, as `socket.getpeername` gives it; also in `process_request`."""
        return super().remote_address if self._is_adopted else self.socket.getpeername()

    @property
    def _is_adopted(self) -> bool:
        return self.protocol._handle is not None

    def respond(self, status: StatusLike, text: str) -> Response:
        """Return a response with a text for a person; for `process_request` and `process_response`.

        Example:
            def process_request(websocket, request):
                if request.path == "/health":
                    return websocket.respond(200, "OK")

        Args:
            status: the status code.
            text: the body.

        Raises:
            ValueError: there is no such status code.
        """
        return self.protocol.reject(status, text)

    def handshake(
        self,
        process_request: Callable[[ServerConnection, Request], Response | None] | None = None,
        process_response: Callable[[ServerConnection, Request, Response], Response | None] | None = None,
        server_header: str | None = SERVER,
        timeout: float | None = None,
    ) -> None:
        """Make the opening handshake. `serve` does so itself.

        A client that is refused gets a response that says why, and no exception is raised: `state` is
        `CLOSED` then, and `protocol.handshake_exc` tells.

        Args:
            process_request, process_response, server_header: as for `serve`.
            timeout: seconds for all of it; None waits for ever. Default: None.

        Raises:
            TimeoutError: `timeout` was over.
            OSError: the client left.
            InvalidState: the handshake has been made, or the connection was closed.
        """
        if self.state != CONNECTING:
            raise InvalidState(f"connection is {self.state.name.lower()}: it had its handshake")
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            self._shake_hands(process_request, process_response, server_header, deadline)
        finally:
            self.protocol._connection = None  # or only the garbage collector would free them
            if self.protocol._handle is None:
                self.close_socket()

    def _shake_hands(
        self,
        process_request: Callable[[ServerConnection, Request], Response | None] | None,
        process_response: Callable[[ServerConnection, Request, Response], Response | None] | None,
        server_header: str | None,
        deadline: float | None,
    ) -> None:
        protocol = self.protocol
        if protocol._incoming is None:
            sock: Any = self.socket
            protocol._incoming = _openline.Incoming(sock)
        incoming = protocol._incoming
        try:
            request = Request._received_by_server(*incoming.receive(_left(deadline), self._log))
        except InvalidHandshake as error:
            protocol.handshake_exc = error
            self.logger.info("opening handshake failed: %s", error)
            return
        self.request = request
        response = self._ask("process_request", process_request, request)
        if response is None:
            response = protocol.accept(request)
        if server_header is not None and "Server" not in response.headers:
            response.headers["Server"] = server_header
        self.response = response
        changed = self._ask("process_response", process_response, request, response)
        if changed is not None:
            self.response = response = changed
        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS and isinstance(self.server, Server):
            problem = self.server._admit(self)
            if problem is not None:
                self.response = response = self.respond(503, problem)
        self._answer(incoming, response, deadline)

    def _ask(self, name: str, hook: Callable[..., Response | None] | None, *details: Any) -> Response | None:
        """Return what a program's function answers; after an exception of it, an answer that says so."""
        if hook is None:
            return None
        try:
            response = hook(self, *details)
            # One of `websockets` will do.
            if response is not None and not (hasattr(response, "status_code") and hasattr(response, "headers")):
                raise TypeError(
                    f"{name} must return a Response, such as that of respond(), or None, "
                    f"not {type(response).__name__}"
                )
            return response
        except Exception as error:
            self.protocol.handshake_exc = error
            self.logger.error("%s failed", name, exc_info=True)
            return self.respond(500, INTERNAL_ERROR)

    def _answer(self, incoming: _openline.Incoming, response: Response, deadline: float | None) -> None:
        protocol = self.protocol
        status, reason = response.status_code, response.reason_phrase
        parts = status, reason, list(response.headers.raw_items()), bytes(response.body or b"")
        if status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            about = "connection rejected" if protocol._is_accept_called else "HTTP response sent"
            self.logger.info("%s (%d %s)", about, status, reason)
            incoming.refuse(parts, _left(deadline))
            return
        settings = settings_of_open(
            self.ping_interval,
            self.ping_timeout,
            protocol._idle_timeout,
            self._close_timeout,
            (protocol.max_message_size, protocol.max_fragment_size),
            self._max_queue,
        )
        handle = incoming.accept(
            settings, parts, protocol.subprotocol, protocol._accepted, _left(deadline)
        )
        protocol._keepalive = self.ping_interval, self.ping_timeout
        protocol._handle = handle
        given = self.socket
        self.socket = view(handle, None, protocol._context)
        given.close()  # the connection has a descriptor of its own
        self._adopt(handle, None)
        self.logger.info("connection open")

    def _stop_waiting(self) -> None:
        """Have a handshake that waits for the client end."""
        if self.protocol._incoming is not None:
            self.protocol._incoming.give_up()


def serve(
    handler: Callable[[ServerConnection], None],
    host: str | None = None,
    port: int | None = None,
    *,
    # TCP and TLS
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    # WebSocket
    origins: Sequence[str | re.Pattern[str] | None] | None = None,
    extensions: Sequence[ServerExtensionFactory] | None = None,
    subprotocols: Sequence[str] | None = None,
    select_subprotocol: Callable[[ServerConnection, Sequence[str]], str | None] | None = None,
    compression: str | None = "deflate",
    # HTTP
    process_request: Callable[[ServerConnection, Request], Response | None] | None = None,
    process_response: Callable[[ServerConnection, Request, Response], Response | None] | None = None,
    server_header: str | None = SERVER,
    # Times
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    idle_timeout: float | None = None,
    close_timeout: float | None = 10,
    # Limits
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    max_connections: int | None = None,
    max_handshakes: int | None = None,
    max_per_address: int | None = None,
    # Logging
    logger: LoggerLike | None = None,
    # What makes the connections
    create_connection: Callable[..., ServerConnection] | None = None,
    # For socket.create_server
    **kwargs: Any,
) -> Server:
    """Make a server that listens on `host` and `port`, and serves while somebody is in `serve_forever`.

    Example:
        def handler(websocket):
            for message in websocket:
                websocket.send(message)

        with serve(handler, "localhost", 8765) as server:
            server.serve_forever()

    Each client whose request has come has a thread, in which it is answered and `handler` runs. Those whose request
    has not come wait in `serve_forever`, all of them in one thread.

    Args:
        handler: called for each connection, with the `ServerConnection`. When it returns the connection is
            closed, with code 1011 after an exception, which is logged.
        host: the interface to listen on, by name or address. Default: None, all of them.
        port: the port; 0 is any free one. Default: None, any.
        sock: a socket that listens already, in place of `host` and `port`. Default: None.
        ssl: the context for TLS, made with `ssl.PROTOCOL_TLS_SERVER`. Default: None, no TLS.
        origins: the values of the `Origin` header that are accepted: texts, compiled patterns that must match
            all of it, and None for clients without one, which browsers never are. Others get status 403.
            Default: None, all.
        extensions: factories of extensions to accept, best first. Default: None.
        subprotocols: the subprotocols that are spoken, best first; a client that speaks none of them gets status
            400. Default: None.
        select_subprotocol: called with the connection and the subprotocols that the client offers, to return
            one of them, or None for none; it may raise `NegotiationError`. Default: None, the first of
            `subprotocols` that the client offers.
        compression: "deflate" accepts permessage-deflate (RFC 7692) after `extensions`, unless they have it. None
            does not. Default: "deflate".
        process_request: called with the connection and its `Request`, also one that is for no WebSocket; a
            `Response` that it returns is the answer. Default: None.
        process_response: called with the connection, its `Request` and the `Response`, which it may change or
            replace. Default: None.
        server_header: the `Server` header; None leaves it out. Default: "Python/x.y openline/x.y.z".
        open_timeout: seconds that a client has for TLS and the handshake. Default: 10. None waits for ever.
        ping_interval, ping_timeout, idle_timeout, close_timeout, max_size, max_queue: as for `connect`.
        max_connections: how many connections may be open; further clients get status 503. Default: None, no limit.
        max_handshakes: how many clients may be on their way to a request; further ones get status 503, or are cut
            where TLS comes first. Default: None, no limit.
        max_per_address: how many clients an IP address may have, open connections included; further ones get what
            those beyond `max_handshakes` get. Default: None, no limit.
        logger: the logger. Default: None, `logging.getLogger("openline.server")`.
        create_connection: a subclass of `ServerConnection`, or any callable that takes what that takes. Default:
            None, `ServerConnection`.
        **kwargs: as `socket.create_server` takes them: `family`, `backlog`, `reuse_port`, `dualstack_ipv6`.

    Returns:
        The server, which listens.

    Raises:
        TypeError, ValueError: an argument cannot be used. Nothing listens.
        OSError: it cannot listen there.
    """
    parameters = locals()  # which are the parameters at this point
    return _Service(**parameters.pop("kwargs"), **parameters).server


def unix_serve(
    handler: Callable[[ServerConnection], None], path: PathLike | None = None, **kwargs: Any
) -> Server:
    """Make a server that listens on a Unix socket, which is removed when the server ends.

    Example:
        with unix_serve(handler, "/run/server.sock") as server:
            server.serve_forever()

    Args:
        handler: as for `serve`.
        path: the path of the socket. Default: None, with `sock`.
        **kwargs: as `serve`.

    Raises:
        ValueError: neither `path` nor `sock` is given, or both.
        OSError: it cannot listen there, also when the path exists.
    """
    return serve(handler, unix=True, path=path, **kwargs)


def basic_auth(
    realm: str = "",
    credentials: tuple[str, str] | Iterable[tuple[str, str]] | None = None,
    check_credentials: Callable[[str, str], bool] | None = None,
) -> Callable[[ServerConnection, Request], Response | None]:
    """Return a `process_request` that lets in who has a user name and a password (RFC 7617).

    The connection's `username` tells who it is. Others get status 401.

    Example:
        with serve(handler, "localhost", 0, process_request=basic_auth("lounge", ("alice", "secret"))) as server:
            server.serve_forever()

    Args:
        realm: what the credentials are for; a text in ASCII. Default: "".
        credentials: a pair of a user name and a password, or any number of such pairs. Default: None.
        check_credentials: called with both, to return whether they are right. Default: None.

    Raises:
        ValueError: not exactly one of `credentials` and `check_credentials` is given.
        TypeError: `credentials` are none.
    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("provide either credentials or check_credentials")
    if check_credentials is None:
        check_credentials = functools.partial(_is_right, _passwords(credentials))
    elif not callable(check_credentials):
        raise TypeError(f"check_credentials must be callable, not {type(check_credentials).__name__}")
    challenge = build_www_authenticate_basic(realm)

    def refuse(connection: ServerConnection, text: str) -> Response:
        response = connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = challenge
        return response

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        try:
            header = request.headers["Authorization"]
        except KeyError:
            return refuse(connection, "Missing credentials\n")
        try:
            username, password = parse_authorization_basic(header)
        except InvalidHeader:
            return refuse(connection, "Unsupported credentials\n")
        if not check_credentials(username, password):
            return refuse(connection, "Invalid credentials\n")
        connection.username = username
        return None

    return process_request


class _Service(Service):
    connection_class = ServerConnection


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - time.monotonic()


def _passwords(credentials: Any) -> dict[str, str]:
    pairs = [credentials] if _is_pair(credentials) else credentials
    if not isinstance(pairs, Iterable):
        raise TypeError(f"invalid credentials argument: {credentials}")
    pairs = list(pairs)
    if not all(map(_is_pair, pairs)):
        raise TypeError(f"invalid credentials argument: {credentials}")
    return dict(pairs)


def _is_pair(value: Any) -> bool:
    try:
        username, password = value
    except (TypeError, ValueError):
        return False
    return isinstance(username, str) and isinstance(password, str)


def _is_right(passwords: Mapping[str, str], username: str, password: str) -> bool:
    # One that is not there takes as long to refuse as a wrong one.
    expected = passwords.get(username)
    is_equal = hmac.compare_digest(_encoded(expected or ""), _encoded(password))
    return is_equal and expected is not None


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
