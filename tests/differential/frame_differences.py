"""What others do otherwise on an open connection."""

from __future__ import annotations

from differential import Case, Outcome
from differential.differences import Difference


def _close_in_message(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    closes = ours.code is None and ours.events[-1:] != () and ours.events[-1].startswith("close:")
    return closes and theirs.code == 1002 and theirs.received == ours.events[:-1]


def _control_over_limit(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    so_far = len(theirs.received)
    has_limit = case.max_message is not None or case.max_fragment is not None
    if theirs.code != 1009 or not has_limit or ours.events[:so_far] != theirs.received:
        return False
    # What the core makes of this frame: an event, a failure, or nothing, since it is not all there.
    then = ours.events[so_far:]
    if then[:1] and then[0].startswith("failed:"):
        return ours.fault in _FAULTS_OF_CONTROL_FRAMES
    return not then or then[0].split(":")[0] in ("ping", "pong", "close")


_FAULTS_OF_CONTROL_FRAMES = {
    "CloseTooShort",
    "ControlFragmented",
    "ControlTooLong",
    "InvalidCloseCode",
    "InvalidUtf8",
    "ReservedBits",
}


def _two_faults(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    if ours.received != theirs.received:
        return False
    match ours.code, theirs.code:
        case 1002, 1007:
            return ours.fault == "InvalidCloseCode"
        case 1002, 1009:
            return case.max_message is not None or case.max_fragment is not None
        case 1009, 1002:
            return ours.fault == "LengthTooLarge"
    return False


def _judged_late(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return ours.code in (1002, 1007) and ours.fault in _SEEN_EARLY and theirs.events == ours.received


_SEEN_EARLY = {
    "ControlFragmented",
    "ControlTooLong",
    "InvalidUtf8",
    "Masked",
    "MessageInterrupted",
    "ReservedBits",
    "UnexpectedContinuation",
    "Unmasked",
}


def _length_not_minimal(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_it = ours.fault in ("LengthNotMinimal", "ControlTooLong")
    return is_it and theirs.received[: len(ours.received)] == ours.received


def _length_awaited(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return ours.fault == "LengthTooLarge" and theirs.events == ours.received


def _length_too_large(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return ours.fault == "LengthTooLarge" and theirs.code == 1002 and theirs.received == ours.received


def _no_limits(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_limit = ours.fault in ("FragmentTooBig", "MessageTooBig", "TooManyFragments")
    return is_limit and theirs.received[: len(ours.received)] == ours.received


def _code_1014(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    if theirs.code != 1002:
        return False
    if ours.code is None:
        return ours.events[-1:] != () and ours.events == (*theirs.received, ours.events[-1]) and (
            ours.events[-1].startswith("close:1014:")
        )
    return ours.fault == "InvalidUtf8" and ours.received == theirs.received


def _half_a_surrogate(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    """They fail as well, one byte of the text later, unless something else comes first."""
    seen = theirs.received[: len(ours.received)] == ours.received
    return ours.fault == "InvalidUtf8" and seen and (case.role == "server" or b"\xed" in case.wire)


FRAME_DIFFERENCES = [
    Difference(
        "A Close between the fragments of a message",
        "websockets",
        "openline",
        "RFC 6455 §5.4",
        "Control frames may stand in a fragmented message, and a Close is one. `websockets` fails with 1002.",
        Case("client", (b"\x01\x01a", b"\x88\x02\x03\xe8")),
        ("close:1000:",),
        ("failed:1002",),
        _close_in_message,
    ),
    Difference(
        "Control frames and the limits for messages",
        "websockets",
        "openline",
        "RFC 6455 §5.4, §5.5",
        "A control frame is no part of a message, and has a limit of its own, 125 bytes. `websockets` holds it "
        "against `max_size`, so that a Ping of 5 bytes, or in the middle of a message, can fail with 1009.",
        Case("client", (b"\x89\x05hello",), max_message=4),
        ("ping:68656c6c6f", "ping:", "failed:1002"),
        ("failed:1009",),
        _control_over_limit,
    ),
    Difference(
        "A length in more bytes than it needs",
        "websockets",
        "openline",
        "RFC 6455 §5.2",
        "The minimal number of bytes MUST be used. The core and `wsproto` fail with 1002, `websockets` "
        "accepts it.",
        Case("client", (b"\x82\x7e\x00\x01a",)),
        ("failed:1002",),
        ("binary:61", "ping:", "failed:1002"),
        _length_not_minimal,
    ),
    Difference(
        "A frame that is wrong already in its header",
        "websockets",
        "both",
        "RFC 6455 §5.1, §5.4, §8.1",
        "The core fails when it sees the fault: reserved bits, a fragmented control frame, the wrong opcode, a "
        "byte that no text can go on with. `websockets` looks when the whole frame has come.",
        Case("client", (b"\x81\x7e\x10\x00\xff",)),
        ("failed:1007",),
        (),
        _judged_late,
    ),
    Difference(
        "Half a surrogate",
        "websockets",
        "both",
        "RFC 6455 §8.1, RFC 3629 §3",
        "After the byte ED, one of A0 to BF would make a surrogate, which UTF-8 has not. The core sees that "
        "at once; Python's decoder waits for the third byte, since `surrogatepass` would let it through.",
        Case("client", (b"\x01\x01\xed", b"\x00\x01\xa0", b"\x89\x00")),
        ("failed:1007",),
        ("ping:", "ping:", "failed:1007"),
        _half_a_surrogate,
    ),
    Difference(
        "Half a surrogate, in `wsproto`",
        "wsproto",
        "both",
        "RFC 6455 §8.1, RFC 3629 §3",
        "It uses the same decoder.",
        Case("client", (b"\x01\x01\xed", b"\x00\x01\xa0", b"\x89\x00")),
        ("failed:1007",),
        ("ping:", "ping:", "failed:1007"),
        _half_a_surrogate,
    ),
    Difference(
        "Two faults in one frame",
        "websockets",
        "both",
        "RFC 6455 §7.4.1",
        "The order is not prescribed. The core looks at the protocol first, then at limits, and at the code "
        "of a Close before its reason; `websockets` at sizes first, and at the reason before the code.",
        Case("client", (b"\x88\x03\x03\xed\xff",)),
        ("failed:1002",),
        ("failed:1007",),
        _two_faults,
    ),
    Difference(
        "A length of 2^63 or more, without a limit",
        "websockets",
        "openline",
        "RFC 6455 §5.2",
        "The most significant bit MUST be 0. Without `max_size`, `websockets` waits for such a payload.",
        Case("client", (b"\x82\x7f" + b"\xff" * 8,)),
        ("failed:1009",),
        (),
        _length_awaited,
    ),
    Difference(
        "A frame that is wrong already in its header, in `wsproto`",
        "wsproto",
        "both",
        "RFC 6455 §5.1, §5.4",
        "It judges the mask when the length is there, and the order of frames at the first byte of payload, "
        "the core both at once.",
        Case("client", (b"\x80\x7f\x00\x00\x00\x00",)),
        ("failed:1002",),
        (),
        _judged_late,
    ),
    Difference(
        "The code for a length of 2^63 or more",
        "wsproto",
        "both",
        "RFC 6455 §5.2, §7.4.1",
        "It breaks the protocol (1002, `wsproto`) and it is too big (1009; `websockets` with `max_size`, and "
        "Node's `ws`).",
        Case("client", (b"\x82\x7f" + b"\xff" * 8,)),
        ("failed:1009",),
        ("failed:1002",),
        _length_too_large,
    ),
    Difference(
        "No limits",
        "wsproto",
        "both",
        "RFC 6455 §10.4",
        "`wsproto` hands out messages in parts and leaves limits to its user.",
        Case("client", (b"\x82\x02ab",), max_message=1),
        ("failed:1009",),
        ("binary:6162", "ping:", "failed:1002"),
        _no_limits,
    ),
    Difference(
        "The close code 1014",
        "wsproto",
        "openline",
        "RFC 6455 §7.4.2, §11.7",
        "It is in IANA's registry, as 1012 and 1013 are. `wsproto` knows it not and fails with 1002.",
        Case("client", (b"\x88\x02\x03\xf6",)),
        ("close:1014:",),
        ("failed:1002",),
        _code_1014,
    ),
]
