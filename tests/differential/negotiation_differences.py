"""What others do otherwise in the negotiation of permessage-deflate. `websockets` does nothing otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable

from differential import ACCEPT, KEY, Case, Negotiation, Outcome
from differential.differences import Difference
from differential.handshake_differences import header_values

_ACCEPTED = f"accepted:2f::{ACCEPT}"


def _explains(is_it: Callable[[list[list[str]]], bool]) -> Callable[[Case, Outcome, Outcome], bool]:
    """For the parameters of each offer or answer of permessage-deflate."""

    def explains(case: Case, ours: Outcome, theirs: Outcome) -> bool:
        if case.negotiation is None:
            return False
        values = header_values(case, b"Sec-WebSocket-Extensions")
        elements = [element.split(";") for element in b", ".join(values).decode("latin-1").split(",")]
        stripped = [[part.strip() for part in parts] for parts in elements]
        return is_it([parts[1:] for parts in stripped if parts[0] == "permessage-deflate"])

    return explains


def _is_several(elements: list[list[str]]) -> bool:
    return len(elements) > 1


def _is_quoted(elements: list[list[str]]) -> bool:
    return any(re.fullmatch(r'\w+="\d+"', part) for parts in elements for part in parts)


def _has_8(elements: list[list[str]]) -> bool:
    return any(re.fullmatch(r"\w+=8", part) for parts in elements for part in parts)


def _is_invalid(elements: list[list[str]]) -> bool:
    for parts in elements:
        names = [part.partition("=")[0] for part in parts]
        if len(set(names)) < len(names) or not all(_VALID.fullmatch(part) for part in parts):
            return True
    return False


def _several_lines(case: Case, ours: Outcome, theirs: Outcome) -> bool:
    lines = header_values(case, b"Sec-WebSocket-Extensions")
    return case.negotiation is not None and case.role == "client" and len(lines) > 1


_VALID = re.compile(
    r"(server|client)_no_context_takeover|(server|client)_max_window_bits=([89]|1[0-5])|client_max_window_bits"
)


def _offer(value: str) -> Case:
    lines = [
        "GET / HTTP/1.1",
        "Host: a.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Extensions: {value}",
    ]
    wire = "".join(line + "\r\n" for line in [*lines, ""]).encode()
    return Case("server", (wire,), start="handshake", negotiation=Negotiation())


def _answer(*values: str) -> Case:
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {ACCEPT}",
        *(f"Sec-WebSocket-Extensions: {value}" for value in values),
    ]
    wire = "".join(line + "\r\n" for line in [*lines, ""]).encode()
    return Case("client", (wire,), start="handshake", negotiation=Negotiation(client_bits="any"))


def _answered(value: str) -> str:
    return f"answered:{value.encode().hex()}"


NEGOTIATION_DIFFERENCES = [
    Difference(
        "Several offers of compression, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 7692 §5, §7.1",
        "They are in the client's order of preference. `wsproto` answers the last one, with what it remembers of "
        "those before.",
        _offer("permessage-deflate; server_no_context_takeover, permessage-deflate; server_max_window_bits=10"),
        (_ACCEPTED, _answered("permessage-deflate; server_no_context_takeover"), "agreed:15,yes,15,no"),
        (_ACCEPTED, "agreed:15,yes,10,no"),
        _explains(_is_several),
    ),
    Difference(
        "A number of bits in quotes, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 6455 §9.1",
        "The value of a parameter may be quoted. `wsproto` lets the `ValueError` through.",
        _offer('permessage-deflate; server_max_window_bits="10"'),
        (_ACCEPTED, _answered("permessage-deflate; server_max_window_bits=10"), "agreed:15,yes,10,yes"),
        ("failed:0",),
        _explains(_is_quoted),
    ),
    Difference(
        "A window of 8 bits, in `wsproto`",
        "wsproto",
        "both",
        "RFC 7692 §7.1.2",
        "zlib cannot compress for one. As its decompressor has it, the core allows it to the peer; `wsproto` "
        "declines it, or as a client lets the `ValueError` through.",
        _offer("permessage-deflate; client_max_window_bits=8"),
        (_ACCEPTED, _answered("permessage-deflate; client_max_window_bits=8"), "agreed:8,yes,15,yes"),
        (_ACCEPTED, "agreed:nothing"),
        _explains(_has_8),
    ),
    Difference(
        "Parameters that are not valid, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 7692 §7.1",
        "A server MUST decline an offer with one, and a client MUST fail the connection. `wsproto` looks at how "
        "parameters begin, and knows no others and no values of them that are wrong.",
        _offer("permessage-deflate; x=1"),
        (_ACCEPTED, "answered:", "agreed:nothing"),
        (_ACCEPTED, "agreed:15,yes,15,yes"),
        _explains(_is_invalid),
    ),
    Difference(
        "Answers in several lines, in `wsproto`",
        "wsproto",
        "openline",
        "RFC 9110 §5.3, RFC 6455 §9.1",
        "They are one list. A client reads the last line alone, and does not see what it has not offered.",
        _answer("x-unknown", "permessage-deflate"),
        ("failed:0",),
        ("opened:", "agreed:15,yes,15,yes"),
        _several_lines,
    ),
]
