"""What is in a stream of compressed messages, frame by frame: enough to tell why two implementations differ."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from differential import Case, masked

TAIL = b"\x00\x00\xff\xff"
"""The end of a flush, which is not sent: RFC 7692 §7.2.1."""


@dataclass(frozen=True)
class Seen:
    """A frame."""

    events: int
    """How many messages and control frames were complete before it."""
    is_control: bool
    is_compressed: bool
    """Whether the message that has begun is; of a control frame too."""
    size: int
    """Of the payload, as it came."""
    before: int
    """Bytes that its message has been decompressed to before it."""
    decoded: int
    """Bytes that it is decompressed to."""
    is_cut: bool
    """Whether it is not all there."""
    ends_stream: bool
    """Whether there has been a final block in it, or before in its context: RFC 7692 §7.2.3.4."""
    unended: bool
    """Whether its message ends, and not where a block does."""
    far: bool
    """Whether it refers farther back than the window reaches."""


def scan(case: Case) -> Iterator[Seen]:
    """The frames as far as their order is right and they can be decompressed."""
    assert case.deflate is not None
    # The larger window understands what the smaller one has forgotten.
    windows = (-case.deflate.bits, -15)
    near, wide = map(zlib.decompressobj, windows)
    events = before = 0
    is_open = is_compressed = ended = far = False
    for first, payload, size in _frames(case):
        opcode = first & 0x0F
        if opcode >= 8:
            yield Seen(events, True, is_open and is_compressed, size, 0, size, len(payload) < size, ended, False, far)
            events += 1
            continue
        if not is_open:
            is_compressed, before = first & 0x40 != 0, 0
            if is_compressed and not case.deflate.takeover:
                near, wide = map(zlib.decompressobj, windows)
                ended = False
        fin, is_cut = first & 0x80 != 0, len(payload) < size
        decoded = payload
        unended = failed = False
        if is_compressed:
            try:
                decoded = wide.decompress(payload)
            except zlib.error:
                failed = True
            far |= not failed and _is_far(near, payload)
            if fin and not is_cut and not failed:
                ending = _ending(wide)
                decoded, unended = decoded + (ending or b""), ending != b""
                far |= not unended and _is_far(near, TAIL)
            ended |= wide.eof
        yield Seen(events, False, is_compressed, size, before, len(decoded), is_cut, ended, unended, far)
        if failed or is_cut:
            return
        before += len(decoded)
        is_open = not fin
        events += fin


def _is_far(decompressor: zlib._Decompress, payload: bytes) -> bool:
    """Whether a window is too small, for what others have understood."""
    try:
        # Byte by byte: what is made in one call zlib finds without a window.
        for byte in payload:
            decompressor.decompress(bytes([byte]))
    except zlib.error:
        return True
    return False


def _ending(decompressor: zlib._Decompress) -> bytes | None:
    """What the tail makes of the end of a message: nothing, if it is right; `None` if that fails."""
    try:
        return decompressor.decompress(TAIL)
    except zlib.error:
        return None


def _frames(case: Case) -> Iterator[tuple[int, bytes, int]]:
    """The first byte, the payload as far as it is there, and its length, of each frame."""
    wire = b"".join(case.all_reads)
    while len(wire) >= 2:
        first, length = wire[0], wire[1] & 0x7F
        start, size = {126: (4, 2), 127: (10, 8)}.get(length, (2, 0))
        if size:
            length = int.from_bytes(wire[2:start])
        key = b""
        if wire[1] & 0x80:
            key, start = wire[start : start + 4], start + 4
        payload = wire[start : start + length]
        yield first, masked(payload, key) if len(key) == 4 else payload, length
        wire = wire[start + length :]
