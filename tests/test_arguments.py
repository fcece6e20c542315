"""Every wrong argument of `connect`, `unix_connect` and `EchoServer` is refused before anything is opened.

Nothing here touches the network: what is right is looked at where it enters the binding.
"""

from __future__ import annotations

import decimal
import fractions
import inspect
import logging
import math
import pathlib
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openline import _arguments as arguments
from openline import _openline
from openline.datastructures import Headers
from openline.exceptions import (
    ConnectError,
    InvalidProxy,
    InvalidURI,
    _connect_error,
    _UnsendableHeader,
)
from openline.extensions import Extension
from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from openline.http11 import USER_AGENT
from openline.sync.client import ClientConnection, connect, unix_connect
from openline.testing import EchoServer

URI = "ws://localhost/"


class Reached(Exception):
    """The arguments have passed all checks and have come to the binding."""


@pytest.fixture(autouse=True)
def binding(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Replace the binding's entrances; give the arguments they are called with."""
    arrived: dict[str, Any] = {}

    def enter(*args: Any, **kwargs: Any) -> Any:
        arrived.update(kwargs, args=args)
        raise Reached

    class Client:
        def __init__(self, **kwargs: Any) -> None:
            arrived.update(kwargs)

        def connect(self, uri: str, log: Any) -> Any:
            enter(uri, path=None)

        def connect_unix(self, path: str | bytes, uri: str, log: Any) -> Any:
            enter(uri, path=path)

    monkeypatch.setattr(_openline, "Client", Client)
    monkeypatch.setattr(_openline, "EchoServer", enter)
    yield arrived


class Context(ssl.SSLContext):
    """A context of a class of the user's own."""


def pair_of_sockets() -> Any:
    """A fresh socket that nobody needs to close."""
    left, right = socket.socketpair()
    right.close()
    return left


# Argument, value, exception, what its text says.
WRONG: list[tuple[str, Any, type[Exception], str]] = [
    # sock, ssl, server_hostname
    ("sock", "localhost", TypeError, "sock must be a connected socket, .* or None, not str"),
    ("sock", 3, TypeError, "sock must be"),
    ("ssl", True, TypeError, r"ssl must be ssl\.SSLContext or None, not bool"),
    ("ssl", {}, TypeError, "ssl must be"),
    ("ssl", ssl.create_default_context(), ValueError, "ssl is for wss:// URIs"),
    ("ssl", Context(ssl.PROTOCOL_TLS_CLIENT), ValueError, "ssl is for wss:// URIs"),
    ("server_hostname", b"localhost", TypeError, "server_hostname must be str or None, not bytes"),
    ("server_hostname", "", ValueError, "server_hostname must not be empty"),
    # origin
    ("origin", 5, TypeError, "origin must be str or None, not int"),
    ("origin", "http://a\r\nX: y", ValueError, r"origin: header Origin has '\\r' at position 8"),
    ("origin", "http://a\n", ValueError, "origin: .*control characters"),
    ("origin", "http://a\0", ValueError, "origin: .*control characters"),
    # extensions
    ("extensions", "permessage-deflate", TypeError, "extensions must be a sequence .*, not str"),
    ("extensions", 5, TypeError, "extensions must be a sequence .*, not int"),
    ("extensions", [object()], TypeError, "must be a sequence of extension factories, not of object"),
    ("extensions", [Extension()], TypeError, "must be a sequence of extension factories, not of Extension"),
    # subprotocols
    ("subprotocols", "chat", TypeError, "subprotocols must be a sequence .*such as a list, not str"),
    ("subprotocols", b"chat", TypeError, "not bytes"),
    ("subprotocols", {"chat"}, TypeError, "not set"),
    ("subprotocols", iter(["chat"]), TypeError, "not list_iterator"),
    ("subprotocols", 5, TypeError, "not int"),
    ("subprotocols", [5], TypeError, "each of subprotocols must be str, not int"),
    ("subprotocols", ["chat", None], TypeError, "not NoneType"),
    ("subprotocols", [""], ValueError, "invalid subprotocol in subprotocols: ''"),
    ("subprotocols", ["a b"], ValueError, "invalid subprotocol in subprotocols: 'a b'"),
    ("subprotocols", ["a,b"], ValueError, "invalid subprotocol"),
    ("subprotocols", ["a\r\nX: y"], ValueError, "invalid subprotocol"),
    ("subprotocols", ["caf\xe9"], ValueError, "invalid subprotocol"),
    ("subprotocols", ["chat", "v2", "chat"], ValueError, "'chat' is more than once in subprotocols"),
    # compression
    ("compression", "gzip", ValueError, "unsupported compression: 'gzip'; use 'deflate' or None"),
    ("compression", "", ValueError, "unsupported compression: ''"),
    ("compression", True, ValueError, "unsupported compression: True"),
    ("compression", False, ValueError, "unsupported compression: False"),
    ("compression", -1, ValueError, "unsupported compression: -1"),
    # additional_headers
    ("additional_headers", "X: y", TypeError, "additional_headers: .*not str"),
    ("additional_headers", 5, TypeError, "additional_headers: .*not int"),
    ("additional_headers", ["X: y"], TypeError, r"additional_headers: each header must be a \(name, value\)"),
    ("additional_headers", [("X",)], TypeError, r"additional_headers: each header must be a \(name, value\)"),
    ("additional_headers", {"X": 1}, TypeError, "additional_headers: value of header X must be str, not int"),
    ("additional_headers", {"X": None}, TypeError, "additional_headers: value of header X must be str"),
    ("additional_headers", {1: "x"}, TypeError, "additional_headers: header name must be str, not int"),
    ("additional_headers", {"X": "y\r\nZ: 1"}, ValueError, r"additional_headers: header X has '\\r' at"),
    ("additional_headers", {"X": "y\n"}, ValueError, "additional_headers: header X has"),
    ("additional_headers", {"X": "y\0"}, ValueError, "additional_headers: header X has"),
    ("additional_headers", {"X\r\nY": "z"}, ValueError, "additional_headers: invalid header name"),
    ("additional_headers", {"X:": "z"}, ValueError, "additional_headers: invalid header name 'X:'"),
    ("additional_headers", {"": "z"}, ValueError, "additional_headers: invalid header name ''"),
    ("additional_headers", {"X": "\u20ac"}, ValueError, "additional_headers: .*utf-8"),
    # user_agent_header
    ("user_agent_header", 5, TypeError, "user_agent_header must be str or None, not int"),
    ("user_agent_header", "a\nb", ValueError, "user_agent_header: header User-Agent has"),
    # proxy
    ("proxy", False, TypeError, "proxy must be a URL, True .* or None .*, not bool"),
    ("proxy", 1, TypeError, "proxy must be"),
    ("proxy_ssl", True, TypeError, r"proxy_ssl must be ssl\.SSLContext or None"),
    ("proxy_server_hostname", 5, TypeError, "proxy_server_hostname must be str or None"),
    ("proxy_server_hostname", "", ValueError, "proxy_server_hostname must not be empty"),
    # max_size
    ("max_size", 0, ValueError, "max_size must be at least 1, not 0; None means no limit"),
    ("max_size", -1, ValueError, "max_size must be at least 1"),
    ("max_size", 1e6, TypeError, "max_size must be a number of bytes, None, or a pair of these, not float"),
    ("max_size", "1000", TypeError, "not str"),
    ("max_size", True, TypeError, "not bool"),
    ("max_size", (), ValueError, r"max_size as a pair is \(of messages, of fragments\), not 0 values"),
    ("max_size", (1,), ValueError, "not 1 values"),
    ("max_size", (1, 2, 3), ValueError, "not 3 values"),
    ("max_size", (0, None), ValueError, "at least 1"),
    ("max_size", (None, -5), ValueError, "at least 1, not -5"),
    ("max_size", (1, "2"), TypeError, "not str"),
    ("max_size", (True, 2), TypeError, "not bool"),
    # max_queue
    ("max_queue", 0, ValueError, "max_queue must be at least 1, not 0; None means no limit"),
    ("max_queue", -1, ValueError, "max_queue must be at least 1"),
    ("max_queue", 1.5, TypeError, "max_queue must be a number of messages, None, or a pair .*, not float"),
    ("max_queue", "16", TypeError, "not str"),
    ("max_queue", False, TypeError, "not bool"),
    ("max_queue", (16,), ValueError, r"max_queue as a pair is \(high, low\), not 1 values"),
    ("max_queue", (4, 16), ValueError, r"low at most high, not \(4, 16\)"),
    ("max_queue", (4, -1), ValueError, "max_queue must be at least 0, not -1"),
    ("max_queue", (0, 0), ValueError, "max_queue must be at least 1"),
    ("max_queue", (4, 1.0), TypeError, "not float"),
    # logger, create_connection
    ("logger", "x", TypeError, r"logger must be logging\.Logger or logging\.LoggerAdapter or None, not str"),
    ("logger", print, TypeError, "logger must be"),
    ("create_connection", 5, TypeError, "create_connection must be a class or another callable, not int"),
    # proxy
    ("proxy", "localhost:3128", InvalidProxy, "write http:// in front"),
    ("proxy", "ftp://localhost", InvalidProxy, "scheme ftp isn't supported; expected http, https, socks4"),
    ("proxy_ssl", True, TypeError, r"proxy_ssl must be ssl\.SSLContext or None, not bool"),
    ("proxy_server_hostname", "", ValueError, "proxy_server_hostname must not be empty"),
    # what socket.create_connection takes
    ("timeout", "1", TypeError, "timeout must be a number of seconds or None, not str"),
    ("timeout", -1, ValueError, "timeout must be positive or 0, not -1"),
    ("address", "localhost:80", TypeError, r"address must be a pair \(host, port\) or None, not str"),
    ("address", ("localhost",), ValueError, r"address as a pair is \(host, port\), not 1 values"),
    ("address", (b"localhost", 80), TypeError, "the host of address must be str, not bytes"),
    ("address", ("localhost", "80"), TypeError, "the port of address must be int, not str"),
    ("address", ("localhost", 65536), ValueError, "the port of address must be at most 65535, not 65536"),
    ("source_address", ("", -1), ValueError, "at least 0, not -1"),
    ("source_address", 5, TypeError, "source_address must be a pair"),
    # names
    ("extra_headers", {}, TypeError, r"^connect\(\) got an unexpected keyword argument 'extra_headers'$"),
    ("ssl_context", None, TypeError, "unexpected keyword argument 'ssl_context'"),
    ("unix", True, TypeError, "unexpected keyword argument 'unix'"),
]
for _name in ("open_timeout", "ping_interval", "ping_timeout", "idle_timeout", "close_timeout", "busy_poll"):
    WRONG += [
        (_name, "10", TypeError, f"{_name} must be a number of seconds or None, not str"),
        (_name, True, TypeError, "not bool"),
        (_name, [10], TypeError, "not list"),
        (_name, 1j, TypeError, "not complex"),
        (_name, -1, ValueError, f"{_name} must be positive.*, not -1; None means "),
        (_name, -0.001, ValueError, f"{_name} must be positive"),
        (_name, math.nan, ValueError, f"{_name} must be a finite number of seconds, not nan; None means "),
        (_name, math.inf, ValueError, "must be a finite number of seconds, not inf; None means "),
        (_name, -math.inf, ValueError, "must be a finite number of seconds, not -inf"),
        (_name, 10**400, ValueError, "must be a finite number"),
        (_name, decimal.Decimal("NaN"), ValueError, "must be a finite number"),
    ]
for _name in ("ping_interval", "ping_timeout", "idle_timeout"):
    WRONG += [(_name, 0, ValueError, f"{_name} must be positive, not 0; None means ")]


@pytest.mark.parametrize(("name", "value", "error", "text"), WRONG)
def test_wrong_argument(name: str, value: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        connect(URI, **{name: value})
    assert type(caught.value) in (error, _UnsendableHeader)


@pytest.mark.parametrize(("name", "value", "error", "text"), WRONG)
def test_wrong_argument_of_unix_connect(name: str, value: Any, error: type[Exception], text: str) -> None:
    if name == "sock":
        text = "path and sock are both given"
        error = ValueError
    if name in ("timeout", "address", "source_address"):
        text = f"unexpected keyword argument {name!r}"
        error = TypeError
    if name == "proxy" and error is InvalidProxy:
        text, error = "proxy is for connections over TCP", ValueError
    uri = URI if name == "ssl" else None  # without a URI, ssl makes it wss://
    with pytest.raises(error, match=text.replace("^connect", "^unix_connect")):
        unix_connect("/run/none.sock", uri, **{name: value})


FACTORY = ClientPerMessageDeflateFactory()

# Argument, value, what the binding gets.
RIGHT: list[tuple[str, Any, dict[str, Any]]] = [
    ("server_hostname", "example.com", {"server_hostname": "example.com"}),
    ("origin", "https://example.com", {"origin": "https://example.com"}),
    ("extensions", [], {"extensions": []}),
    ("extensions", [FACTORY], {"compression": False, "extensions": [FACTORY]}),
    ("extensions", (FACTORY,), {"compression": False, "extensions": [FACTORY]}),
    ("subprotocols", ["v2", "v1"], {"subprotocols": ["v2", "v1"]}),
    ("subprotocols", ("v2",), {"subprotocols": ["v2"]}),
    ("subprotocols", [], {"subprotocols": []}),
    ("compression", None, {"compression": False}),
    ("compression", "deflate", {}),
    ("additional_headers", {"X": "y"}, {"additional_headers": [("X", "y")]}),
    ("additional_headers", [("X", "y"), ("x", "z")], {"additional_headers": [("X", "y"), ("x", "z")]}),
    ("additional_headers", Headers([("X", "y")]), {"additional_headers": [("X", "y")]}),
    ("additional_headers", Headers([("X", "\xff")]), {"additional_headers": [("X", "\xff")]}),
    ("additional_headers", iter([("X", "y")]), {"additional_headers": [("X", "y")]}),
    (
        "additional_headers",
        {"user-agent": "me"},
        {"additional_headers": [("user-agent", "me")], "user_agent_header": None},
    ),
    ("user_agent_header", None, {"user_agent_header": None}),
    ("user_agent_header", "me/1.0", {"user_agent_header": "me/1.0"}),
    ("proxy_server_hostname", "proxy", {"proxy_server_hostname": "proxy"}),
    ("timeout", 5, {"timeout": 5.0}),
    ("timeout", None, {}),
    ("source_address", ("127.0.0.1", 9), {"source_address": [("127.0.0.1", 9)]}),
    ("source_address", None, {}),
    ("address", ("localhost", 80), {"address": ("localhost", 80)}),
    ("all_errors", True, {}),
    ("open_timeout", None, {"open_timeout": None}),
    ("open_timeout", 0, {"open_timeout": 0.0}),
    ("open_timeout", fractions.Fraction(1, 2), {"open_timeout": 0.5}),
    ("ping_interval", None, {"ping_interval": None}),
    ("ping_interval", decimal.Decimal("0.25"), {"ping_interval": 0.25}),
    ("ping_timeout", 1e300, {"ping_timeout": 3e9}),
    ("idle_timeout", 90, {"idle_timeout": 90.0}),
    ("close_timeout", 0, {"close_timeout": 0.0}),
    ("busy_poll", 0, {"busy_poll": 0.0}),
    ("busy_poll", 0.0002, {"busy_poll": 0.0002}),
    ("max_size", None, {"max_size": (None, None)}),
    ("max_size", 1, {"max_size": (1, None)}),
    ("max_size", 2**100, {"max_size": (sys.maxsize, None)}),
    ("max_size", (100, 10), {"max_size": (100, 10)}),
    ("max_size", [None, 10], {"max_size": (None, 10)}),
    ("max_queue", None, {"max_queue": (None, None)}),
    ("max_queue", 1, {"max_queue": (1, None)}),
    ("max_queue", (8, 8), {"max_queue": (8, 8)}),
    ("max_queue", (8, 0), {"max_queue": (8, 0)}),
    ("max_queue", (8, None), {"max_queue": (8, None)}),
    ("max_queue", (None, None), {"max_queue": (None, None)}),
    ("max_queue", (None, 2), {"max_queue": (8, 2)}),
    ("max_queue", (None, 0), {"max_queue": (1, 0)}),
    ("logger", None, {}),
    ("logger", logging.getLogger("app"), {}),
    ("logger", logging.LoggerAdapter(logging.getLogger("app"), {}), {}),
    ("create_connection", ClientConnection, {}),
    ("create_connection", lambda *args, **kwargs: None, {}),
    ("legacy", True, {}),
    ("legacy", False, {}),
    ("legacy", None, {}),
]

DEFAULTS: dict[str, Any] = {
    "path": None,
    "proxy": Any,  # the function that asks the system
    "max_redirects": 10,
    "user_agent_header": USER_AGENT,
}


@pytest.mark.parametrize(("name", "value", "expected"), RIGHT)
def test_right_argument(name: str, value: Any, expected: dict[str, Any], binding: dict[str, Any]) -> None:
    with pytest.raises(Reached):
        connect(URI, **{name: value})
    assert settled(binding) == {"args": (URI,), **DEFAULTS, **expected}


def test_no_proxy(binding: dict[str, Any]) -> None:
    with pytest.raises(Reached):
        connect(URI, proxy=None)
    assert "proxy" not in binding


def test_defaults(binding: dict[str, Any]) -> None:
    with pytest.raises(Reached):
        connect(URI)
    assert settled(binding) == {"args": (URI,), **DEFAULTS}


def settled(binding: dict[str, Any]) -> dict[str, Any]:
    """Put a mark in the place of the function that chooses a proxy."""
    return {name: Any if name == "proxy" else value for name, value in binding.items()}


@pytest.mark.parametrize("uri", [None, 5, b"ws://localhost/", pathlib.PurePath("ws")])
def test_uri_is_text(uri: Any) -> None:
    with pytest.raises(TypeError, match="uri must be str, not "):
        connect(uri)


def test_all_but_the_uri_is_by_keyword() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        connect(URI, None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'uri'"):
        connect()  # type: ignore[call-arg]


def test_signature_of_connect() -> None:
    parameters = inspect.signature(connect).parameters
    expected = {
        "uri": inspect.Parameter.empty,
        "sock": None,
        "ssl": None,
        "server_hostname": None,
        "origin": None,
        "extensions": None,
        "subprotocols": None,
        "compression": "deflate",
        "additional_headers": None,
        "user_agent_header": USER_AGENT,
        "proxy": True,
        "proxy_ssl": None,
        "proxy_server_hostname": None,
        "open_timeout": 10,
        "ping_interval": 20,
        "ping_timeout": 20,
        "idle_timeout": None,
        "close_timeout": 10,
        "busy_poll": None,
        "max_size": 2**20,
        "max_queue": 16,
        "logger": None,
        "create_connection": None,
        "kwargs": inspect.Parameter.empty,
    }
    assert [(name, parameter.default) for name, parameter in parameters.items()] == list(expected.items())
    for parameter in list(parameters.values())[1:-1]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.annotation is not inspect.Parameter.empty


def test_signature_of_unix_connect() -> None:
    parameters = inspect.signature(unix_connect).parameters
    assert [(name, parameter.default) for name, parameter in parameters.items()] == [
        ("path", None),
        ("uri", None),
        ("kwargs", inspect.Parameter.empty),
    ]


class TestUnixConnect:
    @pytest.mark.parametrize(
        ("path", "arrives"),
        [
            ("/run/x", "/run/x"),
            ("relative", "relative"),
            (b"/run/\xff", b"/run/\xff"),
            (pathlib.PurePosixPath("/run/x"), "/run/x"),
            ("\0abstract", "\0abstract"),
        ],
    )
    def test_path(self, path: Any, arrives: str | bytes, binding: dict[str, Any]) -> None:
        with pytest.raises(Reached):
            unix_connect(path)
        assert {"proxy": Any, **binding} == {"args": ("ws://localhost/",), **DEFAULTS, "path": arrives}

    def test_path_and_uri(self, binding: dict[str, Any]) -> None:
        with pytest.raises(Reached):
            unix_connect("/run/x", "ws://example.com/chat", close_timeout=1)
        assert binding["args"] == ("ws://example.com/chat",)
        assert (binding["path"], binding["close_timeout"]) == ("/run/x", 1.0)

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("unix:///run/x", "/run/x"),
            ("UNIX:///run/x", "/run/x"),
            ("unix:///run/my%20app%2fx", "/run/my app/x"),
            ("unix:///run/caf\xe9", "/run/caf\xe9"),
            ("unix:///run/caf%C3%A9", "/run/caf\xe9"),
            ("unix:///run/%FF", "/run/\udcff"),
            ("unix:///run/100%25%3F%23", "/run/100%?#"),
        ],
    )
    def test_unix_uri(self, uri: str, path: str, binding: dict[str, Any]) -> None:
        with pytest.raises(Reached):
            unix_connect(uri=uri)
        assert (binding["args"], binding["path"]) == (("ws://localhost/",), path)

    @pytest.mark.parametrize(
        ("uri", "text"),
        [
            ("unix://run/x", "expected unix:///path"),
            ("unix:/run/x", "expected unix:///path"),
            ("unix:x", "expected unix:///path"),
            ("unix:", "expected unix:///path"),
            ("unix:////x", "expected unix:///path"),
            ("unix:///", "the path is missing"),
            ("unix:///run/x?a=b", "no query or fragment"),
            ("unix:///run/x#a", "no query or fragment"),
            ("unix:///run/%zz", "two hexadecimal digits"),
            ("unix:///run/x%2", "two hexadecimal digits"),
            ("unix:///run/%00", "NUL"),
        ],
    )
    def test_wrong_unix_uri(self, uri: str, text: str) -> None:
        with pytest.raises(InvalidURI, match=text):
            unix_connect(uri=uri)

    @pytest.mark.parametrize(
        ("args", "kwargs", "error", "text"),
        [
            ((), {}, ValueError, "the socket's path is missing"),
            ((None,), {}, ValueError, "the socket's path is missing"),
            ((None, "ws://localhost/"), {}, ValueError, "the socket's path is missing"),
            (("/run/x", "unix:///run/x"), {}, ValueError, "path is given twice"),
            (("",), {}, ValueError, "path must not be empty"),
            ((b"",), {}, ValueError, "path must not be empty"),
            (("/run/\0x",), {}, ValueError, "path must not contain a NUL"),
            ((b"/run/\0x",), {}, ValueError, "path must not contain a NUL"),
            ((5,), {}, TypeError, "path must be str, bytes or os.PathLike, not int"),
            (("/run/x", 5), {}, TypeError, "uri must be str or None, not int"),
            (("/run/x", b"ws://localhost/"), {}, TypeError, "uri must be str or None, not bytes"),
            (("/run/x",), {"path": "/run/y"}, TypeError, "multiple values for argument 'path'"),
            (("/run/x",), {"nope": 1}, TypeError, r"unix_connect\(\) got an unexpected keyword .*'nope'"),
        ],
    )
    def test_wrong(self, args: Any, kwargs: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            unix_connect(*args, **kwargs)

    def test_sock_in_place_of_path(self) -> None:
        with pair_of_sockets() as sock:
            with pytest.raises(ValueError, match="path and sock are both given"):
                unix_connect("/run/x", sock=sock)
            with pytest.raises(ValueError, match="path and sock are both given"):
                unix_connect(uri="unix:///run/x", sock=sock)

    def test_ssl_makes_it_wss(self, binding: dict[str, Any]) -> None:
        context = ssl.create_default_context()
        with pytest.raises(Reached):
            unix_connect("/run/x", ssl=context)
        assert (binding["args"], binding["ssl"]) == (("wss://localhost/",), context)
        with pytest.raises(ValueError, match="ssl is for wss:// URIs"):
            unix_connect("/run/x", "ws://localhost/", ssl=context)

    @pytest.mark.parametrize("path", ["/run/x", b"/run/x"])
    def test_errors_name_the_path(self, path: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any, **kwargs: Any) -> Any:
            raise _connect_error(2, "No such file or directory (os error 2)", "unix")

        monkeypatch.setattr(_openline.Client, "connect_unix", fail)
        with pytest.raises(FileNotFoundError) as caught:
            unix_connect(path)
        assert isinstance(caught.value, ConnectError)
        assert caught.value.filename == path
        assert str(caught.value) == f"[Errno 2] No such file or directory: {path!r}"


class TestEchoServer:
    @pytest.mark.parametrize(
        ("name", "value", "error", "text"),
        [
            ("host", "0.0.0.0", ValueError, "loopback"),
            ("host", "::", ValueError, "loopback"),
            ("host", "192.0.2.1", ValueError, "loopback"),
            ("host", "example.com", ValueError, "loopback"),
            ("host", "", ValueError, "loopback"),
            ("host", None, TypeError, "host must be str, not NoneType"),
            ("port", -1, ValueError, "port must be between 0"),
            ("port", 65536, ValueError, "port must be between 0"),
            ("port", "80", TypeError, "port must be int, not str"),
            ("port", True, TypeError, "port must be int, not bool"),
            ("path", "", ValueError, "path must not be empty"),
            ("path", 5, TypeError, "path must be str, bytes or os.PathLike"),
            ("certfile", 5, TypeError, "certfile must be str, bytes or os.PathLike"),
            ("keyfile", "key.pem", ValueError, "keyfile is given without certfile"),
            ("subprotocols", "chat", TypeError, "subprotocols must be a sequence"),
            ("subprotocols", ["a b"], ValueError, "invalid subprotocol"),
            ("basic_auth", "ada:secret", TypeError, "basic_auth must be"),
            ("basic_auth", ("ada",), TypeError, "basic_auth must be"),
            ("basic_auth", ("ada", 5), TypeError, "basic_auth must be"),
            ("basic_auth", ("a:da", "secret"), ValueError, "must not contain a colon"),
            ("welcome", "hello", TypeError, "welcome must be a sequence .* such as a list, not str"),
            ("welcome", b"hello", TypeError, "welcome must be a sequence"),
            ("welcome", ["hello", 5], TypeError, "welcome must be a sequence of str and bytes, not of int"),
            ("close_after", -1, ValueError, "close_after must be at least 0"),
            ("close_after", 1.5, TypeError, "close_after must be int or None, not float"),
            ("close_after", True, TypeError, "close_after must be int or None, not bool"),
            ("close_code", 1005, ValueError, "close_code 1005 .*: invalid status code"),
            ("close_code", "1000", TypeError, "close_code must be int, not str"),
            ("close_reason", "x" * 124, ValueError, "control frame too long"),
            ("close_reason", b"bye", TypeError, "close_reason must be str, not bytes"),
        ],
    )
    def test_wrong(self, name: str, value: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            EchoServer(**{name: value})

    def test_path_and_port(self) -> None:
        with pytest.raises(ValueError, match="path and port are both given"):
            EchoServer(path="/run/x", port=80)

    def test_all_by_keyword(self) -> None:
        with pytest.raises(TypeError, match="positional"):
            EchoServer("127.0.0.1")  # type: ignore[call-arg]

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    def test_defaults(self, host: str, binding: dict[str, Any]) -> None:
        with pytest.raises(Reached):
            EchoServer(host=host)
        assert binding == {
            "args": (),
            "host": host,
            "port": 0,
            "path": None,
            "certfile": None,
            "keyfile": None,
            "subprotocols": [],
            "basic_auth": None,
            "welcome": [],
            "close_after": None,
            "close_code": 1000,
            "close_reason": "",
        }

    def test_right(self, binding: dict[str, Any]) -> None:
        with pytest.raises(Reached):
            EchoServer(
                path=pathlib.PurePosixPath("/run/x"),
                certfile=pathlib.PurePosixPath("cert.pem"),
                keyfile=b"key.pem",
                subprotocols=("chat",),
                basic_auth=("ada", "se:cret"),
                welcome=("hello", b"\0"),
                close_after=0,
                close_code=4000,
                close_reason="bye",
            )
        assert binding == {
            "args": (),
            "host": "127.0.0.1",
            "port": 0,
            "path": "/run/x",
            "certfile": "cert.pem",
            "keyfile": "key.pem",
            "subprotocols": ["chat"],
            "basic_auth": ("ada", "se:cret"),
            "welcome": ["hello", b"\0"],
            "close_after": 0,
            "close_code": 4000,
            "close_reason": "bye",
        }


def test_numbers_of_other_libraries_will_do() -> None:
    class Seconds:
        """As numpy's numbers: neither int nor float."""

        def __float__(self) -> float:
            return 2.5

    class Count:
        def __index__(self) -> int:
            return 7

    assert arguments.seconds("t", Seconds(), none="ever") == 2.5  # type: ignore[arg-type]
    assert arguments.size_limits("n", Count()) == (7, None)
    assert arguments.queue_marks("n", (Count(), Count())) == (7, 7)
