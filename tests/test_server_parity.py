"""The server beside that of `websockets`: the same requests and frames, by bytes, to both.

Status, headers and body of the answers must be the same, and so must the frames that come after a 101. What
differs stands in a table, with the reason, and must really differ.
"""

from __future__ import annotations

import http
import importlib
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
HOST = b"Host: localhost\r\n"


def get(*lines: bytes, path: bytes = b"/", method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, path, version, b"".join(lines))


GOOD = [HOST, UPGRADE, KEY, VERSION]


def frame(first: int, payload: bytes) -> bytes:
    """A frame of a client's, masked with zeros."""
    assert len(payload) < 126
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


END = frame(0x81, b"the end")
CLOSE = frame(0x88, b"\x03\xe8bye")

REQUESTS = {
    "plain": get(*GOOD),
    "deflate": get(*GOOD, b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
    "deflate without takeover": get(
        *GOOD, b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
    ),
    "two offers": get(
        *GOOD, b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9, permessage-deflate\r\n"
    ),
    "an unknown extension": get(*GOOD, b"Sec-WebSocket-Extensions: x-nothing; a=1\r\n"),
    "a wrong parameter": get(*GOOD, b"Sec-WebSocket-Extensions: permessage-deflate; nonsense\r\n"),
    "a bad extension header": get(*GOOD, b"Sec-WebSocket-Extensions: ;\r\n"),
    "a subprotocol": get(*GOOD, b"Sec-WebSocket-Protocol: v1\r\n"),
    "two subprotocols": get(*GOOD, b"Sec-WebSocket-Protocol: v2, v1\r\n"),
    "two lines of subprotocols": get(*GOOD, b"Sec-WebSocket-Protocol: v3\r\nSec-WebSocket-Protocol: v1\r\n"),
    "another subprotocol": get(*GOOD, b"Sec-WebSocket-Protocol: v9\r\n"),
    "a bad subprotocol": get(*GOOD, b"Sec-WebSocket-Protocol: a b\r\n"),
    "an origin": get(*GOOD, b"Origin: https://a.example\r\n"),
    "an origin by a pattern": get(*GOOD, b"Origin: https://x.b.example\r\n"),
    "another origin": get(*GOOD, b"Origin: https://evil.example\r\n"),
    "two origins": get(*GOOD, b"Origin: https://a.example\r\nOrigin: https://a.example\r\n"),
    "credentials": get(*GOOD, b"Authorization: Basic YWxpY2U6c2VjcmV0\r\n"),
    "wrong credentials": get(*GOOD, b"Authorization: Basic YWxpY2U6d3Jvbmc=\r\n"),
    "unknown credentials": get(*GOOD, b"Authorization: Bearer x\r\n"),
    "the path of the hook": get(*GOOD, path=b"/health"),
    "no upgrade, the path of the hook": get(HOST, path=b"/health"),
    "the path at which the hook raises": get(*GOOD, path=b"/raise"),
    "no upgrade": get(HOST),
    "no connection": get(HOST, b"Upgrade: websocket\r\n", KEY, VERSION),
    "upgrade to something else": get(HOST, b"Upgrade: h2c\r\nConnection: Upgrade\r\n", KEY, VERSION),
    "no key": get(HOST, UPGRADE, VERSION),
    "two keys": get(*GOOD, KEY),
    "a short key": get(HOST, UPGRADE, b"Sec-WebSocket-Key: AAAA\r\n", VERSION),
    "a key that is none": get(HOST, UPGRADE, b"Sec-WebSocket-Key: !\r\n", VERSION),
    "no version": get(HOST, UPGRADE, KEY),
    "an old version": get(HOST, UPGRADE, KEY, b"Sec-WebSocket-Version: 8\r\n"),
    "POST": get(*GOOD, method=b"POST"),
    "HTTP/1.0": get(*GOOD, version=b"HTTP/1.0"),
    "many headers": get(*GOOD, b"A: b\r\n" * 200),
    "a long header": get(*GOOD, b"A: " + b"b" * 9000 + b"\r\n"),
    "a long path": get(*GOOD, path=b"/" + b"a" * 9000),
    "no Host": get(UPGRADE, KEY, VERSION),
}

FRAMES = {
    "text": frame(0x81, b"hello"),
    "binary": frame(0x82, b"\x00\x01"),
    "empty": frame(0x81, b""),
    "fragments": frame(0x01, b"a") + frame(0x00, b"b") + frame(0x80, b"c"),
    "a ping": frame(0x89, b"ping"),
    "a ping between fragments": frame(0x01, b"a") + frame(0x89, b"p") + frame(0x80, b"b"),
    "a pong nobody waits for": frame(0x8A, b"pong"),
    "text that is none": frame(0x81, b"\xff"),
    "a reserved bit": frame(0xC1, b"x"),
    "a reserved opcode": frame(0x83, b"x"),
    "a fragmented ping": frame(0x09, b"x"),
    "a continuation of nothing": frame(0x80, b"x"),
    "a new message in a message": frame(0x01, b"a") + frame(0x81, b"b"),
    "a frame without a mask": b"\x81\x01x",
    "a large message": b"\x82\xff" + (2**21).to_bytes(8, "big") + bytes(4),
    "a close without a code": frame(0x88, b""),
    "a close with one byte": frame(0x88, b"x"),
    "a close with a wrong code": frame(0x88, b"\x03\xed"),
    "a close of an application": frame(0x88, b"\x0f\xa1app"),
    "raise": frame(0x81, b"raise"),
    "close by the handler": frame(0x81, b"close"),
}


# Words for people, in answers of any kind.
WORDS = [
    rb"\nYou cannot access a WebSocket server directly with a browser. You need a WebSocket client.\n",
    rb"A WebSocket client is needed here; a browser's address bar isn't one.\n",
    rb"See server log for more information.\n",
    rb"The log of the server tells why.\n",
]

OTHER_STATUS = {
    "no Host": "RFC 9112 §3.2: a server MUST answer 400.",
    "an old version": "RFC 6455 §4.4: a server MUST answer 426, with the versions that it understands.",
    "a bad extension header": "A header that breaks its grammar is refused, also by a server without extensions.",
}
DIFFERENCES = {
    **OTHER_STATUS,
    "no upgrade": "RFC 6455 §4.4, RFC 9110 §7.8: 426 has the version, and `Connection: Upgrade`.",
    "no upgrade, the path of the hook": "As `no upgrade`.",
    "no connection": "As `no upgrade`.",
    "upgrade to something else": "As `no upgrade`.",
    "a key that is none": "The text of Python's `base64`.",
    "a long header": "The text tells that it is a header.",
    "a long path": "The reason of RFC 9110 §15.5.15, and a text that tells what is too long.",
}


def module(package: str, name: str) -> Any:
    return importlib.import_module(f"{package}.{name}")


def options(package: str, kind: str) -> dict[str, Any]:
    """The same options for both."""
    server = module(package, "sync.server")

    def process_request(websocket: Any, request: Any) -> Any:
        if request.path == "/raise":
            raise ZeroDivisionError
        return websocket.respond(http.HTTPStatus.OK, "OK\n") if request.path == "/health" else None

    def process_response(websocket: Any, request: Any, response: Any) -> None:
        if request.path == "/raise":
            raise ZeroDivisionError
        response.headers["X-Seen"] = str(response.status_code)

    def select(websocket: Any, offered: Any) -> Any:
        if "v9" in offered:
            raise module(package, "exceptions").NegotiationError("not that one")
        return offered[-1] if offered else None

    kinds: dict[str, dict[str, Any]] = {
        "defaults": {},
        "no compression": {"compression": None},
        "subprotocols": {"subprotocols": ["v1", "v2"]},
        "select_subprotocol": {"select_subprotocol": select},
        "origins": {"origins": ["https://a.example", re.compile(r"https://.*\.b\.example"), None]},
        "basic_auth": {"process_request": server.basic_auth("lounge", ("alice", "secret"))},
        "process_request": {"process_request": process_request},
        "process_response": {"process_response": process_response},
    }
    return kinds[kind]


KINDS = [
    "defaults",
    "no compression",
    "subprotocols",
    "select_subprotocol",
    "origins",
    "basic_auth",
    "process_request",
    "process_response",
]


def handler(websocket: Any) -> None:
    for message in websocket:
        if message == "raise":
            raise ZeroDivisionError
        if message == "close":
            websocket.close(4000, "as you like")
            return
        websocket.send(message)


@pytest.fixture(scope="module")
def ports() -> Iterator[Any]:
    """The ports of the servers, which are started when they are asked for."""
    servers: dict[tuple[str, str], Any] = {}
    threads = []

    def port(package: str, kind: str) -> int:
        if (package, kind) not in servers:
            serve = module(package, "sync.server").serve
            server = serve(handler, "127.0.0.1", 0, server_header=None, **options(package, kind))
            servers[package, kind] = server
            threads.append(threading.Thread(target=server.serve_forever))
            threads[-1].start()
        number: int = servers[package, kind].socket.getsockname()[1]
        return number

    yield port
    for server in servers.values():
        server.shutdown()
    for thread in threads:
        thread.join()


def exchange(port: int, request: bytes, frames: bytes) -> bytes:
    """All that a server answers to a request, and, if the connection opens, to frames and a Close."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:

        def read_until(*ends: bytes) -> None:
            nonlocal answer
            while not any(end in answer for end in ends) and (piece := sock.recv(65536)):
                answer += piece

        sock.sendall(request)
        read_until(b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 101 "):
            try:
                if frames:
                    sock.sendall(frames + END)
                    read_until(b"the end", b"\x88")  # which begins a Close, and is in no payload here
                sock.sendall(CLOSE)
            except (ConnectionResetError, BrokenPipeError):
                pass  # it has closed already, and said why
        try:
            return answer + b"".join(iter(lambda: sock.recv(65536), b""))
        except ConnectionResetError:
            return answer


def outcome(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status line, headers and the rest, without what tells the time."""
    for words in WORDS:
        answer = re.sub(words, b"", answer)
    head, _, rest = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    untold = (b"date:", b"content-length:")
    return status, sorted(line for line in headers if not line.lower().startswith(untold)), rest


def received(answer: bytes) -> list[bytes]:
    """The frames after a response; of reasons to close only those of applications."""
    rest = answer.partition(b"\r\n\r\n")[2]
    frames = []
    while rest:
        length = 2 + rest[1]
        frames.append(rest[:length])
        rest = rest[length:]
    is_ours = [each[:1] == b"\x88" and 1001 <= int.from_bytes(each[2:4], "big") < 3000 for each in frames]
    return [each[:1] + each[2:4] if ours else each for each, ours in zip(frames, is_ours, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REQUESTS)
def test_request(name: str, kind: str, ports: Any) -> None:
    theirs = outcome(exchange(ports("websockets", kind), REQUESTS[name], b""))
    ours = outcome(exchange(ports("openline", kind), REQUESTS[name], b""))
    if name not in DIFFERENCES:
        assert ours == theirs
    if name not in OTHER_STATUS:
        assert ours[0].split()[:2] == theirs[0].split()[:2]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_request_that_differs(name: str, ports: Any) -> None:
    def answers(package: str) -> list[Any]:
        return [outcome(exchange(ports(package, kind), REQUESTS[name], b"")) for kind in KINDS]

    assert answers("openline") != answers("websockets"), f"{name} does not differ any more"


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str, ports: Any) -> None:
    theirs = received(exchange(ports("websockets", "defaults"), REQUESTS["plain"], FRAMES[name]))
    ours = received(exchange(ports("openline", "defaults"), REQUESTS["plain"], FRAMES[name]))
    assert ours == theirs
