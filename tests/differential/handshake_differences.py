"""What others do otherwise in an opening handshake."""

from __future__ import annotations

import re
from collections.abc import Callable

from differential import ACCEPT, KEY, Case, Outcome
from differential.differences import Difference


def _request(*lines: str, start: str = "GET / HTTP/1.1", host: str = "Host: a.example", end: str = "\r\n") -> Case:
    """A request that is valid but for these lines."""
    valid = [
        start,
        host,
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    names = {line.partition(":")[0] for line in lines}
    kept = [line for line in valid if line and line.partition(":")[0] not in names]
    wire = "".join(line + end for line in [*kept, *lines, ""])
    return Case("server", (wire.encode("latin-1"),), start="handshake")


def _response(*lines: str, start: str = "HTTP/1.1 101 Switching Protocols", end: str = "\r\n") -> Case:
    """A response that accepts, but for these lines."""
    valid = [start, "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {ACCEPT}"]
    names = {line.partition(":")[0] for line in lines}
    kept = [line for line in valid if line.partition(":")[0] not in names]
    wire = "".join(line + end for line in [*kept, *lines, ""])
    return Case("client", (wire.encode("latin-1"),), start="handshake")


def _refusal(*lines: str, body: str = "", start: str = "HTTP/1.1 403 Forbidden") -> Case:
    wire = "".join(line + "\r\n" for line in [start, *lines, ""]) + body
    return Case("client", (wire.encode("latin-1"),), start="handshake")


def _accepted(outcome: Outcome) -> bool:
    return outcome.events[:1] != () and outcome.events[0].split(":")[0] in ("accepted", "opened")


def _failed(outcome: Outcome) -> bool:
    return outcome.events[:1] != () and outcome.events[0].startswith("failed:")


def _is_handshake(case: Case, *outcomes: Outcome) -> bool:
    """Whether it is the handshake that differs, not frames behind it."""
    return case.start == "handshake" and not all(_accepted(outcome) for outcome in outcomes)


def _head(case: Case) -> bytes:
    return re.split(rb"\n\r?\n", case.wire.lstrip(b"\r\n"), maxsplit=1)[0]


def _first_line(case: Case) -> bytes:
    return _head(case).split(b"\n")[0].rstrip(b"\r")


def header_values(case: Case, name: bytes) -> list[bytes]:
    """Of the headers of this name."""
    found = re.findall(rb"(?im)^" + name + rb":[ \t]*([^\r\n]*?)[ \t]*\r?$", _head(case))
    return [bytes(value) for value in found]


LISTS = [b"Connection", b"Upgrade", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions"]


# Both roles, `websockets`.


def _bare_lf(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    has_one = re.search(rb"(?<!\r)\n", case.wire) is not None
    return _is_handshake(case, ours, theirs) and has_one and theirs.fault == "InvalidMessage.EOFError"


def _blank_lines(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    starts = case.wire[:1] in (b"\r", b"\n")
    return _is_handshake(case, ours, theirs) and starts and theirs.events == ("failed:0",)


def _head_judged_at_its_end(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return case.start == "handshake" and ours.events == () and theirs.fault == "InvalidMessage.ValueError"


def _empty_list(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    has_one = any(b"" in header_values(case, name) for name in LISTS)
    faults = ("InvalidHeaderFormat", "NegotiationError")
    return _is_handshake(case, ours, theirs) and has_one and theirs.fault in faults


# Requests, `websockets`.


def _no_answer(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_one = case.role == "server" and _failed(ours) and theirs.events == ("failed:0",)
    return is_one and theirs.fault.startswith("InvalidMessage")


def _other_status(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    both = _failed(ours) and _failed(theirs) and case.role == "server"
    return both and (ours.code, theirs.code) in [(426, 400), (400, 426), (400, 405), (400, 431)]


def _host(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    hosts = header_values(case, b"Host")
    is_wrong = len(hosts) != 1 or re.fullmatch(rb"[-0-9A-Za-z._~%!$&'()*+,;=:\[\]]*", hosts[0]) is None
    return _is_handshake(case, ours, theirs) and is_wrong and ours.code == 400 and _accepted(theirs)


def _unread_extensions(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    has_some = header_values(case, b"Sec-WebSocket-Extensions") != []
    return has_some and ours.fault == "InvalidHeaderFormat" and _accepted(theirs)


def _request_line(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    line = _first_line(case)
    is_usual = re.fullmatch(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+ [!-~]+ HTTP/1\.[01]", line)
    if re.match(rb"GET (?!/|[!-~]*://)", line):
        is_usual = None  # neither a path nor a URI
    return case.role == "server" and is_usual is None and ours.events == ("failed:400",)


def _glued_frames(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    if case.role != "server" or case.start != "handshake" or case.negotiation is not None:
        return False
    return theirs.code == 1006 or (_accepted(ours) and ours.events[:1] == theirs.events[:1])


# Responses, `websockets`.


def _interim(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return theirs.events[:1] != () and theirs.events[0].startswith("refused:1")


def _status_line(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_usual = re.fullmatch(rb"HTTP/1\.1 [1-5][0-9]{2} [\t -~\x80-\xff]*", _first_line(case))
    return _is_handshake(case, ours, theirs) and case.role == "client" and is_usual is None


def _transfer_coding(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return not _failed(ours) and theirs.fault == "InvalidMessage.NotImplementedError"


def _repeated_length(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    lengths = header_values(case, b"Content-Length")
    several = len(lengths) > 1 or b"," in b"".join(lengths)
    faults = ("InvalidMessage.MultipleValuesError", "InvalidMessage.SecurityError")
    return not _failed(ours) and several and theirs.fault in faults


def _blank_in_chunk_line(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    has_one = re.search(rb"\n[0-9A-Fa-f]+[ \t]+(;|\r?\n)", case.wire) is not None
    return not _failed(ours) and has_one and theirs.fault == "InvalidMessage.SecurityError"


def _trailers(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_chunked = b"chunked" in b"".join(header_values(case, b"Transfer-Encoding")).lower()
    behind_last_chunk = re.search(rb"\n0+[ \t]*(;[^\n]*)?\r?\n", case.wire) is not None
    is_error = theirs.fault.startswith("InvalidMessage.") or theirs.fault == "RemoteProtocolError"
    return not _failed(ours) and is_chunked and behind_last_chunk and is_error


# `wsproto`.


def _wsproto(*faults: str) -> Callable[[Case, Outcome, Outcome], bool]:
    """It accepts, or goes on with, what the core refuses for one of these faults."""

    def explains(case: Case, ours: Outcome, theirs: Outcome) -> bool:
        return _is_handshake(case, ours, theirs) and ours.fault in faults and not _failed(theirs)

    return explains


def _limits(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    is_over = case.start == "handshake" and len(case.wire) > 16_384
    return (is_over and theirs.fault == "RemoteProtocolError") or _limits_of_lines(case, ours, theirs)


_limits_of_lines = _wsproto("HeaderLineTooLong", "RequestLineTooLong", "StatusLineTooLong", "TooManyHeaders")


def _lists_by_hand(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    """`Connection` counts only in its last line, `Upgrade` and `Sec-WebSocket-Protocol` only as one word."""
    several = len(header_values(case, b"Connection")) > 1
    others = [header_values(case, name) for name in LISTS[1:]]
    are_lists = any(len(values) > 1 or b"," in b"".join(values) or b"" in values for values in others)
    return case.start == "handshake" and not _failed(ours) and theirs.code == 0 and (several or are_lists)


def _ascii_only(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return theirs.fault == "UnicodeDecodeError"


def _h11_blank_lines(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    return case.start == "handshake" and case.wire[:1] in (b"\r", b"\n") and theirs.events == ("failed:0",)


def _h11_first_byte(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    begins = case.wire[:1] not in (b"\r", b"\n") and not case.wire[:1].isalnum()
    return case.start == "handshake" and begins and ours.events == () and theirs.events == ("failed:0",)


def _h11_framing(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    has_one = header_values(case, b"Content-Length") or header_values(case, b"Transfer-Encoding")
    return bool(has_one) and not _failed(ours) and theirs.code == 0


HANDSHAKE_DIFFERENCES = [
    Difference(
        "A bare line feed",
        "websockets",
        "both",
        "RFC 9112 §2.2",
        "A recipient MAY take it for the end of a line. The core does, as `h11` does and many servers; "
        "`websockets` wants CR LF.",
        _request(end="\n"),
        (f"accepted:2f::{ACCEPT}",),
        ("failed:0",),
        _bare_lf,
    ),
    Difference(
        "Blank lines before the message",
        "websockets",
        "openline",
        "RFC 9112 §2.2",
        "A server SHOULD ignore at least one before a request. The core ignores them before a response too.",
        Case("server", (b"\r\n" + _request().wire,), start="handshake"),
        (f"accepted:2f::{ACCEPT}",),
        ("failed:0",),
        _blank_lines,
    ),
    Difference(
        "A wrong line in a head that is not complete",
        "websockets",
        "both",
        "RFC 9112 §5",
        "`websockets` refuses at the wrong line, the core at the end of the head, which its limits bound.",
        Case("server", (b"GET / HTTP/1.1\r\nHost : a\r\n",), start="handshake"),
        (),
        ("failed:0",),
        _head_judged_at_its_end,
    ),
    Difference(
        "A list header that is empty",
        "websockets",
        "theirs",
        "RFC 6455 §9.1, §11.3.4",
        "A list has at least one element. Some servers send an empty `Sec-WebSocket-Protocol` to say that "
        "they chose none, so the core takes an empty header for none.",
        _response("Sec-WebSocket-Protocol: "),
        ("opened:",),
        ("failed:0",),
        _empty_list,
    ),
    Difference(
        "The answer to what is not a request",
        "websockets",
        "openline",
        "RFC 9112 §3, §2.2",
        "A server SHOULD answer 400. `websockets` ends the connection without a word.",
        _request(start="GET /"),
        ("failed:400",),
        ("failed:0",),
        _no_answer,
    ),
    Difference(
        "The status of a refusal",
        "websockets",
        "openline",
        "RFC 6455 §4.4, RFC 9110 §15.6.22",
        "The core answers 426 to another version of the protocol, with the version that it understands, and "
        "to a request that asks for no upgrade; 400 to a wrong Host and to a method that is no token, before "
        "it looks further.",
        _request("Sec-WebSocket-Version: 8"),
        ("failed:426",),
        ("failed:400",),
        _other_status,
    ),
    Difference(
        "The Host header",
        "websockets",
        "openline",
        "RFC 9112 §3.2",
        "A server MUST answer 400 if it is missing, there more than once, or no host. `websockets` leaves "
        "that to others.",
        _request(host=""),
        ("failed:400",),
        (f"accepted:2f::{ACCEPT}",),
        _host,
    ),
    Difference(
        "Malformed extensions that nobody asked for",
        "websockets",
        "openline",
        "RFC 6455 §9.1",
        "A recipient MUST fail the connection. `websockets` does not read the header if it supports no "
        "extensions.",
        _request('Sec-WebSocket-Extensions: x; a="b'),
        ("failed:400",),
        (f"accepted:2f::{ACCEPT}",),
        _unread_extensions,
    ),
    Difference(
        "Methods and targets",
        "websockets",
        "openline",
        "RFC 9112 §3.1, §3.2, RFC 3986 §2",
        "A method is a token, what a GET asks for a path or a URI, and control characters are no part of either. "
        "`websockets` takes any.",
        _request(start="GET /\x01 HTTP/1.1"),
        ("failed:400",),
        (f"accepted:2f01::{ACCEPT}",),
        _request_line,
    ),
    Difference(
        "Frames behind a request",
        "websockets",
        "both",
        "RFC 6455 §4.1",
        "A client MUST wait for the answer. The core keeps what came too early for the open connection; "
        "`websockets` reads it before it has answered.",
        Case("server", (_request().wire + b"\x83\x00",), start="handshake"),
        (f"accepted:2f::{ACCEPT}", "failed:1002"),
        (f"accepted:2f::{ACCEPT}", "failed:1006"),
        _glued_frames,
    ),
    Difference(
        "Interim responses",
        "websockets",
        "openline",
        "RFC 9110 §15.2",
        "A client MUST be able to parse them before the final response. `websockets` takes one for a refusal.",
        Case("client", (b"HTTP/1.1 103 Early Hints\r\n\r\n" + _response().wire,), start="handshake"),
        ("opened:",),
        ("refused:103:",),
        _interim,
    ),
    Difference(
        "Unusual status lines",
        "websockets",
        "openline",
        "RFC 9112 §4",
        "The core wants three digits, and takes several blanks, no reason phrase, and HTTP/1.0 for a refusal. "
        "`websockets` takes any number of leading zeros, and nothing of the rest.",
        _refusal("Content-Length: 0", start="HTTP/1.0 403"),
        ("refused:403:",),
        ("failed:0",),
        _status_line,
    ),
    Difference(
        "Transfer codings",
        "websockets",
        "openline",
        "RFC 9112 §7, §6.1",
        "Their names are the same in any case, and `identity` used to mean none. `websockets` knows `chunked` "
        "alone.",
        _refusal("Transfer-Encoding: Chunked", body="1\r\na\r\n0\r\n\r\n"),
        ("refused:403:61",),
        ("failed:0",),
        _transfer_coding,
    ),
    Difference(
        "The same Content-Length several times",
        "websockets",
        "both",
        "RFC 9110 §8.6",
        "A recipient may take it for one, or refuse.",
        _refusal("Content-Length: 1", "Content-Length: 1", body="a"),
        ("refused:403:61",),
        ("failed:0",),
        _repeated_length,
    ),
    Difference(
        "Blanks behind the size of a chunk",
        "websockets",
        "openline",
        "RFC 9112 §7.1.1",
        "They may stand before a chunk extension.",
        _refusal("Transfer-Encoding: chunked", body="1 ;x\r\na\r\n0\r\n\r\n"),
        ("refused:403:61",),
        ("failed:0",),
        _blank_in_chunk_line,
    ),
    Difference(
        "Malformed trailers",
        "websockets",
        "theirs",
        "RFC 9112 §7.1.2",
        "They have the form of headers. The core counts the lines and drops them, whatever they hold: the "
        "response is an error already.",
        _refusal("Transfer-Encoding: chunked", body="0\r\n?\r\n\r\n"),
        ("refused:403:",),
        ("failed:0",),
        _trailers,
    ),
    Difference(
        "Values of headers, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §4.2.1, RFC 9112 §3.2",
        "It takes any `Sec-WebSocket-Key`, and any Host in ASCII.",
        _request("Sec-WebSocket-Key: x"),
        ("failed:400",),
        ("accepted:2f::JVxkmtKFjDcI/Pm/AGPEKSN6wT8=",),
        _wsproto("InvalidHeaderValue"),
    ),
    Difference(
        "Headers that stand several times, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §11.3, §4.2.1",
        "The last one counts, where the RFC wants one alone.",
        _request("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"),
        ("failed:400",),
        (f"accepted:2f::{ACCEPT}",),
        _wsproto("InvalidHeader", "InvalidUpgrade"),
    ),
    Difference(
        "Malformed lists, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §9.1, RFC 9110 §5.6.1",
        "It cuts lists at commas and looks no further.",
        _request("Sec-WebSocket-Protocol: a b"),
        ("failed:400",),
        (f"accepted:2f::{ACCEPT}",),
        _wsproto("InvalidHeaderFormat"),
    ),
    Difference(
        "Versions of HTTP, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §4.2.1",
        "It accepts any that `h11` can read, 1.0 and 2.0 among them.",
        _request(start="GET / HTTP/1.0"),
        ("failed:505",),
        (f"accepted:2f::{ACCEPT}",),
        _wsproto("InvalidProtocol"),
    ),
    Difference(
        "Limits of a head, in `wsproto`",
        "wsproto",
        "both",
        "RFC 9112 §3, RFC 9110 §5.4",
        "`h11` bounds the bytes that wait, 16 KiB, not lines and their number.",
        _request("X: " + "x" * 9000),
        ("failed:431",),
        (f"accepted:2f::{ACCEPT}",),
        _limits,
    ),
    Difference(
        "Syntax of a head, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9112 §5.2, §5.5, §6.3",
        "`h11` accepts folded lines, which a server MUST refuse or mend, most control characters, and a body "
        "behind a request for an upgrade.",
        _request("X: a\r\n b"),
        ("failed:400",),
        (f"accepted:2f::{ACCEPT}",),
        _wsproto("InvalidMessage"),
    ),
    Difference(
        "Interim responses, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9110 §15.2",
        "It takes one for a refusal, as `websockets` does, and goes on all the same.",
        Case("client", (b"HTTP/1.1 103 Early Hints\r\n\r\n" + _response().wire,), start="handshake"),
        ("opened:",),
        ("refused:103:", "opened:"),
        _interim,
    ),
    Difference(
        "Unusual status lines, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9112 §4",
        "`h11` wants one blank before the status, and takes any version of HTTP and most control characters "
        "in the reason.",
        _refusal("Content-Length: 0", start="HTTP/1.1  403"),
        ("refused:403:",),
        ("failed:0",),
        _status_line,
    ),
    Difference(
        "Frames behind a request, in `wsproto`",
        "wsproto",
        "both",
        "RFC 6455 §4.1",
        "A client MUST wait for the answer. `wsproto` loses what came too early.",
        Case("server", (_request().wire + b"\x83\x00",), start="handshake"),
        (f"accepted:2f::{ACCEPT}", "failed:1002"),
        (f"accepted:2f::{ACCEPT}",),
        _glued_frames,
    ),
    Difference(
        "Lists, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9110 §5.3, §5.6.1",
        "Several lines of a list are one list, and empty elements are none. It reads the last `Connection` "
        "alone, and a comma in `Upgrade`, or in what a server chose, makes another name.",
        _request("Connection: Upgrade", "Connection: keep-alive"),
        (f"accepted:2f::{ACCEPT}",),
        ("failed:0",),
        _lists_by_hand,
    ),
    Difference(
        "Values outside ASCII, in `wsproto`",
        "wsproto",
        "both",
        "RFC 9110 §5.5",
        "It decodes hosts and lists as ASCII and lets the `UnicodeDecodeError` through.",
        _response("Connection: Upgrade, \xe9"),
        ("failed:0",),
        ("failed:0",),
        _ascii_only,
    ),
    Difference(
        "Blank lines before the message, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9112 §2.2",
        "`h11` refuses them.",
        Case("server", (b"\r\n" + _request().wire,), start="handshake"),
        (f"accepted:2f::{ACCEPT}",),
        ("failed:0",),
        _h11_blank_lines,
    ),
    Difference(
        "A first byte that begins no request, in `wsproto`",
        "wsproto",
        "both",
        "RFC 9112 §3",
        "`h11` refuses it at once; the core does so with control characters, and with others at the end of "
        "the line.",
        Case("server", (b" GET",), start="handshake"),
        (),
        ("failed:0",),
        _h11_first_byte,
    ),
    Difference(
        "Content-Length and Transfer-Encoding, in `wsproto`",
        "wsproto",
        "both",
        "RFC 9112 §6.1, §6.3",
        "`h11` judges them also in a 101 response, which has no body, and knows `chunked` alone.",
        _response("Transfer-Encoding: gzip"),
        ("opened:",),
        ("failed:0",),
        _h11_framing,
    ),
]
