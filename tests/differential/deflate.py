"""Random streams of compressed messages: what peers send, with RFC 7692 kept and broken."""

from __future__ import annotations

import random
import zlib

from differential import Case, Deflate, Role
from differential.frames import BINARY, CLOSE, CONT, LARGE, PING, TEXT, Frame, close, control, cut, mutate, spoil, text

STRATEGIES = {
    "default": zlib.Z_DEFAULT_STRATEGY,
    "filtered": zlib.Z_FILTERED,
    "huffman-only": zlib.Z_HUFFMAN_ONLY,
    "rle": zlib.Z_RLE,
    "fixed": zlib.Z_FIXED,
}

TAIL = b"\x00\x00\xff\xff"
"""The end of a flush, which is not sent: RFC 7692 §7.2.1."""

WORDS = b"a the of and to in is that for it on with as was at by ".split(b" ")


class Sender:
    """Compresses the messages of a peer, one after the other."""

    def __init__(self, rng: random.Random, deflate: Deflate) -> None:
        self._rng = rng
        self._takeover = deflate.takeover
        # Seldom a larger window than was agreed on.
        self._bits = max(deflate.bits, 9) if rng.random() < 0.97 else 15
        # zlib cannot compress for a window of 8 bits, but these two refer back by one byte at most.
        names = ["huffman-only", "rle"] if deflate.bits == 8 else list(STRATEGIES)
        self._strategy = STRATEGIES[rng.choice(names)]
        self._level = rng.randint(0, 9)
        self._mem_level = rng.randint(1, 9)
        self._final = rng.random() < 0.15
        """Whether it ends each message with a final block: RFC 7692 §7.2.3.4."""
        self._start()

    def _start(self) -> None:
        self._zlib = zlib.compressobj(self._level, zlib.DEFLATED, -self._bits, self._mem_level, self._strategy)

    def compress(self, message: bytes) -> bytes:
        """The payload of a message, flushed in it here and there."""
        payload = b""
        for part in cut(self._rng, message):
            payload += self._zlib.compress(part)
            if self._rng.random() < 0.2:
                payload += self._zlib.flush(self._rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
        if self._final:
            payload += self._zlib.flush()
            self._start()
            return payload + self._rng.choice([b"", b"\x00"])
        payload += self._zlib.flush(zlib.Z_SYNC_FLUSH)
        if not self._takeover or self._rng.random() < 0.1:  # it may always start anew
            self._start()
        if payload == b"":
            return b"\x00"  # an empty message: zlib flushes nothing twice
        # At times with the end of another empty block: §7.2.3.5.
        return payload + b"\x00" if self._rng.random() < 0.05 else payload.removesuffix(TAIL)


def random_compressed(rng: random.Random) -> Case:
    """A case on an open connection with permessage-deflate."""
    role: Role = rng.choice(("client", "server"))
    deflate = Deflate(rng.choice([8, 9, 9, 10, 12, 15, 15]), rng.random() < 0.7)
    frames, messages = _conversation(rng, deflate)
    if rng.random() < 0.2:
        frames.append(close(rng))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        change = rng.choice([mutate, _corrupt])
        change(rng, frames)
    wire = b"".join(frame.encode(role) for frame in frames)
    if rng.random() < 0.1:
        wire = spoil(rng, wire)
    max_message, max_fragment = _limits(rng, frames, [len(message) for message in messages])
    return Case(
        role=role,
        reads=tuple(cut(rng, wire)),
        max_message=max_message,
        max_fragment=max_fragment,
        deflate=deflate,
        sink=rng.random() < 0.5,
    )


def sound_conversation(rng: random.Random) -> tuple[Case, list[str]]:
    """A case in which nothing is wrong but that a text may be no UTF-8, and the events that it has to bring."""
    role: Role = rng.choice(("client", "server"))
    deflate = Deflate(rng.choice([8, 9, 10, 12, 15]), rng.random() < 0.7)
    frames, messages = _conversation(rng, deflate)
    events = []
    kind, contents = "", iter(messages)
    for frame in frames:
        if frame.opcode >= CLOSE:
            events.append(f"{'ping' if frame.opcode == PING else 'pong'}:{frame.payload.hex()}")
            continue
        if frame.opcode != CONT:
            kind = "text" if frame.opcode == TEXT else "binary"
        if frame.fin:
            events.append(f"{kind}:{next(contents).hex()}")
    wire = b"".join(frame.encode(role) for frame in frames)
    return Case(role, tuple(cut(rng, wire)), deflate=deflate, sink=rng.random() < 0.5), events


def _conversation(rng: random.Random, deflate: Deflate) -> tuple[list[Frame], list[bytes]]:
    """Messages, compressed or not, with control frames anywhere; and what the messages are."""
    sender = Sender(rng, deflate)
    frames: list[Frame] = []
    messages = []
    with_control = rng.random() < 0.5
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        opcode = rng.choice([TEXT, TEXT, BINARY])
        payload = text(rng) if rng.random() < 0.2 else content(rng, is_text=opcode == TEXT)
        messages.append(payload)
        is_compressed = rng.random() < 0.8
        if is_compressed:
            payload = sender.compress(payload)
        parts = cut(rng, payload) if rng.random() < 0.5 else [payload]
        message = [Frame(CONT, part, fin=False) for part in parts]
        message[0].opcode = opcode
        message[0].rsv = 4 if is_compressed else 0
        message[-1].fin = True
        for frame in message:
            frames.append(frame)
            if with_control and rng.random() < 0.2:
                frames.append(control(rng))
    for frame in frames:
        frame.key = rng.choice([rng.randbytes(4), bytes(4)])
    return frames, messages


def content(rng: random.Random, *, is_text: bool) -> bytes:
    """Bytes, or a text: random, of few kinds, or with much that repeats; seldom a bomb."""
    match rng.randrange(5):
        case 0:
            words = b" ".join(rng.choices(WORDS, k=rng.choice([1, 10, 50, 200])))
            return words * rng.choice([1, 1, 2, 5])
        case 1:
            return bytes([rng.randrange(128)]) * rng.choice([0, 1, 100, 257, 258, 259, 1000, 5000])
        case 2 if rng.random() < 0.1:
            return bytes(rng.choice([100_000, *LARGE]))
        case 3 if not is_text:
            return rng.randbytes(rng.choice([1, 10, 200, 2030, 2040, 3000]))
        case 4 if not is_text:
            piece = rng.randbytes(rng.choice([300, 600]))
            return piece + rng.randbytes(rng.choice([0, 100, 1000])) + piece
    return "".join(rng.choices("abcé€😀", k=rng.choice([0, 1, 5, 63, 300]))).encode()


def _corrupt(rng: random.Random, frames: list[Frame]) -> None:
    """Something that is wrong with compression, or may be."""
    if not frames:
        return
    frame = rng.choice(frames)
    payload = frame.payload
    at = rng.randint(0, len(payload))
    match rng.randrange(6):
        case 0:
            frame.rsv ^= 4
        case 1 if payload:
            frame.payload = payload[:-1] if rng.random() < 0.5 else payload[:at]
        case 2 if payload:
            at = rng.randrange(len(payload))
            frame.payload = payload[:at] + bytes([payload[at] ^ 1 << rng.randrange(8)]) + payload[at + 1 :]
        case 3:
            frame.payload = payload[:at] + rng.randbytes(rng.choice([1, 5])) + payload[at:]
        case 4 if frame.opcode < CLOSE:
            frame.payload = rng.randbytes(rng.choice([1, 10, 100]))
        case _:
            frame.payload = payload + rng.choice([b"\x00", TAIL, b"\x00" + TAIL, b"\x03\x00", b"\xff"])


def _limits(rng: random.Random, frames: list[Frame], sizes: list[int]) -> tuple[int | None, int | None]:
    """Limits for messages and fragments, mostly around the sizes that are there or come out."""
    compressed = [len(frame.payload) for frame in frames if frame.opcode < CLOSE]
    around = [*sizes, *sizes, *compressed, sum(compressed), 125]

    def limit(chance: float) -> int | None:
        if rng.random() > chance:
            return None
        return max(0, rng.choice(around) + rng.choice([-1, 0, 0, 1]))

    return limit(0.4), limit(0.15)
