"""Every exception openline raises, in one tree.

- `WebSocketException`
    - `ConnectionClosed`: nothing more can be sent or received
        - `ConnectionClosedOK`: it ended well
        - `ConnectionClosedError`: it ended badly
            - `ConnectError`: it never began; also an `OSError`
    - `InvalidURI`
    - `InvalidProxy`
    - `InvalidHandshake`: the server, or a proxy, did not agree to a WebSocket
        - `SecurityError`
            - `RequestLineTooLong`, `StatusLineTooLong`, `HeaderLineTooLong`, `TooManyHeaders`
        - `ProxyError`
            - `InvalidProxyMessage`, `InvalidProxyStatus`
        - `InvalidMessage`, `InvalidMethod`, `InvalidProtocol`, `InvalidStatus`
        - `InvalidHeader`
            - `InvalidHeaderFormat`, `InvalidHeaderValue`, `InvalidOrigin`, `InvalidUpgrade`
        - `NegotiationError`
            - `DuplicateParameter`, `InvalidParameterName`, `InvalidParameterValue`
    - `ProtocolError`, `PayloadTooBig`, `TooManyFragments`
    - `InvalidState`
    - `ConcurrencyError`

Time-outs are the builtin `TimeoutError`; that of a send is its subclass `SendTimeout`, which tells what went
out. Trouble with TLS is `ssl.SSLError`. Names, attributes and texts are
those of `websockets.exceptions` 17.4, so error handling written for that package works here. All of them can
be pickled.
"""

from __future__ import annotations

import copyreg
import enum
import os
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .frames import Close
    from .http11 import Response
    from .report import CloseReport, _RawReport

__all__ = [
    "WebSocketException",
    "ConnectionClosed",
    "CloseCause",
    "ConnectionClosedOK",
    "ConnectionClosedError",
    "ConnectError",
    "InvalidURI",
    "InvalidProxy",
    "InvalidHandshake",
    "SecurityError",
    "RequestLineTooLong",
    "StatusLineTooLong",
    "HeaderLineTooLong",
    "TooManyHeaders",
    "ProxyError",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidProtocol",
    "InvalidStatus",
    "InvalidHeader",
    "InvalidHeaderFormat",
    "InvalidHeaderValue",
    "InvalidOrigin",
    "InvalidUpgrade",
    "NegotiationError",
    "DuplicateParameter",
    "InvalidParameterName",
    "InvalidParameterValue",
    "ProtocolError",
    "PayloadTooBig",
    "TooManyFragments",
    "InvalidState",
    "ConcurrencyError",
    "SendTimeout",
]


class WebSocketException(Exception):
    """The base of all exceptions defined here, and so of everything that is particular to WebSockets.

    >>> issubclass(ConnectionClosed, WebSocketException), issubclass(InvalidHandshake, WebSocketException)
    (True, True)
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with `args`, which fails for one made with keywords. Restoring
        # the attributes without `__init__` works for every subclass, also for users' own.
        make: Any = copyreg.__newobj__  # type: ignore[attr-defined]  # public, but typeshed has forgotten it
        return make, (type(self), *self.args), self.__dict__ or None


class ConnectionClosed(WebSocketException):
    """The connection has ended, so nothing more can be sent or received.

    Attributes:
        rcvd: the close frame the peer sent, as a `Close` with `code` and `reason`; None if it sent none.
        sent: the close frame we sent; None if we sent none.
        rcvd_then_sent: when both are there, whether the peer's came first; else None. Default: None.
        cause: what ended the connection, a `CloseCause`; None if this exception was not raised by one.

    Raises:
        ValueError: `rcvd_then_sent` is missing with both frames, or given without both.

    >>> from openline.frames import Close
    >>> print(ConnectionClosed(Close(1000, ""), Close(1000, ""), True))
    received 1000 (OK); then sent 1000 (OK)
    >>> print(ConnectionClosed(None, Close(1011, "keepalive ping timeout")))
    sent 1011 (internal error) keepalive ping timeout; no close frame received
    >>> print(ConnectionClosed(None, None))
    no close frame received or sent
    """

    cause: CloseCause | None = None
    _report: _RawReport | None = None

    def __init__(self, rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None) -> None:
        if (rcvd_then_sent is None) is not (rcvd is None or sent is None):
            raise ValueError("rcvd_then_sent is True or False with both rcvd and sent, and None otherwise")
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent

    def __str__(self) -> str:
        if self.rcvd is None:
            if self.sent is None:
                return "no close frame received or sent"
            return f"sent {self.sent}; no close frame received"
        if self.sent is None:
            return f"received {self.rcvd}; no close frame sent"
        if self.rcvd_then_sent:
            return f"received {self.rcvd}; then sent {self.sent}"
        return f"sent {self.sent}; then received {self.rcvd}"

    @property
    def code(self) -> int:
        """The close code the peer sent (RFC 6455 §7.1.5): 1005 if its frame had none, 1006 without a frame.

        >>> ConnectionClosed(None, None).code
        1006
        """
        return 1006 if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The reason the peer sent; empty if there was none (RFC 6455 §7.1.6).

        >>> from openline.frames import Close
        >>> ConnectionClosed(Close(4401, "token expired"), None).reason
        'token expired'
        """
        return "" if self.rcvd is None else self.rcvd.reason

    def report(self) -> CloseReport | None:
        """Tell what else is known of the connection: counters, ages, the latest frames.

        Returns:
            A `CloseReport`, whose text is for bug reports; None if this exception was not raised by a
            connection that was open.

        >>> print(ConnectionClosed(None, None).report())
        None
        """
        if self.cause is None or self._report is None:
            return None
        from .report import _report

        return _report(self, self.cause, self._report)


class CloseCause(enum.Enum):
    """What ended a connection: the first thing that made its end certain.

    docs/closing.md tells what to do about each.

    >>> CloseCause.PING_TIMEOUT.value
    'nothing came from the peer for ping_timeout'
    """

    PEER = "the peer closed"
    LOCAL = "this side closed"
    ABORTED = "abort() was called, or the connection was dropped"
    BROKEN_OFF = "a message in fragments was broken off by this side"
    CLOSE_TIMEOUT = "the peer did not answer the close within close_timeout"
    EOF = "the stream ended without a close frame"
    TLS_EOF = "the stream ended without the goodbye of TLS"
    RESET = "the connection was reset"
    IO_ERROR = "reading or writing failed"
    PING_TIMEOUT = "nothing came from the peer for ping_timeout"
    IDLE_TIMEOUT = "no message came from the peer for idle_timeout"
    USER_TIMEOUT = "what was sent was not acknowledged"
    PROTOCOL_ERROR = "the peer broke the protocol"
    TOO_BIG = "a message of the peer is over a limit of this side"


class ConnectionClosedOK(ConnectionClosed):
    """The connection ended well: both sides sent a close frame with code 1000 or 1001, or without a code.

    >>> from openline.frames import Close
    >>> print(ConnectionClosedOK(Close(1001, "bye"), Close(1001, ""), False))
    sent 1001 (going away); then received 1001 (going away) bye
    """


class ConnectionClosedError(ConnectionClosed):
    """The connection ended badly: with another code, or without a complete closing handshake.

    `__cause__` is the I/O or protocol error behind it, if there was one.

    >>> from openline.frames import Close
    >>> print(ConnectionClosedError(Close(4401, "token expired"), None))
    received 4401 (private use) token expired; no close frame sent
    """


class ConnectError(ConnectionClosedError, OSError):
    """The TCP or Unix connection could not be made.

    What `connect` raises is always also the `OSError` subclass that Python uses for the error number, so all
    of `except ConnectionRefusedError`, `except OSError`, `except ConnectionClosed` and `except ConnectError`
    catch a refused connection; a name that cannot be resolved is also a `socket.gaierror`.

    Attributes:
        errno: the system's error number (for names, one of `socket.EAI_*`); None if the system gave none.
        strerror: what went wrong.
        filename: the path of the Unix socket. Default: None, for TCP.
        attempts: an exception of this kind for each address that was tried; empty if there was none.

    >>> error = ConnectError(111, "connection refused by 127.0.0.1:9")
    >>> print(error)
    [Errno 111] connection refused by 127.0.0.1:9
    >>> error.errno, error.rcvd, error.sent, error.code
    (111, None, None, 1006)
    """

    # The exception Python alone would have raised. Classes made by `_connect_error_class` set it.
    _os_error: ClassVar[type[OSError]] = OSError

    def __init__(self, errno: int | None, strerror: str, filename: str | bytes | None = None) -> None:
        ConnectionClosedError.__init__(self, None, None)
        self.attempts: list[ConnectError] = []
        if filename is None:  # OSError tells a filename of None from no filename at all
            OSError.__init__(self, errno, strerror)
        else:
            OSError.__init__(self, errno, strerror, filename)

    def __str__(self) -> str:
        number = "" if self.errno is None else f"[Errno {self.errno}] "
        text = f"{number}{self.strerror}"
        if self.filename is None or os.fsdecode(self.filename) in text:
            return text
        return f"{text}: {self.filename!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        # A class made on demand cannot be found by its name, so the unpickler is told how to make it.
        args = (self.errno, self.strerror, self.filename)
        if type(self) is _connect_error_classes.get(self._os_error):
            return _new_connect_error, (self._os_error, *args), self.__dict__
        return type(self), args, self.__dict__  # a subclass of the user's own


class InvalidURI(WebSocketException):
    """The URI is not one of a WebSocket.

    Attributes:
        uri: the URI.
        msg: what is wrong with it.

    >>> print(InvalidURI("http://example.com", "scheme isn't ws or wss"))
    http://example.com isn't a valid URI: scheme isn't ws or wss
    """

    def __init__(self, uri: str, msg: str) -> None:
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.uri} isn't a valid URI: {self.msg}"


class InvalidProxy(WebSocketException):
    """The proxy's URL is not one that can be used.

    Attributes:
        proxy: the URL.
        msg: what is wrong with it.

    >>> print(InvalidProxy("ftp://proxy", "scheme ftp isn't supported"))
    ftp://proxy isn't a valid proxy: scheme ftp isn't supported
    """

    def __init__(self, proxy: str, msg: str) -> None:
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.proxy} isn't a valid proxy: {self.msg}"


class InvalidHandshake(WebSocketException):
    """The opening handshake failed; the base of all the ways it can.

    >>> issubclass(InvalidStatus, InvalidHandshake)
    True
    """


class SecurityError(InvalidHandshake):
    """The handshake went over a limit or broke a rule that protects us.

    >>> print(SecurityError("more than 10 redirects"))
    more than 10 redirects
    """


class RequestLineTooLong(SecurityError):
    """The first line of a handshake request is longer than we accept.

    >>> issubclass(RequestLineTooLong, SecurityError)
    True
    """


class StatusLineTooLong(SecurityError):
    """The first line of a handshake response is longer than we accept.

    >>> issubclass(StatusLineTooLong, SecurityError)
    True
    """


class HeaderLineTooLong(SecurityError):
    """A header of the handshake is longer than we accept.

    >>> issubclass(HeaderLineTooLong, SecurityError)
    True
    """


class TooManyHeaders(SecurityError):
    """The handshake has more headers than we accept.

    >>> issubclass(TooManyHeaders, SecurityError)
    True
    """


class ProxyError(InvalidHandshake):
    """The connection through a proxy could not be made.

    >>> issubclass(InvalidProxyStatus, ProxyError)
    True
    """


class InvalidProxyMessage(ProxyError):
    """What the HTTP proxy answered is not HTTP.

    >>> issubclass(InvalidProxyMessage, ProxyError)
    True
    """


class InvalidProxyStatus(ProxyError):
    """The HTTP proxy refused the connection.

    Attributes:
        response: its answer, with `status_code`, `reason_phrase`, `headers`.

    >>> from openline.datastructures import Headers
    >>> from openline.http11 import Response
    >>> print(InvalidProxyStatus(Response(407, "Proxy Authentication Required", Headers())))
    proxy rejected connection: HTTP 407
    """

    def __init__(self, response: Response) -> None:
        self.response = response

    def __str__(self) -> str:
        return f"proxy rejected connection: HTTP {self.response.status_code:d}"


class InvalidMessage(InvalidHandshake):
    """A handshake request or response is not HTTP.

    `__cause__` is an `EOFError` or a `ValueError` with the details.

    >>> print(InvalidMessage("did not receive a valid HTTP response"))
    did not receive a valid HTTP response
    """


class InvalidMethod(InvalidHandshake):
    """A handshake request has another method than GET.

    Attributes:
        method: the method.

    >>> print(InvalidMethod("POST"))
    unsupported HTTP method: POST
    """

    def __init__(self, method: str) -> None:
        self.method = method

    def __str__(self) -> str:
        return f"unsupported HTTP method: {self.method}"


class InvalidProtocol(InvalidHandshake):
    """A handshake request has another version of HTTP than 1.1.

    Attributes:
        protocol: the version.

    >>> print(InvalidProtocol("HTTP/1.0"))
    unsupported HTTP version: HTTP/1.0
    """

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol

    def __str__(self) -> str:
        return f"unsupported HTTP version: {self.protocol}"


class InvalidStatus(InvalidHandshake):
    """The server answered the handshake with another status than 101.

    Attributes:
        response: its answer, with `status_code`, `reason_phrase`, `headers`, `body`.

    >>> from openline.datastructures import Headers
    >>> from openline.http11 import Response
    >>> error = InvalidStatus(Response(401, "Unauthorized", Headers(), b"no token"))
    >>> print(error)
    server rejected WebSocket connection: HTTP 401
    >>> error.response.body
    b'no token'
    """

    def __init__(self, response: Response) -> None:
        self.response = response

    def __str__(self) -> str:
        return f"server rejected WebSocket connection: HTTP {self.response.status_code:d}"


class InvalidHeader(InvalidHandshake):
    """A header of the handshake is missing, empty or wrong.

    Attributes:
        name: the header's name.
        value: its value. Default: None, the header is missing.

    >>> print(InvalidHeader("Sec-WebSocket-Accept"))
    missing Sec-WebSocket-Accept header
    >>> print(InvalidHeader("Sec-WebSocket-Accept", ""))
    empty Sec-WebSocket-Accept header
    >>> print(InvalidHeader("Sec-WebSocket-Accept", "xyz"))
    invalid Sec-WebSocket-Accept header: xyz
    """

    def __init__(self, name: str, value: str | None = None) -> None:
        self.name = name
        self.value = value

    def __str__(self) -> str:
        if self.value is None:
            return f"missing {self.name} header"
        if self.value == "":
            return f"empty {self.name} header"
        return f"invalid {self.name} header: {self.value}"


class InvalidHeaderFormat(InvalidHeader):
    """A header of the handshake does not follow its grammar.

    Args:
        name: the header's name.
        error: what was expected.
        header: the header's value.
        pos: where in the value, counted from 0.

    >>> print(InvalidHeaderFormat("Upgrade", "expected token", "???", 0))
    invalid Upgrade header: expected token at 0 in ???
    """

    def __init__(self, name: str, error: str, header: str, pos: int) -> None:
        super().__init__(name, f"{error} at {pos} in {header}")


class InvalidHeaderValue(InvalidHeader):
    """A header of the handshake follows its grammar and still cannot be accepted.

    For a header that must not be sent, such as one with a line break, it is also a `ValueError`.

    >>> print(InvalidHeaderValue("Sec-WebSocket-Version", "12"))
    invalid Sec-WebSocket-Version header: 12
    """


class _UnsendableHeader(InvalidHeaderValue, ValueError):
    """A header that must not go on the wire, whose value is not shown, since it may be a secret."""

    def __init__(self, name: str, value: str | None, text: str) -> None:
        super().__init__(name, value)
        self.args = (text,)

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # Its name is that of another class, so the unpickler is told how to make it.
        return _unsendable_header, (self.name, self.value, str(self)), self.__dict__


# How tracebacks and logs call it.
_UnsendableHeader.__name__ = _UnsendableHeader.__qualname__ = "InvalidHeaderValue"


class InvalidOrigin(InvalidHeader):
    """The `Origin` of a handshake request is not allowed.

    Args:
        origin: its value; None if the header is missing.

    >>> print(InvalidOrigin("https://example.com"))
    invalid Origin header: https://example.com
    """

    def __init__(self, origin: str | None) -> None:
        super().__init__("Origin", origin)


class InvalidUpgrade(InvalidHeader):
    """The `Upgrade` or the `Connection` header does not say that this becomes a WebSocket.

    >>> print(InvalidUpgrade("Connection", "close"))
    invalid Connection header: close
    """


class NegotiationError(InvalidHandshake):
    """The two sides could not agree on subprotocol or extensions.

    >>> print(NegotiationError("unsupported subprotocol: mqtt"))
    unsupported subprotocol: mqtt
    """


class DuplicateParameter(NegotiationError):
    """An extension's parameter came twice.

    Attributes:
        name: the parameter.

    >>> print(DuplicateParameter("client_max_window_bits"))
    duplicate parameter: client_max_window_bits
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"duplicate parameter: {self.name}"


class InvalidParameterName(NegotiationError):
    """The extension has no parameter of this name.

    Attributes:
        name: the parameter.

    >>> print(InvalidParameterName("window_bits"))
    invalid parameter name: window_bits
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"invalid parameter name: {self.name}"


class InvalidParameterValue(NegotiationError):
    """An extension's parameter has a value it cannot have.

    Attributes:
        name: the parameter.
        value: its value; None if there was none.

    >>> print(InvalidParameterValue("client_max_window_bits", "99"))
    invalid value for parameter client_max_window_bits: 99
    >>> print(InvalidParameterValue("client_max_window_bits", None))
    missing value for parameter client_max_window_bits
    """

    def __init__(self, name: str, value: str | None) -> None:
        self.name = name
        self.value = value

    def __str__(self) -> str:
        if self.value is None:
            return f"missing value for parameter {self.name}"
        if self.value == "":
            return f"empty value for parameter {self.name}"
        return f"invalid value for parameter {self.name}: {self.value}"


class ProtocolError(WebSocketException):
    """A frame, or a sequence of frames, that RFC 6455 does not allow.

    Raised for what the caller asked to send, such as a Ping of more than 125 bytes. For what the peer sent,
    it is the `__cause__` of the `ConnectionClosedError` that follows.

    >>> print(ProtocolError("control frame too long"))
    control frame too long
    """


class PayloadTooBig(WebSocketException):
    """A message, or a fragment of one, is larger than `max_size` allows.

    Args:
        size_or_message: the frame's size in bytes; None if it is not known, as while decompressing. A text is
            taken as the whole message, as older releases of `websockets` did.
        max_size: what was still allowed, in bytes. Default: None, with a text only.
        current_size: the bytes that earlier fragments of the message took. Default: None, there were none.

    Raises:
        TypeError: there is a text and a size, or neither a text nor `max_size`.

    >>> print(PayloadTooBig(2097152, 1048576))
    frame with 2097152 bytes exceeds limit of 1048576 bytes
    >>> print(PayloadTooBig(None, 576, 1000))
    frame after reading 1000 bytes exceeds limit of 1576 bytes
    """

    def __init__(
        self,
        size_or_message: int | str | None,
        max_size: int | None = None,
        current_size: int | None = None,
    ) -> None:
        self.message: str | None = None
        self.size: int | None = None
        self.max_size: int | None = max_size
        self.current_size: int | None = current_size
        if isinstance(size_or_message, str):
            if max_size is not None or current_size is not None:
                raise TypeError("PayloadTooBig takes either a message or sizes, not both")
            self.message = size_or_message
        else:
            if max_size is None:
                raise TypeError("PayloadTooBig needs max_size")
            self.size = size_or_message
            self.max_size = max_size + (current_size or 0)

    def set_current_size(self, current_size: int | None) -> None:
        """Tell what earlier fragments took, once: for extensions, which see one frame at a time.

        Args:
            current_size: in bytes; None if there were none.

        Raises:
            ValueError: it has been told before.

        >>> error = PayloadTooBig(9, 4)
        >>> error.set_current_size(6)
        >>> print(error)
        frame with 9 bytes after reading 6 bytes exceeds limit of 10 bytes
        """
        if self.current_size is not None:
            raise ValueError("current_size has been set before")
        if current_size is not None and self.max_size is not None:
            self.max_size += current_size
            self.current_size = current_size

    def __str__(self) -> str:
        if self.message is not None:
            return self.message
        size = "" if self.size is None else f"with {self.size} bytes "
        before = "" if self.current_size is None else f"after reading {self.current_size} bytes "
        return f"frame {size}{before}exceeds limit of {self.max_size} bytes"


class TooManyFragments(WebSocketException):
    """A message comes in more frames than we accept.

    Attributes:
        max_fragments: the limit.

    >>> print(TooManyFragments(100))
    fragmented message exceeds limit of 100 frames
    """

    def __init__(self, max_fragments: int) -> None:
        self.max_fragments = max_fragments

    def __str__(self) -> str:
        return f"fragmented message exceeds limit of {self.max_fragments} frames"


class InvalidState(WebSocketException, AssertionError):
    """The connection is in a state in which this cannot be done.

    >>> issubclass(InvalidState, AssertionError)
    True
    """


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two threads did at once what only one can do at a time, such as receiving from one connection.

    >>> issubclass(ConcurrencyError, RuntimeError)
    True
    """


class SendTimeout(TimeoutError):
    """Sending took longer than its `timeout`; tells what went out.

    Args:
        message: a text for people. Default: "".
        committed: whether anything went out. Default: False.
        sent: how many messages went out. Default: 0.

    Attributes:
        committed: False: nothing of what was to be sent went out; it can be sent again. True: a part went out.
            The rest of a message that was cut goes out first with the next call or the close; or, if the
            message was sent in fragments from an iterable, the connection is failed.
        sent: the number of messages that went out, or whose rest will; what `send_many` has left are those
            behind them. 0 for a message in fragments, which the peer does not get.

    >>> error = SendTimeout("timed out", committed=True, sent=2)
    >>> isinstance(error, TimeoutError), error.committed, error.sent
    (True, True, 2)
    """

    def __init__(self, message: str = "", *, committed: bool = False, sent: int = 0) -> None:
        super().__init__(message)
        self.committed = committed
        self.sent = sent


def _unsendable_header(name: str, value: str | None, text: str) -> _UnsendableHeader:
    """Make the exception for a header that must not be sent, out of a pickle."""
    return _UnsendableHeader(name, value, text)


# What follows is for the binding: the exceptions it cannot make by calling one class with plain values.


def _connect_error(errno: int | None, text: str, kind: str) -> ConnectError:
    """Make the exception for a TCP or Unix connection that cannot be made.

    Args:
        errno: the system's error number; for kind "dns" the resolver's `EAI_*` code. None if unknown, which
            for kind "dns" becomes `socket.EAI_NONAME`.
        text: what was tried and what went wrong. Empty: the system's text for `errno`. Rust's " (os error N)"
            at the end is dropped, since the number is shown in front.
        kind: "dns" when a name could not be resolved; anything else ("tcp", "unix") follows `errno`.

    >>> error = _connect_error(2, "", "unix")
    >>> isinstance(error, FileNotFoundError), isinstance(error, ConnectionClosedError), str(error)
    (True, True, '[Errno 2] No such file or directory')
    """
    if errno is not None:
        text = text.removesuffix(f"(os error {errno})").rstrip()
    if kind == "dns":
        import socket

        errno = int(socket.EAI_NONAME) if errno is None else errno
        return _new_connect_error(socket.gaierror, errno, text or "the host name cannot be resolved")
    if errno is None:
        return ConnectError(None, text or "the connection cannot be made")
    # Called itself, OSError picks the subclass for the number (PEP 3151).
    return _new_connect_error(type(OSError(errno, "")), errno, text or os.strerror(errno))


def _invalid_status(status: int, reason: str, headers: list[tuple[str, str]], body: bytes) -> InvalidStatus:
    """Make the exception for a server's answer other than 101, from the parts of that answer.

    >>> error = _invalid_status(503, "Service Unavailable", [("Retry-After", "5")], b"later")
    >>> error.response.headers["retry-after"]
    '5'
    """
    from .http11 import Response

    return InvalidStatus(Response._received(status, reason, headers, body))


def _invalid_proxy_status(
    status: int, reason: str, headers: list[tuple[str, str]], body: bytes
) -> InvalidProxyStatus:
    """Make the exception for a proxy's answer other than 2xx, from the parts of that answer.

    >>> print(_invalid_proxy_status(407, "Proxy Authentication Required", [], b""))
    proxy rejected connection: HTTP 407
    """
    from .http11 import Response

    return InvalidProxyStatus(Response._received(status, reason, headers, body))


def _tls_error(text: str, verification: bool) -> OSError:
    """Make the `ssl.SSLError` for a failed TLS handshake or record.

    Args:
        text: what went wrong, with the host's name.
        verification: whether the peer's certificate was refused; that is an `ssl.SSLCertVerificationError`.

    >>> error = _tls_error("certificate of example.com has expired", True)
    >>> print(type(error).__name__, error.reason, error, sep=": ")
    SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED: certificate of example.com has expired
    """
    import ssl  # here only: it takes longer to import than all of openline

    if not verification:
        return ssl.SSLError(ssl.SSL_ERROR_SSL, text)
    error = ssl.SSLCertVerificationError(ssl.SSL_ERROR_SSL, text)
    # What Python's own TLS sets, and what programs look at.
    error.library, error.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    error.verify_code, error.verify_message = 1, text  # 1 is X509_V_ERR_UNSPECIFIED
    return error


def _new_connect_error(
    os_error: type[OSError], errno: int | None, strerror: str, filename: str | bytes | None = None
) -> ConnectError:
    return _connect_error_class(os_error)(errno, strerror, filename)


def _connect_error_class(os_error: type[OSError]) -> type[ConnectError]:
    """Return the subclass of both `ConnectError` and `os_error`, always the same one.

    It bears the name of `os_error`: tracebacks end in `openline.exceptions.ConnectionRefusedError: …`.
    """
    try:
        return _connect_error_classes[os_error]
    except KeyError:
        attributes = {"__module__": __name__, "__doc__": ConnectError.__doc__, "_os_error": os_error}
        made = type(os_error.__name__, (ConnectError, os_error), attributes)
        # Two threads may both come here; setdefault lets one of them win.
        return _connect_error_classes.setdefault(os_error, made)


_connect_error_classes: dict[type[OSError], type[ConnectError]] = {OSError: ConnectError}
