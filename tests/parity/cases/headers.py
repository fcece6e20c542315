"""`websockets.headers`: headers as text, and what they mean."""

from __future__ import annotations

from typing import Any

from websockets import headers
from websockets.headers import (
    build_authorization_basic,
    build_extension,
    build_host,
    build_subprotocol,
    build_www_authenticate_basic,
    parse_authorization_basic,
    parse_connection,
    parse_extension,
    parse_subprotocol,
    parse_upgrade,
    validate_subprotocols,
)

from parity import case, each
from parity.session import Session


@each(
    {
        "name": ("localhost", 80, False),
        "port": ("localhost", 8080, False),
        "secure": ("a.example", 443, True),
        "443 without TLS": ("a.example", 443, False),
        "80 with TLS": ("a.example", 80, True),
        "IPv4": ("127.0.0.1", 80, False),
        "IPv6": ("::1", 80, False),
        "IPv6 and port": ("2001:db8::1", 9000, True),
    }
)
def host(s: Session, parts: tuple[str, int, bool]) -> object:
    return build_host(*parts), build_host(*parts, always_include_port=True)


@each(
    [
        "Upgrade",
        "keep-alive, Upgrade",
        "upgrade,,close",
        ",Upgrade",
        "Upgrade,",
        "Upgrade ,  close",
        "",
        ",",
        "a b",
        "a;b",
        '"a"',
        "\u00e9",
        "a\tb",
        "a,\tb",
    ]
)
def connection(s: Session, value: str) -> object:
    return parse_connection(value)


@each(
    [
        "websocket",
        "WebSocket",
        "h2c, websocket",
        "HTTP/2.0",
        "websocket/13",
        "websocket/",
        "/13",
        "",
        "a/b/c",
        "a b",
    ]
)
def upgrade(s: Session, value: str) -> object:
    return parse_upgrade(value)


@each(
    [
        "foo",
        "foo, bar",
        "foo; a=1",
        "foo; a=1; b, bar; c",
        'foo; a="1"',
        'foo; a="\\1"',
        'foo; a="1 2"',
        'foo; a=""',
        "foo ; a = 1",
        "foo;",
        "foo; =1",
        "foo; a=",
        "",
        ",foo",
        "foo,,bar",
        "foo bar",
        "foo; a=1 b",
        'foo; a="1',
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover, x-other; q=0",
    ]
)
def extension(s: Session, value: str) -> object:
    return parse_extension(value)


@each(
    ["chat", "chat, superchat", "chat,,superchat", "", "chat superchat", "chat;", ",chat", "a/b", "(chat)"]
)
def subprotocol(s: Session, value: str) -> object:
    return parse_subprotocol(value)


@each(
    {
        "none": [],
        "one": [("foo", [])],
        "two": [("foo", []), ("bar", [])],
        "parameters": [("foo", [("a", "1"), ("b", None)]), ("bar", [("c", "2")])],
    }
)
def built_extension(s: Session, extensions: Any) -> object:
    return build_extension(extensions)


@each({"none": [], "one": ["chat"], "two": ["chat", "superchat"]})
def built_subprotocol(s: Session, subprotocols: Any) -> object:
    return build_subprotocol(subprotocols)


@each(
    {
        "list": ["chat", "superchat"],
        "tuple": ("chat",),
        "empty list": [],
        "str": "chat",
        "generator": iter(["chat"]),
        "set": {"chat"},
        "space": ["a b"],
        "empty": [""],
        "number": [1],
        "bytes": [b"chat"],
        "None": None,
    }
)
def validated_subprotocols(s: Session, subprotocols: Any) -> object:
    validate_subprotocols(subprotocols)
    return subprotocols is not None


@each(["realm", "", 'a "realm"', "back\\slash", "caf\u00e9", "line\nfeed", "\u20ac"])
def www_authenticate(s: Session, realm: str) -> object:
    return build_www_authenticate_basic(realm)


@each(
    [
        "Basic aGVsbG86d29ybGQ=",
        "basic aGVsbG86d29ybGQ=",
        "Basic aGVsbG86",
        "Basic OndvcmxkOmFnYWlu",
        "Bearer abc",
        "Basic",
        "Basic ",
        "Basic  aGVsbG86",
        "Basic aGVsbG8=",
        "Basic aGVsbG86d29ybGQ= x",
        "Basic a",
        "",
        "Basic w6k6w6k=",
        "Basic /zr+",
        "Basic aGVsbG86d29ybGQ",
    ]
)
def authorization(s: Session, value: str) -> object:
    return parse_authorization_basic(value)


@each(
    {
        "plain": ("hello", "world"),
        "empty": ("", ""),
        "colons": ("a", "b:c:"),
        "UTF-8": ("\u00e9", "\u20ac"),
        "surrogates": ("\udcff", "\udcfe"),
        "colon in the name": ("a:b", "c"),
    }
)
def built_authorization(s: Session, pair: tuple[str, str]) -> object:
    return build_authorization_basic(*pair)


@case
def all_names(s: Session) -> object:
    return [name for name in headers.__all__ if not hasattr(headers, name)], sorted(headers.__all__)
