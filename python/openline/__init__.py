"""WebSockets for blocking code.

    import openline

    with openline.connect("ws://localhost:8765") as websocket:
        websocket.send("hello")
        print(websocket.recv())

`connect` is described in `openline.sync.client`, the exceptions in `openline.exceptions`.
"""

from __future__ import annotations

# None of this imports ssl, asyncio or logging: `import openline` stays cheap.
from builtins import TimeoutError
from typing import TYPE_CHECKING, Any

from ._openline import __version__
from .datastructures import Headers
from .exceptions import (
    CloseCause,
    ConcurrencyError,
    ConnectError,
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
    RequestLineTooLong,
    SecurityError,
    SendTimeout,
    StatusLineTooLong,
    TooManyFragments,
    TooManyHeaders,
    WebSocketException,
)
from .frames import CloseCode, Opcode
from .protocol import State
from .report import CloseReport
from .sync.client import Timings, connect, reconnect

if TYPE_CHECKING:
    from .dropin import install, uninstall

__all__ = [
    "__version__",
    "connect",
    "reconnect",
    "Timings",
    # dropin
    "install",
    "uninstall",
    # datastructures, frames, protocol, report
    "CloseCode",
    "CloseReport",
    "Headers",
    "Opcode",
    "State",
    # exceptions
    "CloseCause",
    "ConcurrencyError",
    "ConnectError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "DuplicateParameter",
    "HeaderLineTooLong",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidHeaderFormat",
    "InvalidHeaderValue",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidOrigin",
    "InvalidParameterName",
    "InvalidParameterValue",
    "InvalidProtocol",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "RequestLineTooLong",
    "SecurityError",
    "SendTimeout",
    "StatusLineTooLong",
    "TimeoutError",
    "TooManyFragments",
    "TooManyHeaders",
    "WebSocketException",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in ("install", "uninstall"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import dropin

        return getattr(dropin, name)
