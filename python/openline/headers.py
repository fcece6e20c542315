"""The headers of a handshake, taken apart and put together (RFC 6455 §9.1 and §11.3, RFC 7617, RFC 9110).

Lists are parsed by the Rust core, as in the handshakes of connections.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence

from . import _openline
from .datastructures import is_token
from .exceptions import InvalidHeaderFormat, InvalidHeaderValue
from .typing import ConnectionOption, ExtensionHeader, Subprotocol, UpgradeProtocol

__all__ = [
    "build_host",
    "parse_connection",
    "parse_upgrade",
    "parse_extension",
    "build_extension",
    "parse_subprotocol",
    "build_subprotocol",
    "validate_subprotocols",
    "build_www_authenticate_basic",
    "parse_authorization_basic",
    "build_authorization_basic",
]


def build_host(host: str, port: int, secure: bool, *, always_include_port: bool = False) -> str:
    """Build a `Host` header.

    Args:
        host: a name or an address; IPv6 without its brackets, which are added.
        port: the port.
        secure: whether this is for `wss`, whose default port is 443, or for `ws`, where it is 80.
        always_include_port: whether to name the default port too. Default: False.

    >>> build_host("localhost", 80, False), build_host("::1", 8765, False)
    ('localhost', '[::1]:8765')
    """
    if _is_ipv6(host):
        host = f"[{host}]"
    is_default = port == (443 if secure else 80)
    return host if is_default and not always_include_port else f"{host}:{port}"


def parse_connection(header: str) -> list[ConnectionOption]:
    """Parse a `Connection` header.

    Args:
        header: its value.

    Raises:
        InvalidHeaderFormat: it is not a list of at least one token.

    >>> parse_connection("keep-alive, Upgrade")
    ['keep-alive', 'Upgrade']
    """
    return _openline.parse_connection(header)


def parse_upgrade(header: str) -> list[UpgradeProtocol]:
    """Parse an `Upgrade` header.

    Args:
        header: its value.

    Raises:
        InvalidHeaderFormat: it is not a list of at least one protocol.

    >>> parse_upgrade("websocket, TLS/1.0")
    ['websocket', 'TLS/1.0']
    """
    return _openline.parse_upgrade(header)


def parse_extension(header: str) -> list[ExtensionHeader]:
    """Parse a `Sec-WebSocket-Extensions` header.

    Args:
        header: its value.

    Returns:
        The extensions in order, each its name and a list of its parameters, which are pairs of a name and a
        value, or None for one without.

    Raises:
        InvalidHeaderFormat: it does not follow the grammar.

    >>> parse_extension("permessage-deflate; client_max_window_bits, x-test; a=1")
    [('permessage-deflate', [('client_max_window_bits', None)]), ('x-test', [('a', '1')])]
    """
    return _openline.parse_extensions(header)


def build_extension(extensions: Sequence[ExtensionHeader]) -> str:
    """Build a `Sec-WebSocket-Extensions` header; the reverse of `parse_extension`.

    Args:
        extensions: as `parse_extension` returns them. Names and values must be tokens; that is not checked.

    >>> build_extension([("permessage-deflate", [("client_max_window_bits", None)]), ("x-a", [("b", "1")])])
    'permessage-deflate; client_max_window_bits, x-a; b=1'
    """
    return ", ".join(
        "; ".join([name, *(key if value is None else f"{key}={value}" for key, value in parameters)])
        for name, parameters in extensions
    )


def parse_subprotocol(header: str) -> list[Subprotocol]:
    """Parse a `Sec-WebSocket-Protocol` header.

    Args:
        header: its value.

    Raises:
        InvalidHeaderFormat: it is not a list of at least one token.

    >>> parse_subprotocol("chat, superchat")
    ['chat', 'superchat']
    """
    return _openline.parse_subprotocols(header)


def build_subprotocol(subprotocols: Sequence[Subprotocol]) -> str:
    """Build a `Sec-WebSocket-Protocol` header; the reverse of `parse_subprotocol`.

    Args:
        subprotocols: the names, which `validate_subprotocols` checks.

    >>> build_subprotocol(["chat", "superchat"])
    'chat, superchat'
    """
    return ", ".join(subprotocols)


def validate_subprotocols(subprotocols: Sequence[Subprotocol]) -> None:
    """Check that subprotocols can be put into a header.

    Args:
        subprotocols: the names.

    Raises:
        TypeError: it is not a sequence, or it is a `str`.
        ValueError: one of them is not a token.

    >>> validate_subprotocols(["chat", "super chat"])
    Traceback (most recent call last):
    ValueError: invalid subprotocol: super chat
    """
    if not isinstance(subprotocols, Sequence):
        raise TypeError("subprotocols must be a list")
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols must be a list, not a str")
    for subprotocol in subprotocols:
        if not is_token(subprotocol):
            raise ValueError(f"invalid subprotocol: {subprotocol}")


def build_www_authenticate_basic(realm: str) -> str:
    """Build a `WWW-Authenticate` header that asks for basic authentication in UTF-8 (RFC 7617 §2).

    Args:
        realm: what the credentials are for.

    Raises:
        ValueError: `realm` has a control character, or one beyond U+00FF.

    >>> build_www_authenticate_basic("the lounge")
    'Basic realm="the lounge", charset="UTF-8"'
    """
    if _QUOTABLE(realm) is None:
        raise ValueError("invalid characters for quoted-string encoding")
    quoted = realm.replace("\\", r"\\").replace('"', r"\"")
    return f'Basic realm="{quoted}", charset="UTF-8"'


def parse_authorization_basic(header: str) -> tuple[str, str]:
    """Parse an `Authorization` header with basic authentication (RFC 7617 §2).

    Args:
        header: its value.

    Returns:
        The user's name and the password. Bytes that are not UTF-8 are lone surrogates, as with
        `errors="surrogateescape"`.

    Raises:
        InvalidHeaderFormat: it does not follow the grammar.
        InvalidHeaderValue: it has another scheme, or its credentials cannot be decoded.

    >>> parse_authorization_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    ('Aladdin', 'open sesame')
    """
    name = "Authorization"
    scheme = _TOKEN(header)
    if scheme is None:
        raise InvalidHeaderFormat(name, "expected token", header, 0)
    if scheme[0].lower() != "basic":
        raise InvalidHeaderValue(name, f"unsupported scheme: {scheme[0]}")
    if header[scheme.end() : scheme.end() + 1] != " ":
        raise InvalidHeaderFormat(name, "expected space after scheme", header, scheme.end())
    credentials = _TOKEN68(header, scheme.end() + 1)
    if credentials is None:
        raise InvalidHeaderFormat(name, "expected token68", header, scheme.end() + 1)
    if credentials.end() < len(header):
        raise InvalidHeaderFormat(name, "trailing data", header, credentials.end())
    try:
        decoded = binascii.a2b_base64(credentials[0]).decode(errors="surrogateescape")
    except binascii.Error:
        raise InvalidHeaderValue(name, "expected base64-encoded credentials") from None
    username, colon, password = decoded.partition(":")
    if not colon:
        raise InvalidHeaderValue(name, "expected username:password credentials")
    return username, password


def build_authorization_basic(username: str, password: str) -> str:
    """Build an `Authorization` header for basic authentication; the reverse of `parse_authorization_basic`.

    Args:
        username: the user's name, without a colon.
        password: the password.

    Raises:
        ValueError: `username` has a colon.

    >>> build_authorization_basic("Aladdin", "open sesame")
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
    """
    if ":" in username:
        raise ValueError("a user name for basic authentication must not have a colon")
    credentials = f"{username}:{password}".encode(errors="surrogateescape")
    return f"Basic {binascii.b2a_base64(credentials, newline=False).decode()}"


# Names that programs for earlier releases of `websockets` use.
parse_extension_list = parse_extension
build_extension_list = build_extension
parse_subprotocol_list = parse_subprotocol
build_subprotocol_list = build_subprotocol


def _is_ipv6(host: str) -> bool:
    if ":" not in host:
        return False
    import ipaddress  # slow to import, and most hosts are names

    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").match
_TOKEN68 = re.compile(r"[-._~+/0-9A-Za-z]+=*").match  # RFC 9110 §11.2

# What can stand in a quoted string (RFC 9110 §5.6.4), if need be after a backslash.
_QUOTABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
