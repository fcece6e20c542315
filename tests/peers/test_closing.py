"""The end of connections to servers that others wrote: by either side, with every code that is legal."""

from __future__ import annotations

import pytest

from openline import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from openline.frames import Close
from openline.protocol import State
from openline.sync.client import ClientConnection

from peers import Server, Target

CODES = {
    1000: "OK",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid frame payload data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    3000: "registered",
    3999: "registered",
    4000: "private use",
    4999: "private use",
}
# In bytes of UTF-8: none, some, and the 123 that a Close frame has room for.
REASONS = ["", "see you", "ü" * 61 + "x"]


def check_end(ws: ClientConnection, code: int, first: str, then: str) -> None:
    """Check all that tells of the end of a connection that both sides closed with the same code.

    Args:
        first: what the first Close frame is shown as.
        then: what the second is shown as.
    """
    kind = ConnectionClosedOK if code in (1000, 1001, 1005) else ConnectionClosedError
    for call in (ws.recv, lambda: ws.send("x"), ws.ping, ws.pong):
        with pytest.raises(ConnectionClosed) as caught:
            call()
        assert type(caught.value) is kind
        assert str(caught.value) == f"{first}; then {then}"
        assert caught.value.__cause__ is None
    assert ws.wait_closed(20)
    assert (ws.closed, ws.state, ws.close_code) == (True, State.CLOSED, code)
    ws.close(4000, "too late")
    assert ws.close_code == code


@pytest.mark.parametrize("code", CODES)
def test_they_close(target: Target, code: int) -> None:
    ws = target.connect("/send", {"count": 1, "code": code, "reason": "see you"})
    assert ws.recv(timeout=20) == "message 0"
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(timeout=20)
    close = f"{code} ({CODES[code]}) see you"
    check_end(ws, code, f"received {close}", f"sent {close}")
    error = caught.value
    assert (error.rcvd, error.rcvd_then_sent) == (Close(code, "see you"), True)
    assert error.sent is not None
    assert error.sent.code == code
    assert (error.code, error.reason) == (code, "see you")
    assert ws.close_reason == "see you"


@pytest.mark.parametrize("code", CODES)
def test_we_close(target: Target, code: int) -> None:
    key = target.new_key()
    ws = target.connect("/watch", {"id": key})
    ws.close(code, "see you")
    assert target.noted(key) == [code, "see you"]
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv()
    close = f"{code} ({CODES[code]}) see you"
    check_end(ws, code, f"sent {close}", f"received {close}")
    error = caught.value
    assert (error.sent, error.rcvd_then_sent) == (Close(code, "see you"), False)


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{len(reason.encode())} bytes")
def test_reasons(target: Target, reason: str) -> None:
    ws = target.connect("/send", {"code": 4000, "reason": reason})
    assert list(ws) == []
    assert (ws.close_code, ws.close_reason) == (4000, reason)

    key = target.new_key()
    ws = target.connect("/watch", {"id": key})
    ws.close(4000, reason)
    assert target.noted(key) == [4000, reason]
    assert (ws.close_code, ws.close_reason) == (4000, reason)


def test_they_close_without_a_code(node_server: Server) -> None:
    """`websockets` always sends a code."""
    ws = Target(node_server, "ws").connect("/send", {"count": 2})
    assert list(ws) == ["message 0", "message 1"]
    check_end(
        ws, 1005, "received 1005 (no status received [internal])", "sent 1005 (no status received [internal])"
    )


def test_messages_before_the_close_are_delivered(target: Target) -> None:
    expected = [f"message {number}" for number in range(500)]
    with target.connect("/send", {"count": 500, "code": 1001}, max_queue=4) as ws:
        assert [ws.recv(timeout=20) for _ in expected] == expected
        with pytest.raises(ConnectionClosedOK):
            ws.recv(timeout=20)


def test_unread_messages_can_be_read_after_our_close(target: Target) -> None:
    ws = target.connect("/echo")
    ws.send_many([str(number) for number in range(5)])
    assert ws.ping(timeout=20) > 0  # the answer comes behind the messages
    ws.close()
    assert [ws.recv() for _ in range(5)] == [str(number) for number in range(5)]
    with pytest.raises(ConnectionClosedOK, match="sent 1000 .* then received 1000"):
        ws.recv()


def test_the_end_without_a_close_frame(target: Target) -> None:
    ws = target.connect("/abort", {"count": 2})
    assert [ws.recv(timeout=20) for _ in range(2)] == ["message 0", "message 1"]
    with pytest.raises(ConnectionClosedError) as caught:
        ws.recv(timeout=20)
    error = caught.value
    assert str(error) == "no close frame received or sent"
    assert (error.rcvd, error.sent, error.rcvd_then_sent, error.code) == (None, None, None, 1006)
    # TLS without its own end is cut off (RFC 8446 §6.1); else it is the end of the stream, or a reset.
    assert isinstance(error.__cause__, (EOFError, ConnectionResetError))
    assert (ws.close_code, ws.close_reason, ws.state) == (1006, "", State.CLOSED)


def test_we_leave_without_waiting(target: Target) -> None:
    key = target.new_key()
    ws = target.connect("/watch", {"id": key})
    ws.abort()
    assert ws.wait_closed(20)
    assert target.noted(key)[0] == 1001


def test_an_exception_in_the_block(target: Target) -> None:
    key = target.new_key()
    with pytest.raises(KeyError), target.connect("/watch", {"id": key}):
        raise KeyError
    assert target.noted(key)[0] == 1011
