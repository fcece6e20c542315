"""The messages of the compressed workloads, and the frames with which the server answers them."""

from __future__ import annotations

import json
import pathlib
import zlib
from typing import Any

from workloads import DIFFERENT, WORKLOADS


def messages(size: int) -> list[str]:
    """JSON of about this size, each message different, as programs send it."""
    made = []
    for number in range(DIFFERENT):
        rows: list[str] = []
        length = 0
        while length < size:
            n = number * 1000 + len(rows)
            row: dict[str, Any] = {
                "id": n * 7919 % 100003,
                "name": f"user{n % 977}",
                "price": round(n * 31 % 5000 + n % 100 / 100, 2),
                "side": "buy" if n % 3 else "sell",
                "ts": 1700000000000 + n * 137,
            }
            rows.append(json.dumps(row))
            length += len(rows[-1]) + len(", ")
        made.append(f"[{', '.join(rows)}]"[:size])
    return made


def write_frames(directory: pathlib.Path) -> None:
    """Write what the server sends: with context takeover, without, and with a window of 12 bits."""
    for size in sorted({workload.size for workload in WORKLOADS if workload.compressed}):
        texts = messages(size)
        write_file(directory / f"{size}", texts, window_bits=15, takes_over=True)
        write_file(directory / f"{size}-alone", texts, window_bits=15, takes_over=False)
        write_file(directory / f"{size}-small", texts, window_bits=12, takes_over=True)


def write_file(path: pathlib.Path, texts: list[str], window_bits: int, takes_over: bool) -> None:
    compressor = zlib.compressobj(wbits=-window_bits)
    with path.open("wb") as file:
        for text in texts:
            if not takes_over:
                compressor = zlib.compressobj(wbits=-window_bits)
            payload = (compressor.compress(text.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
            length = len(payload)
            head = bytes([0xC1, length]) if length < 126 else b"\xc1\x7e" + length.to_bytes(2, "big")
            file.write((len(head) + length).to_bytes(4, "big") + head + payload)
