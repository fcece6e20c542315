"""The class `openline.frames.Frame`, in a module of its own since `dataclasses` is slow to import."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from . import _openline
from .exceptions import ProtocolError
from .frames import CTRL_OPCODES, Close, Opcode
from .typing import BytesLike

if TYPE_CHECKING:
    from .extensions.base import Extension

__all__ = ["Frame"]


@dataclasses.dataclass
class Frame:
    """A frame as extensions see it (RFC 6455 §5.2): without its mask, and with the whole payload.

    Attributes:
        opcode: what it is for.
        data: the payload.
        fin: whether it is the last of its message. Default: True.
        rsv1: the first reserved bit; permessage-deflate marks compressed messages with it. Default: False.
        rsv2: the second reserved bit. Default: False.
        rsv3: the third reserved bit. Default: False.

    >>> import dataclasses
    >>> frame = Frame(Opcode.TEXT, b"hello")
    >>> dataclasses.replace(frame, rsv2=True)
    Frame(opcode=<Opcode.TEXT: 1>, data=b'hello', fin=True, rsv1=False, rsv2=True, rsv3=False)
    >>> print(frame)
    TEXT 'hello' [5 bytes]
    """

    MAX_LOG_SIZE: ClassVar[int] = int(os.environ.get("OPENLINE_MAX_LOG_SIZE", "75"))
    """Characters of the payload that `str()` shows, a multiple of 3; the environment variable
    `OPENLINE_MAX_LOG_SIZE` sets it. Default: 75."""

    opcode: Opcode
    data: BytesLike
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    def __str__(self) -> str:
        """Describe the frame for people, as logs do: the start and the end of a long payload, text as text.

        >>> print(Frame(Opcode.BINARY, bytes(3)), Frame(Opcode.CONT, b"hello", fin=False))
        BINARY 00 00 00 [3 bytes] CONT 'hello' [text, 5 bytes, continued]
        >>> print(Frame(Opcode.CLOSE, b"\\x03\\xe8bye"))
        CLOSE 1000 (OK) bye [5 bytes]
        """
        payload, is_text = self._describe_payload()
        length = f"{len(self.data)} byte{'' if len(self.data) == 1 else 's'}"
        notes = [length] if self.fin else [length, "continued"]
        if is_text is not _IS_TEXT.get(self.opcode):
            notes.insert(0, "text" if is_text else "binary")
        return f"{self.opcode.name} {payload} [{', '.join(notes)}]"

    def serialize(self, *, mask: bool, extensions: Sequence[Extension] | None = None) -> bytes:
        """Return the frame as it is on the wire.

        Args:
            mask: whether to mask it, with a random key, as clients must.
            extensions: extensions to encode it with first, in this order. Default: None.

        Raises:
            ProtocolError: as `check`.
            Exception: what an extension raises.

        >>> Frame(Opcode.PING, b"now").serialize(mask=False)
        b'\\x89\\x03now'
        """
        self.check()
        frame = self
        for extension in extensions or ():
            frame = extension.encode(frame)
        key = os.urandom(4) if mask else None
        rsv = (frame.rsv1, frame.rsv2, frame.rsv3)
        return _openline.encode_frame(frame.opcode, frame.fin, rsv, frame.data, key)

    def check(self) -> None:
        """Refuse a frame that cannot be sent without extensions.

        Raises:
            ProtocolError: a reserved bit is set, or a control frame is fragmented or over 125 bytes
                (RFC 6455 §5.2, §5.5).

        >>> Frame(Opcode.PING, b"", fin=False).check()
        Traceback (most recent call last):
        openline.exceptions.ProtocolError: fragmented control frame
        """
        if self.rsv1 or self.rsv2 or self.rsv3:
            raise ProtocolError("reserved bits must be 0")
        if self.opcode in CTRL_OPCODES:
            if len(self.data) > 125:
                raise ProtocolError("control frame too long")
            if not self.fin:
                raise ProtocolError("fragmented control frame")

    def _describe_payload(self) -> tuple[str, bool | None]:
        """Return the payload for people, and whether that is text; None if there is nothing to tell by."""
        if not self.data:
            return "''", _IS_TEXT.get(self.opcode)
        text = self._text()
        description = self._hexadecimal() if text is None else text
        if len(description) > self.MAX_LOG_SIZE:
            third = self.MAX_LOG_SIZE // 3 - 1
            description = f"{description[: 2 * third]}...{description[-third:]}"
        return description, text is not None

    def _text(self) -> str | None:
        """Return a payload that is text as such, perhaps without its middle; None for one that is not."""
        if self.opcode == Opcode.CLOSE:
            try:
                return str(Close.parse(self.data))
            except (ProtocolError, UnicodeDecodeError):
                return None
        if self.opcode in CTRL_OPCODES:
            # Four random bytes may well be UTF-8 by chance.
            data = bytes(self.data)
            return repr(data.decode()) if _PRINTABLE(data) else None
        starts_whole, ends_whole = self.opcode != Opcode.CONT, self.fin
        if len(self.data) <= 4 * self.MAX_LOG_SIZE:
            data = bytes(self.data)
            is_text = _is_text(data, starts_whole, ends_whole)
        else:
            # The middle will not be shown, so it is not looked at.
            start = bytes(self.data[: 8 * self.MAX_LOG_SIZE // 3])
            end = bytes(self.data[-4 * self.MAX_LOG_SIZE // 3 :])
            is_text = _is_text(start, starts_whole, False) and _is_text(end, False, ends_whole)
            data = start + end
        return repr(data.decode(errors="replace")) if is_text else None

    def _hexadecimal(self) -> str:
        data = bytes(self.data) if self.opcode in CTRL_OPCODES else self.data
        if self.opcode not in CTRL_OPCODES and len(data) > self.MAX_LOG_SIZE // 3:
            # Two bytes more than there is room for, so that the middle is left out.
            third = (self.MAX_LOG_SIZE // 3 - 1) // 3
            data = b"".join([data[: 2 * third], b"..", data[-third:]])
        return bytes(data).hex(" ")


def _is_text(data: bytes, starts_whole: bool, ends_whole: bool) -> bool:
    """Tell whether a part of a payload looks like a part of a text in UTF-8.

    Args:
        starts_whole: whether it must start with a whole character; else with up to 3 bytes of one.
        ends_whole: whether it must end with a whole character.
    """
    start, end = 0, len(data)
    while not starts_whole and start < min(3, len(data)) and _ones(data[start]) == 1:
        start += 1
    if not ends_whole:
        end -= 1
        while end >= max(len(data) - 4, start) and _ones(data[end]) == 1:
            end -= 1
        if end >= max(len(data) - 4, start) and _LENGTHS.get(_ones(data[end]), 0) <= len(data) - end:
            end = len(data)
    try:
        text = data[start:end].decode()
    except UnicodeDecodeError:
        return False
    # Characters that repr() escapes so are not those of texts.
    return "\\x" not in repr(text)


def _ones(byte: int) -> int:
    """How many bits of 1 a byte starts with; in UTF-8, 1 for all bytes of a character but the first."""
    return 8 - (byte ^ 0xFF).bit_length()


# Bytes of a character in UTF-8, by the bits of 1 that it starts with.
_LENGTHS = {0: 1, 2: 2, 3: 3, 4: 4}

# What the payload of a frame is expected to be.
_IS_TEXT = {Opcode.TEXT: True, Opcode.BINARY: False, Opcode.CLOSE: True}

_PRINTABLE = re.compile(rb"[\t-\r\x20-\x7e]*").fullmatch

# Where users find it.
Frame.__module__ = "openline.frames"
