"""The arguments of `connect` and its siblings: checked once, used for any number of connections."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

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

    Args:
        function: the name of the function that the user called, for errors.
        path: the path of a Unix socket, or None.
        uri: the URI.
        **given: the parameters of `connect`. Those that are its defaults can as well be left out.
    """

    # How the names of environment variables begin that set other defaults.
    environment = "OPENLINE"
    protocol_class = ClientProtocol
    # What makes a connection by default, and the defaults of `connect`: the module of these sets them.
    connection_class: ClassVar[Callable[..., Any]]
    defaults: ClassVar[dict[str, Any]]

    def __init__(self, function: str, path: str | bytes | None, uri: str, /, **given: Any) -> None:
        if not isinstance(uri, str):
            raise TypeError(f"uri must be str, not {type(uri).__name__}")
        for_new_sockets = [name for name in given if name in _SOCKET_KEYWORDS]
        if for_new_sockets and path is not None:
            raise _unexpected(function, for_new_sockets[0])
        options = self._checked(function, given)
        self.path = path
        self.uri = uri
        self.sock: Any = options.pop("sock", None)
        self.ssl = options.get("ssl")
        self.logger = options.pop("logger", None)
        self.create_connection = options.pop("create_connection", None)
        self.all_errors = options.pop("all_errors", False)
        options.pop("legacy", None)  # of `websockets` 17, which has another iteration without it

        parsed = parse_uri(uri)
        if self.ssl is not None and not parsed.secure:
            raise ValueError("ssl is for wss:// URIs; drop it or change the URI's scheme")
        if for_new_sockets and self.sock is not None:
            raise ValueError(f"{', '.join(for_new_sockets)}: for a new socket only; leave out this or sock")
        is_dialled = path is None and self.sock is None
        proxy = options.pop("proxy", True)
        if isinstance(proxy, str) and not is_dialled:
            raise ValueError("proxy is for connections over TCP that are made here; leave it out")
        if proxy is not None and is_dialled:
            options["proxy"] = chooser(proxy, "proxy_ssl" in options)

        if factories := options.get("extensions"):
            if options.get("compression", True):
                from ..extensions.permessage_deflate import enable_client_permessage_deflate

                factories = list(enable_client_permessage_deflate(factories))
            options.update(extensions=factories, compression=False)
        options.setdefault("user_agent_header", USER_AGENT)
        if (headers := options.get("additional_headers")) is not None:
            options["additional_headers"] = list(headers.raw_items())
            if "User-Agent" in headers:
                options["user_agent_header"] = None
        options["max_redirects"] = arguments.count_from_environment(f"{self.environment}_MAX_REDIRECTS", 10)

        self.client = _openline.Client(**options)
        self.protocol_options = {
            "uri": parsed,
            "origin": options.get("origin"),
            "extensions": factories or None,
            "subprotocols": given.get("subprotocols"),
            "max_size": options.get("max_size", self.defaults["max_size"]),
            "logger": self.logger,
        }
        self.connection_options = {
            "ping_interval": options.get("ping_interval", self.defaults["ping_interval"]),
            "ping_timeout": options.get("ping_timeout", self.defaults["ping_timeout"]),
            "close_timeout": options.get("close_timeout", self.defaults["close_timeout"]),
            "max_queue": given.get("max_queue", self.defaults["max_queue"]),
        }
        if "gevent.monkey" in sys.modules:
            from .._gevent import warn_if_patched

            warn_if_patched()

    def _checked(self, function: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that are not the defaults, in the shape that the binding takes."""
        options = {}
        for name, value in given.items():
            check = _CHECKS.get(name)
            if check is None:
                raise _unexpected(function, name)
            if value is not self.defaults.get(name):
                options[name] = check(name, value)
        return options

    def open(self) -> Any:
        """Open a connection, as `create_connection` makes it.

        After a failure nothing is left open, `sock` neither.
        """
        handle = None
        try:
            protocol = self.protocol_class(**self.protocol_options)
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
        options = self.connection_options
        protocol._keepalive = options["ping_interval"], options["ping_timeout"]
        sock = self.sock
        if sock is None or handle.is_secure:
            sock = view(handle, sock, self.ssl)
        return (self.create_connection or self.connection_class)(sock, protocol, **options)


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


def _unexpected(function: str, name: str) -> TypeError:
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def _compression(name: str, value: Any) -> bool:
    if value is not None and value != "deflate":
        raise ValueError(f"unsupported {name}: {value!r}; use 'deflate' or None")
    return value is not None


def _proxy(name: str, value: Any) -> Any:
    if value is not None and value is not True and not isinstance(value, str):
        raise TypeError(
            f"{name} must be a URL, True for the system's proxy, or None for none, not {type(value).__name__}"
        )
    return value


def _extensions(name: str, value: Any) -> list[Any]:
    return arguments.listed(name, value, "extension factories", _is_extension_factory)


def _is_extension_factory(value: Any) -> bool:
    methods = ("get_request_params", "process_response_params")
    return hasattr(value, "name") and all(callable(getattr(value, method, None)) for method in methods)


def _source_address(name: str, value: Any) -> list[tuple[str, int]]:
    return arguments.local_addresses(arguments.host_and_port(name, value))


def _create_connection(name: str, value: Any) -> Any:
    if not callable(value):
        raise TypeError(f"{name} must be a class or another callable, not {type(value).__name__}")
    return value


_FOREVER = "waiting for ever"
# What checks an argument that is not the default, and returns it in the shape that the binding takes.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "sock": arguments.stream,
    "ssl": arguments.tls_context,
    "server_hostname": partial(arguments.string, empty=False),
    "origin": partial(arguments.header_value, header="Origin"),
    "extensions": _extensions,
    "subprotocols": arguments.subprotocol_list,
    "compression": _compression,
    "additional_headers": arguments.additional_headers,
    "user_agent_header": partial(arguments.header_value, header="User-Agent"),
    "proxy": _proxy,
    "proxy_ssl": arguments.tls_context,
    "proxy_server_hostname": partial(arguments.string, empty=False),
    "open_timeout": partial(arguments.seconds, none=_FOREVER),
    "ping_interval": arguments.ping_interval,
    "ping_timeout": arguments.ping_timeout,
    "idle_timeout": partial(arguments.seconds, none="no limit", zero=False),
    "close_timeout": partial(arguments.seconds, none=_FOREVER),
    "busy_poll": partial(arguments.seconds, none="while it pays"),
    "max_size": arguments.size_limits,
    "max_queue": arguments.queue_marks,
    "logger": arguments.logger,
    "create_connection": _create_connection,
    "legacy": lambda name, value: value,
    "address": arguments.host_and_port,
    "timeout": partial(arguments.seconds, none="no limit but open_timeout"),
    "source_address": _source_address,
    "all_errors": lambda name, value: bool(value),
}

# What socket.create_connection takes, with `address`, which it takes first.
_SOCKET_KEYWORDS = frozenset({"address", "all_errors", "source_address", "timeout"})
