"""What is known of a connection that ended: `ConnectionClosed.report()`.

    from openline import ConnectionClosed, connect

    try:
        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            while True:
                print(websocket.recv())
    except ConnectionClosed as error:
        print(error.report())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .frames import Opcode

if TYPE_CHECKING:
    from .exceptions import CloseCause, ConnectionClosed
    from .frames import Close

__all__ = ["CloseReport", "LastFrame", "Traffic"]


class LastFrame(NamedTuple):
    """The header of a frame, without its mask.

    >>> LastFrame(Opcode.PING, fin=True, rsv1=False, rsv2=False, rsv3=False, length=4).length
    4
    """

    opcode: Opcode
    """What it was for."""
    fin: bool
    """Whether it was the last frame of its message."""
    rsv1: bool
    """Whether its first reserved bit was set: the message was compressed."""
    rsv2: bool
    """Its second reserved bit."""
    rsv3: bool
    """Its third reserved bit."""
    length: int
    """The length of its payload in bytes."""


class Traffic(NamedTuple):
    """What went one way over a connection.

    >>> Traffic(messages=1, frames=2, bytes=19, last_frame=None, age=0.5).frames
    2
    """

    messages: int
    """Whole messages."""
    frames: int
    """Frames, control frames included."""
    bytes: int
    """Bytes of frames, as they were before TLS."""
    last_frame: LastFrame | None
    """The latest frame; None if there was none."""
    age: float | None
    """How many seconds before the end the latest bytes went, to some milliseconds; None without any."""


class CloseReport(NamedTuple):
    """What was known of a connection when it ended.

    Its text, of some ten lines, is for bug reports: no payloads are in it, and nothing of the handshake.

    Example:
        websocket = connect("ws://localhost:8765")
        websocket.close()
        try:
            websocket.recv()
        except ConnectionClosed as error:
            report = error.report()
            print(report.outgoing.frames, report.lifetime)
            print(report)  # cause: closed by this side …
    """

    cause: CloseCause
    """What ended it."""
    rcvd: Close | None
    """The close frame that the peer sent."""
    sent: Close | None
    """The close frame that we sent."""
    rcvd_then_sent: bool | None
    """Whether the peer's was first, if there are both."""
    lifetime: float
    """How many seconds it was open."""
    latency: float | None
    """The round trip of the latest ping that was answered, in seconds; None if there was none."""
    incoming: Traffic
    """What came."""
    outgoing: Traffic
    """What went out."""
    unread_messages: int
    """Messages that had come and were not received when it ended. They still can be."""
    unsent_bytes: int
    """Bytes of frames that did not fit into the socket."""
    text: str
    """All of this for people."""

    def __str__(self) -> str:
        return self.text


# What the binding gives for `Traffic`: the last frame is its first byte on the wire, and its length.
_RawTraffic = tuple[int, int, int, tuple[int, int] | None, float | None]
_RawReport = tuple[float, float | None, _RawTraffic, _RawTraffic, int, int, str]


def _report(error: ConnectionClosed, cause: CloseCause, raw: _RawReport) -> CloseReport:
    lifetime, latency, incoming, outgoing, unread, unsent, text = raw
    closing = (cause, error.rcvd, error.sent, error.rcvd_then_sent)
    traffic = (_traffic(incoming), _traffic(outgoing))
    return CloseReport(*closing, lifetime, latency, *traffic, unread, unsent, text)


def _traffic(raw: _RawTraffic) -> Traffic:
    messages, frames, bytes_, last, age = raw
    return Traffic(messages, frames, bytes_, None if last is None else _last_frame(*last), age)


def _last_frame(first: int, length: int) -> LastFrame:
    fin, rsv1, rsv2, rsv3 = (bool(first & bit) for bit in (0x80, 0x40, 0x20, 0x10))
    return LastFrame(Opcode(first & 0x0F), fin, rsv1, rsv2, rsv3, length)
