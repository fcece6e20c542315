"""The class `openline.frames.Frame`, in a module of its own since `dataclasses` is slow to import."""

from __future__ import annotations

import dataclasses

from .frames import Opcode
from .typing import BytesLike

__all__ = ["Frame"]


@dataclasses.dataclass
class Frame:
    """A frame as extensions see it (RFC 6455 §5.2): without its mask, and with the whole payload.

    Attributes:
        opcode: what it is for.
        data: the payload.
        fin: whether it is the last of its message.
        rsv1: the first reserved bit; permessage-deflate marks compressed messages with it.
        rsv2: the second reserved bit.
        rsv3: the third reserved bit.

    >>> import dataclasses
    >>> frame = Frame(Opcode.TEXT, b"hello")
    >>> dataclasses.replace(frame, rsv2=True)
    Frame(opcode=<Opcode.TEXT: 1>, data=b'hello', fin=True, rsv1=False, rsv2=True, rsv3=False)
    """

    opcode: Opcode
    data: BytesLike
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False


# Where users find it.
Frame.__module__ = "openline.frames"
