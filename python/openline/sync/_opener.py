"""The arguments of `connect` and its siblings: checked once, used for any number of connections."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _arguments as arguments
from .. import _openline
from ..client import ClientProtocol
from ..exceptions import ConnectError
from ..http11 import USER_AGENT
from ..protocol import SERVER, Side
from ..proxy import chooser
from ..uri import parse_uri
from ._socket import view

if TYPE_CHECKING:
    from ..typing import LoggerLike

__all__ = ["Opener", "unix_target"]


class Opener:
    """Opens connections to one URI.

    The parameters by keyword are those of `connect`, with the same defaults.

    Args:
        function: the name of the function that the user called, for errors.
        path: the path of a Unix socket, or None.
        uri: the URI.
    """

    # How the names of environment variables begin that set other defaults.
    environment = "OPENLINE"
    protocol_class = ClientProtocol

    def __init__(
        self,
        function: str,
        path: str | bytes | None,
        uri: str,
        /,
        *,
        sock: Any = None,
        ssl: Any = None,
        server_hostname: str | None = None,
        origin: str | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: str | None = "deflate",
        additional_headers: Any = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: Any = True,
        proxy_ssl: Any = None,
        proxy_server_hostname: str | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        idle_timeout: float | None = None,
        close_timeout: float | None = 10,
        busy_poll: float | None = None,
        max_size: Any = 2**20,
        max_queue: Any = 16,
        logger: Any = None,
        create_connection: Callable[..., Any] | None = None,
        legacy: Any = None,  # of `websockets` 17, which has another iteration without it
        **kwargs: Any,
    ) -> None:
        for name in kwargs:
            if name not in _SOCKET_KEYWORDS or path is not None:
                raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        if not isinstance(uri, str):
            raise TypeError(f"uri must be str, not {type(uri).__name__}")
        arguments.stream("sock", sock)
        arguments.instance("ssl", ssl, "ssl", "SSLContext")
        if ssl is not None and not parse_uri(uri).secure:
            raise ValueError("ssl is for wss:// URIs; drop it or change the URI's scheme")
        arguments.string("server_hostname", server_hostname, empty=False)
        arguments.header_value("origin", "Origin", origin)
        factories = arguments.listed("extensions", extensions, "extension factories", _is_extension_factory)
        subprotocol_list = arguments.subprotocol_list("subprotocols", subprotocols)
        if compression is not None and compression != "deflate":
            raise ValueError(f"unsupported compression: {compression!r}; use 'deflate' or None")

        if factories and compression is not None:
            from ..extensions.permessage_deflate import enable_client_permessage_deflate

            factories = list(enable_client_permessage_deflate(factories))

        headers = arguments.additional_headers("additional_headers", additional_headers)
        arguments.header_value("user_agent_header", "User-Agent", user_agent_header)
        if "User-Agent" in headers:
            user_agent_header = None
        if proxy is not None and proxy is not True and not isinstance(proxy, str):
            raise TypeError(
                "proxy must be a URL, True for the system's proxy, or None for none, "
                f"not {type(proxy).__name__}"
            )
        arguments.instance("proxy_ssl", proxy_ssl, "ssl", "SSLContext")
        arguments.string("proxy_server_hostname", proxy_server_hostname, empty=False)

        forever = "waiting for ever"
        open_seconds = arguments.seconds("open_timeout", open_timeout, none=forever)
        interval, pong_seconds = arguments.keepalive(ping_interval, ping_timeout)
        idle_seconds = arguments.seconds("idle_timeout", idle_timeout, none="no limit", zero=False)
        close_seconds = arguments.seconds("close_timeout", close_timeout, none=forever)
        busy_seconds = arguments.seconds("busy_poll", busy_poll, none="while it pays")
        max_message, max_fragment = arguments.size_limits("max_size", max_size)
        queue_high, queue_low = arguments.queue_marks("max_queue", max_queue)
        arguments.instance("logger", logger, "logging", "Logger", "LoggerAdapter")
        if create_connection is not None and not callable(create_connection):
            raise TypeError(
                "create_connection must be a class or another callable, "
                f"not {type(create_connection).__name__}"
            )

        address = arguments.host_and_port("address", kwargs.get("address"))
        connect_seconds = arguments.seconds(
            "timeout", kwargs.get("timeout"), none="no limit but open_timeout"
        )
        source = arguments.host_and_port("source_address", kwargs.get("source_address"))
        self.all_errors = bool(kwargs.get("all_errors", False))
        if sock is not None:
            if kwargs:
                raise ValueError(f"{', '.join(kwargs)}: for a new socket only; leave out this or sock")

        if isinstance(proxy, str) and (path is not None or sock is not None):
            raise ValueError("proxy is for connections over TCP that are made here; leave it out")

        choose = None
        if proxy is not None and path is None and sock is None:
            choose = chooser(proxy, proxy_ssl is not None)
        if "gevent.monkey" in sys.modules:
            from .._gevent import warn_if_patched

            warn_if_patched()
        self.path = path
        self.uri = uri
        self.sock: Any = sock
        self.ssl = ssl
        self.logger = logger
        self.create_connection = create_connection
        self.protocol_options = {
            "origin": origin,
            "extensions": factories or None,
            "subprotocols": subprotocols,
            "max_size": max_size,
            "logger": logger,
        }
        self.connection_options = {
            "ping_interval": interval,
            "ping_timeout": pong_seconds,
            "close_timeout": close_seconds,
            "max_queue": max_queue,
        }
        self.client = _openline.Client(
            tls=ssl,
            server_hostname=server_hostname,
            proxy=choose,
            proxy_tls=proxy_ssl,
            proxy_server_hostname=proxy_server_hostname,
            address=address,
            local_addresses=arguments.local_addresses(source),
            connect_timeout=connect_seconds,
            max_redirects=arguments.count_from_environment(f"{self.environment}_MAX_REDIRECTS", 10),
            origin=origin,
            subprotocols=subprotocol_list,
            compression=compression is not None and not factories,
            extensions=factories,
            headers=list(headers.raw_items()),
            user_agent=user_agent_header,
            open_timeout=open_seconds,
            ping_interval=interval,
            ping_timeout=pong_seconds,
            idle_timeout=idle_seconds,
            close_timeout=close_seconds,
            busy_poll=busy_seconds,
            max_size=max_message,
            max_fragment_size=max_fragment,
            max_queue_high=queue_high,
            max_queue_low=queue_low,
        )

    def open(self) -> Any:
        """Open a connection, as `create_connection` makes it. After a failure, nothing is left open, `sock` neither."""
        handle = None
        try:
            protocol = self.protocol_class(self.uri, **self.protocol_options)
            protocol._handle = handle = self.open_line(self.log_of(protocol))
            return self._create_connection(protocol, handle)
        except BaseException:
            if handle is not None:
                handle.abort()
            if hasattr(self.sock, "close"):
                self.sock.close()
            raise

    def log_of(self, protocol: ClientProtocol) -> tuple[LoggerLike, int] | None:
        """Return what `open_line` takes for the records of a handshake that fails."""
        return protocol._log

    def open_line(
        self, log: tuple[LoggerLike, int] | None, *, secured: bool = False
    ) -> _openline.Handle:
        """Open a connection for an object that is there already.

        Args:
            log: the logger, and how many characters of a payload it shows; None if nothing is logged.
            secured: whether `sock` needs no TLS of ours for a wss:// URI.
        """
        if self.sock is not None:
            return self._open_over(self.sock, log, secured)
        try:
            if self.path is None:
                return self.client.connect(self.uri, log)
            return self.client.connect_unix(self.path, self.uri, log)
        except ConnectError as error:
            if self.path is not None and error.filename is None:
                error.filename = self.path
            if self.all_errors and error.attempts:
                raise ExceptionGroup("create_connection failed", error.attempts) from error
            raise

    def take_over(self, side: Side, leftover: bytes, log: tuple[LoggerLike, int] | None) -> _openline.Handle:
        """Take `sock` over whose handshake somebody else has made.

        Args:
            side: which side we are.
            leftover: what was read behind the handshake.
            log: as for `open_line`.
        """
        is_server = side is SERVER
        if arguments.is_instance(self.sock, "socket", "socket"):
            return self.client.upgraded(self.sock, is_server, leftover, log)
        from ._bridge import bridge

        with bridge(self.sock) as ours:
            return self.client.upgraded(ours, is_server, leftover, log)

    def _open_over(
        self, sock: Any, log: tuple[LoggerLike, int] | None, secured: bool
    ) -> _openline.Handle:
        if arguments.is_instance(sock, "socket", "socket"):
            return self.client.connect_over(sock, self.uri, log, secured=secured)
        from ._bridge import bridge

        # The connection has a descriptor of its own for the same socket.
        with bridge(sock) as ours:
            return self.client.connect_over(ours, self.uri, log, secured=secured)

    def _create_connection(self, protocol: ClientProtocol, handle: _openline.Handle) -> Any:
        from .client import ClientConnection

        options = self.connection_options
        protocol._keepalive = options["ping_interval"], options["ping_timeout"]
        sock = self.sock
        if sock is None or handle.is_secure:
            sock = view(handle, sock, self.ssl)
        create = ClientConnection if self.create_connection is None else self.create_connection
        return create(sock, protocol, **options)


def unix_target(path: Any, uri: Any, sock: Any, ssl: Any) -> tuple[str | bytes | None, str]:
    """Return the path of the socket and the URI of the request, from the arguments of `unix_connect`."""
    if uri is not None and not isinstance(uri, str):
        raise TypeError(f"uri must be str or None, not {type(uri).__name__}")
    if path is not None:
        path = arguments.socket_path("path", path)
    if uri is not None and (uri_path := arguments.unix_uri_path(uri)) is not None:
        if path is not None:
            raise ValueError("the socket's path is given twice, as path and as a unix:// URI; leave one out")
        path, uri = uri_path, None
    if sock is not None:
        if path is not None:
            raise ValueError("path and sock are both given; leave one out")
    elif path is None:
        raise ValueError("the socket's path is missing; pass path, or a unix:///path/to.sock URI")
    if uri is None:
        uri = "ws://localhost/" if ssl is None else "wss://localhost/"
    return path, uri


def _is_extension_factory(value: Any) -> bool:
    methods = ("get_request_params", "process_response_params")
    return hasattr(value, "name") and all(callable(getattr(value, method, None)) for method in methods)


# What socket.create_connection takes, with `address`, which it takes first.
_SOCKET_KEYWORDS = frozenset({"address", "all_errors", "source_address", "timeout"})
