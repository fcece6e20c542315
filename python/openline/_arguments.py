"""Checks of the arguments of `connect`, `unix_connect` and `EchoServer`, made before anything is opened.

Each function returns the value in the one shape the binding takes, or raises a `TypeError` or `ValueError`
that names the parameter and the way out.
"""

from __future__ import annotations

import math
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .datastructures import Headers, HeadersLike, check_header, is_token
from .exceptions import InvalidURI, _UnsendableHeader

__all__ = [
    "additional_headers",
    "count_from_environment",
    "header_value",
    "host_and_port",
    "instance",
    "is_instance",
    "listed",
    "local_addresses",
    "logger",
    "ping_interval",
    "ping_timeout",
    "queue_marks",
    "seconds",
    "size_limits",
    "socket_path",
    "stream",
    "string",
    "subprotocol_list",
    "tls_context",
    "unix_uri_path",
]


def seconds(name: str, value: float | None, *, none: str, zero: bool = True) -> float | None:
    """Check a time in seconds.

    Args:
        none: what None means, for the error's text.
        zero: whether 0 makes sense.
    """
    if value is None:
        return None
    # Anything that is a number will do, such as numpy's; a bool would be one by accident.
    if isinstance(value, bool) or not hasattr(type(value), "__float__"):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number of seconds, not {number}; None means {none}")
    if number < 0 or (number == 0 and not zero):
        least = "positive or 0" if zero else "positive"
        raise ValueError(f"{name} must be {least}, not {value}; None means {none}")
    return min(number, _CENTURY)


def ping_interval(name: str, value: float | None) -> float | None:
    """Check the seconds between keepalive pings."""
    # Zero would send pings without pause.
    return seconds(name, value, none="no keepalive pings", zero=False)


def ping_timeout(name: str, value: float | None) -> float | None:
    """Check the seconds to wait for the answer to a keepalive ping."""
    # Zero would give up before any answer could come.
    return seconds(name, value, none="waiting for ever", zero=False)


def size_limits(name: str, value: Any) -> tuple[int | None, int | None]:
    """Check a limit of messages, alone or with one of fragments; return both."""
    if isinstance(value, (tuple, list)):
        message, fragment = _two(name, value, "(of messages, of fragments)")
    else:
        message, fragment = value, None
    what = f"{name} must be a number of bytes, None, or a pair of these"
    # More than sys.maxsize cannot be reached, and would not fit into the binding's integers.
    return _count(name, message, what, sys.maxsize), _count(name, fragment, what, sys.maxsize)


def queue_marks(name: str, value: Any) -> tuple[int | None, int | None]:
    """Check a high water mark, alone or with a low one; return both."""
    if isinstance(value, (tuple, list)):
        high, low = _two(name, value, "(high, low)")
    else:
        high, low = value, None
    what = f"{name} must be a number of messages, None, or a pair of these"
    high = _count(name, high, what, sys.maxsize)
    low = _count(name, low, what, sys.maxsize, least=0)
    if low is not None:
        if high is None:
            high = max(1, 4 * low)  # as `websockets` does: the inverse of the default low mark
        if low > high:
            raise ValueError(f"{name} is (high, low) with low at most high, not ({high}, {low})")
    return high, low


def string(name: str, value: Any, *, empty: bool = True) -> str | None:
    """Check a text that may be left out."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
    if not value and not empty:
        raise ValueError(f"{name} must not be empty; None leaves it out")
    return value


def header_value(name: str, value: Any, header: str) -> str | None:
    """Check the value for one header, which may be left out."""
    text = string(name, value)
    if text is not None:
        try:
            check_header(header, text)
        except _UnsendableHeader as error:
            raise _of_parameter(name, error) from None
    return text


def additional_headers(name: str, value: HeadersLike | None) -> Headers:
    """Check headers of any accepted kind."""
    if value is None:
        return Headers()
    try:
        return Headers(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except _UnsendableHeader as error:
        raise _of_parameter(name, error) from None


def subprotocol_list(name: str, value: Sequence[str] | None) -> list[str]:
    """Check subprotocols (RFC 6455 §4.1: tokens, all of them unique)."""
    names = _sequence(name, value, "subprotocols")
    for item in names:
        if not isinstance(item, str):
            raise TypeError(f"each of {name} must be str, not {type(item).__name__}")
        if not is_token(item):
            raise ValueError(
                f"invalid subprotocol in {name}: {item!r}; "
                "letters, digits and any of !#$%&'*+-.^_`|~ are allowed"
            )
    for item in names:
        if names.count(item) > 1:
            raise ValueError(f"subprotocol {item!r} is more than once in {name}")
    return names


def socket_path(name: str, value: Any) -> str | bytes:
    """Check the path of a Unix socket."""
    try:
        path: str | bytes = os.fspath(value)
    except TypeError:
        raise TypeError(f"{name} must be str, bytes or os.PathLike, not {type(value).__name__}") from None
    if not path:
        raise ValueError(f"{name} must not be empty")
    # A NUL in front is Linux's mark of an abstract address, which is not in the file system.
    nul = "\0" if isinstance(path, str) else b"\0"
    if not path.startswith(nul) and nul in path:  # type: ignore[arg-type, operator]
        raise ValueError(f"{name} must not contain a NUL character")
    return path


def unix_uri_path(uri: str) -> str | None:
    """Return the path in a `unix:///path/to.sock` URI; None if `uri` has another scheme.

    >>> unix_uri_path("unix:///tmp/my%20app.sock"), unix_uri_path("ws://localhost/")
    ('/tmp/my app.sock', None)
    """
    if uri[:5].lower() != "unix:":
        return None
    if uri[5:8] != "///" or uri[8:9] == "/":
        raise InvalidURI(uri, "expected unix:///path/to.sock, with an absolute path and no host")
    if "?" in uri or "#" in uri:
        raise InvalidURI(uri, "a unix:// URI has no query or fragment; write ? as %3F and # as %23")
    if len(uri) == 8:
        raise InvalidURI(uri, "the path is missing")
    if re.search("%(?![0-9A-Fa-f]{2})", uri):
        raise InvalidURI(uri, "% must be followed by two hexadecimal digits; write % itself as %25")
    raw = re.sub(rb"%(..)", lambda match: bytes.fromhex(match[1].decode()), os.fsencode(uri[7:]))
    if b"\0" in raw:
        raise InvalidURI(uri, "the path must not contain a NUL character")
    return os.fsdecode(raw)


def instance(name: str, value: Any, module: str, *classes: str) -> Any:
    """Check that a value, unless it is None, is of one of a module's classes, without importing that module."""
    if value is not None and not is_instance(value, module, *classes):
        names = " or ".join(f"{module}.{each}" for each in classes)
        raise TypeError(f"{name} must be {names} or None, not {type(value).__name__}")
    return value


def is_instance(value: Any, module: str, *classes: str) -> bool:
    """Tell whether a value is of one of a module's classes, without importing that module.

    Whoever has an object of the class has imported the module.
    """
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, tuple(getattr(loaded, each) for each in classes))


def tls_context(name: str, value: Any) -> Any:
    """Check an `ssl.SSLContext`, which may be left out."""
    return instance(name, value, "ssl", "SSLContext")


def logger(name: str, value: Any) -> Any:
    """Check a logger, which may be left out."""
    return instance(name, value, "logging", "Logger", "LoggerAdapter")


def stream(name: str, value: Any) -> Any:
    """Check a socket, or an object that is as good as one."""
    if value is not None and not (hasattr(value, "recv") and hasattr(value, "sendall")):
        raise TypeError(
            f"{name} must be a connected socket, an object with recv and sendall, or None, "
            f"not {type(value).__name__}"
        )
    return value


def host_and_port(name: str, value: Any) -> tuple[str, int] | None:
    """Check an address as `socket.create_connection` takes it."""
    if value is None:
        return None
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be a pair (host, port) or None, not {type(value).__name__}")
    host, port = _two(name, value, "(host, port)")
    if not isinstance(host, str):
        raise TypeError(f"the host of {name} must be str, not {type(host).__name__}")
    number = _count(name, port, f"the port of {name} must be int", 65536, least=0)
    if number is None or number > 65535:
        raise ValueError(f"the port of {name} must be at most 65535, not {port}")
    return host, number


def local_addresses(source: tuple[str, int] | None) -> list[tuple[str, int]]:
    """Return the addresses to bind to for a `source_address`, one for each family."""
    if source is None:
        return []
    import socket

    host, port = source
    found: dict[int, tuple[str, int]] = {}
    try:
        infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"source_address {host!r}: {error.strerror}") from None
    for family, _, _, _, address in infos:
        if family in (socket.AF_INET, socket.AF_INET6):
            found.setdefault(family, (str(address[0]), port))
    return list(found.values())


def count_from_environment(name: str, default: int) -> int:
    """Return the number in an environment variable."""
    text = os.environ.get(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(f"the environment variable {name} must be a number that is 0 or more, not {text!r}")
    return number


def listed(name: str, value: Iterable[Any] | None, of: str, check: Callable[[Any], bool]) -> list[Any]:
    """Check a sequence whose items all pass `check`."""
    items = _sequence(name, value, of)
    for item in items:
        if not check(item):
            raise TypeError(f"{name} must be a sequence of {of}, not of {type(item).__name__}")
    return items


def count(name: str, value: int | None) -> int | None:
    """Check how many of something there may be."""
    return _count(name, value, f"{name} must be an int or None", sys.maxsize)


def is_integer(value: Any) -> bool:
    """Whether it is an `int`, and not `True` or `False`."""
    return isinstance(value, int) and not isinstance(value, bool)


def _of_parameter(name: str, error: _UnsendableHeader) -> _UnsendableHeader:
    """Return an error about a header with the parameter it is in."""
    return _UnsendableHeader(error.name, error.value, f"{name}: {error}")


def _sequence(name: str, value: Any, of: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, (str, bytes, bytearray, memoryview)) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence of {of} such as a list, not {type(value).__name__}")
    return list(value)


def _two(name: str, value: Sequence[Any], names: str) -> Sequence[Any]:
    if len(value) != 2:
        raise ValueError(f"{name} as a pair is {names}, not {len(value)} values")
    return value


def _count(name: str, value: Any, what: str, most: int, *, least: int = 1) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool):
        raise TypeError(f"{what}, not bool")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what}, not {type(value).__name__}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}; None means no limit")
    return min(number, most)


# Longer waits than this (about 95 years) are cut to it, so that no clock in the core can overflow.
_CENTURY = 3e9
