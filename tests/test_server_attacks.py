"""The server under attack: others are served meanwhile, and what the attack took is free again after it."""

from __future__ import annotations

import contextlib
import pathlib
import random
import resource
import select
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

import attacked
from attacked import KIB, MIB, Target, frame, read_close, read_frames, request
from openline.sync.client import connect
from robustness.census import FULL
from serving import until


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with all limits as by default, but for the times."""
    log = tmp_path_factory.mktemp("attacked") / "log"
    times = {"open_timeout": 0.5, "ping_interval": 0.5, "ping_timeout": 0.5, "close_timeout": 0.5}
    with attacked.running(log, origins=["https://a.example", None], **times) as target:
        yield target


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that ends nothing in the time of these tests."""
    log = tmp_path_factory.mktemp("patient") / "log"
    times = {"open_timeout": 300, "ping_interval": None, "close_timeout": 300}
    with attacked.running(log, **times) as target:
        yield target


def send_until_cut(sock: socket.socket, piece: bytes) -> None:
    """Send again and again until the server has had enough. It may read for a while what it does not want any more."""
    pieces = piece * (65536 // len(piece) + 1)
    deadline = time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            sock.sendall(pieces)
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("the server reads without end")


def reset(sock: socket.socket) -> None:
    """Leave without a word, so that the server's system tells it of an error."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# Requests without end.


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET / HTTP/1.1\r\n", request()[:-2] + b"A: "], ids=range(4)
)
def test_slow_requests_are_cut_by_open_timeout(target: Target, begin: bytes) -> None:
    with target.under_attack() as attack:
        socks = [attack.connect() for _ in range(40)]
        for sock in socks:
            sock.sendall(begin)
        served = 0
        while socks:
            # A byte every now and then, until it is cut.
            for sock in select.select(socks, [], [], 0.02)[0]:
                with contextlib.suppress(ConnectionResetError):  # a byte was on its way
                    assert sock.recv(1) == b""
                socks.remove(sock)
            for sock in list(socks):
                try:
                    sock.send(b"a")
                except (BrokenPipeError, ConnectionResetError):
                    socks.remove(sock)
            if served < 3:
                target.serves_honest_clients()
                served += 1


@pytest.mark.parametrize(
    ("status", "begin", "piece", "enough"),
    [
        (414, b"GET /", b"a", 9000),
        (414, b"", b"G", 9000),
        (431, b"GET / HTTP/1.1\r\nHost: ", b"a", 9000),
        (431, b"GET / HTTP/1.1\r\n", b"A: b\r\n", 9000),
        (431, b"GET / HTTP/1.1\r\n", b"A: " + b"b" * 8000 + b"\r\n", MIB + 9000),
        (431, b"", b"\r\n" * 1000, MIB + 9000),
        (405, request().replace(b"GET", b"POST")[:-2] + b"Content-Length: 1000000000000\r\n\r\n", b"a", 9000),
        (400, request()[:-2] + b"Content-Length: 1000000000000\r\n\r\n", b"a", 9000),
        (400, request()[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", 9000),
    ],
)
def test_endless_requests_are_answered_and_cut(
    target: Target, status: int, begin: bytes, piece: bytes, enough: int
) -> None:
    with target.under_attack() as attack:
        for _ in range(5):
            sock = attack.connect()
            sock.sendall(begin + piece * (enough // len(piece)))
            assert sock.recv(13) == b"HTTP/1.1 %d " % status
            send_until_cut(sock, piece)


# Requests that two parsers may read in two ways.

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
REST = request().partition(HOST)[2]


def lines(*more: bytes) -> bytes:
    return GET + b"".join(line + b"\r\n" for line in more) + HOST + REST


def host(value: bytes) -> bytes:
    return GET + b"Host:" + value + b"\r\n" + REST


def first(line: bytes) -> bytes:
    return line + HOST + REST


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        # Ends of lines.
        (400, request().replace(b"\r\n", b"\n\r")),
        (400, request().replace(b"\r\n", b"\r\r\n")),
        (400, first(b"GET / HTTP/1.1\r")),
        (400, first(b"GET /\rHTTP/1.1\r\n")),
        (400, first(b"GET /\nHTTP/1.1\r\n")),
        (400, lines(b"A: b\rTransfer-Encoding: chunked")),
        (400, lines(b"A: b\r\r\nTransfer-Encoding: chunked")),
        # Names and values.
        (400, lines(b"A: b\0c")),
        (400, lines(b"A\0: b")),
        (400, lines(b"A: b\x0bc")),
        (400, lines(b"A: b\x7f")),
        (400, lines(b"A : b")),
        (400, lines(b"A\t: b")),
        (400, lines(b" A: b")),
        (400, lines(b"A: b", b"\tc")),
        (400, lines(b"A B: c")),
        (400, lines(b"A")),
        (400, lines(b": b")),
        (400, lines(b"\xe9: b")),
        (400, lines(b"Content-Length : 5")),
        # Bodies.
        (400, lines(b"Content-Length: 0", b"Content-Length: 5")),
        (400, lines(b"Content-Length: 5", b"Content-Length: 0")),
        (400, lines(b"Content-Length: 0, 5")),
        (400, lines(b"Content-Length: -1")),
        (400, lines(b"Content-Length: +0")),
        (400, lines(b"Content-Length: 0x0")),
        (400, lines(b"Content-Length:")),
        (400, lines(b"Content-Length: 0", b"Transfer-Encoding: chunked")),
        (400, lines(b"Transfer-Encoding: identity")),
        (400, lines(b"Transfer-Encoding: xchunked")),
        (400, lines(b"Transfer-Encoding: \x0bchunked")),
        (400, lines(b"Transfer-Encoding : chunked")),
        (400, lines(b"Transfer-Encoding:")),
        (400, lines(b"transfer-ENCODING: identity", b"Transfer-Encoding: chunked")),
        # Hosts.
        (400, lines(b"Host: localhost")),
        (400, lines(b"host: other")),
        (400, host(b" a b")),
        (400, host(b" a, b")),
        (400, host(b" a/b")),
        (400, host(b" user@a")),
        (400, host(b" a?b")),
        (400, host(b" a#b")),
        (400, host(b" a\\b")),
        (400, host(b" <a>")),
        (400, host(b" \xe9")),
        (400, GET + b"Host : localhost\r\n" + REST),
        # Request lines.
        (400, first(b" GET / HTTP/1.1\r\n")),
        (400, first(b"GET  / HTTP/1.1\r\n")),
        (400, first(b"GET / HTTP/1.1 \r\n")),
        (400, first(b"GET\t/\tHTTP/1.1\r\n")),
        (400, first(b"GET /a b HTTP/1.1\r\n")),
        (400, first(b"GET  HTTP/1.1\r\n")),
        (400, first(b"GET /\0 HTTP/1.1\r\n")),
        (400, first(b"GET / http/1.1\r\n")),
        (400, first(b"GET / HTTP/1.10\r\n")),
        (400, first(b"GET /\r\n")),
        (405, first(b"get / HTTP/1.1\r\n")),
        (405, first(b"CONNECT a.example:80 HTTP/1.1\r\n")),
        (505, first(b"GET / HTTP/1.2\r\n")),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        # The handshake.
        (400, lines(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
        (400, lines(b"Sec-WebSocket-Version: 13")),
        (426, request().replace(b"Version: 13", b"Version: 13, 8")),
        (426, lines(b"Upgrade: h2c")),
        # Other protocols.
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
        (400, b"\n" * 10 + bytes(200)),
    ],
)
def test_ambiguous_requests_are_refused(target: Target, status: int, sent: bytes) -> None:
    """And what follows them is not read as another request."""
    with target.connect() as sock:
        sock.sendall(sent + request("/second"))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer[:13] == b"HTTP/1.1 %d " % status
    assert answer.count(b"HTTP/1.1 ") == 1
    target.serves_honest_clients()


def test_a_second_request_is_no_frame(target: Target) -> None:
    with target.connect() as sock:
        sock.sendall(request() + request("/second"))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, frames = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert frames[0] == 0x88 and frames[2:4] == (1002).to_bytes(2, "big")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://a.example.evil",
        "https://a.example:443",
        "https://a.example/",
        "HTTPS://a.example",
        "http://a.example",
        "https://a.example, https://evil.example",
        "https://a.example https://a.example",
        "null",
        "",
    ],
)
def test_other_origins_are_refused(target: Target, origin: str) -> None:
    with target.connect() as sock:
        sock.sendall(request("/", f"Origin: {origin}"))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 403 ")
    target.open("/", "Origin: https://a.example").close()


# Frames.

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"

FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def close_with(code: int, reason: bytes = b"") -> bytes:
    return frame(FIN | CLOSE, code.to_bytes(2, "big") + reason)


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        # What a header announces.
        *[(1009, frame(FIN | TEXT, length=length)) for length in (MIB + 1, 2**32, 2**62, 2**63, 2**64 - 1)],
        (1009, frame(TEXT, bytes(MIB)) + frame(FIN | CONT, length=1)),
        (1009, frame(TEXT, bytes(10)) + frame(CONT, length=2**62)),
        (1002, frame(FIN | PING, length=126)),
        (1002, frame(FIN | CLOSE, length=2**62)),
        # Masks, reserved bits, opcodes.
        *[(1002, frame(FIN | opcode, masked=0)) for opcode in (TEXT, BINARY, CLOSE, PING, PONG)],
        (1002, frame(FIN | TEXT, length=2**62, masked=0)),
        *[(1002, frame(FIN | rsv | TEXT, b"x")) for rsv in (RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3)],
        *[(1002, frame(FIN | RSV1 | opcode)) for opcode in (CLOSE, PING, PONG)],
        *[(1002, frame(FIN | opcode, b"x")) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
        *[(1002, frame(opcode)) for opcode in (CLOSE, PING, PONG)],
        (1002, frame(TEXT, b"a") + frame(RSV2 | FIN | CONT, b"b")),
        (1002, frame(FIN | CONT, b"x")),
        (1002, frame(TEXT, b"a") + frame(FIN | BINARY, b"b")),
        # Text.
        *[
            (1007, frame(FIN | TEXT, b"good " + text))
            for text in (b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xff")
        ],
        (1007, frame(TEXT, b"\xf0\x9f") + frame(CONT, b"\x98") + frame(FIN | CONT, b"x")),
        (1007, frame(TEXT, b"\xf4\x90")),  # as soon as it is seen
        # Codes.
        *[(1002, close_with(code)) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)],
        (1002, frame(FIN | CLOSE, b"\x03")),
        (1007, close_with(1000, b"\xff")),
        (1007, close_with(1000, b"x" * 121 + b"\xe2\x82")),
    ],
)
def test_frames_that_are_none(target: Target, code: int, sent: bytes) -> None:
    with target.open() as sock:
        sock.sendall(frame(FIN | PING, b"before") + sent)
        assert read_close(sock) == code


@pytest.mark.parametrize("payload", [b"\x00" * 6, b"\x07", b"\xf2\x48\xcd\xc9\xc9\x07\x00" * 3 + b"\xff"])
def test_compressed_messages_that_are_none(target: Target, payload: bytes) -> None:
    with target.open("/", DEFLATE) as sock:
        sock.sendall(frame(FIN | RSV1 | BINARY, payload))
        assert read_close(sock) in (1002, 1007)


@pytest.mark.parametrize("length", [MIB + 1, 2**40, 2**63 - 1])
def test_announced_lengths_take_no_memory(target: Target, length: int) -> None:
    with target.under_attack() as attack:
        for _ in range(50):
            sock = attack.open()
            sock.sendall(frame(FIN | BINARY, length=length))
            assert read_close(sock) == 1009


def test_lengths_within_the_limit_take_no_memory_before_they_come(patient: Target) -> None:
    with patient.under_attack() as attack:
        for _ in range(100):
            attack.open().sendall(frame(FIN | BINARY, b"x", length=MIB))


@pytest.mark.parametrize(
    "piece",
    [
        frame(CONT, bytes(1000)),
        frame(CONT, b"x"),
        frame(CONT),
        frame(CONT) + frame(FIN | PING, b"x"),
        frame(CONT) + frame(FIN | PONG, bytes(125)),
    ],
    ids=["1000 bytes", "a byte", "empty", "empty, with pings", "empty, with pongs"],
)
def test_a_message_of_endless_fragments(target: Target, piece: bytes) -> None:
    with target.under_attack() as attack:
        sock = attack.open()
        sock.sendall(frame(BINARY))
        send_until_cut(sock, piece)


# Compression bombs.


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A megabyte, nearly, that is a gigabyte of zeros, nearly."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = compressor.compress(bytes(16 * MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return (piece * (MIB // len(piece) - 1))[:-4]


def test_a_compression_bomb(target: Target, bomb: bytes) -> None:
    with target.under_attack(most=32 * MIB) as attack:
        for _ in range(5):
            sock = attack.open("/", DEFLATE)
            sock.sendall(frame(FIN | RSV1 | BINARY, bomb))
            assert read_close(sock) == 1009


def test_a_compression_bomb_in_fragments(target: Target, bomb: bytes) -> None:
    pieces = [bomb[start : start + 1000] for start in range(0, len(bomb), 1000)]
    with target.under_attack(most=32 * MIB) as attack:
        sock = attack.open("/", DEFLATE)
        sock.sendall(frame(RSV1 | BINARY))
        try:
            for piece in pieces:
                sock.sendall(frame(CONT, piece))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert read_close(sock) in (1009, None)  # a reset may overtake it


def test_messages_that_are_compressed_a_thousandfold_wait_within_max_queue(target: Target) -> None:
    """16 messages of 1 MiB wait for each handler, and at the end as many again, of those that came before it."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = (compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    with target.under_attack(most=3 * 36 * MIB) as attack:
        for _ in range(3):
            sock = attack.open("/deaf", DEFLATE + "; client_no_context_takeover")
            send_while_there_is_room(sock, frame(FIN | RSV1 | BINARY, data))


# Clients that never read, and such as never stop.


@pytest.mark.parametrize("size", [0, 125])
def test_a_ping_flood_by_a_client_that_reads_nothing(patient: Target, size: int) -> None:
    pings = frame(FIN | PING, bytes(size)) * (65536 // (6 + size))
    with patient.under_attack() as attack:
        sock = attack.open()
        for _ in range(40):
            sock.sendall(pings)
        patient.serves_honest_clients()


def send_while_there_is_room(sock: socket.socket, data: bytes) -> None:
    """Send again and again, until nobody has read for a moment."""
    sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        while True:
            sock.sendall(data)


def test_a_flood_of_messages_to_a_handler_that_receives_nothing(target: Target) -> None:
    with target.under_attack(most=5 * 20 * MIB) as attack:
        for _ in range(5):
            send_while_there_is_room(attack.open("/deaf"), frame(FIN | BINARY, bytes(MIB)))


@pytest.mark.parametrize("path", ["/flood", "/cast", "/"])
def test_clients_that_never_read_are_cut(target: Target, path: str) -> None:
    """By keepalive: a Pong cannot come from who does not read the Ping."""
    with target.under_attack(most=64 * MIB) as attack:
        for _ in range(10):
            sock = attack.open(path)
            if path == "/":
                send_while_there_is_room(sock, frame(FIN | BINARY, bytes(65536)))
        attack.await_end()


def test_a_broadcast_goes_on_for_those_who_read(patient: Target) -> None:
    with patient.under_attack(most=64 * MIB) as attack:
        for _ in range(20):
            attack.open("/cast")
        with connect(f"{patient.uri}/cast") as honest:
            for _ in range(30):
                assert len(honest.recv(10)) == 65536


@pytest.mark.parametrize("sent", [b"", frame(FIN | PING) * 100, frame(FIN | TEXT, b"x") * 100])
def test_clients_that_do_not_answer_a_close_are_cut_by_close_timeout(target: Target, sent: bytes) -> None:
    with target.under_attack() as attack:
        socks = [attack.open("/close") for _ in range(20)]
        for sock in socks:
            sock.sendall(sent)
        for sock in socks:
            assert read_close(sock) == 1000
        attack.await_end()


# Crowds.


def crowd(full: int) -> int:
    """How many connections to make: on its way in each takes two descriptors of the server's."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if FULL:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(full if FULL else 400, (hard - 200) // 2)


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\n"], ids=["silent", "begun"])
def test_a_crowd_that_never_sends(patient: Target, begin: bytes) -> None:
    count = crowd(full=10_000)
    with patient.under_attack(most=2 * MIB + count * 4 * KIB) as attack:
        for number in range(count):
            attack.connect().sendall(begin)
            if number % 100 == 0:
                patient.serves_honest_clients()
        assert patient.usage().threads < 20  # none of them has one


def test_a_crowd_that_idles(patient: Target) -> None:
    count = crowd(full=10_000)
    with patient.under_attack(most=count * 64 * KIB, left=count * 40 * KIB) as attack:
        for _ in range(count):
            attack.open()


def test_more_clients_than_descriptors(tmp_path: pathlib.Path) -> None:
    """Those who have waited longest go."""
    with attacked.running(tmp_path / "log", descriptors=64, open_timeout=300) as target:
        for _ in range(2):
            with contextlib.ExitStack() as silent:
                for _ in range(100):
                    silent.enter_context(target.connect())
                target.serves_honest_clients()


@pytest.mark.parametrize(
    "attack",
    [
        lambda target: target.connect(),
        lambda target: sent(target.connect(), request()[:-10]),
        lambda target: sent(target.connect(), request()),
        lambda target: target.open(),
        lambda target: sent(target.open(), frame(FIN | TEXT, b"x", length=1000)),
        lambda target: target.open("/flood"),
        lambda target: target.open("/cast"),
        lambda target: sent(target.open("/close"), frame(FIN | CLOSE)),
    ],
    ids=[
        "at once",
        "in the request",
        "after the request",
        "after the handshake",
        "in a message",
        "while it is sent to",
        "in a broadcast",
        "while closing",
    ],
)
def test_a_crowd_that_resets(patient: Target, attack: Callable[[Target], socket.socket]) -> None:
    with patient.under_attack():
        for _ in range(1000 if FULL else 100):
            reset(attack(patient))


def sent(sock: socket.socket, data: bytes) -> socket.socket:
    sock.sendall(data)
    return sock


# TLS.


def test_slow_and_wrong_tls(
    tmp_path: pathlib.Path, certificate: pathlib.Path, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with attacked.running(tmp_path / "log", certificate=str(certificate), open_timeout=0.5) as target:
        target.uri = target.uri.replace("ws://", "wss://")
        with target.under_attack() as attack:
            socks = []
            for begin in [b"", hello, b"\x16\x03\x01\xff\xff" + bytes(1000), b"GET / HTTP/1.1\r\n\r\n"] * 10:
                socks.append(attack.connect())
                socks[-1].sendall(begin)
            for sock in socks:
                try:
                    while sock.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
            for _ in range(20):
                sock = target.connect()
                sock.sendall(hello)
                reset(sock)


# Anything.


def test_noise(target: Target) -> None:
    """Bytes by chance, after a handshake and in place of one."""
    chance = random.Random(20)
    with target.under_attack(most=32 * MIB) as attack:
        for number in range(1000 if FULL else 100):
            sock = attack.open("/", DEFLATE) if number % 2 else target.connect()
            try:
                sock.sendall(chance.randbytes(chance.choice([1, 10, 1000, 20_000])))
                sock.shutdown(socket.SHUT_WR)
                for _ in read_frames(sock):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
            sock.close()


def test_the_system_keeps_nothing_for_peers_that_never_read(target: Target) -> None:
    def kept() -> list[str]:
        """The sockets of the server's side that have something to send."""
        table = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in table]
        return [row[4] for row in rows if row[1].endswith(f":{target.port:04X}") and int(row[4].split(":")[0], 16)]

    with target.under_attack() as attack:
        for _ in range(3):
            attack.open("/flood")
        until(lambda: len(kept()) == 3)
        attack.await_end()  # by ping_timeout
        until(lambda: not kept())
