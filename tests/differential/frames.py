"""Random streams of frames: whole conversations, and conversations with something wrong in them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from differential import Case, Role, encode, masked

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

SIZES = [0, 0, 1, 2, 3, 7, 8, 15, 16, 40, 124, 125, 126, 127, 200, 300]
LARGE = [65_535, 65_536, 70_000]

CHARACTERS = [
    "a",
    "\x00",
    "\x7f",
    "\x80",
    "é",
    "\u07ff",
    "\u0800",
    "€",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\U0010ffff",
]
"""The first and the last ones of each length in UTF-8, and those around the surrogates, among others."""

FAULTS = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc3",
    b"\xc3(",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x82",
    b"\xe2(\xa1",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
]
"""What is not UTF-8: RFC 3629 §3 and §4."""

CODES = [0, 1, 999, *range(1000, 1017), 1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535]


@dataclass
class Frame:
    """A frame, with what may be wrong in it."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    wrong_mask: bool = False
    length_bytes: int | None = None
    """2 or 8 bytes for the length, where fewer would do."""
    claimed: int | None = None
    """The length that the header tells."""
    key: bytes = field(default=b"\x37\xfa\x21\x3d")

    def encode(self, receiver: Role) -> bytes:
        first = self.fin << 7 | self.rsv << 4 | self.opcode
        if not self.wrong_mask and self.length_bytes is None and self.claimed is None:
            return encode(first, self.payload, receiver, key=self.key)
        size = len(self.payload) if self.claimed is None else self.claimed
        length_bytes = self.length_bytes
        if length_bytes is None or size >= 1 << (8 * length_bytes):
            length_bytes = 0 if size < 126 else 2 if size < 65_536 else 8
        length = {0: bytes([size & 0x7F]), 2: b"\x7e", 8: b"\x7f"}[length_bytes]
        if length_bytes:
            length += size.to_bytes(length_bytes)
        if (receiver == "client") != self.wrong_mask:
            return bytes([first]) + length + self.payload
        return bytes([first, length[0] | 0x80]) + length[1:] + self.key + masked(self.payload, self.key)


def random_case(rng: random.Random) -> Case:
    """A case on an open connection."""
    role: Role = rng.choice(("client", "server"))
    frames = conversation(rng)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        mutate(rng, frames)
    wire = b"".join(frame.encode(role) for frame in frames)
    if rng.random() < 0.25:
        wire = spoil(rng, wire)
    max_message, max_fragment = limits(rng, frames)
    return Case(
        role=role,
        reads=tuple(cut(rng, wire)),
        max_message=max_message,
        max_fragment=max_fragment,
        sink=rng.random() < 0.5,
    )


def conversation(rng: random.Random) -> list[Frame]:
    """Some messages, with control frames before, between and in them, and perhaps a Close at the end."""
    frames = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
        for frame in message(rng):
            frames.append(frame)
            if rng.random() < 0.2:
                frames.append(control(rng))
    if rng.random() < 0.1:
        frames.insert(0, control(rng))
    if rng.random() < 0.3:
        frames.insert(rng.choice([len(frames), rng.randint(0, len(frames))]), close(rng))
    for frame in frames:
        frame.key = rng.choice([rng.randbytes(4), bytes(4)])
    return frames


def message(rng: random.Random) -> list[Frame]:
    """A message in one frame or in several, cut anywhere."""
    opcode = rng.choice([TEXT, TEXT, BINARY])
    payload = text(rng) if opcode == TEXT else rng.randbytes(size(rng))
    parts = cut(rng, payload) if rng.random() < 0.5 else [payload]
    frames = [Frame(CONT, part, fin=False) for part in parts]
    frames[0].opcode = opcode
    frames[-1].fin = True
    if rng.random() < 0.03:
        frames[-1].fin = False
    return frames


def control(rng: random.Random) -> Frame:
    return Frame(rng.choice([PING, PONG]), rng.randbytes(rng.choice([0, 1, 4, 20, 124, 125])))


def close(rng: random.Random) -> Frame:
    """A Close, often with a code or a reason that is not allowed."""
    if rng.random() < 0.2:
        return Frame(CLOSE, rng.randbytes(rng.choice([0, 0, 1, 2])))
    code = rng.choice([1000, 1001, rng.choice(CODES), rng.randrange(65_536)])
    reason = text(rng)[: rng.choice([0, 5, 122, 123])]
    return Frame(CLOSE, code.to_bytes(2) + reason)


def text(rng: random.Random) -> bytes:
    """UTF-8 of some length, seldom with a fault in it."""
    length = size(rng)
    if length > 300:
        unit = rng.choice(CHARACTERS).encode()
        payload = unit * (length // len(unit)) + b"x" * (length % len(unit))
    else:
        payload = "".join(rng.choices(CHARACTERS, k=length)).encode()
    if rng.random() < 0.1:
        at = rng.randint(0, len(payload))
        payload = payload[:at] + rng.choice(FAULTS) + payload[at:]
    return payload


def size(rng: random.Random) -> int:
    return rng.choice(LARGE) if rng.random() < 0.004 else rng.choice(SIZES)


def limits(rng: random.Random, frames: list[Frame]) -> tuple[int | None, int | None]:
    """Limits for messages and fragments, mostly around the sizes that are there."""
    sizes = [len(frame.payload) for frame in frames if frame.opcode < CLOSE]
    sizes = [*sizes, sum(sizes), 125] if sizes else [0, 125]

    def limit() -> int | None:
        if rng.random() < 0.7:
            return None
        return max(0, rng.choice(sizes) + rng.choice([-1, 0, 0, 1]))

    return limit(), limit()


def mutate(rng: random.Random, frames: list[Frame]) -> None:
    """Make one thing wrong, which may be allowed all the same."""
    if not frames:
        return
    index = rng.randrange(len(frames))
    frame = frames[index]
    match rng.randrange(13):
        case 0:
            frame.rsv = rng.randint(1, 7)
        case 1:
            frame.opcode = rng.randrange(16)
        case 2:
            frame.opcode = rng.choice([CONT, TEXT, BINARY])
        case 3:
            frame.fin = not frame.fin
        case 4:
            frame.wrong_mask = True
        case 5:
            frame.length_bytes = rng.choice([2, 8])
        case 6:
            frame.claimed = rng.choice(
                [len(frame.payload) + 1, 65_536, (1 << 31) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
            )
        case 7:
            too_long = rng.randbytes(rng.choice([126, 300]))
            frames.insert(index, Frame(rng.choice([CLOSE, PING, PONG]), too_long))
        case 8:
            frames.insert(index, Frame(rng.choice([PING, PONG]), b"", fin=False))
        case 9:
            del frames[index]
        case 10:
            frames.insert(index, frame)
        case 11:
            rng.shuffle(frames)
        case 12:
            frames.insert(index, close(rng))


def spoil(rng: random.Random, wire: bytes) -> bytes:
    """Bytes that are changed, lost or put in, whatever they are."""
    spoilt = bytearray(wire)
    at = rng.randint(0, len(spoilt))
    match rng.randrange(5):
        case 0 if spoilt:
            spoilt[at % len(spoilt)] ^= 1 << rng.randrange(8)
        case 1:
            del spoilt[at : at + rng.choice([1, 1, 2, 10])]
        case 2:
            spoilt[at:at] = rng.randbytes(rng.choice([1, 1, 2, 10]))
        case 3:
            del spoilt[at:]
        case _:
            spoilt += rng.randbytes(rng.choice([1, 2, 20]))
    return bytes(spoilt)


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    """The data whole, in some pieces, or byte by byte."""
    if len(data) < 200 and rng.random() < 0.15:
        return [data[at : at + 1] for at in range(len(data))] or [b""]
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice([0, 0, 1, 2, 5])))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
