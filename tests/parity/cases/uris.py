"""`websockets.uri`: good URIs and bad ones."""

from __future__ import annotations

from typing import Any

from websockets.uri import WebSocketURI, parse_uri

from parity import case, each
from parity.session import Session

GOOD = [
    "ws://localhost/",
    "wss://localhost/",
    "ws://localhost",
    "ws://localhost:8080/chat",
    "wss://example.com:443/",
    "wss://example.com:8443/",
    "ws://example.com:80",
    "WS://Example.COM/Path",
    "ws://example.com/a/b?c=d&e=f",
    "ws://example.com?query",
    "ws://example.com/?",
    "ws://example.com/%7Euser/%C3%A9",
    "ws://example.com/a;b=c",
    "ws://127.0.0.1/",
    "ws://[::1]/",
    "ws://[2001:db8::1]:9000/x",
    "ws://user:password@example.com/",
    "ws://user:@example.com/",
    "ws://us%3Aer:p%40ss@example.com/",
    "ws://h\u00e4ndler.example/",
    "ws://h\u00e4ndler.example/caf\u00e9?na\u00efve=\u00fc",
    "ws://example.com/caf\u00e9 au lait",
    "ws://example.com//double",
    "ws://example.com/..",
    "ws://example.com:/",
    "ws://example.com./",
    "ws://under_score.example/",
]

BAD = [
    "",
    "localhost",
    "http://localhost/",
    "https://localhost/",
    "//localhost/",
    "ws://",
    "ws:///path",
    "ws:localhost",
    "ws://localhost/#fragment",
    "ws://user@localhost/",
    "ws://localhost:port/",
    "ws://localhost:65536/",
    "ws://localhost:-1/",
    "ws://[::1/",
    "ws://[nonsense]/",
    "unix:///tmp/socket",
    "ws://user:%FF@localhost/",
]

STRANGE = [
    "ws://localhost:0/",
    "ws://localhost/#",
    "ws://local host/",
    "ws://localhost/a b",
    " ws://localhost/",
    "ws://localhost/\r\nX: y",
    "ws://localhost\t/",
    "ws://:8080/",
    "ws://@localhost/",
    "ws://a:b@c:d@localhost/",
    "ws://localhost\\path",
    "ws://%6c%6f/",
    "ws://\u2128.example/",
    "ws://exa\u00admple.com/",
]


def told(uri: WebSocketURI) -> object:
    return repr(uri), uri.resource_name, uri.user_info


@each(GOOD)
def good(s: Session, uri: str) -> object:
    return told(parse_uri(uri))


@each(BAD)
def bad(s: Session, uri: str) -> object:
    return told(parse_uri(uri))


@each({ascii(uri)[1:-1]: uri for uri in STRANGE})
def strange(s: Session, uri: str) -> object:
    return told(parse_uri(uri))


@case
def made_by_hand(s: Session) -> object:
    return told(WebSocketURI(True, "example.com", 443, "", "a=b", "me", "secret"))


@case
def equality(s: Session) -> object:
    one = parse_uri("ws://example.com/")
    anything: Any = "ws://example.com/"
    return one == parse_uri("ws://EXAMPLE.com:80/"), one == parse_uri("wss://example.com/"), one != anything


@case
def made_by_keywords(s: Session) -> object:
    uri = WebSocketURI(secure=False, host="a", port=80, path="/", query="")
    uri.port = 81
    return told(uri)
