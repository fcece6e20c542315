"""What others do otherwise with permessage-deflate, on an open connection."""

from __future__ import annotations

from collections.abc import Callable

from differential import Case, Deflate, Outcome, encode
from differential.differences import Difference
from differential.scan import Seen, scan

_HELLO = bytes.fromhex("f248cdc9c90700")
"""`Hello`: RFC 7692 §7.2.3.1."""
_FINAL = bytes.fromhex("f348cdc9c90700")
"""The same in a final block: §7.2.3.4."""
_LONG = b"\x00\x00\x03\xff\xfc" + bytes(range(256)) * 3 + b"\x00"
"""768 bytes, as they are."""
_FAR = bytes.fromhex("622032fd0300")
"""The first 40 of them again: it refers back to them."""
_LIMITS = ("DecodedTooBig", "DecodedFragmentTooBig", "FragmentTooBig", "MessageTooBig", "TooManyFragments")


def _agree_until(case: Case, ours: Outcome, theirs: Outcome, found: Callable[[Seen], bool]) -> bool:
    """Whether there is such a frame, and the outcomes are the same before it."""
    if case.deflate is None:
        return False
    for seen in scan(case):
        if found(seen):
            return ours.received[: seen.events] == theirs.received[: seen.events]
    return False


def _same_before_failure(ours: Outcome, theirs: Outcome) -> bool:
    return ours.received == theirs.received and ours.code is not None and theirs.code is not None


def _final_block(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return _agree_until(case, ours, theirs, lambda seen: seen.ends_stream)


def _compressed_length(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    if theirs.code != 1009 or ours.received[: len(theirs.received)] != theirs.received:
        return False

    def is_over(seen: Seen) -> bool:
        over_message = case.max_message is not None and seen.before + seen.size > case.max_message
        over_fragment = case.max_fragment is not None and seen.size > case.max_fragment
        return seen.is_compressed and not seen.is_control and (over_message or over_fragment)

    return _agree_until(case, ours, theirs, lambda seen: seen.events == len(theirs.received) and is_over(seen))


def _unended(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_it = theirs.code in (1009, 1011)
    return is_it and _agree_until(case, ours, theirs, lambda seen: seen.unended and seen.size >= 2044)


def _held_back(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    if ours.fault not in ("DecodedTooBig", "DecodedFragmentTooBig"):
        return False

    def is_over(seen: Seen) -> bool:
        over_message = case.max_message is not None and seen.before + seen.decoded > case.max_message
        over_fragment = case.max_fragment is not None and seen.decoded > case.max_fragment
        return seen.is_compressed and not seen.is_control and (over_message or over_fragment)

    return _agree_until(case, ours, theirs, lambda seen: seen.events == len(ours.received) and is_over(seen))


def _far(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return theirs.code in (1002, 1007) and _agree_until(case, ours, theirs, lambda seen: seen.far)


def _interrupted(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_one = case.deflate is not None and ours.fault == "MessageInterrupted" and theirs.code == 1007
    return is_one and ours.received == theirs.received


def _judged_late(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    early = ours.fault in ("InvalidDeflate", *_LIMITS)
    return case.deflate is not None and early and theirs.events == ours.received


def _two_faults(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    both = {ours.code, theirs.code} <= {1002, 1007, 1009}
    return case.deflate is not None and both and _same_before_failure(ours, theirs)


def _invalid_deflate(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return ours.fault == "InvalidDeflate" and theirs.code == 1007 and ours.received == theirs.received


def _control_within(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return _agree_until(case, ours, theirs, lambda seen: seen.is_control and seen.is_compressed)


def _no_limits(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    seen = theirs.received[: len(ours.received)] == ours.received
    return case.deflate is not None and seen and ours.fault in _LIMITS


def _open(
    *reads: bytes, bits: int = 15, max_message: int | None = None, max_fragment: int | None = None
) -> Case:
    return Case("client", reads, deflate=Deflate(bits, True), max_message=max_message, max_fragment=max_fragment)


def _frame(payload: bytes, first: int = 0xC1) -> bytes:
    return encode(first, payload, "client")


DEFLATE_DIFFERENCES = [
    Difference(
        "A final block in a compressed message",
        "websockets",
        "openline",
        "RFC 7692 §7.2.1, §7.2.3.4",
        "A sender may end its stream with a final block, and begin another behind it. To `websockets` nothing "
        "follows a final block: with context takeover, all later messages are empty.",
        _open(_frame(_FINAL + b"\x00"), _frame(_HELLO)),
        ("text:48656c6c6f", "text:48656c6c6f", "ping:", "failed:1002"),
        ("text:48656c6c6f", "text:", "ping:", "failed:1002"),
        _final_block,
    ),
    Difference(
        "A final block in a compressed message, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 7692 §7.2.1, §7.2.3.4",
        "It uses the same decompressor, and fails on the next message that is compressed.",
        _open(_frame(_FINAL + b"\x00"), _frame(_HELLO)),
        ("text:48656c6c6f", "text:48656c6c6f", "ping:", "failed:1002"),
        ("text:48656c6c6f", "failed:1007"),
        _final_block,
    ),
    Difference(
        "The length of what is compressed",
        "websockets",
        "both",
        "RFC 6455 §10.4",
        "The core holds the message against its limits, and what it is compressed to against a little more, since "
        "compression makes some longer. `websockets` holds both against `max_size`.",
        _open(_frame(_HELLO), max_message=5),
        ("text:48656c6c6f", "ping:", "failed:1002"),
        ("failed:1009",),
        _compressed_length,
    ),
    Difference(
        "A compressed message that is wrong before its end",
        "websockets",
        "both",
        "RFC 7692 §7.2.2",
        "The core decompresses what is there, and fails when it sees the fault. `websockets` looks when the whole "
        "frame has come.",
        _open(b"\xc1\x7e\x10\x00\xff"),
        ("failed:1002",),
        (),
        _judged_late,
    ),
    Difference(
        "Two faults in a compressed message",
        "websockets",
        "both",
        "RFC 6455 §7.4.1",
        "The order is not prescribed. As the core decompresses what is there, it may see what is no UTF-8, or over "
        "a limit, before what is no DEFLATE; `websockets` judges the text last.",
        _open(b"\xc1\x0c\x00\x01\x00\xfe\xff\xff", b"\xff\xff\xff\xff\xff\xff"),
        ("failed:1007",),
        ("failed:1002",),
        _two_faults,
    ),
    Difference(
        "A larger window than was agreed on",
        "websockets",
        "both",
        "RFC 7692 §7.1.2",
        "A sender MUST NOT use one, and a recipient need not look. The core understands it, since the decompressor "
        "has the largest window anyway; `websockets` fails if the bytes that are meant came in another frame.",
        _open(_frame(_LONG, 0xC2), _frame(_FAR, 0xC2), bits=9),
        ("binary:" + bytes(range(256)).hex() * 3, "binary:" + bytes(range(40)).hex(), "ping:", "failed:1002"),
        ("binary:" + bytes(range(256)).hex() * 3, "failed:1002"),
        _far,
    ),
    Difference(
        "A long message that ends within a block",
        "websockets",
        "openline",
        "RFC 7692 §7.2.2",
        "A recipient appends the end of a flush, whatever it makes of it. From 2,044 bytes on, `websockets` takes "
        "what comes out of it for too much, and fails with 1009, or without `max_size` with 1011.",
        _open(b"\xc2\x7e\x08\x00\x00\xff\x0f\x00\xf0" + b"a" * 2043),
        ("binary:" + "61" * 2043 + "0000ffff", "ping:", "failed:1002"),
        ("failed:1011",),
        _unended,
    ),
    Difference(
        "A limit that is crossed by what zlib holds back",
        "websockets",
        "openline",
        "RFC 6455 §10.4",
        "`websockets` sees that a limit is exceeded if something of the input is left. If it is not, what more "
        "comes out counts for the next fragment.",
        _open(_frame(bytes.fromhex("4a4c1c1e00"), 0x42), _frame(b"\x00", 0x80), max_fragment=100),
        ("failed:1009",),
        ("binary:" + "61" * 200, "ping:", "failed:1002"),
        _held_back,
    ),
    Difference(
        "A larger window than was agreed on, in `wsproto`",
        "wsproto",
        "both",
        "RFC 7692 §7.1.2",
        "It fails as `websockets` does, if the bytes that are meant came in another read.",
        _open(_frame(_LONG, 0xC2), _frame(_FAR, 0xC2), bits=9),
        ("binary:" + bytes(range(256)).hex() * 3, "binary:" + bytes(range(40)).hex(), "ping:", "failed:1002"),
        ("binary:" + bytes(range(256)).hex() * 3, "failed:1007"),
        _far,
    ),
    Difference(
        "Another message within a compressed one, in `wsproto`",
        "wsproto",
        "both",
        "RFC 6455 §5.4, §7.4.1",
        "It decompresses the frame before it judges its opcode.",
        _open(_frame(_HELLO[:3], 0x41), _frame(_HELLO[3:] + b"\xff" * 4, 0x81)),
        ("failed:1002",),
        ("failed:1007",),
        _interrupted,
    ),
    Difference(
        "Control frames in a compressed message, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §5.4, RFC 7692 §6.1",
        "They may stand between its fragments. `wsproto` forgets then that the message is compressed, and hands "
        "out the rest as it came.",
        _open(_frame(_HELLO[:3], 0x41), b"\x89\x00", _frame(_HELLO[3:], 0x80)),
        ("ping:", "text:48656c6c6f", "ping:", "failed:1002"),
        ("ping:", "failed:1007"),
        _control_within,
    ),
    Difference(
        "The code for what is no DEFLATE",
        "wsproto",
        "both",
        "RFC 7692 §7.2.2, RFC 6455 §7.4.1",
        "There is none of its own. The core fails with 1002, as `websockets` does, `wsproto` with 1007.",
        _open(b"\xc1\x01\xff"),
        ("failed:1002",),
        ("failed:1007",),
        _invalid_deflate,
    ),
    Difference(
        "No limits of compressed messages, in `wsproto`",
        "wsproto",
        "both",
        "RFC 6455 §10.4",
        "As of all messages: what comes out of one read is unbounded.",
        _open(_frame(_HELLO), max_message=4),
        ("failed:1009",),
        ("text:48656c6c6f", "ping:", "failed:1002"),
        _no_limits,
    ),
]
