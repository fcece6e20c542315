"""Random requests and responses: valid ones, and ones with something wrong or odd in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from differential import ACCEPT, KEY, Case, Role, frames

SUBPROTOCOLS = ["chat", "superchat", "v2.chat", "mqtt"]

ODD_VALUES = [
    "",
    ",",
    ", ,",
    "websocket, websocket",
    "keep-alive, Upgrade",
    "Upgrade,",
    ",Upgrade",
    "UPGRADE",
    "upgrade ;x",
    "websocket/13",
    "WebSocket",
    "h2c",
    '"Upgrade"',
    "a b",
    "8",
    "13, 8",
    "013",
    "13.0",
    "é",
    "tab\there",
    "x" * 300,
]
"""Values that a header of any name may get."""

KEYS = [
    "dGhlIHNhbXBsZSBub25jZR==",  # bits that encode nothing
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQ===",
    "dGhlIHNhbXBsZSBub25j",
    "dGhlIHNhbXBsZSBub25jZXg=",
    "dGhlIHNhbXBsZSBub25_ZQ==",
    "dGhl IHNhbXBsZSBub25jZQ==",
    "AAAAAAAAAAAAAAAAAAAAAA==",
    "=",
]

REQUEST_LINES = [
    "GET / HTTP/1.0",
    "GET / HTTP/2.0",
    "GET / HTTP/1.2",
    "GET / HTTP/1.11",
    "GET / http/1.1",
    "GET / HTTP/1.1 ",
    "GET /",
    "GET  / HTTP/1.1",
    "GET /  HTTP/1.1",
    " GET / HTTP/1.1",
    "GET\t/ HTTP/1.1",
    "GET /a b HTTP/1.1",
    "POST / HTTP/1.1",
    "get / HTTP/1.1",
    "G@T / HTTP/1.1",
    "G(T / HTTP/1.1",
    "GET /é HTTP/1.1",
    "GET /\x7f HTTP/1.1",
    "GET /\x01 HTTP/1.1",
    "GET http://a.example/chat HTTP/1.1",
    "GET * HTTP/1.1",
    "GET /?q=%20#f HTTP/1.1",
    'GET /"<>\\^`{|} HTTP/1.1',
    "HTTP/1.1 101 Switching Protocols",
    "",
]

STATUS_LINES = [
    "HTTP/1.0 101 Switching Protocols",
    "HTTP/2 101 Switching Protocols",
    "HTTP/1.2 101 Switching Protocols",
    "http/1.1 101 Switching Protocols",
    "HTTP/1.1 101",
    "HTTP/1.1 101 ",
    "HTTP/1.1  101 Switching Protocols",
    "HTTP/1.1 101  Switching  Protocols ",
    "HTTP/1.1\t101 Switching Protocols",
    "HTTP/1.1 101 Switching\x01Protocols",
    "HTTP/1.1 101 Switching\x7fProtocols",
    "HTTP/1.1 101 Schön",
    "HTTP/1.1 0101 Switching Protocols",
    "HTTP/1.1 1O1 Switching Protocols",
    "HTTP/1.1 +101 Switching Protocols",
    "HTTP/1.1 10 Switching Protocols",
    "HTTP/1.1 099 No",
    "HTTP/1.1 600 No",
    "HTTP/1.1 999 No",
    " HTTP/1.1 101 Switching Protocols",
    "GET / HTTP/1.1",
    "",
]

STATUSES = [200, 204, 301, 304, 400, 401, 403, 404, 426, 500, 503, 599]


@dataclass
class Head:
    """The head of a message, with what may be wrong in its lines, and what follows it."""

    start: str
    fields: list[Field]
    rest: bytes = b""
    before: bytes = b""

    def encode(self) -> bytes:
        lines = [self.start.encode("latin-1") + b"\r\n", *(line.encode() for line in self.fields), b"\r\n"]
        return self.before + b"".join(lines) + self.rest

    def find(self, name: str) -> list[Field]:
        return [line for line in self.fields if line.name.lower() == name.lower()]


@dataclass
class Field:
    """A header line."""

    name: str
    value: str
    separator: str = ": "
    end: str = field(default="\r\n")

    def encode(self) -> bytes:
        return f"{self.name}{self.separator}{self.value}{self.end}".encode("latin-1")


def random_request(rng: random.Random) -> Case:
    """A case in which a server gets a request."""
    head = Head(
        f"GET {rng.choice(['/', '/chat', '/a/b?c=d&e', '/%20'])} HTTP/1.1",
        [
            Field("Host", rng.choice(["a.example", "a.example:8080", "127.0.0.1", "[::1]:80"])),
            Field("Upgrade", rng.choice(["websocket", "websocket", "WebSocket"])),
            Field("Connection", rng.choice(["Upgrade", "Upgrade", "upgrade", "keep-alive, Upgrade"])),
            Field("Sec-WebSocket-Key", KEY),
            Field("Sec-WebSocket-Version", "13"),
        ],
    )
    _add_others(rng, head)
    for name in rng.sample(SUBPROTOCOLS, k=rng.choice([0, 0, 1, 2])):
        offered = head.find("Sec-WebSocket-Protocol")
        if offered and rng.random() < 0.7:
            offered[-1].value += f", {name}"
        else:
            head.fields.append(Field("Sec-WebSocket-Protocol", name))
    mutations: list[_Mutation] = [_wrong_request_line, _wrong_key, *_ANY_HEAD]
    return _case(rng, "server", head, mutations)


def random_response(rng: random.Random) -> Case:
    """A case in which a client gets a response."""
    offered = tuple(rng.sample(SUBPROTOCOLS, k=rng.choice([0, 0, 1, 2])))
    if rng.random() < 0.3:
        head = _refusal(rng)
    else:
        head = Head(
            "HTTP/1.1 101 Switching Protocols",
            [
                Field("Upgrade", rng.choice(["websocket", "websocket", "WebSocket"])),
                Field("Connection", rng.choice(["Upgrade", "Upgrade", "upgrade", "keep-alive, Upgrade"])),
                Field("Sec-WebSocket-Accept", ACCEPT),
            ],
        )
        if rng.random() < 0.3:
            chosen = rng.choice([*SUBPROTOCOLS, *offered, *offered, *offered])
            head.fields.append(Field("Sec-WebSocket-Protocol", chosen))
        if rng.random() < 0.3:
            # The server's first frames, glued to the response.
            head.rest = b"".join(frame.encode("client") for frame in frames.conversation(rng))
    _add_others(rng, head)
    mutations: list[_Mutation] = [_wrong_status_line, _wrong_accept, _wrong_body, *_ANY_HEAD]
    if rng.random() < 0.05:
        head.before = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * rng.choice([1, 2])
    return _case(rng, "client", head, mutations, offered)


_Mutation = Callable[[random.Random, Head], None]


def _case(
    rng: random.Random, role: Role, head: Head, mutations: list[_Mutation], offered: tuple[str, ...] = ()
) -> Case:
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        rng.choice(mutations)(rng, head)
    wire = head.encode()
    if rng.random() < 0.1:
        wire = frames.spoil(rng, wire)
    return Case(
        role=role,
        start="handshake",
        reads=tuple(frames.cut(rng, wire)),
        subprotocols=offered if role == "client" else tuple(rng.sample(SUBPROTOCOLS, k=rng.choice([0, 1, 2]))),
        eof=rng.random() < 0.5,
    )


def _add_others(rng: random.Random, head: Head) -> None:
    """Headers that the handshake doesn't ask for, and another order."""
    others = [
        ("User-Agent", "test/1 (é)"),
        ("Cookie", "a=1; b=2"),
        ("Origin", "http://a.example"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("X-Empty", ""),
    ]
    head.fields += [Field(name, value) for name, value in rng.sample(others, k=rng.choice([0, 0, 1, 3]))]
    if rng.random() < 0.3:
        rng.shuffle(head.fields)


def _refusal(rng: random.Random) -> Head:
    """A response of another status, its body in one of the ways there are."""
    status = rng.choice(STATUSES)
    body = rng.randbytes(rng.choice([0, 1, 20, 300]))
    head = Head(f"HTTP/1.1 {status} Because", [Field("Content-Type", "text/plain")])
    match rng.randrange(4):
        case 0:
            head.rest = body
        case 1:
            head.fields.append(Field("Content-Length", str(len(body))))
            head.rest = body
        case 2:
            head.fields.append(Field("Transfer-Encoding", rng.choice(["chunked", "chunked", "Chunked"])))
            head.rest = chunked(rng, body)
        case 3:
            head.fields.append(Field("Content-Length", "0"))
    return head


def chunked(rng: random.Random, body: bytes) -> bytes:
    """The body in chunks, with extensions and trailers at times."""
    wire = b""
    for chunk in frames.cut(rng, body):
        if chunk:
            size = rng.choice([f"{len(chunk):x}", f"{len(chunk):X}", f"00{len(chunk):x}"])
            wire += size.encode() + rng.choice([b"", b"", b";a=b", b" ;a"]) + b"\r\n" + chunk + b"\r\n"
    return wire + b"0\r\n" + rng.choice([b"", b"", b"X-Trailer: 1\r\n"]) + b"\r\n"


def _wrong_request_line(rng: random.Random, head: Head) -> None:
    head.start = rng.choice([*REQUEST_LINES, f"GET /{'x' * rng.randint(8170, 8185)} HTTP/1.1"])


def _wrong_status_line(rng: random.Random, head: Head) -> None:
    head.start = rng.choice([*STATUS_LINES, f"HTTP/1.1 101 {'x' * rng.randint(8170, 8185)}"])


def _wrong_key(rng: random.Random, head: Head) -> None:
    for line in head.find("Sec-WebSocket-Key"):
        line.value = rng.choice(KEYS)


def _wrong_accept(rng: random.Random, head: Head) -> None:
    for line in head.find("Sec-WebSocket-Accept"):
        line.value = rng.choice([ACCEPT.lower(), ACCEPT[:-1], KEY, f"{ACCEPT}, {ACCEPT}", ""])


def _wrong_body(rng: random.Random, head: Head) -> None:
    match rng.randrange(4):
        case 0:
            head.rest = frames.spoil(rng, head.rest)
        case 1:
            lengths = ["", "-1", "+1", "1 ", "1, 1", "1, 2", "0x1", "9" * 19, "9" * 30, "1048576", "1048577"]
            head.fields.append(Field("Content-Length", rng.choice(lengths)))
        case 2:
            codings = ["gzip", "gzip, chunked", "identity", "chunked, chunked", "", "chunked"]
            head.fields.append(Field("Transfer-Encoding", rng.choice(codings)))
        case 3:
            head.start = f"HTTP/1.1 {rng.choice([100, 102, 103, *STATUSES])} Because"


def _odd_name(rng: random.Random, head: Head) -> None:
    line = rng.choice(head.fields)
    line.name = rng.choice(
        [
            line.name.upper(),
            line.name.lower(),
            line.name.swapcase(),
            line.name + " ",
            " " + line.name,
            line.name + "é",
            line.name + "\x00",
            "",
        ]
    )


def _odd_separator(rng: random.Random, head: Head) -> None:
    separators = [":", ":  ", ":\t", " : ", ":\r\n ", "", " ", "::", ":\x0b"]
    rng.choice(head.fields).separator = rng.choice(separators)


def _odd_end(rng: random.Random, head: Head) -> None:
    lines = [rng.choice(head.fields)] if rng.random() < 0.7 else head.fields
    folded = ["\r\n folded\r\n", "\r\n\tfolded\r\n"]
    end = rng.choice(["\n", " \r\n", "\t\r\n", "\r", "\r\r\n", "\x00\r\n", *folded])
    for line in lines:
        line.end = end


def _odd_value(rng: random.Random, head: Head) -> None:
    rng.choice(head.fields).value = rng.choice(ODD_VALUES)


def _odd_character(rng: random.Random, head: Head) -> None:
    line = rng.choice(head.fields)
    at = rng.randint(0, len(line.value))
    line.value = line.value[:at] + chr(rng.randrange(256)) + line.value[at:]


def _missing(rng: random.Random, head: Head) -> None:
    if len(head.fields) > 1:
        head.fields.remove(rng.choice(head.fields))


def _twice(rng: random.Random, head: Head) -> None:
    line = rng.choice(head.fields)
    again = Field(line.name, rng.choice([line.value, line.value, rng.choice(ODD_VALUES)]))
    head.fields.insert(rng.randint(0, len(head.fields)), again)


def _more(rng: random.Random, head: Head) -> None:
    name, value = rng.choice(
        [
            ("Content-Length", "0"),
            ("Content-Length", "5"),
            ("Content-Length", "0, 0"),
            ("Content-Length", "00"),
            ("Transfer-Encoding", "chunked"),
            ("Sec-WebSocket-Extensions", ""),
            ("Sec-WebSocket-Extensions", "x-unknown; a=1"),
            ("Sec-WebSocket-Extensions", 'x-unknown; a="b'),
            ("Sec-WebSocket-Protocol", ""),
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Protocol", "chat,, superchat,"),
            ("Sec-WebSocket-Protocol", "Chat"),
            ("Sec-WebSocket-Protocol", "chat superchat"),
            ("Sec-WebSocket-Version", "8"),
            ("Origin", "null"),
            ("Expect", "100-continue"),
        ]
    )
    head.fields.append(Field(name, value))


def _long_line(rng: random.Random, head: Head) -> None:
    """Around the limit of 8192 bytes, line end included."""
    head.fields.append(Field("X-Long", "x" * (8192 - len("X-Long: \r\n") + rng.choice([-1, 0, 1, 100]))))


def _many_lines(rng: random.Random, head: Head) -> None:
    """Around the limit of 128 lines."""
    count = 128 + rng.choice([-1, 0, 1, 2])
    head.fields += [Field("X", str(n)) for n in range(count - len(head.fields))]


def _blank_lines_before(rng: random.Random, head: Head) -> None:
    head.before = rng.choice([b"\r\n", b"\n", b"\r\n\r\n"])


_ANY_HEAD: list[_Mutation] = [
    _odd_name,
    _odd_separator,
    _odd_end,
    _odd_value,
    _odd_value,
    _odd_character,
    _missing,
    _missing,
    _twice,
    _twice,
    _more,
    _more,
    _long_line,
    _many_lines,
    _blank_lines_before,
]
