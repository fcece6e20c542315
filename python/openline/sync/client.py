"""The blocking client: `connect`, `unix_connect` and the connection they return.

What travels on the wire is the Rust core's business. Here are the Python signatures, the checks of their
arguments, and the attributes that are Python objects.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from .. import _arguments as arguments
from .. import _openline
from ..datastructures import HeadersLike
from ..exceptions import ConnectError
from ..frames import CloseCode
from ..http11 import USER_AGENT, Request, Response
from ..protocol import State
from ..uri import parse_uri

if TYPE_CHECKING:
    import socket
    import ssl as ssl_module
    import uuid
    from types import TracebackType

    from ..typing import LoggerLike, PathLike

__all__ = ["connect", "unix_connect", "ClientConnection"]


def connect(
    uri: str,
    *,
    # TCP and TLS
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    server_hostname: str | None = None,
    # WebSocket
    origin: str | None = None,
    extensions: Sequence[Any] | None = None,
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
    close_timeout: float | None = 10,
    # Limits
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    # Logging
    logger: LoggerLike | None = None,
    # What makes the connection
    create_connection: type[ClientConnection] | Callable[..., ClientConnection] | None = None,
    # For socket.create_connection
    **kwargs: Any,
) -> ClientConnection:
    """Connect to the WebSocket server at `uri`, and return when the connection is open.

    Example:
        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            print(websocket.recv())

        websocket = connect("ws://localhost:8765")  # the same without `with`: close it when done
        websocket.close()

    In this release `sock`, `ssl`, `extensions`, a URL as `proxy`, `proxy_ssl`, `proxy_server_hostname`,
    `logger`, `create_connection` and the arguments of `socket.create_connection` are refused with
    `NotImplementedError`.

    Args:
        uri: `ws://host[:port]/path` or `wss://…`. Path and query are sent byte for byte; a user name and a
            password become an `Authorization` header.
        sock: a connected socket to use. Default: None, which makes a new one.
        ssl: the context for TLS, with a `wss://` URI only. Default: None, secure settings and the system's
            trust store (or the one named by `SSL_CERT_FILE` and `SSL_CERT_DIR`).
        server_hostname: the name for SNI and for the check of the certificate. Default: None, the URI's host.
        origin: the `Origin` header, for servers that want one. Default: None, no such header.
        extensions: the extensions to offer. Default: None.
        subprotocols: the subprotocols to offer, best first. Default: None. What the server chose is the
            connection's `subprotocol`.
        compression: "deflate" for permessage-deflate (RFC 7692), or None. Default: "deflate". This release
            does not offer it yet, so that messages go uncompressed either way.
        additional_headers: headers to add to the request, as a mapping, pairs or `Headers`. Default: None. A
            `User-Agent` among them replaces `user_agent_header`.
        user_agent_header: the `User-Agent` header; None leaves it out. Default: "Python/x.y openline/x.y.z".
        proxy: True for the proxy of the environment, a URL, or None for a direct connection. Default: True.
            This release does not use proxies yet, so that True connects directly.
        proxy_ssl: the context for TLS to an `https` proxy. Default: None.
        proxy_server_hostname: the name for TLS to an `https` proxy. Default: None, the host in the proxy's
            URL.
        open_timeout: seconds for everything until the connection is open, from the host's name to the
            handshake. Default: 10. None waits for ever.
        ping_interval: seconds between keepalive pings. Default: 20. None sends none.
        ping_timeout: seconds to wait for the answer to a keepalive ping before the connection is given up
            with code 1011. Default: 20. None waits for ever.
        close_timeout: seconds for the closing handshake before the line is cut. Default: 10. None waits for
            ever.
        max_size: the largest message to accept, in bytes; a larger one ends the connection with code 1009.
            Default: 2**20 (1 MiB). None sets no limit. A pair limits messages and single fragments of them.
        max_queue: how many received messages may wait for `recv` before the peer is held back; nothing is
            dropped. Default: 16. None sets no limit. A pair is the high mark, and the low one at which
            reading goes on (default: a quarter of the high one).
        logger: the logger. Default: None, `logging.getLogger("openline.client")`.
        create_connection: what makes the connection, such as a subclass of `ClientConnection`. Default: None.
        **kwargs: `timeout`, `source_address`, `all_errors` and `address`, as `socket.create_connection` takes
            them. `legacy` is accepted for programs written for `websockets` 17 and has no effect.

    Returns:
        The open connection.

    Raises:
        TypeError: an argument has the wrong type or an unknown name. Nothing has been opened.
        ValueError: an argument has a value that cannot be used. Nothing has been opened.
        NotImplementedError: an argument is not supported in this release. Nothing has been opened.
        InvalidURI: `uri` is not a WebSocket URI.
        ConnectError: there is no connection to the host. It is also the `OSError` that fits, such as
            `ConnectionRefusedError` or `socket.gaierror`.
        ssl.SSLError: there is no secure connection, as with a certificate that cannot be trusted.
        InvalidHandshake: the server did not agree to a WebSocket; `InvalidStatus` has its answer.
        TimeoutError: `open_timeout` was over.
    """
    # unix_connect passes its path here; no parameter of ours starts with an underscore.
    path: str | bytes | None = kwargs.pop("_path", None)
    function = "connect" if path is None else "unix_connect"
    kwargs.pop("legacy", None)
    for name in kwargs:
        if name not in _SOCKET_KEYWORDS:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")

    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    arguments.instance("sock", sock, "socket", "socket")
    arguments.instance("ssl", ssl, "ssl", "SSLContext")
    if ssl is not None and not parse_uri(uri).secure:
        raise ValueError("ssl is for wss:// URIs; drop it or change the URI's scheme")
    arguments.string("server_hostname", server_hostname, empty=False)
    arguments.header_value("origin", "Origin", origin)
    factories = arguments.listed("extensions", extensions, "extension factories", _is_extension_factory)
    subprotocol_list = arguments.subprotocol_list("subprotocols", subprotocols)
    if compression is not None and compression != "deflate":
        raise ValueError(f"unsupported compression: {compression!r}; use 'deflate' or None")

    headers = arguments.additional_headers("additional_headers", additional_headers)
    arguments.header_value("user_agent_header", "User-Agent", user_agent_header)
    if proxy is not None and proxy is not True and not isinstance(proxy, str):
        raise TypeError(
            f"proxy must be a URL, True for the system's proxy, or None for none, not {type(proxy).__name__}"
        )
    arguments.instance("proxy_ssl", proxy_ssl, "ssl", "SSLContext")
    arguments.string("proxy_server_hostname", proxy_server_hostname, empty=False)

    forever = "waiting for ever"
    open_seconds = arguments.seconds("open_timeout", open_timeout, none=forever)
    # Zero would send pings without pause, or give up before any answer could come.
    interval = arguments.seconds("ping_interval", ping_interval, none="no keepalive pings", zero=False)
    pong_seconds = arguments.seconds("ping_timeout", ping_timeout, none=forever, zero=False)
    close_seconds = arguments.seconds("close_timeout", close_timeout, none=forever)
    max_message, max_fragment = arguments.size_limits("max_size", max_size)
    queue_high, queue_low = arguments.queue_marks("max_queue", max_queue)
    arguments.instance("logger", logger, "logging", "Logger", "LoggerAdapter")
    if create_connection is not None and not callable(create_connection):
        raise TypeError(
            f"create_connection must be a class or another callable, not {type(create_connection).__name__}"
        )

    if sock is not None:
        arguments.unsupported("sock", "connect makes its own socket to the URI's host and port")
    if ssl is not None:
        arguments.unsupported("ssl", "without it, wss:// uses secure defaults and honours SSL_CERT_FILE")
    if factories:
        arguments.unsupported("extensions", "leave it out")
    if isinstance(proxy, str):
        arguments.unsupported("proxy", "connections are direct; leave it out or pass None")
    if proxy_ssl is not None:
        arguments.unsupported("proxy_ssl", "connections are direct; leave it out")
    if proxy_server_hostname is not None:
        arguments.unsupported("proxy_server_hostname", "connections are direct; leave it out")
    if logger is not None:
        arguments.unsupported("logger", "leave it out")
    if create_connection is not None:
        arguments.unsupported("create_connection", "connect makes a ClientConnection")
    for name in kwargs:
        arguments.unsupported(name, "connect goes to the URI's host and port within open_timeout")

    if "User-Agent" in headers:
        user_agent_header = None
    handle = _openline.connect(
        uri,
        path=path,
        server_hostname=server_hostname,
        origin=origin,
        subprotocols=subprotocol_list,
        headers=list(headers.raw_items()),
        user_agent=user_agent_header,
        open_timeout=open_seconds,
        ping_interval=interval,
        ping_timeout=pong_seconds,
        close_timeout=close_seconds,
        max_size=max_message,
        max_fragment_size=max_fragment,
        max_queue_high=queue_high,
        max_queue_low=queue_low,
    )
    return ClientConnection(handle)


def unix_connect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> ClientConnection:
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
    if uri is not None and not isinstance(uri, str):
        raise TypeError(f"uri must be str or None, not {type(uri).__name__}")
    if path is not None:
        path = arguments.socket_path("path", path)
    if uri is not None and (uri_path := arguments.unix_uri_path(uri)) is not None:
        if path is not None:
            raise ValueError("the socket's path is given twice, as path and as a unix:// URI; leave one out")
        path, uri = uri_path, None
    if kwargs.get("sock") is not None:
        if path is not None:
            raise ValueError("path and sock are both given; leave one out")
    elif path is None:
        raise ValueError("the socket's path is missing; pass path, or a unix:///path/to.sock URI")
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"

    try:
        return connect(uri, _path=path, **kwargs)
    except ConnectError as error:
        if path is not None and error.filename is None:
            error.filename = path
        raise


class ClientConnection(_openline.Connection):
    """An open WebSocket connection, as `connect` returns it.

    All methods may be called from any thread: one can wait in `recv` while others `send`, `ping` or `close`.

    Example:
        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            for message in websocket:
                print(message)

    As a context manager it calls `close()` at the end, with code 1011 after an exception. As an iterator it
    gives messages until the connection is closed, for whatever reason; `close_code` then tells which.
    """

    # Made on first use and kept in the instance's `__dict__`. `setdefault` lets threads that race agree on
    # one object.

    @property
    def id(self) -> uuid.UUID:
        """A unique identifier, the same for the connection's whole life. Useful in logs."""
        if "_id" not in self.__dict__:
            import uuid

            self.__dict__.setdefault("_id", uuid.uuid4())
        made: uuid.UUID = self.__dict__["_id"]
        return made

    @property
    def logger(self) -> LoggerLike:
        """The connection's logger: `logging.getLogger("openline.client")`."""
        import logging

        return logging.getLogger("openline.client")

    @property
    def request(self) -> Request:
        """The request of the opening handshake, with `path` and `headers`."""
        if "_request" not in self.__dict__:
            self.__dict__.setdefault("_request", Request._received(*self.handshake_request))
        made: Request = self.__dict__["_request"]
        return made

    @property
    def response(self) -> Response:
        """The response of the opening handshake, with `status_code`, `reason_phrase` and `headers`."""
        if "_response" not in self.__dict__:
            self.__dict__.setdefault("_response", Response._received(*self.handshake_response))
        made: Response = self.__dict__["_response"]
        return made

    @property
    def state(self) -> State:
        """Where the connection is in its life. To learn of its end, rather handle `ConnectionClosed`."""
        return State(self.state_number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
            return
        try:
            self.close(CloseCode.INTERNAL_ERROR)
        except Exception:
            pass  # the exception of the body is the one that tells what happened

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} {self.state.name} to {self.remote_address!r}>"

    def __del__(self) -> None:
        if self.closed:
            return
        try:
            # As for files and sockets: whoever forgets to close can find out where, with -X tracemalloc.
            warnings.warn(f"unclosed connection {self!r}", ResourceWarning, source=self)
        finally:
            self.abandon()


def _is_extension_factory(value: Any) -> bool:
    return hasattr(value, "get_request_params") and hasattr(value, "process_response_params")


# What socket.create_connection takes, with `address`, which it takes first.
_SOCKET_KEYWORDS = frozenset({"address", "all_errors", "source_address", "timeout"})
