"""WebSocket URIs, taken apart (RFC 6455 §3)."""

from __future__ import annotations

from . import _openline
from ._record import Record

__all__ = ["WebSocketURI", "parse_uri"]


class WebSocketURI(Record):
    """The parts of a WebSocket URI.

    Attributes:
        secure: True for `wss`, False for `ws`.
        host: the name in lower case, or the address without brackets.
        port: the port, also when the URI leaves it out.
        path: as on the wire; may be empty.
        query: as on the wire, without the question mark; may be empty.
        username: the user's name, decoded. Default: None, the URI has none.
        password: the password, decoded. Default: None, the URI has none.

    >>> WebSocketURI(False, "localhost", 80, "", "room=1").resource_name
    '/?room=1'
    """

    __match_args__ = ("secure", "host", "port", "path", "query", "username", "password")

    def __init__(
        self,
        secure: bool,
        host: str,
        port: int,
        path: str,
        query: str,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.secure = secure
        self.host = host
        self.port = port
        self.path = path
        self.query = query
        self.username = username
        self.password = password

    @property
    def resource_name(self) -> str:
        """What stands in the request: path and query.

        >>> WebSocketURI(True, "example.com", 443, "/chat", "").resource_name
        '/chat'
        """
        query = f"?{self.query}" if self.query else ""
        return f"{self.path or '/'}{query}"

    @property
    def user_info(self) -> tuple[str, str] | None:
        """The user's name and password; None if the URI has none.

        >>> WebSocketURI(True, "example.com", 443, "/", "", "ada", "secret").user_info
        ('ada', 'secret')
        """
        if self.username is None:
            return None
        return self.username, self.password or ""


def unparse(uri: WebSocketURI) -> str:
    """Return the text of a URI that was taken apart.

    >>> unparse(WebSocketURI(True, "::1", 443, "/chat", "a=b", "ada", "p@ss"))
    'wss://ada:p%40ss@[::1]:443/chat?a=b'
    """
    user = ""
    if uri.user_info is not None:
        from urllib.parse import quote

        user = ":".join(quote(part, safe="") for part in uri.user_info) + "@"
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return f"{'wss' if uri.secure else 'ws'}://{user}{host}:{uri.port}{uri.resource_name}"


def parse_uri(uri: str) -> WebSocketURI:
    """Take a WebSocket URI apart.

    Args:
        uri: a `ws://` or `wss://` URI.

    Raises:
        InvalidURI: it is not a WebSocket URI; the text says why.
        TypeError: it is not a `str`.

    Example:
        parse_uri("wss://example.com/chat").port  # 443
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    return WebSocketURI(*_openline.parse_uri(uri))
