"""Opcodes, close codes, what is in a close frame, and frames for extensions (RFC 6455 §5.2, §5.5.1, §7.4).

On the wire, frames are made and read by the Rust core.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from ._record import Record
from .exceptions import ProtocolError
from .typing import BytesLike

if TYPE_CHECKING:
    from ._frame import Frame

__all__ = ["Opcode", "CloseCode", "Close", "Frame"]


class Opcode(enum.IntEnum):
    """The kind of a frame (RFC 6455 §5.2).

    >>> Opcode.TEXT, Opcode(0x9).name
    (<Opcode.TEXT: 1>, 'PING')
    """

    CONT = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


OP_CONT = CONT = Opcode.CONT
OP_TEXT = TEXT = Opcode.TEXT
OP_BINARY = BINARY = Opcode.BINARY
OP_CLOSE = CLOSE = Opcode.CLOSE
OP_PING = PING = Opcode.PING
OP_PONG = PONG = Opcode.PONG

DATA_OPCODES = CONT, TEXT, BINARY
CTRL_OPCODES = CLOSE, PING, PONG


class CloseCode(enum.IntEnum):
    """Why a connection was closed (RFC 6455 §7.4.1 and IANA's registry).

    1005, 1006 and 1015 never stand in a close frame; they tell the application that there was no code, no
    close frame, or no TLS.

    >>> CloseCode.GOING_AWAY == 1001
    True
    """

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


class Close(Record):
    """The code and the reason in a close frame.

    Attributes:
        code: a number; those of `CloseCode` have a meaning of their own, 4000 to 4999 are free for
            applications.
        reason: a text for people, at most 123 bytes in UTF-8; may be empty.

    >>> print(Close(1000, ""))
    1000 (OK)
    >>> print(Close(CloseCode.GOING_AWAY, "bye"))
    1001 (going away) bye
    >>> print(Close(4401, "token expired"))
    4401 (private use) token expired
    """

    __match_args__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        if 3000 <= self.code < 4000:
            meaning = "registered"
        elif 4000 <= self.code < 5000:
            meaning = "private use"
        else:
            meaning = CLOSE_CODE_EXPLANATIONS.get(self.code, "unknown")
        text = f"{int(self.code)} ({meaning})"
        return f"{text} {self.reason}" if self.reason else text

    @classmethod
    def parse(cls, data: BytesLike) -> Close:
        """Read the payload of a close frame.

        Args:
            data: the payload. Empty means no code was given, which reads as 1005 (RFC 6455 §7.1.5).

        Raises:
            ProtocolError: one byte only, or a code that must not be in a close frame.
            UnicodeDecodeError: the reason is not UTF-8.

        >>> Close.parse(b"\\x03\\xe8bye")
        Close(code=1000, reason='bye')
        """
        data = bytes(data)
        if not data:
            return cls(CloseCode.NO_STATUS_RCVD, "")
        if len(data) == 1:
            raise ProtocolError("close frame too short")
        close = cls(int.from_bytes(data[:2], "big"), data[2:].decode())
        close.check()
        return close

    def serialize(self) -> bytes:
        """Return the payload for a close frame.

        Raises:
            ProtocolError: as `check`.

        >>> Close(1000, "bye").serialize()
        b'\\x03\\xe8bye'
        """
        self.check()
        return self.code.to_bytes(2, "big") + self.reason.encode()

    def check(self) -> None:
        """Refuse what must not be in a close frame.

        Raises:
            ProtocolError: the code is not for the wire (RFC 6455 §7.4), or the reason is over 123 bytes.

        >>> Close(1006, "").check()
        Traceback (most recent call last):
        openline.exceptions.ProtocolError: invalid status code
        """
        if self.code not in EXTERNAL_CLOSE_CODES and not 3000 <= self.code < 5000:
            raise ProtocolError("invalid status code")
        # RFC 6455 §5.5: control frames MUST have a payload length of 125 bytes or less. The code takes two.
        if len(self.reason.encode()) > 123:
            raise ProtocolError("control frame too long")


CLOSE_CODE_EXPLANATIONS: dict[int, str] = {
    CloseCode.NORMAL_CLOSURE: "OK",
    CloseCode.GOING_AWAY: "going away",
    CloseCode.PROTOCOL_ERROR: "protocol error",
    CloseCode.UNSUPPORTED_DATA: "unsupported data",
    CloseCode.NO_STATUS_RCVD: "no status received [internal]",
    CloseCode.ABNORMAL_CLOSURE: "abnormal closure [internal]",
    CloseCode.INVALID_DATA: "invalid frame payload data",
    CloseCode.POLICY_VIOLATION: "policy violation",
    CloseCode.MESSAGE_TOO_BIG: "message too big",
    CloseCode.MANDATORY_EXTENSION: "mandatory extension",
    CloseCode.INTERNAL_ERROR: "internal error",
    CloseCode.SERVICE_RESTART: "service restart",
    CloseCode.TRY_AGAIN_LATER: "try again later",
    CloseCode.BAD_GATEWAY: "bad gateway",
    CloseCode.TLS_HANDSHAKE: "TLS handshake failure [internal]",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name != "Frame":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ._frame import Frame

        globals()[name] = Frame
        return Frame


# Codes that may stand in a close frame, besides 3000 to 4999.
EXTERNAL_CLOSE_CODES = frozenset(CloseCode) - {
    CloseCode.NO_STATUS_RCVD,
    CloseCode.ABNORMAL_CLOSURE,
    CloseCode.TLS_HANDSHAKE,
}

# Codes of a connection that ended well.
OK_CLOSE_CODES = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD})
