"""Types in the signatures of openline, for annotations in programs that use it.

    from openline.typing import Data

    def handle(message: Data) -> None: ...
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    import http
    import logging

__all__ = [
    "Data",
    "BytesLike",
    "DataLike",
    "LoggerLike",
    "PathLike",
    "StatusLike",
    "Origin",
    "Subprotocol",
    "ExtensionName",
    "ExtensionParameter",
]

Data = str | bytes
"""A received message: `str` for Text, `bytes` for Binary (RFC 6455 §5.6)."""

BytesLike = bytes | bytearray | memoryview
"""What is accepted where `bytes` are wanted. At run time any contiguous buffer is."""

DataLike = str | bytes | bytearray | memoryview
"""What can be sent as a message."""

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""What is accepted where the path of a file is wanted."""

Origin = NewType("Origin", str)
"""The value of an `Origin` header."""

Subprotocol = NewType("Subprotocol", str)
"""A name in a `Sec-WebSocket-Protocol` header."""

ExtensionName = NewType("ExtensionName", str)
"""The name of an extension in a `Sec-WebSocket-Extensions` header."""

ExtensionParameter = tuple[str, str | None]
"""A parameter of an extension: its name, and its value if it has one."""

ExtensionHeader = tuple[ExtensionName, Sequence[ExtensionParameter]]
"""An extension with its parameters."""

ConnectionOption = NewType("ConnectionOption", str)
"""An option in a `Connection` header."""

UpgradeProtocol = NewType("UpgradeProtocol", str)
"""A protocol in an `Upgrade` header."""

ResponseParts = tuple[int, str, list[tuple[str, str]], bytes]
"""What the binding takes and gives a response as: status, reason, headers, body."""

if TYPE_CHECKING:
    LoggerLike = logging.Logger | logging.LoggerAdapter[Any]
    """What is accepted as a logger."""

    StatusLike = http.HTTPStatus | int
    """What is accepted as an HTTP status."""

else:

    def __getattr__(name: str) -> Any:
        # These two need modules that are slow to import, so they are made when first asked for.
        if name == "LoggerLike":
            import logging

            value = logging.Logger | logging.LoggerAdapter[Any]
        elif name == "StatusLike":
            import http

            value = http.HTTPStatus | int
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value
