"""The HTTP request and response of an opening handshake (RFC 6455 §4).

The Rust core writes and parses them; here they are objects to look at.
"""

from __future__ import annotations

import sys

from ._openline import MAX_BODY_SIZE, MAX_LINE_LENGTH, MAX_NUM_HEADERS, __version__
from ._record import Record
from .datastructures import Headers

__all__ = [
    "SERVER",
    "USER_AGENT",
    "MAX_BODY_SIZE",
    "MAX_LINE_LENGTH",
    "MAX_NUM_HEADERS",
    "Request",
    "Response",
]

USER_AGENT = f"Python/{sys.version_info.major}.{sys.version_info.minor} openline/{__version__}"
"""The `User-Agent` header of handshake requests, unless the caller chooses another."""

SERVER = USER_AGENT
"""The `Server` header of handshake responses."""


class Request(Record):
    """A handshake request.

    Attributes:
        path: what follows the host in the URI: path and query, as on the wire.
        headers: the headers.
        method: always `GET` in a handshake. Default: "GET".
        protocol: always `HTTP/1.1` in a handshake. Default: "HTTP/1.1".

    >>> Request("/chat?room=1", Headers(Host="localhost"))
    Request(path='/chat?room=1', headers=Headers([('Host', 'localhost')]), method='GET', protocol='HTTP/1.1')
    """

    __match_args__ = ("path", "headers", "method", "protocol")

    def __init__(self, path: str, headers: Headers, method: str = "GET", protocol: str = "HTTP/1.1") -> None:
        self.path = path
        self.headers = headers
        self.method = method
        self.protocol = protocol

    def serialize(self) -> bytes:
        """Return the request as it is on the wire.

        Raises:
            UnicodeEncodeError: the path is not ASCII, or a header is not ISO-8859-1.

        >>> Request("/chat", Headers(Host="localhost")).serialize()
        b'GET /chat HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'
        """
        line = f"{self.method} {self.path} {self.protocol}\r\n"
        return line.encode("ascii") + self.headers.serialize()

    @classmethod
    def _received(cls, path: str, headers: list[tuple[str, str]]) -> Request:
        """Make a request from the parts the binding gives."""
        return cls(path, Headers._received(headers))

    @classmethod
    def _received_by_server(
        cls, method: str, path: str, protocol: str, headers: list[tuple[str, str]]
    ) -> Request:
        """Make a client's request, which may be any."""
        return cls(path, Headers._received(headers), method, protocol)


class Response(Record):
    """A handshake response.

    Attributes:
        status_code: 101 when the server agrees to a WebSocket.
        reason_phrase: the text after the status code; may be empty.
        headers: the headers.
        body: the body, as `bytes` when it was received; empty with 101. Default: b"".

    >>> response = Response(404, "Not Found", Headers(), b"no such room")
    >>> response.status_code, response.body.decode()
    (404, 'no such room')
    """

    __match_args__ = ("status_code", "reason_phrase", "headers", "body")

    def __init__(
        self, status_code: int, reason_phrase: str, headers: Headers, body: bytes | bytearray = b""
    ) -> None:
        self.status_code = status_code
        self.reason_phrase = reason_phrase
        self.headers = headers
        self.body = body

    def serialize(self) -> bytes:
        """Return the response as it is on the wire.

        Raises:
            UnicodeEncodeError: the reason phrase or a header is not ISO-8859-1.

        >>> Response(404, "Not Found", Headers(), b"no such room").serialize()
        b'HTTP/1.1 404 Not Found\\r\\n\\r\\nno such room'
        """
        line = f"HTTP/1.1 {self.status_code} {self.reason_phrase}\r\n"
        return line.encode("iso-8859-1") + self.headers.serialize() + self.body

    @classmethod
    def _received(cls, status: int, reason: str, headers: list[tuple[str, str]], body: bytes) -> Response:
        """Make a response from the parts the binding gives."""
        return cls(status, reason, Headers._received(headers), body)
