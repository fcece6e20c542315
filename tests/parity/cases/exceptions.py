"""Exceptions made by hand: texts, attributes, pickling, and what catches what."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from websockets import exceptions
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    DuplicateParameter,
    HeaderLineTooLong,
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
    TooManyFragments,
    WebSocketException,
)
from websockets.frames import Close, CloseCode
from websockets.http11 import Response

from parity import case, each
from parity.session import Session

OK = Close(CloseCode.NORMAL_CLOSURE, "")
AWAY = Close(1001, "bye")
REFUSED = Response(401, "Unauthorized", Headers({"WWW-Authenticate": "Basic"}), b"no")

MADE: dict[str, Exception] = {
    "base": WebSocketException("anything"),
    "closed without frames": ConnectionClosed(None, None),
    "closed, received": ConnectionClosedError(Close(4401, "token expired"), None),
    "closed, sent": ConnectionClosedError(None, Close(1011, "keepalive ping timeout")),
    "closed, received first": ConnectionClosedOK(OK, OK, True),
    "closed, sent first": ConnectionClosedOK(AWAY, OK, False),
    "closed, by keywords": ConnectionClosedError(
        rcvd=Close(1002, ""), sent=Close(1002, ""), rcvd_then_sent=True
    ),
    "URI": InvalidURI("http://a", "scheme isn't ws or wss"),
    "proxy": InvalidProxy("ftp://a", "scheme ftp isn't supported"),
    "handshake": InvalidHandshake("no"),
    "security": SecurityError("more than 10 redirects"),
    "line too long": HeaderLineTooLong("line too long"),
    "proxy error": ProxyError("failed to connect to SOCKS proxy"),
    "proxy message": InvalidProxyMessage("did not receive a valid HTTP response from proxy"),
    "proxy status": InvalidProxyStatus(Response(407, "Proxy Authentication Required", Headers())),
    "message": InvalidMessage("did not receive a valid HTTP response"),
    "method": InvalidMethod("POST"),
    "protocol version": InvalidProtocol("HTTP/1.0"),
    "status": InvalidStatus(REFUSED),
    "header missing": InvalidHeader("Name"),
    "header empty": InvalidHeader("Name", ""),
    "header wrong": InvalidHeader("Name", "x"),
    "header format": InvalidHeaderFormat("Name", "expected token", "=", 0),
    "header value": InvalidHeaderValue("Name", "x"),
    "origin missing": InvalidOrigin(None),
    "origin wrong": InvalidOrigin("http://a"),
    "upgrade": InvalidUpgrade("Upgrade", "h2c"),
    "negotiation": NegotiationError("unsupported subprotocol: mqtt"),
    "duplicate parameter": DuplicateParameter("a"),
    "parameter name": InvalidParameterName("a"),
    "parameter value missing": InvalidParameterValue("a", None),
    "parameter value empty": InvalidParameterValue("a", ""),
    "parameter value wrong": InvalidParameterValue("a", "x"),
    "protocol": ProtocolError("invalid opcode"),
    "payload": PayloadTooBig(9, 4),
    "payload unknown": PayloadTooBig(None, 4),
    "payload after others": PayloadTooBig(9, 4, 6),
    "fragments": TooManyFragments(5),
    "state": InvalidState("connection is closing"),
    "concurrency": ConcurrencyError("two"),
}


@each(MADE)
def made(s: Session, error: Exception) -> object:
    return error


@each(MADE)
def repr_and_args(s: Session, error: Exception) -> object:
    return (
        type(error).__name__,
        type(error).__module__.partition(".")[0] in ("websockets", "openline"),
        error.args,
    )


@case
def all_names(s: Session) -> object:
    return sorted(exceptions.__all__)


@case
def all_are_raisable_as_their_bases(s: Session) -> object:
    tree = {}
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        tree[name] = [other for other in exceptions.__all__ if issubclass(kind, getattr(exceptions, other))]
    return tree


@case
def at_the_top_level(s: Session) -> object:
    import websockets

    return [
        name for name in exceptions.__all__ if getattr(websockets, name) is not getattr(exceptions, name)
    ]


@each(["status", "closed, received first", "header format", "payload after others", "URI"])
def copied(s: Session, name: str) -> object:
    return s.attempt(copy.copy, MADE[name])


@each(
    ["base", "protocol", "closed, received first", "URI", "status", "payload", "fragments", "header format"]
)
def pickled(s: Session, name: str) -> object:
    return s.attempt(lambda: pickle.loads(pickle.dumps(MADE[name])))


@case
def both_frames_without_their_order(s: Session) -> object:
    return ConnectionClosed(OK, OK)


@case
def an_order_without_both_frames(s: Session) -> object:
    return ConnectionClosed(OK, None, True)


@case
def closed_without_arguments(s: Session) -> object:
    nothing: Any = ()
    return ConnectionClosed(*nothing)


@each([None, Close(4000, "x"), Close(1005, "")])
def code_and_reason(s: Session, rcvd: Close | None) -> object:
    error = ConnectionClosedError(rcvd, None)
    return error.code, error.reason


@case
def attributes_can_be_set(s: Session) -> object:
    error: Any = ConnectionClosedError(None, None)
    error.rcvd = Close(4000, "later")
    error.note = "mine"
    return str(error), error.note


@case
def a_subclass_of_ones_own(s: Session) -> object:
    class Expired(ConnectionClosedError):
        def __str__(self) -> str:
            return f"expired: {super().__str__()}"

    return Expired(Close(4401, ""), None)


@case
def setting_the_current_size(s: Session) -> object:
    error = PayloadTooBig(9, 4)
    error.set_current_size(6)
    return str(error), error.max_size, error.current_size


@case
def a_payload_without_limit(s: Session) -> object:
    return PayloadTooBig(9)


@case
def a_closed_connection_is_equal_only_to_itself(s: Session) -> object:
    return ConnectionClosed(None, None) == ConnectionClosed(None, None)
