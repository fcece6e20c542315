"""The two sides and the four states of a connection."""

from __future__ import annotations

import enum

__all__ = ["Side", "State"]


class Side(enum.IntEnum):
    """Which end of a connection this is.

    >>> Side.CLIENT.name
    'CLIENT'
    """

    SERVER = 0
    CLIENT = 1


SERVER = Side.SERVER
CLIENT = Side.CLIENT


class State(enum.IntEnum):
    """Where a connection is in its life; it only ever moves forward (RFC 6455 §4.1, §7.1.3, §7.1.4).

    >>> State.OPEN < State.CLOSING < State.CLOSED
    True
    """

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


CONNECTING = State.CONNECTING
OPEN = State.OPEN
CLOSING = State.CLOSING
CLOSED = State.CLOSED
