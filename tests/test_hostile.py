"""What no well-behaved server would do: each fault has its exception, its text, and its close code."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from openline.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderFormat,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
)
from openline.frames import Close, Opcode
from openline.sync.client import connect

from peer import GUID, Peer, binary, close, frame, text

TEXT, BINARY, CONT, CLOSE, PING, PONG = (
    Opcode.TEXT,
    Opcode.BINARY,
    Opcode.CONT,
    Opcode.CLOSE,
    Opcode.PING,
    Opcode.PONG,
)

# Handshakes.

STATUS = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
ACCEPT = b"Sec-WebSocket-Accept: {accept}\r\n"
GOOD = STATUS + UPGRADE + ACCEPT


@contextmanager
def answering(response: bytes) -> Iterator[str]:
    """A server that answers one request with these bytes, whatever it asks, and ends the connection."""

    def answer() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                data = accepted.recv(4096)
                if not data:
                    return
                request += data
            key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            try:
                accepted.sendall(response.replace(b"{accept}", accept))
                accepted.shutdown(socket.SHUT_WR)
                # Without it, unread bytes would turn the end into a reset, which may overtake the response.
                while accepted.recv(4096):
                    pass
            except OSError:
                pass  # the client has had enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)
        assert not thread.is_alive()


# What these tests start from is not refused.
@pytest.mark.parametrize(
    "response",
    [
        GOOD,
        GOOD + b"Server: x\r\nDate: y\r\n",
        STATUS + b"upgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\n" + ACCEPT,
        b"HTTP/1.1 101\r\n" + UPGRADE + ACCEPT,
        b"HTTP/1.1 101 \xc3\xa9\r\n" + UPGRADE + b"Sec-WebSocket-Accept:\t{accept}  \r\n",
        b"HTTP/1.1 101 OK\n" + UPGRADE + ACCEPT,
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
        GOOD + b"X: " + b"x" * 8000 + b"\r\n",
        GOOD + b"X: x\r\n" * 125,
    ],
    ids=lambda response: repr(response[:40])[2:-1],
)
def test_a_response_that_is_accepted(response: bytes) -> None:
    with answering(response + b"\r\n" + text("first") + close()) as uri, connect(uri) as ws:
        assert list(ws) == ["first"]
        assert ws.close_code == 1000


MALFORMED = "did not receive a valid HTTP response"

# Response, exception, its text, and the exception and the text of its cause.
HANDSHAKES: list[tuple[str, bytes, type[InvalidHandshake], str, type[Exception] | None, str]] = [
    ("nothing", b"", InvalidMessage, MALFORMED, EOFError, "connection closed while reading HTTP status line"),
    (
        "the end within the status line",
        b"HTTP/1.1 101 Swit",
        InvalidMessage,
        MALFORMED,
        EOFError,
        "connection closed while reading HTTP status line",
    ),
    (
        "the end within the headers",
        STATUS + b"Upgrade: webso",
        InvalidMessage,
        MALFORMED,
        EOFError,
        "connection closed while reading HTTP headers",
    ),
    (
        "the end before the blank line",
        GOOD,
        InvalidMessage,
        MALFORMED,
        EOFError,
        "connection closed while reading HTTP headers",
    ),
    (
        "SSH",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid HTTP status line: SSH-2.0-OpenSSH_9.2",
    ),
    (
        "garbage",
        b"\x00\xff\x13garbage",
        InvalidMessage,
        MALFORMED,
        ValueError,
        r"invalid HTTP status line: \x00",
    ),
    (
        "an alert of TLS",
        b"\x15\x03\x01\x00\x02\x02\x46",
        InvalidMessage,
        MALFORMED,
        ValueError,
        r"invalid HTTP status line: \x15; the server seems to speak TLS",
    ),
    (
        "frames without a handshake",
        text("hello"),
        InvalidMessage,
        MALFORMED,
        ValueError,
        r"invalid HTTP status line: \x81\x05",
    ),
    (
        "HTTP/1.0",
        GOOD.replace(b"1.1", b"1.0") + b"\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "unsupported protocol; expected HTTP/1.1; got HTTP/1.0",
    ),
    (
        "HTTP/2",
        b"HTTP/2 101 Switching Protocols\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid HTTP status line: HTTP/2 101 Switching Protocols",
    ),
    (
        "a status that is none",
        b"HTTP/1.1 1x1 OK\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid HTTP status line: HTTP/1.1 1x1 OK",
    ),
    (
        "a status out of range",
        b"HTTP/1.1 999 OK\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid status code; expected 100-599; got 999",
    ),
    (
        "a header without a colon",
        STATUS + b"Upgrade websocket\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid HTTP header line: Upgrade websocket",
    ),
    (
        "a header over two lines",
        STATUS + b"Upgrade:\r\n websocket\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        "invalid HTTP header line:  websocket",
    ),
    (
        "a header with NUL",
        STATUS + b"Upgrade: web\0socket\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        ValueError,
        r"invalid HTTP header line: Upgrade: web\x00socket",
    ),
    (
        "a long status line",
        b"HTTP/1.1 101 " + b"x" * 9000 + b"\r\n\r\n",
        StatusLineTooLong,
        "HTTP status line exceeds 8192 bytes",
        None,
        "",
    ),
    (
        "a status line without end",
        b"HTTP/1.1 101 " + b"x" * 1_000_000,
        StatusLineTooLong,
        "HTTP status line exceeds 8192 bytes",
        None,
        "",
    ),
    (
        "a long header",
        GOOD + b"X: " + b"x" * 9000 + b"\r\n\r\n",
        InvalidMessage,
        MALFORMED,
        HeaderLineTooLong,
        "HTTP header line exceeds 8192 bytes",
    ),
    (
        "many headers",
        GOOD + b"X: x\r\n" * 126 + b"\r\n",
        InvalidMessage,
        MALFORMED,
        TooManyHeaders,
        "expected no more than 128 headers",
    ),
    (
        "headers without end",
        STATUS + b"X: x\r\n" * 100_000,
        InvalidMessage,
        MALFORMED,
        TooManyHeaders,
        "expected no more than 128 headers",
    ),
    (
        "interim responses without end",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        InvalidMessage,
        MALFORMED,
        SecurityError,
        "more than 16 interim responses",
    ),
    (
        "no Upgrade",
        STATUS + b"Connection: Upgrade\r\n" + ACCEPT + b"\r\n",
        InvalidUpgrade,
        "missing Upgrade header",
        None,
        "",
    ),
    (
        "another Upgrade",
        STATUS + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + ACCEPT + b"\r\n",
        InvalidUpgrade,
        "invalid Upgrade header: h2c",
        None,
        "",
    ),
    (
        "two Upgrades",
        STATUS + b"Upgrade: h2c\r\n" + UPGRADE + ACCEPT + b"\r\n",
        InvalidUpgrade,
        "invalid Upgrade header: h2c, websocket",
        None,
        "",
    ),
    (
        "an Upgrade out of its grammar",
        STATUS + b"Connection: Upgrade\r\nUpgrade: ???\r\n" + ACCEPT + b"\r\n",
        InvalidHeaderFormat,
        "invalid Upgrade header: expected protocol at 0 in ???",
        None,
        "",
    ),
    (
        "no Connection",
        STATUS + b"Upgrade: websocket\r\n" + ACCEPT + b"\r\n",
        InvalidUpgrade,
        "missing Connection header",
        None,
        "",
    ),
    (
        "another Connection",
        STATUS + b"Upgrade: websocket\r\nConnection: close\r\n" + ACCEPT + b"\r\n",
        InvalidUpgrade,
        "invalid Connection header: close",
        None,
        "",
    ),
    ("no Accept", STATUS + UPGRADE + b"\r\n", InvalidHeader, "missing Sec-WebSocket-Accept header", None, ""),
    (
        "the Accept of another key",
        STATUS + UPGRADE + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        InvalidHeaderValue,
        "invalid Sec-WebSocket-Accept header: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        None,
        "",
    ),
    (
        "an empty Accept",
        STATUS + UPGRADE + b"Sec-WebSocket-Accept:\r\n\r\n",
        InvalidHeaderValue,
        "empty Sec-WebSocket-Accept header",
        None,
        "",
    ),
    (
        "two Accepts",
        GOOD + ACCEPT + b"\r\n",
        InvalidHeader,
        "invalid Sec-WebSocket-Accept header: multiple values",
        None,
        "",
    ),
    (
        "a subprotocol that was not offered",
        GOOD + b"Sec-WebSocket-Protocol: mqtt\r\n\r\n",
        NegotiationError,
        "unsupported subprotocol: mqtt",
        None,
        "",
    ),
    (
        "a subprotocol in other case",
        GOOD + b"Sec-WebSocket-Protocol: Chat\r\n\r\n",
        NegotiationError,
        "unsupported subprotocol: Chat",
        None,
        "",
    ),
    (
        "two subprotocols",
        GOOD + b"Sec-WebSocket-Protocol: chat, soap\r\n\r\n",
        InvalidHeader,
        "invalid Sec-WebSocket-Protocol header: multiple values: chat, soap",
        None,
        "",
    ),
    (
        "two subprotocols in two headers",
        GOOD + b"Sec-WebSocket-Protocol: chat\r\n" * 2 + b"\r\n",
        InvalidHeader,
        "invalid Sec-WebSocket-Protocol header: multiple values: chat, chat",
        None,
        "",
    ),
    (
        "an extension out of its grammar",
        GOOD + b"Sec-WebSocket-Extensions: ;\r\n\r\n",
        InvalidHeaderFormat,
        "invalid Sec-WebSocket-Extensions header: expected token at 0 in ;",
        None,
        "",
    ),
    (
        "200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        InvalidStatus,
        "server rejected WebSocket connection: HTTP 200",
        None,
        "",
    ),
    (
        "a chunked body that is none",
        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        InvalidMessage,
        MALFORMED,
        SecurityError,
        "invalid chunk size: hello",
    ),
    (
        "two lengths of the body",
        b"HTTP/1.1 403 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        InvalidMessage,
        MALFORMED,
        SecurityError,
        "invalid content length: 1, 2",
    ),
    (
        "a body that is cut off",
        b"HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nabc",
        InvalidMessage,
        MALFORMED,
        EOFError,
        "connection closed while reading HTTP body: 3 of 10 bytes",
    ),
]


@pytest.mark.parametrize(
    ("response", "kind", "words", "cause", "cause_words"),
    [case[1:] for case in HANDSHAKES],
    ids=[case[0] for case in HANDSHAKES],
)
def test_a_hostile_handshake(
    response: bytes,
    kind: type[InvalidHandshake],
    words: str,
    cause: type[Exception] | None,
    cause_words: str,
) -> None:
    with answering(response) as uri:
        with pytest.raises(InvalidHandshake) as caught:
            connect(uri, subprotocols=["soap", "chat"], compression=None)
    assert type(caught.value) is kind
    assert str(caught.value) == words
    assert type(caught.value.__cause__) is (cause or type(None))
    assert cause is None or str(caught.value.__cause__) == cause_words


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"Sec-WebSocket-Protocol: chat", "no subprotocols supported"),
        (b"Sec-WebSocket-Extensions: x-webkit-deflate-frame", "no extensions supported"),
        (b"Sec-WebSocket-Extensions: permessage-deflate", "no extensions supported"),
    ],
)
def test_what_was_not_offered_at_all(header: bytes, words: str) -> None:
    with answering(GOOD + header + b"\r\n\r\n") as uri:
        with pytest.raises(NegotiationError, match=words):
            connect(uri, compression=None)


@pytest.mark.parametrize("length", [b"1048577", b"999999999999999999", b"99999999999999999999999"])
def test_a_body_that_is_too_large(length: bytes) -> None:
    response = b"HTTP/1.1 503 No\r\nContent-Length: " + length + b"\r\n\r\n" + b"x" * 100_000
    with answering(response) as uri, pytest.raises(InvalidMessage) as caught:
        connect(uri)
    assert type(caught.value.__cause__) is SecurityError
    assert length.decode() in str(caught.value.__cause__)


def test_a_body_up_to_the_end() -> None:
    with answering(b"HTTP/1.1 503 No\r\n\r\n\xffbody") as uri, pytest.raises(InvalidStatus) as caught:
        connect(uri)
    assert caught.value.response.body == b"\xffbody"


def test_plain_text_from_what_should_speak_tls() -> None:
    def answer() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is no TLS.")
            accepted.shutdown(socket.SHUT_WR)
            while accepted.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ssl.SSLError, match="TLS with 127.0.0.1") as caught:
            connect(f"wss://127.0.0.1:{listener.getsockname()[1]}/")
        assert not isinstance(caught.value, ssl.SSLCertVerificationError)
        thread.join(10)


# Frames. The limits of the connections are 1000 bytes a message and 500 a fragment.


def announced(opcode: int, length: int) -> bytes:
    """The header of a frame that claims so many bytes, and some of them."""
    return bytes([0x80 | opcode, 127]) + struct.pack("!Q", length) + b"x" * 100


def rsv(bits: int, data: bytes) -> bytes:
    return bytes([data[0] | bits << 4]) + data[1:]


MASKED = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"  # RFC 6455 §5.7
INVALID_TEXTS = {
    "a lone byte": b"\xff",
    "a lone continuation": b"a\x80",
    "a surrogate": b"\xed\xa0\x80",
    "too long a form": b"\xc0\xaf",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "cut at the end": "€".encode()[:2],
}

RESERVED = "reserved bits must be 0"
TOO_LONG = "control frame with a payload over 125 bytes"
FRAGMENTED = "fragmented control frame"
NO_SHORTEST = "not encoded in its shortest form"

# Frames, close code sent, exception, part of its text.
FRAMES: list[tuple[str, bytes, int, type[Exception], str]] = [
    ("masked", MASKED, 1002, ProtocolError, "masked frame from a server"),
    ("masked and empty", b"\x81\x80\0\0\0\0", 1002, ProtocolError, "masked frame from a server"),
    ("masked Ping", b"\x89\x80\0\0\0\0", 1002, ProtocolError, "masked frame from a server"),
    *(
        (f"reserved bits {bits:03b} of {data[0] & 15:x}", rsv(bits, data), 1002, ProtocolError, RESERVED)
        for bits in range(1, 8)
        for data in [text("a"), binary(b""), frame(PING), frame(PONG, b"x"), close()]
    ),
    (
        "reserved bits of a continuation",
        frame(TEXT, b"a", fin=False) + rsv(4, frame(CONT, b"b")),
        1002,
        ProtocolError,
        RESERVED,
    ),
    *(
        (f"opcode {opcode:x}", frame(opcode, b"x"), 1002, ProtocolError, f"reserved opcode {opcode}")
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
    ),
    *(
        (f"text that is {name}", frame(TEXT, data), 1007, ProtocolError, "invalid UTF-8")
        for name, data in INVALID_TEXTS.items()
    ),
    *(
        (
            f"text in fragments that is {name}",
            b"".join(frame(TEXT if n == 0 else CONT, data[n : n + 1], fin=False) for n in range(len(data)))
            + frame(CONT),
            1007,
            ProtocolError,
            "invalid UTF-8",
        )
        for name, data in INVALID_TEXTS.items()
    ),
    # Not waited for the end of the message, or of the frame: it is known to be wrong.
    ("text that is wrong early", frame(TEXT, b"\xff", fin=False), 1007, ProtocolError, "invalid UTF-8"),
    ("text that is wrong in a part", b"\x81\x7e\x01\x00\xff", 1007, ProtocolError, "invalid UTF-8"),
    (
        "a character cut by the end",
        frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT, b"a"),
        1007,
        ProtocolError,
        "invalid UTF-8",
    ),
    ("continuation of nothing", frame(CONT, b"a"), 1002, ProtocolError, "continuation frame with no message"),
    (
        "message within a message",
        frame(TEXT, b"a", fin=False) + text("b"),
        1002,
        ProtocolError,
        "new message before the last fragment",
    ),
    (
        "binary within text",
        frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False),
        1002,
        ProtocolError,
        "new message before the last fragment",
    ),
    ("one byte over", b"\x82\x7e\x01\xf5", 1009, PayloadTooBig, "501 bytes exceeds the limit of 500 bytes"),
    (
        "fragments over the limit",
        frame(TEXT, b"x" * 500, fin=False) + frame(CONT, b"x" * 500, fin=False) + frame(CONT, b"x"),
        1009,
        PayloadTooBig,
        "message of 1001 bytes exceeds max_size of 1000 bytes",
    ),
    *(
        (
            f"{name} bytes of {opcode.name}",
            announced(opcode, length),
            1009,
            PayloadTooBig,
            f"{length} bytes exceeds",
        )
        for name, length in {"2**32": 2**32, "2**40": 2**40, "2**63 - 1": 2**63 - 1}.items()
        for opcode in [TEXT, BINARY]
    ),
    (
        "2**40 bytes of a continuation",
        frame(TEXT, b"x", fin=False) + announced(CONT, 2**40),
        1009,
        PayloadTooBig,
        f"{2**40} bytes exceeds",
    ),
    # RFC 6455 §5.2: the most significant bit MUST be 0. It is too big first of all.
    ("2**63 bytes", announced(BINARY, 2**63), 1009, ProtocolError, "most significant bit set"),
    ("2**64 - 1 bytes", announced(BINARY, 2**64 - 1), 1009, ProtocolError, "most significant bit set"),
    ("length in 16 bits", b"\x82\x7e\x00\x7d", 1002, ProtocolError, NO_SHORTEST),
    ("length in 64 bits", announced(BINARY, 126), 1002, ProtocolError, NO_SHORTEST),
    ("long Ping", frame(PING, bytes(126)), 1002, ProtocolError, TOO_LONG),
    ("long Pong", frame(PONG, bytes(126)), 1002, ProtocolError, TOO_LONG),
    ("long Close", frame(CLOSE, b"\x03\xe8" + bytes(124)), 1002, ProtocolError, TOO_LONG),
    ("Ping of 2**40 bytes", announced(PING, 2**40), 1002, ProtocolError, TOO_LONG),
    ("Ping in fragments", frame(PING, b"x", fin=False), 1002, ProtocolError, FRAGMENTED),
    ("Pong in fragments", frame(PONG, b"x", fin=False), 1002, ProtocolError, FRAGMENTED),
    ("Close in fragments", frame(CLOSE, b"\x03\xe8", fin=False), 1002, ProtocolError, FRAGMENTED),
    (
        "Close of one byte",
        frame(CLOSE, b"\x03"),
        1002,
        ProtocolError,
        "close frame with a payload of one byte",
    ),
    *(
        (f"Close {code}", close(code), 1002, ProtocolError, f"close code {code} may not be sent")
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    ),
    ("reason that is no text", frame(CLOSE, b"\x03\xe8\xff"), 1007, ProtocolError, "invalid UTF-8"),
    ("reason that is cut", frame(CLOSE, b"\x03\xe8\xe2\x82"), 1007, ProtocolError, "invalid UTF-8"),
]


def check_fault(error: ConnectionClosed, code: int, kind: type[Exception], words: str) -> None:
    assert type(error) is ConnectionClosedError
    assert error.sent is not None
    assert error.sent.code == code
    assert type(error.__cause__) is kind
    assert words in str(error.__cause__)
    # The peer learns as much of it as its Close frame has room for.
    assert error.sent.reason == str(error.__cause__).partition(";")[0][:123]


@pytest.mark.parametrize("in_background", [False, True], ids=["receiving", "in the background"])
@pytest.mark.parametrize(
    ("frames", "code", "kind", "words"),
    [case[1:] for case in FRAMES],
    ids=[case[0] for case in FRAMES],
)
def test_a_hostile_frame(
    frames: bytes, code: int, kind: type[Exception], words: str, in_background: bool
) -> None:
    """At once to a thread that receives, or byte by byte to a connection that nobody waits for."""
    with Peer() as peer:
        ws = peer.connect(max_size=(1000, 500), close_timeout=10)
        peer.send(text("before"))
        if in_background and len(frames) < 300:
            peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in frames:
                peer.send(bytes([byte]))
        else:
            peer.send(frames)
        if not in_background:
            peer.socket.shutdown(socket.SHUT_WR)
            assert ws.recv(10) == "before"
            with pytest.raises(ConnectionClosedError) as caught:
                ws.recv(10)
            check_fault(caught.value, code, kind, words)

        first, payload = peer.expect()
        assert (first, payload[:2]) == (0x88, struct.pack("!H", code))
        if in_background:
            peer.socket.shutdown(socket.SHUT_WR)
            assert ws.recv(10) == "before"
        for call in (lambda: ws.recv(10), lambda: ws.recv(0), lambda: ws.send("x"), ws.ping):
            with pytest.raises(ConnectionClosedError) as caught:
                call()
            check_fault(caught.value, code, kind, words)
        assert str(caught.value) == f"sent {caught.value.sent}; no close frame received"
        assert ws.wait_closed(10)
        assert (ws.close_code, ws.close_reason) == (1006, "")
        assert list(ws) == []
        peer.expect_end()


def test_a_peer_that_answers_our_failure() -> None:
    """RFC 6455 §7.1.7: nothing that it sends after the fault is understood, the answer included."""
    with Peer() as peer:
        ws = peer.connect()
        peer.send(frame(3))
        assert peer.expect() == (0x88, b"\x03\xeareserved opcode 3")
        peer.send(close(1002, "sorry"))
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        assert str(caught.value) == "sent 1002 (protocol error) reserved opcode 3; no close frame received"
        assert isinstance(caught.value.__cause__, ProtocolError)


def test_a_peer_that_goes_on_after_our_failure() -> None:
    with Peer() as peer:
        ws = peer.connect()
        peer.send(frame(3), text("not to be seen"), frame(PING, b"not to be answered"))
        assert peer.expect()[1][:2] == b"\x03\xea"
        with pytest.raises(ConnectionClosedError, match="sent 1002"):
            ws.recv(10)
        assert ws.wait_closed(10)
        peer.expect_end()


@pytest.mark.parametrize(
    "behind",
    [
        text("not to be seen"),
        frame(PING, b"x"),
        close(4000, "another"),
        frame(3),
        MASKED,
        b"\x81",
        b"\xff" * 70_000,
    ],
    ids=["text", "Ping", "Close", "reserved opcode", "masked", "half a header", "garbage"],
)
def test_data_after_the_close(behind: bytes) -> None:
    with Peer() as peer:
        ws = peer.connect()
        peer.send(text("before") + close(1001, "bye") + behind)
        assert peer.expect() == (0x88, b"\x03\xe9bye")
        peer.socket.shutdown(socket.SHUT_WR)
        assert ws.recv(10) == "before"
        with pytest.raises(ConnectionClosedOK) as caught:
            ws.recv(10)
        assert caught.value.rcvd == Close(1001, "bye")
        assert caught.value.__cause__ is None
        assert ws.wait_closed(10)
        assert (ws.close_code, ws.close_reason) == (1001, "bye")
        # Not a second Close, nor a Pong.
        peer.expect_end()


@pytest.mark.parametrize(
    "part",
    [
        b"\x81",
        b"\x81\x7e\x01",
        b"\x81\x05hel",
        b"\x82\x7f" + struct.pack("!Q", 2**20) + bytes(70_000),
        frame(TEXT, b"a", fin=False),
        b"\x88\x02\x03",
        b"\x89\x05hel",
    ],
    ids=["header", "length", "payload", "large payload", "message", "Close", "Ping"],
)
def test_the_end_within_a_frame(part: bytes) -> None:
    with Peer() as peer:
        ws = peer.connect()
        peer.send(text("before"), part)
        peer.socket.shutdown(socket.SHUT_WR)
        assert ws.recv(10) == "before"
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        assert str(caught.value) == "no close frame received or sent"
        assert type(caught.value.__cause__) is EOFError
        assert ws.close_code == 1006


def test_control_frames_between_fragments() -> None:
    """RFC 6455 §5.4 allows them."""
    with Peer() as peer, peer.connect() as ws:
        peer.send(frame(TEXT, b"\xe2", fin=False), frame(PING, b"1"), frame(CONT, b"\x82", fin=False))
        peer.send(frame(PONG, b"unasked"), frame(CONT, b"\xac"), frame(PING, b"2"))
        assert ws.recv(10) == "€"
        assert ws.state.name == "OPEN"
        seen = [peer.expect()]
        while seen[-1] != (0x8A, b"2"):
            seen.append(peer.expect())
        # An older Ping need not be answered when there is a newer one (§5.5.3).
        assert seen in ([(0x8A, b"2")], [(0x8A, b"1"), (0x8A, b"2")])
