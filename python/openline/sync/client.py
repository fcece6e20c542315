"""The blocking client: `connect`, `reconnect`, the same over Unix sockets, and the connection they make.

What travels on the wire is the Rust core's business. Here are the Python signatures, the checks of their
arguments, and the attributes that are Python objects.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, Unpack

from ..client import ClientProtocol, backoff, process_exception
from ..datastructures import HeadersLike
from ..exceptions import InvalidState
from ..http11 import USER_AGENT
from ..protocol import CONNECTING
from ..uri import unparse
from ._opener import Opener, unix_target
from .connection import Connection

if TYPE_CHECKING:
    import socket
    import ssl as ssl_module
    from types import TracebackType

    from ..extensions.base import ClientExtensionFactory
    from ..typing import LoggerLike, PathLike
    from ._options import C, ConnectOptions, ReconnectOptions, SocketOptions
else:
    C = TypeVar("C")

__all__ = ["connect", "unix_connect", "reconnect", "unix_reconnect", "ClientConnection", "Timings"]


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
    idle_timeout: float | None = None,
    close_timeout: float | None = 10,
    busy_poll: float | None = None,
    # Limits
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    # Logging
    logger: LoggerLike | None = None,
    # What makes the connection
    create_connection: Callable[..., C] | None = None,
    # For socket.create_connection
    **kwargs: Unpack[SocketOptions],
) -> C:
    """Connect to the WebSocket server at `uri`, and return when the connection is open.

    Example:
        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            print(websocket.recv())

        websocket = connect("ws://localhost:8765")  # the same without `with`: close it when done
        websocket.close()

    Redirects are followed, at most 10 of them (or what the environment variable `OPENLINE_MAX_REDIRECTS`
    says): never from `wss` to `ws`, and to another origin without `Authorization`, `Cookie` and
    `Proxy-Authorization`.

    Args:
        uri: `ws://host[:port]/path` or `wss://…`. Path and query are sent byte for byte; a user name and a
            password become an `Authorization` header.
        sock: a connected socket to use, TCP or Unix, also an `ssl.SSLSocket` (with a `ws://` URI then, unless
            TLS is wanted inside TLS); or any object with `recv` and `sendall`, for which two threads copy. It
            is closed with the connection, and after a failure. Default: None, which makes a new one.
        ssl: the context for TLS, with a `wss://` URI only. Default: None, secure settings and the system's
            trust store (or the one named by `SSL_CERT_FILE` and `SSL_CERT_DIR`), which is faster.
        server_hostname: the name for SNI and for the check of the certificate. Default: None, the URI's host.
        origin: the `Origin` header, for servers that want one. Default: None, no such header.
        extensions: factories of extensions to offer, best first: `ClientPerMessageDeflateFactory` of
            `openline.extensions.permessage_deflate` for compression with parameters, or one of your own, as
            `openline.extensions.base` describes. Default: None.
        subprotocols: the subprotocols to offer, best first. Default: None. What the server chose is the
            connection's `subprotocol`.
        compression: "deflate" offers permessage-deflate (RFC 7692) after `extensions`, unless they have it;
            messages of 32 bytes or more are compressed then if the server agrees, see `send`. None does not
            offer it. Default: "deflate".
        additional_headers: headers to add to the request, as a mapping, pairs or `Headers`. Default: None. A
            `User-Agent` among them replaces `user_agent_header`.
        user_agent_header: the `User-Agent` header; None leaves it out. Default: "Python/x.y openline/x.y.z".
        proxy: a URL (`http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`, with user name and password
            if the proxy wants them), None for a direct connection, or True for what `urllib.request` finds
            in the environment and the system's settings. Default: True. `socks4` and `socks5` resolve the
            host's name here, the others leave that to the proxy.
        proxy_ssl: the context for TLS to an `https` proxy. Default: None, as for `ssl`.
        proxy_server_hostname: the name for TLS to an `https` proxy. Default: None, the host in the proxy's
            URL.
        open_timeout: seconds for everything until the connection is open, from the host's name to the
            handshake, redirects included. Default: 10. None waits for ever.
        ping_interval: seconds between keepalive pings. Default: 20. None sends none.
        ping_timeout: seconds to wait for the answer to a keepalive ping before the connection is given up
            with code 1011; on Linux also for TCP's acknowledgement of what was sent, with pings or without.
            Default: 20. None waits for ever.
        idle_timeout: seconds without a message, or a part of one, after which the connection is given up with
            code 1011, at most a quarter of them late; pings and pongs do not count. Default: None, no limit.
        close_timeout: seconds for the closing handshake before the line is cut. Default: 10. None waits for
            ever.
        busy_poll: seconds for which a receiver looks for data before it sleeps: a peer that answers within
            50 µs is heard much sooner then, at the price of a busy core; docs/performance.md has figures.
            Default: None, which looks only while that pays (or as long as the environment variable
            `OPENLINE_BUSY_POLL_US` says, in microseconds). 0 never looks.
        max_size: the largest message to accept, in bytes; a larger one ends the connection with code 1009.
            Default: 2**20 (1 MiB). None sets no limit. A pair limits messages and single fragments of them.
        max_queue: how many received messages may wait for `recv` before the peer is held back; nothing is
            dropped. Default: 16. None sets no limit. A pair is the high mark, and the low one at which
            reading goes on (default: a quarter of the high one).
        logger: the logger. If it is enabled for DEBUG now, handshake, frames and end are logged, with the
            connection as `websocket` of each record. Default: None, `logging.getLogger("openline.client")`.
        create_connection: a subclass of `ClientConnection`, or any callable that takes what that takes. What
            it returns is returned. It is called when the handshake is over, and a `handshake` method of its own
            is not called; after an exception in it nothing is left open. Default: None, `ClientConnection`.
        **kwargs: as `socket.create_connection` takes them: `timeout`, seconds for TCP alone; `source_address`,
            a pair (host, port) to bind to; `all_errors`, True for an `ExceptionGroup` of what is wrong with
            each address; `address`, a pair (host, port) to connect to in place of the URI's. `legacy` is accepted
            for programs written for `websockets` 17 and has no effect.

    Returns:
        The open connection.

    Raises:
        TypeError: an argument has the wrong type or an unknown name. Nothing has been opened.
        ValueError: an argument has a value that cannot be used. Nothing has been opened.
        InvalidURI: `uri` is not a WebSocket URI.
        InvalidProxy: the URL of the proxy cannot be used.
        ConnectError: there is no connection to the host. It is also the `OSError` that fits, such as
            `ConnectionRefusedError` or `socket.gaierror`.
        ssl.SSLError: there is no secure connection, as with a certificate that cannot be trusted.
        InvalidHandshake: the server did not agree to a WebSocket; `InvalidStatus` has its answer, and
            `ProxyError` is what the proxy said.
        TimeoutError: `open_timeout` was over.
    """
    parameters = locals()  # which are the parameters at this point
    opener = Opener("connect", None, parameters.pop("uri"), **parameters.pop("kwargs"), **parameters)
    connection: C = opener.open()
    return connection


def unix_connect(
    path: PathLike | None = None, uri: str | None = None, **kwargs: Unpack[ConnectOptions[C]]
) -> C:
    """Connect to a WebSocket server that listens on a Unix socket.

    Example:
        with unix_connect("/run/app.sock") as websocket:
            websocket.send("hello")

        unix_connect("/run/app.sock", "ws://localhost/chat")  # to ask for another path than /
        unix_connect(uri="unix:///run/app.sock")              # the socket's path as a URI

    Args:
        path: the path of the socket. Default: None, with a `unix://` URI.
        uri: the `ws://` or `wss://` URI that the request is for, or `unix:///path/to.sock` in place of
            `path`, where `%` and two hexadecimal digits stand for a byte. Default: None, `ws://localhost/`,
            or `wss://localhost/` when `ssl` is given.
        **kwargs: as `connect`. Proxies are never used.

    Returns:
        The open connection.

    Raises:
        ValueError: both `path` and a `unix://` URI are given, or neither of them.
        FileNotFoundError: there is no such socket; it is also a `ConnectError`.
        Exception: all that `connect` raises.
    """
    path, uri = unix_target(path, uri, kwargs.get("sock"), kwargs.get("ssl"))
    connection: C = Opener("unix_connect", path, uri, **kwargs).open()
    return connection


class reconnect(Generic[C]):
    """Connects to the WebSocket server at `uri` again and again: an iterator of connections without end.

    Example:
        for websocket in reconnect("ws://localhost:8765"):
            websocket.send("subscribe")
            for message in websocket:  # until the connection is lost
                print(message)
            break  # or go on with the next connection

    When connecting fails for a reason that may pass, that is logged at INFO, and tried again after a while;
    any other exception is raised. Each connection is closed at the end of its turn of the loop.

    As a context manager it connects once, as `connect` does:

        with reconnect("ws://localhost:8765") as websocket:
            websocket.send("hello")

    Args:
        uri: as for `connect`, as are all arguments that are not below. `sock` is refused: a socket can be
            connected only once.
        process_exception: called with the exception when connecting fails; returns None to try again, or an
            exception to be raised. Default: `openline.client.process_exception`, which tries again after
            errors of the network, time-outs and the server's 500, 502, 503 and 504.
        reconnect_delays: called, without arguments, for a generator of the seconds to wait before each
            further attempt, anew after each connection that opened. When it ends, the exception is raised.
            Default: `openline.client.backoff`: up to 5 seconds by chance, 3.1 seconds, and 1.618 times more
            each time, up to 90.

    Raises:
        Exception: those of `connect`.
    """

    _opener_class = Opener

    def __init__(
        self,
        uri: str,
        *,
        # TCP and TLS
        sock: None = None,
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
        idle_timeout: float | None = None,
        close_timeout: float | None = 10,
        busy_poll: float | None = None,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        # Limits
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        # Logging
        logger: LoggerLike | None = None,
        # What makes the connection
        create_connection: Callable[..., C] | None = None,
        # For socket.create_connection
        **kwargs: Unpack[SocketOptions],
    ) -> None:
        parameters = locals()  # which are the parameters at this point
        del parameters["self"]
        self._prepare("reconnect", None, parameters.pop("uri"), **parameters.pop("kwargs"), **parameters)

    def _prepare(
        self,
        function: str,
        path: str | bytes | None,
        uri: str,
        /,
        *,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        **kwargs: Any,
    ) -> None:
        for name, value in [("process_exception", process_exception), ("reconnect_delays", reconnect_delays)]:
            if not callable(value):
                raise TypeError(f"{name} must be callable, not {type(value).__name__}")
        if kwargs.get("sock") is not None:
            raise ValueError(f"{function}() makes new sockets, and sock would serve once; use connect()")
        self._opener = self._opener_class(function, path, uri, **kwargs)
        self._process_exception = process_exception
        self._reconnect_delays = reconnect_delays
        self._entered: C | None = None

    def __enter__(self) -> C:
        if self._entered is not None:
            raise RuntimeError("this context has been entered already; use one reconnect() for each")
        entered: C = self._opener.open()
        self._entered = entered
        return entered.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.__exit__(exc_type, exc_value, traceback)

    def __iter__(self) -> Generator[C]:
        while True:
            connection = self._open_in_the_end()
            try:
                yield connection
            finally:
                connection.close()

    def _open_in_the_end(self) -> C:
        """Open a connection, after as many attempts as it takes."""
        import logging
        import time

        delays: Iterator[float] | None = None
        while True:
            try:
                connection: C = self._opener.open()
                return connection
            except Exception as error:
                try:
                    fatal = self._process_exception(error)
                except Exception as raised:  # what "return an exception" is often taken for
                    fatal = raised
                if fatal is error:
                    raise
                if fatal is not None:
                    raise fatal from error
                if delays is None:
                    delays = iter(self._reconnect_delays())
                delay = next(delays, None)
                if delay is None:
                    raise
                logger = self._opener.logger or logging.getLogger("openline.client")
                logger.info(
                    "connect failed; reconnecting in %.1f seconds: %s: %s", delay, type(error).__name__, error
                )
            time.sleep(delay)


def unix_reconnect(
    path: PathLike | None = None, uri: str | None = None, **kwargs: Unpack[ReconnectOptions[C]]
) -> reconnect[C]:
    """Connect to a WebSocket server that listens on a Unix socket, again and again, as `reconnect` does.

    Example:
        for websocket in unix_reconnect("/run/app.sock"):
            websocket.send("subscribe")
            for message in websocket:
                print(message)
            break

    Args:
        path: as for `unix_connect`.
        uri: as for `unix_connect`.
        **kwargs: as `reconnect`.

    Raises:
        ValueError: both `path` and a `unix://` URI are given, or neither of them.
    """
    path, uri = unix_target(path, uri, kwargs.get("sock"), kwargs.get("ssl"))
    made: reconnect[Any] = reconnect.__new__(reconnect)
    made._prepare("unix_reconnect", path, uri, **kwargs)
    return made


class Timings(NamedTuple):
    """How long each step of opening a connection took, in seconds; None for a step that was not needed.

    Where redirects were followed, a step's time is that of all its turns.

    >>> timings = Timings(dns=None, tcp=0.02, proxy=None, tls=0.03, http=0.01)
    >>> round(sum(filter(None, timings)), 2)
    0.06
    """

    dns: float | None
    """Resolving names: the server's, or the proxy's."""
    tcp: float | None
    """Connecting the socket, TCP or Unix."""
    proxy: float | None
    """Having the proxy connect to the server, with TLS to the proxy if it has that."""
    tls: float | None
    """The TLS handshake with the server."""
    http: float | None
    """The opening handshake: request and response."""


class ClientConnection(Connection):
    """An open WebSocket connection, as `connect` returns it.

    All methods may be called from any thread: one can wait in `recv` while others `send`, `ping` or `close`.

    Example:
        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            for message in websocket:
                print(message)

    As a context manager it calls `close()` at the end, with code 1011 after an exception. As an iterator it
    gives messages until the connection is closed, for whatever reason; `close_code` then tells which.

    Args, attributes: as `Connection` describes them.
    """

    protocol: ClientProtocol  # pyright: ignore[reportIncompatibleVariableOverride]  # it is always one

    def handshake(
        self,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        timeout: float | None = None,
    ) -> None:
        """Make the opening handshake over the socket that this object was made with.

        `connect` does so itself. A `wss://` URI goes with a socket that is secure already, such as an
        `ssl.SSLSocket`. After a failure the socket is closed, and `protocol.handshake_exc` is the exception.

        Example:
            import socket

            sock = socket.create_connection(("localhost", 8765))
            websocket = ClientConnection(sock, ClientProtocol("ws://localhost:8765/chat"))
            websocket.handshake(timeout=10)
            websocket.close()

        Args:
            additional_headers: as for `connect`. Default: None.
            user_agent_header: as for `connect`. Default: "Python/x.y openline/x.y.z".
            timeout: seconds for all of it; None waits for ever. Default: None.

        Raises:
            InvalidHandshake: the server did not agree to a WebSocket; `InvalidStatus` has its answer.
            TimeoutError: `timeout` was over.
            InvalidState: the handshake has been made, or the connection was closed.
            TypeError, ValueError: an argument of this method or of the constructor cannot be used; or the
                server redirects, which is not for a socket that is connected already.
        """
        protocol = self.protocol
        if self.state != CONNECTING:
            raise InvalidState(f"connection is {self.state.name.lower()}: it had its handshake")
        opener = self._opener(
            "handshake",
            unparse(protocol.uri),
            origin=protocol.origin,
            extensions=protocol.available_extensions,
            subprotocols=protocol.available_subprotocols,
            additional_headers=additional_headers,
            user_agent_header=user_agent_header,
            open_timeout=timeout,
        )
        try:
            protocol._handle = opener.open_line(self._log, secured=True)
            self._adopt(protocol._handle, self.socket)
        except BaseException as error:
            if isinstance(error, Exception):
                protocol.handshake_exc = error
            self.close_socket()
            if protocol._handle is not None:
                protocol._handle.abort()  # also if another thread closed this object meanwhile
            raise
        del self.request, self.response  # they are there from now on

    @property
    def timings(self) -> Timings:
        """How long each step of opening the connection took."""
        return Timings._make(self.opening_times)


Opener.connection_class = ClientConnection
Opener.defaults = connect.__kwdefaults__ or {}
