"""`ConnectionClosed.report()`: what is counted, by connections whose every byte the test decides."""

from __future__ import annotations

import copy
import pickle
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from openline import CloseCause, CloseReport, ConnectionClosed, SendTimeout
from openline.frames import Close, Opcode
from openline.report import LastFrame
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import peer, pool, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, binary, close, frame, text


def report_of(ws: ClientConnection) -> CloseReport:
    with pytest.raises(ConnectionClosed) as caught:
        ws.send("late")
    report = caught.value.report()
    assert report is not None
    return report


def whole(opcode: Opcode, length: int) -> LastFrame:
    return LastFrame(opcode, True, False, False, False, length)


def test_counters(peer: Peer) -> None:
    ws = peer.connect()
    sent = [text("one"), frame(Opcode.PING, b"p"), frame(Opcode.TEXT, b"a", fin=False)]
    sent += [frame(Opcode.CONT, b"b"), binary(bytes(200_000)), close(4000, "done")]
    ws.send("hello")
    ws.send(["in ", "fragments"])
    ws.send_many([b"1", b"22"])
    peer.send(*sent)
    peer.socket.shutdown(socket.SHUT_WR)
    assert [ws.recv(10), ws.recv(10), ws.recv(10)] == ["one", "ab", bytes(200_000)]
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(10)
    report = caught.value.report()
    assert report is not None
    assert report.cause is CloseCause.PEER
    done = Close(4000, "done")
    assert (report.rcvd, report.sent, report.rcvd_then_sent) == (done, done, True)
    incoming = report.incoming
    assert (incoming.messages, incoming.frames) == (3, 6)
    assert incoming.bytes == sum(map(len, sent))
    assert incoming.last_frame == whole(Opcode.CLOSE, 6)
    outgoing = report.outgoing
    payloads = [b"hello", b"in ", b"fragments", b"", b"1", b"22", b"p", b"\x0f\xa0done"]
    assert (outgoing.messages, outgoing.frames) == (4, len(payloads))
    assert outgoing.bytes == sum(2 + 4 + len(payload) for payload in payloads)
    assert outgoing.last_frame == whole(Opcode.CLOSE, 6)
    assert (report.unread_messages, report.unsent_bytes, report.latency) == (0, 0, None)
    assert report.lifetime < 30
    for age in (incoming.age, outgoing.age):
        assert age is not None
        assert 0 <= age < 30


def test_text(peer: Peer) -> None:
    ws = peer.connect()
    ws.send("secret")
    peer.send(text("also secret"), frame(Opcode.TEXT, b"the start", fin=False), b"\x83\x00")
    assert ws.recv(10) == "also secret"
    while (answer := peer.expect())[0] != 0x88:
        pass
    peer.socket.shutdown(socket.SHUT_WR)
    assert ws.wait_closed(10)
    report = report_of(ws)
    lines = str(report).splitlines()
    assert lines[0] == "cause: reserved opcode 3"
    assert lines[1] == "close frames: sent 1002 (protocol error) reserved opcode 3; no close frame received"
    assert lines[2].startswith("open for: ")
    assert lines[3] == "last round trip: none"
    assert lines[4].startswith("received: 1 messages, 2 frames, 26 bytes; the latest ")
    assert lines[5] == "  latest frame: TEXT, not the last fragment [9 bytes]"
    assert lines[6].startswith("sent: 1 messages, 2 frames, ")
    assert lines[7] == f"  latest frame: CLOSE [{len(answer[1])} bytes]"
    assert lines[8:] == ["unread messages: 0", "unsent bytes: 0"]
    assert "secret" not in str(report)


def test_a_message_that_is_too_big_is_the_latest_frame(peer: Peer) -> None:
    ws = peer.connect(max_size=100)
    peer.send(b"\x82\x7f" + (2**40).to_bytes(8))
    peer.socket.shutdown(socket.SHUT_WR)
    assert ws.wait_closed(10)
    report = report_of(ws)
    assert report.cause is CloseCause.TOO_BIG
    assert report.incoming.last_frame == whole(Opcode.BINARY, 2**40)


def test_what_is_left(peer: Peer) -> None:
    ws = peer.connect()
    peer.send(*[text("unread")] * 5)
    with pytest.raises(SendTimeout):
        ws.send(bytes(2**25), timeout=0)
    ws.abort()
    report = report_of(ws)
    assert report.cause is CloseCause.ABORTED
    assert report.unread_messages == 5
    assert report.unsent_bytes == 14 + 2**25 - report.outgoing.bytes > 0
    assert report.outgoing.last_frame == whole(Opcode.BINARY, 2**25)


def test_what_was_taken_back_is_not_counted(peer: Peer) -> None:
    ws = peer.connect()
    ws.send("first")
    with pytest.raises(SendTimeout) as caught:
        ws.send_many([bytes(1_000)] * 50_000, timeout=0)
    sent = caught.value.sent
    for _ in range(3):
        with pytest.raises(SendTimeout):
            ws.send("late", timeout=0)
    ws.abort()
    report = report_of(ws)
    assert report.outgoing.messages == report.outgoing.frames == 1 + sent
    assert report.outgoing.last_frame == whole(Opcode.BINARY, 1_000)


def test_round_trip(server: EchoServer) -> None:
    ws = connect(server.uri)
    seconds = ws.ping()
    ws.close()
    assert report_of(ws).latency == seconds


def test_compressed_messages_have_their_bit() -> None:
    with Peer(extensions="permessage-deflate") as peer:
        ws = peer.connect()
        peer.send(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")  # RFC 7692 §7.2.3.1
        assert ws.recv(10) == "Hello"
        ws.abort()
        assert report_of(ws).incoming.last_frame == LastFrame(Opcode.TEXT, True, True, False, False, 7)


def test_while_another_thread_sends(peer: Peer, pool: ThreadPoolExecutor) -> None:
    ws = peer.connect()
    sending = pool.submit(ws.send, bytes(2**25))
    peer.await_bytes(2**20)  # more than is written at once
    peer.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(10)
    report = caught.value.report()
    assert report is not None
    assert report.outgoing.bytes > 100_000
    assert isinstance(sending.exception(10), ConnectionClosed)


def test_copies_and_pickles(ws: ClientConnection) -> None:
    ws.close()
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv()
    report = caught.value.report()
    for again in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert again.report() == report
    assert pickle.loads(pickle.dumps(report)) == report


def test_an_exception_made_by_hand_and_one_of_no_connection() -> None:
    assert ConnectionClosed(None, None).report() is None
    with pytest.raises(ConnectionRefusedError) as caught:
        connect("ws://127.0.0.1:1/")
    assert isinstance(caught.value, ConnectionClosed)
    assert caught.value.report() is None
