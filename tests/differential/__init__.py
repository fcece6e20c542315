"""The core against implementations that nobody here wrote: the same bytes to each, and what they make of them.

A `Case` is what a peer sends, cut into reads, and what our end is. It is put to the core, which is the Rust
program `crates/openline-proto/tests/differential.rs`, and to the protocol without I/O of `websockets` and of
`wsproto`. Each gives an `Outcome`: the messages, pings, pongs and closes that were received, what became of the
handshake, and the verdict at the end. Outcomes that are not the same must be explained by one of the rows in
`differences`, which are told in `docs/conformance-differences.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["client", "server"]

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The `Sec-WebSocket-Key` that every client of these tests sends: RFC 6455 §1.3."""
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to it."""

PROBE = b""
"""The payload of a Ping that asks whether the connection goes on: empty, so that no limit can forbid it."""


@dataclass(frozen=True)
class Deflate:
    """permessage-deflate as the peer sends it: its window in bits, and whether it keeps its context."""

    bits: int
    takeover: bool


@dataclass(frozen=True)
class Negotiation:
    """permessage-deflate as one end negotiates it: RFC 7692 §7.1."""

    server_takeover: bool = True
    client_takeover: bool = True
    server_bits: int | None = None
    client_bits: int | Literal["any"] | None = None
    """A client may let the server choose, by `any`."""
    require: bool = False
    """Whether a server declines offers that do not let it limit the client's window."""

    def __str__(self) -> str:
        takeover = ["yes" if kept else "no" for kept in (self.server_takeover, self.client_takeover)]
        bits = [str(bits or "none") for bits in (self.server_bits, self.client_bits)]
        return ",".join([*takeover, *bits, "yes" if self.require else "no"])


@dataclass(frozen=True)
class Case:
    """What is put to each of the implementations."""

    role: Role
    """Whose end is asked; the bytes are those of the other one."""
    reads: tuple[bytes, ...]
    start: Literal["handshake", "open"] = "open"
    max_message: int | None = None
    max_fragment: int | None = None
    subprotocols: tuple[str, ...] = ()
    """Those that a client offers, or a server supports."""
    deflate: Deflate | None = None
    """Compression on a connection that is open."""
    negotiation: Negotiation | None = None
    """Compression that is to be negotiated in the handshake."""
    sink: bool = False
    """Whether the core gets payloads as from a read straight to where they belong."""
    eof: bool = False
    """Whether the stream ends after the reads."""

    @property
    def wire(self) -> bytes:
        return b"".join(self.reads)

    @property
    def all_reads(self) -> tuple[bytes, ...]:
        """The reads, and after those of an open connection two frames that tell in which state it is.

        A Ping tells whether a frame had ended, and the end of a message whether there was one.
        """
        if self.start == "handshake":
            return self.reads
        return (*self.reads, encode(0x89, PROBE, self.role), encode(0x80, b"", self.role))

    def line(self) -> str:
        """The case as the program of the core reads it."""
        words = [f"role={self.role}", f"start={self.start}"]
        if self.max_message is not None:
            words.append(f"max_message={self.max_message}")
        if self.max_fragment is not None:
            words.append(f"max_fragment={self.max_fragment}")
        if self.subprotocols:
            words.append(f"subprotocols={','.join(self.subprotocols)}")
        if self.deflate is not None:
            words.append(f"deflate={self.deflate.bits},{'yes' if self.deflate.takeover else 'no'}")
        if self.negotiation is not None:
            words.append(f"negotiate={self.negotiation}")
        words += [f"{flag}=yes" for flag in ["sink", "eof"] if getattr(self, flag)]
        return " ".join([*words, "input=" + ",".join(read.hex() for read in self.all_reads)])


@dataclass(frozen=True)
class Outcome:
    """What an implementation made of a case."""

    events: tuple[str, ...]
    """`text:`, `binary:`, `ping:` and `pong:` with the payload in hexadecimal digits, `close:CODE:REASON`,
    `failed:CODE`, and of a handshake `opened:SUBPROTOCOL` (by a client), `accepted:PATH:SUBPROTOCOL:KEY` (by a
    server), `refused:STATUS:BODY` (by the server, as the client sees it); of a negotiation `agreed:` with the
    bits and takeover of the peer and ours, and by a server `answered:HEADER` before it. The code of a handshake
    that failed is the status that a server answers, and 0 if it answers nothing or is a client."""
    fault: str
    """What an implementation calls the failure; empty if there is none. Not compared."""
    verdict: str
    """`fine`, `in a message`, `more` (bytes are needed), `closed`, `failed CODE`, `open`, `refused`."""

    @classmethod
    def of(cls, case: Case, parts: Sequence[Sequence[str]]) -> Outcome:
        """The outcome of the events that each of `case.all_reads`, and the end of the stream, brought."""
        words = [word for part in parts for word in part]
        fault = ""
        events = []
        for word in words:
            kind, _, rest = word.partition(":")
            if kind == "failed":
                code, _, fault = rest.partition(":")
                word = f"failed:{code}"
            events.append(word)
        return cls(tuple(events), fault, _verdict(case, [list(part) for part in parts]))

    @property
    def code(self) -> int | None:
        """Of the failure, if there is one."""
        last = self.events[-1] if self.events else ""
        return int(last.removeprefix("failed:")) if last.startswith("failed:") else None

    @property
    def received(self) -> tuple[str, ...]:
        """The events without the failure."""
        return self.events if self.code is None else self.events[:-1]


class Implementation(Protocol):
    """Something that a case can be put to."""

    name: str

    def takes(self, case: Case) -> bool:
        """Whether it can be made to be this end."""
        ...

    def run(self, case: Case) -> Outcome: ...


def agreed(*settings: tuple[int, bool]) -> str:
    """The event of a negotiation: the bits and the takeover of the peer, and ours; or nothing."""
    words = [f"{bits},{'yes' if takeover else 'no'}" for bits, takeover in settings]
    return f"agreed:{','.join(words) or 'nothing'}"


def encode(first: int, payload: bytes, receiver: Role, *, key: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """A frame with this first byte, as the peer of `receiver` sends it."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 65_536:
        length = b"\x7e" + size.to_bytes(2)
    else:
        length = b"\x7f" + size.to_bytes(8)
    if receiver == "client":
        return bytes([first]) + length + payload
    return bytes([first, length[0] | 0x80]) + length[1:] + key + masked(payload, key)


def masked(payload: bytes, key: bytes) -> bytes:
    """The payload under a mask (RFC 6455 §5.3)."""
    keys = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(keys)).to_bytes(len(payload))


def _verdict(case: Case, parts: list[list[str]]) -> str:
    words = [word for part in parts for word in part]
    before = words
    if case.start == "open":
        ping, continuation = parts[-2:]
        before = [word for part in parts[:-2] for word in part]
        if not before or before[-1].split(":")[0] not in ("failed", "close"):
            if ping != [f"ping:{PROBE.hex()}"]:
                return "more"
            return "fine" if continuation[0].startswith("failed:") else "in a message"
    kind, _, rest = (before or ["more:"])[-1].partition(":")
    match kind:
        case "close":
            return "closed"
        case "failed":
            return f"failed {rest.split(':')[0]}"
        case "more" | "refused":
            return kind
    return "open"
