"""What connections refuse: wrong frames, too much data, too many fragments; and queues."""

from __future__ import annotations

import zlib
from typing import Any

from parity import case, each
from parity.script import BINARY, CONT, RSV1, TEXT, binary, close, frame, text
from parity.server import Response, wait
from parity.session import Session

DEFLATE = Response(headers="Sec-WebSocket-Extensions: permessage-deflate")

WRONG: dict[str, list[bytes]] = {
    "opcode 3": [frame(3)],
    "opcode 11": [frame(11)],
    "reserved bit 1": [frame(TEXT, b"a", rsv=0x40)],
    "reserved bit 2": [frame(TEXT, b"a", rsv=0x20)],
    "reserved bit 3": [frame(TEXT, b"a", rsv=0x10)],
    "masked": [b"\x81\x81\0\0\0\0a"],
    "continuation of nothing": [frame(CONT, b"a")],
    "text within a message": [frame(TEXT, b"a", fin=False), text("b")],
    "text that is not UTF-8": [frame(TEXT, b"ab\xff")],
    "text that ends within a character": [frame(TEXT, b"ab\xc3")],
    "text with a surrogate": [frame(TEXT, b"\xed\xa0\x80")],
    "fragment that is not UTF-8": [frame(TEXT, b"ab", fin=False), frame(CONT, b"\xff")],
    "length in too many bytes": [b"\x81\x7e\x00\x01a"],
    "length beyond 2**63": [b"\x82\x7f\x80\0\0\0\0\0\0\0"],
}


@each(WRONG)
def wrong_frame(s: Session, frames: list[bytes]) -> object:
    ws = s.connect(text("first"), *frames)
    return ws.recv(), s.attempt(ws.recv, timeout=1), ws.state


@each(
    {
        "exactly": (10, text("0123456789")),
        "over": (10, text("0123456789a")),
        "characters": (10, text("\u00e9" * 6)),
        "None": (None, binary(b"x" * 2_000_000)),
        "default": (2**20, binary(b"x" * 2**20)),
        "over the default": (2**20, binary(b"x" * (2**20 + 1))),
        "zero": (0, text("")),
        "over zero": (0, text("a")),
        "of a fragment": ((None, 5), text("012345")),
        "of both": ((10, 5), text("0123")),
    }
)
def max_size(s: Session, pair: tuple[Any, bytes]) -> object:
    ws = s.connect(pair[1], max_size=pair[0])
    message: Any = s.attempt(ws.recv)
    return message if isinstance(message, Exception) else len(message)


@each({"ping_timeout 0": {"ping_timeout": 0}, "close_timeout below 0": {"close_timeout": -1}})
def times_that_are_none(s: Session, kwargs: dict[str, Any]) -> object:
    return s.connect(**kwargs).state


@each({"together": 10, "each": (None, 5), "both": (10, 6)})
def max_size_of_fragments(s: Session, limit: Any) -> object:
    ws = s.connect(
        frame(TEXT, b"01234", fin=False), frame(CONT, b"56789", fin=False), frame(CONT, b"a"), max_size=limit
    )
    return s.attempt(ws.recv)


@case
def max_size_of_a_frame_that_only_claims(s: Session) -> object:
    ws = s.connect(b"\x82\x7f" + (2**40).to_bytes(8, "big"))
    return s.attempt(ws.recv)


@case
def max_size_after_decompression(s: Session) -> object:
    deflate = zlib.compressobj(wbits=-15)
    bomb = deflate.compress(b"\0" * 2_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    ws = s.connect(frame(BINARY, bomb[:-4], rsv=RSV1), response=DEFLATE)
    return s.attempt(ws.recv)


@case
def a_message_before_one_too_large(s: Session) -> object:
    ws = s.connect(text("small"), text("0123456789a"), max_size=10)
    return ws.recv(), s.attempt(ws.recv), s.attempt(ws.send, "x")


@each([4096, 4097])
def fragments(s: Session, number: int) -> object:
    parts = [frame(TEXT, b"a", fin=False), frame(CONT, b"b", fin=False) * (number - 2), frame(CONT, b"c")]
    message: Any = s.attempt(s.connect(*parts).recv)
    return message if isinstance(message, Exception) else len(message)


@each(
    {
        "default": 16,
        "one": 1,
        "zero": 0,
        "None": None,
        "pair": (8, 2),
        "low only": (None, 2),
        "high only": (8, None),
    }
)
def max_queue(s: Session, marks: Any) -> object:
    ws = s.connect(*(text(str(number)) for number in range(100)), max_queue=marks)
    return [ws.recv() for _ in range(100)] == [str(number) for number in range(100)]


@case
def a_full_queue_and_a_close(s: Session) -> object:
    ws = s.connect(*(text("x") for _ in range(40)), close(1001), max_queue=4)
    messages = 0
    for _ in ws:
        messages += 1
    return messages, ws.close_code


@case
def a_full_queue_and_our_close(s: Session) -> object:
    ws = s.connect(*(text("x") for _ in range(40)), max_queue=4, close_timeout=1)
    ws.close()
    return ws.state


@case
def a_full_queue_and_a_send(s: Session) -> object:
    ws = s.connect(*(text("x") for _ in range(40)), wait, max_queue=4)
    ws.send("still")
    s.servers[0].go()
    return len([ws.recv() for _ in range(40)])
