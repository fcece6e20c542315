"""What is measured: the workloads of the suite, and which clients take part in each."""

from __future__ import annotations

import dataclasses

TEXT, BINARY = 1, 2
KIB, MIB = 1024, 1024 * 1024

# Of the compressed messages of each size: `compressed.py` makes them.
DIFFERENT = 200


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of work, the same for each client.

    `kind` is the method of a client that does it; `path` says it to the server (`native/src/bin/neutral.rs`). Between
    two looks at the clock a client moves `batch` messages.
    """

    name: str
    kind: str
    path: str
    opcode: int = BINARY
    size: int = 64
    batch: int = 1
    secure: bool = False
    one_core: bool = False
    compressed: bool = False
    rust: bool = False
    """Whether the Rust libraries take part too."""
    short: bool = False
    """Whether `make bench` measures it."""

    @property
    def is_of_small(self) -> bool:
        """Whether many of its messages fit one call."""
        return self.size <= KIB


def _round_trip(label: str, size: int, batch: int, **fields: bool) -> Workload:
    return Workload(
        f"round trip, {label}", "round_trip", f"/echo/2/{size}/0", BINARY, size, batch, **fields
    )


def _receive(label: str, opcode: int, size: int, batch: int, **fields: bool) -> Workload:
    return Workload(
        f"receive, {label}", "receive", f"/flood/{opcode}/{size}", opcode, size, batch, **fields
    )


def _send(label: str, opcode: int, size: int, batch: int, **fields: bool) -> Workload:
    """The path lacks how many messages make a batch: that depends on the client."""
    return Workload(f"send, {label}", "send", f"/sink/{opcode}/{size}", opcode, size, batch, **fields)


def _compressed(kind: str, label: str, size: int, **fields: bool) -> Workload:
    mode = "echo" if kind == "round_trip" else "flood"
    name = f"{kind.replace('_', ' ')}, {label} compressed"
    path = f"/frames/{mode}/{size}"
    return Workload(name, kind, path, TEXT, size, DIFFERENT, compressed=True, **fields)


WORKLOADS = [
    _round_trip("64 B", 64, 500, rust=True, short=True),
    _round_trip("64 B, one core", 64, 500, one_core=True, rust=True, short=True),
    Workload("round trip, 64 B, peer of 1 ms", "round_trip", "/echo/2/64/1000", BINARY, 64, 20),
    _round_trip("64 KiB", 64 * KIB, 100),
    _round_trip("1 MiB", MIB, 10),
    _receive("64 B of text", TEXT, 64, 10_000, rust=True, short=True),
    _receive("64 B", BINARY, 64, 10_000),
    _receive("1 KiB of text", TEXT, KIB, 5_000),
    _receive("64 KiB of text", TEXT, 64 * KIB, 200),
    _receive("1 MiB", BINARY, MIB, 20, rust=True, short=True),
    _send("64 B of text", TEXT, 64, 10_000, rust=True, short=True),
    _send("1 KiB of text", TEXT, KIB, 10_000),
    _send("64 KiB of text", TEXT, 64 * KIB, 1_000),
    _send("1 MiB", BINARY, MIB, 100, rust=True, short=True),
    _compressed("round_trip", "1 KiB", KIB, short=True),
    _compressed("receive", "1 KiB", KIB),
    _compressed("round_trip", "16 KiB", 16 * KIB),
    _compressed("receive", "16 KiB", 16 * KIB),
    _round_trip("64 B over TLS", 64, 500, secure=True, short=True),
    Workload(
        "receive, 64 B of text over TLS", "receive", "/flood/1/64", TEXT, 64, 10_000, secure=True
    ),
    Workload(
        "receive, 64 KiB of text over TLS",
        "receive",
        f"/flood/1/{64 * KIB}",
        TEXT,
        64 * KIB,
        200,
        secure=True,
    ),
    Workload("connect and close", "connect_and_close", "/echo/2/64/0", batch=20, short=True),
    Workload("connect and close over TLS", "connect_and_close", "/echo/2/64/0", batch=5, secure=True),
    Workload("a thousand idle connections", "idle", "/idle", batch=1_000),
    Workload("a hundred at once, 64 B", "hundred", "/echo/2/64/0", BINARY, 64, 100, short=True),
]
