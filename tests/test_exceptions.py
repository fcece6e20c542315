"""The exceptions: their tree, texts, pickling, and what the binding builds with the private constructors."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import socket
import ssl

import pytest

from openline import exceptions
from openline.datastructures import Headers
from openline.exceptions import (
    ConcurrencyError,
    ConnectError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    DuplicateParameter,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderFormat,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidParameterName,
    InvalidParameterValue,
    InvalidProtocol,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    SecurityError,
    SendTimeout,
    TooManyFragments,
    TooManyHeaders,
    WebSocketException,
)
from openline.frames import Close, CloseCode
from openline.http11 import Response

UNAUTHORIZED = Response(401, "Unauthorized", Headers({"WWW-Authenticate": "Basic"}), b"no")

TEXTS = [
    (ConnectionClosed(None, None), "no close frame received or sent"),
    (ConnectionClosedError(None, Close(1002, "")), "sent 1002 (protocol error); no close frame received"),
    (ConnectionClosedError(Close(1001, "bye"), None), "received 1001 (going away) bye; no close frame sent"),
    (
        ConnectionClosedOK(Close(1000, ""), Close(1000, ""), True),
        "received 1000 (OK); then sent 1000 (OK)",
    ),
    (
        ConnectionClosedOK(Close(1000, "you"), Close(1000, "me"), False),
        "sent 1000 (OK) me; then received 1000 (OK) you",
    ),
    (ConnectError(111, "Connection refused"), "[Errno 111] Connection refused"),
    (ConnectError(2, "No such file", "/run/x"), "[Errno 2] No such file: '/run/x'"),
    (ConnectError(2, "No such file", b"/run/x"), "[Errno 2] No such file: b'/run/x'"),
    (ConnectError(2, "/run/x: No such file", "/run/x"), "[Errno 2] /run/x: No such file"),
    (ConnectError(None, "no route"), "no route"),
    (InvalidURI("http://a", "scheme isn't ws or wss"), "http://a isn't a valid URI: scheme isn't ws or wss"),
    (InvalidProxy("ftp://a", "unknown scheme"), "ftp://a isn't a valid proxy: unknown scheme"),
    (SecurityError("more than 10 redirects"), "more than 10 redirects"),
    (TooManyHeaders("128"), "128"),
    (ProxyError("no"), "no"),
    (InvalidProxyMessage("no"), "no"),
    (InvalidProxyStatus(UNAUTHORIZED), "proxy rejected connection: HTTP 401"),
    (InvalidMessage("no"), "no"),
    (InvalidMethod("POST"), "unsupported HTTP method: POST"),
    (InvalidProtocol("HTTP/1.0"), "unsupported HTTP version: HTTP/1.0"),
    (InvalidStatus(UNAUTHORIZED), "server rejected WebSocket connection: HTTP 401"),
    (InvalidHeader("Name"), "missing Name header"),
    (InvalidHeader("Name", ""), "empty Name header"),
    (InvalidHeader("Name", "x"), "invalid Name header: x"),
    (InvalidHeaderFormat("Name", "expected token", "=", 0), "invalid Name header: expected token at 0 in ="),
    (InvalidHeaderValue("Name", "x"), "invalid Name header: x"),
    (InvalidOrigin(None), "missing Origin header"),
    (InvalidOrigin("http://a"), "invalid Origin header: http://a"),
    (InvalidUpgrade("Upgrade", "h2c"), "invalid Upgrade header: h2c"),
    (NegotiationError("unsupported subprotocol: mqtt"), "unsupported subprotocol: mqtt"),
    (DuplicateParameter("a"), "duplicate parameter: a"),
    (InvalidParameterName("a"), "invalid parameter name: a"),
    (InvalidParameterValue("a", None), "missing value for parameter a"),
    (InvalidParameterValue("a", ""), "empty value for parameter a"),
    (InvalidParameterValue("a", "x"), "invalid value for parameter a: x"),
    (ProtocolError("invalid opcode"), "invalid opcode"),
    (PayloadTooBig(9, 4), "frame with 9 bytes exceeds limit of 4 bytes"),
    (PayloadTooBig(None, 4), "frame exceeds limit of 4 bytes"),
    (PayloadTooBig(9, 4, 6), "frame with 9 bytes after reading 6 bytes exceeds limit of 10 bytes"),
    (PayloadTooBig(None, 4, 6), "frame after reading 6 bytes exceeds limit of 10 bytes"),
    (PayloadTooBig("too much"), "too much"),
    (TooManyFragments(5), "fragmented message exceeds limit of 5 frames"),
    (InvalidState("closing"), "closing"),
    (ConcurrencyError("two"), "two"),
    (SendTimeout("timed out", committed=True, sent=3), "timed out"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_text(error: Exception, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", [error for error, _ in TEXTS], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(error: Exception, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert again.__dict__ == error.__dict__


def test_unsendable_headers_can_be_pickled() -> None:
    with pytest.raises(InvalidHeaderValue) as caught:
        Headers(Cookie="a\n")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert type(copied) is type(caught.value)
    assert (str(copied), copied.name, copied.value) == (str(caught.value), "Cookie", "a\n")
    assert isinstance(copied, ValueError)


def test_copies_and_pickles_of_errors_made_with_keywords() -> None:
    error = ConnectionClosedError(rcvd=None, sent=Close(1011, ""), rcvd_then_sent=None)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert again.sent == Close(1011, "")
        assert again.rcvd is again.rcvd_then_sent is None


def test_notes_survive_pickling() -> None:
    error = InvalidMethod("PUT")
    error.add_note("seen in a test")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen in a test"]


class OwnError(ConnectionClosedError):
    """What a program may define: a constructor of its own."""

    def __init__(self, attempt: int) -> None:
        super().__init__(None, None)
        self.attempt = attempt


class OwnConnectError(ConnectError):
    """A subclass of the one exception that pickles in its own way."""


def test_subclasses_of_users_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(OwnError(3))).attempt == 3
    again = pickle.loads(pickle.dumps(OwnConnectError(111, "refused")))
    assert type(again) is OwnConnectError
    assert again.errno == 111


def test_everything_is_a_websocket_exception() -> None:
    for name in exceptions.__all__:
        if name not in ("CloseCause", "SendTimeout"):
            assert issubclass(getattr(exceptions, name), WebSocketException), name


def test_tree() -> None:
    assert ConnectionClosedOK.__bases__ == ConnectionClosedError.__bases__ == (ConnectionClosed,)
    assert issubclass(TooManyHeaders, SecurityError)
    assert issubclass(SecurityError, InvalidHandshake)
    assert issubclass(InvalidUpgrade, InvalidHeader)
    assert issubclass(InvalidState, AssertionError)
    assert issubclass(ConcurrencyError, RuntimeError)
    assert not issubclass(ProtocolError, InvalidHandshake)


class TestConnectionClosed:
    def test_code_and_reason_are_the_peers(self) -> None:
        error = ConnectionClosedError(Close(4401, "expired"), Close(4401, ""), True)
        assert (error.code, error.reason) == (4401, "expired")

    def test_code_without_a_frame_is_1006(self) -> None:
        error = ConnectionClosedError(None, Close(1011, "mine"))
        assert (error.code, error.reason) == (CloseCode.ABNORMAL_CLOSURE, "")

    @pytest.mark.parametrize(
        ("rcvd", "sent", "order"),
        [
            (Close(1000, ""), Close(1000, ""), None),
            (Close(1000, ""), None, True),
            (None, Close(1000, ""), False),
            (None, None, False),
        ],
    )
    def test_order_is_given_with_both_frames_only(
        self, rcvd: Close | None, sent: Close | None, order: bool | None
    ) -> None:
        with pytest.raises(ValueError, match="rcvd_then_sent"):
            ConnectionClosed(rcvd, sent, order)


@pytest.mark.parametrize("args", [(9,), (None,)])
def test_payload_too_big_needs_a_limit(args: tuple[int | None]) -> None:
    with pytest.raises(TypeError, match="max_size"):
        PayloadTooBig(*args)


def test_payload_too_big_takes_a_message_or_sizes() -> None:
    with pytest.raises(TypeError, match="not both"):
        PayloadTooBig("too much", 4)


def test_size_of_earlier_fragments_is_told_once() -> None:
    error = PayloadTooBig(9, 4)
    error.set_current_size(None)
    error.set_current_size(6)
    assert str(error) == "frame with 9 bytes after reading 6 bytes exceeds limit of 10 bytes"
    with pytest.raises(ValueError, match="has been set before"):
        error.set_current_size(7)


OS_ERRORS = [
    (errno.ECONNREFUSED, ConnectionRefusedError),
    (errno.ECONNRESET, ConnectionResetError),
    (errno.ECONNABORTED, ConnectionAbortedError),
    (errno.ENOENT, FileNotFoundError),
    (errno.EACCES, PermissionError),
    (errno.EPERM, PermissionError),
    (errno.ETIMEDOUT, TimeoutError),
    (errno.ENOTDIR, NotADirectoryError),
    (errno.ENETUNREACH, OSError),
    (errno.EMFILE, OSError),
]


class TestConnectError:
    @pytest.mark.parametrize(("number", "os_error"), OS_ERRORS)
    def test_is_also_what_python_would_raise(self, number: int, os_error: type[OSError]) -> None:
        error = exceptions._connect_error(number, "connect to 127.0.0.1:9: it failed", "tcp")
        assert isinstance(error, os_error)
        assert isinstance(error, ConnectError)
        assert isinstance(error, ConnectionClosedError)
        assert error.errno == number
        assert error.strerror == "connect to 127.0.0.1:9: it failed"
        assert error.filename is None
        assert (error.rcvd, error.sent, error.rcvd_then_sent) == (None, None, None)
        assert (error.code, error.reason) == (1006, "")
        assert str(error) == f"[Errno {number}] connect to 127.0.0.1:9: it failed"

    @pytest.mark.parametrize(("number", "os_error"), OS_ERRORS)
    def test_class_is_made_once_and_named_well(self, number: int, os_error: type[OSError]) -> None:
        first, second = (type(exceptions._connect_error(number, "no", "tcp")) for _ in range(2))
        assert first is second
        assert issubclass(first, os_error)
        assert first.__module__ == "openline.exceptions"
        assert first.__name__ == (os_error.__name__ if os_error is not OSError else "ConnectError")

    @pytest.mark.parametrize(("number", "os_error"), OS_ERRORS)
    def test_pickles(self, number: int, os_error: type[OSError]) -> None:
        error = exceptions._connect_error(number, "no", "unix")
        error.filename = "/run/x"
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (again.errno, again.strerror, again.filename) == (number, "no", "/run/x")
        assert again.rcvd is again.sent is None

    def test_names_that_cannot_be_resolved(self) -> None:
        error = exceptions._connect_error(socket.EAI_AGAIN, "example.invalid: try again", "dns")
        assert isinstance(error, socket.gaierror)
        assert isinstance(error, ConnectError)
        assert error.errno == socket.EAI_AGAIN
        assert type(pickle.loads(pickle.dumps(error))) is type(error)

    def test_names_without_a_code_from_the_resolver(self) -> None:
        error = exceptions._connect_error(None, "", "dns")
        assert isinstance(error, socket.gaierror)
        assert error.errno == socket.EAI_NONAME
        assert "cannot be resolved" in str(error)

    def test_no_number(self) -> None:
        error = exceptions._connect_error(None, "nothing to connect to", "tcp")
        assert type(error) is ConnectError
        assert error.errno is None
        assert str(error) == "nothing to connect to"

    def test_the_systems_text_stands_in(self) -> None:
        assert exceptions._connect_error(errno.ENOENT, "", "unix").strerror == os.strerror(errno.ENOENT)

    def test_rusts_number_is_not_shown_twice(self) -> None:
        error = exceptions._connect_error(111, "Connection refused (os error 111)", "tcp")
        assert str(error) == "[Errno 111] Connection refused"

    def test_different_classes_do_not_catch_each_other(self) -> None:
        error = exceptions._connect_error(errno.ENOENT, "no", "unix")
        assert not isinstance(error, ConnectionError)
        assert not isinstance(error, TimeoutError)

    def test_can_be_made_by_users(self) -> None:
        with pytest.raises(OSError, match="my text"):
            raise ConnectError(5, "my text")


def test_invalid_status_from_parts() -> None:
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=\x80")]
    error = exceptions._invalid_status(403, "", headers, b"\xff")
    assert isinstance(error, InvalidStatus)
    assert error.response == Response(403, "", Headers(headers), b"\xff")
    assert type(error.response.body) is bytes


def test_invalid_proxy_status_from_parts() -> None:
    error = exceptions._invalid_proxy_status(407, "Auth", [("A", "b")], b"")
    assert isinstance(error, InvalidProxyStatus)
    assert error.response.headers["a"] == "b"


def test_tls_errors() -> None:
    error = exceptions._tls_error("handshake failure", False)
    assert type(error) is ssl.SSLError
    assert str(error) == "handshake failure"

    error = exceptions._tls_error("certificate has expired", True)
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert error.verify_message == "certificate has expired"
