"""What connections log: the records that `websockets` logs for the same session, and what is ours."""

from __future__ import annotations

import gc
import json
import logging
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websockets.sync.client

import openline.sync.client
from openline import ConnectionClosed, InvalidStatus, InvalidUpgrade
from openline.extensions.base import Extension
from openline.frames import Frame
from openline.sync.client import ClientConnection, reconnect
from openline.testing import EchoServer
from openline.typing import ExtensionName

from http_server import HttpServer, accepted, moved
from peer import Peer, binary, close, frame, text, wait_until

CONT, TEXT, PING, PONG = 0x0, 0x1, 0x9, 0xA


class Keeper(logging.Handler):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def take(self) -> list[str]:
        """The texts of the records since the last call."""
        texts = [record.getMessage() for record in self.records]
        self.records.clear()
        return texts


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.Logger("test", logging.DEBUG)
    logger.addHandler(Keeper())
    return logger


@pytest.fixture
def keeper(logger: logging.Logger) -> Keeper:
    keeper = logger.handlers[0]
    assert isinstance(keeper, Keeper)
    return keeper


def connect(
    uri: str, logger: logging.Logger | logging.LoggerAdapter[Any], **kwargs: Any
) -> ClientConnection:
    ws: ClientConnection = openline.sync.client.connect(uri, logger=logger, **{"ping_interval": None, **kwargs})
    return ws


# The same records as `websockets`.

# A session: what the client does and what its peer does, one after the other.
Session = Callable[[Any, Peer], None]


def session_of_messages(ws: Any, peer: Peer) -> None:
    messages: list[str | bytes] = ["hello", "", "it's", "Grüße ✓", "x" * 1000, "\x00\x7f"]
    for message in [*messages, b"\x00\x01", b"text", b"\xff" * 300]:
        ws.send(message)
        peer.expect()
        peer.send(text(message) if isinstance(message, str) else binary(message))
        assert ws.recv() == message
    ws.send(["in ", "fragments"])
    for _ in range(3):
        peer.expect()
    peer.send(frame(TEXT, "é".encode()[:1], fin=False), frame(CONT, "é".encode()[1:]))
    assert ws.recv() == "é"
    peer.send(frame(TEXT, b"", fin=False), frame(CONT, b"", fin=False), frame(CONT))
    assert ws.recv() == ""


def session_of_control_frames(ws: Any, peer: Peer) -> None:
    for payload in [b"", b"ping", b"\x01\x02", "é".encode(), b"x" * 125]:
        peer.send(frame(PING, payload))
        assert peer.expect() == (0x80 | PONG, payload)
        ws.pong(payload)
        peer.expect()
        peer.send(frame(PONG, payload), text("next"))
        assert ws.recv() == "next"


def session_closed_by_us(ws: Any, peer: Peer) -> None:
    def answer() -> None:
        peer.expect()
        peer.send(close(1000, "bye"))
        peer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    ws.close(1000, "bye")
    thread.join()


def session_closed_by_the_peer(ws: Any, peer: Peer) -> None:
    peer.send(text("last"), close(4001, "enough"))
    assert ws.recv() == "last"
    assert peer.expect() == (0x88, b"\x0f\xa1enough")
    peer.close()
    with pytest.raises(Exception, match="4001"):
        ws.recv()


def session_closed_without_a_code(ws: Any, peer: Peer) -> None:
    peer.send(frame(0x8))
    peer.expect()
    peer.close()
    with pytest.raises(Exception, match="1005"):
        ws.recv()


def session_that_ends_without_a_close(ws: Any, peer: Peer) -> None:
    peer.close()
    with pytest.raises(Exception, match="no close frame"):
        ws.recv()


def session_with_a_message_too_big(ws: Any, peer: Peer) -> None:
    peer.send(binary(b"x" * (2**20 + 1)))
    peer.expect()
    peer.close()
    with pytest.raises(Exception, match="1009"):
        ws.recv()


# Theirs and ours.
CONNECT: list[Any] = [websockets.sync.client.connect, openline.sync.client.connect]

SESSIONS: list[Session] = [
    session_of_messages,
    session_of_control_frames,
    session_closed_by_us,
    session_closed_by_the_peer,
    session_closed_without_a_code,
    session_that_ends_without_a_close,
    session_with_a_message_too_big,
]


def normal(records: list[logging.LogRecord]) -> list[tuple[str, str]]:
    """Levels and texts, without what is another one each time, or in each library."""
    headers = "Host|User-Agent|Sec-WebSocket-Key|Sec-WebSocket-Accept|Location"
    own = re.compile(rf"((?:{headers}):|CLOSE 1009 \(.*?\)) .*")
    return [(record.levelname, own.sub(r"\1", record.getMessage())) for record in records]


def run(connect: Any, session: Session, logger: logging.Logger, keeper: Keeper) -> list[tuple[str, str]]:
    with Peer() as peer:
        ws = connect(peer.uri, logger=logger, ping_interval=None, close_timeout=10, legacy=True)
        session(ws, peer)
        if ws.state.name == "OPEN":
            session_closed_by_us(ws, peer)
    records = normal(keeper.records)
    keeper.records.clear()
    return records


@pytest.mark.parametrize("session", SESSIONS)
def test_records_are_those_of_websockets(session: Session, logger: logging.Logger, keeper: Keeper) -> None:
    theirs = run(websockets.sync.client.connect, session, logger, keeper)
    ours = run(openline.sync.client.connect, session, logger, keeper)
    assert ours == theirs


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n",
        b"HTTP/1.1 500 \r\n\r\nend",
        b"HTTP/1.1 101 Well\r\nUpgrade: h2c\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_records_of_a_handshake_that_fails_are_those_of_websockets(
    answer: bytes, logger: logging.Logger, keeper: Keeper
) -> None:
    lists = []
    for connect in CONNECT:
        with Peer(response=answer) as peer, pytest.raises(Exception):
            connect(peer.uri, logger=logger)
        lists.append(normal(keeper.records))
        keeper.records.clear()
    theirs, ours = lists
    assert ours == theirs
    assert ours[-2:] == [("DEBUG", "> EOF"), ("DEBUG", "= connection is CLOSED")]


def test_records_of_a_redirect_are_those_of_websockets(logger: logging.Logger, keeper: Keeper) -> None:
    def respond(request: bytes) -> bytes:
        return moved("/there") if request.startswith(b"GET / ") else accepted(request)

    lists = []
    for connect in CONNECT:
        with HttpServer(respond) as server:
            ws = connect(server.uri(), logger=logger, close_timeout=0.1, ping_interval=None, legacy=True)
            # Whether the first connection ends or is reset, which only `websockets` logs, is a matter of moments.
            reset = ("DEBUG", "! error while receiving data")
            lists.append([record for record in normal(keeper.records) if record != reset])
            ws.close()
            keeper.records.clear()
    theirs, ours = lists
    assert ours == theirs


def test_records_with_compression_are_those_of_websockets(
    server: EchoServer, logger: logging.Logger, keeper: Keeper
) -> None:
    lists = []
    for connect in CONNECT:
        with connect(server.uri, logger=logger, ping_interval=None) as ws:
            for message in ["compressed " * 100, b"\x00\x01" * 1000]:
                ws.send(message)
                assert ws.recv() == message
        lists.append(normal(keeper.records))
        keeper.records.clear()
    theirs, ours = lists
    assert ours == theirs


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


def test_frames_are_shown_as_websockets_shows_them(logger: logging.Logger, keeper: Keeper) -> None:
    payloads = [bytes(range(n, n + 24)) for n in range(0, 232, 8)]
    payloads += ["".join(map(chr, range(n, n + 40))).encode() for n in range(0xA0, 0x3000, 199)]
    payloads += [b"\xe2\x82", b"\x82\xac x", b"x \xe2\x82", b"\xf0\x9f\x99", b'"', b"'", b"'\"", b"\\x"]
    payloads += [("é" * n + "x" * 200).encode() for n in range(80, 160, 9)]
    with Peer() as peer:
        ws = connect(peer.uri, logger, max_size=None)
        keeper.take()
        for payload in payloads:
            peer.send(frame(0x2, payload))
            assert ws.recv() == payload
            shown = websockets.frames.Frame(websockets.frames.Opcode.BINARY, payload)
            assert keeper.take() == [f"< {shown}"]
            peer.send(frame(0x2, payload, fin=False), frame(CONT, payload, fin=False), frame(CONT, payload))
            assert ws.recv() == payload * 3
            theirs = [
                str(websockets.frames.Frame(websockets.frames.Opcode(opcode), payload, fin))
                for opcode, fin in [(0x2, False), (CONT, False), (CONT, True)]
            ]
            assert keeper.take() == [f"< {text}" for text in theirs]
        ws.abort()


def test_keepalive_is_logged(logger: logging.Logger, keeper: Keeper) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger, ping_interval=0.05, ping_timeout=1)
        keeper.take()
        first, payload = peer.expect()
        peer.send(frame(PONG, payload))
        assert ws.wait_closed(10)  # the other pings have no answer
    signs = [re.sub("(P[IO]NG) .*", r"\1", message) for message in keeper.take()]  # without their payloads
    for sign in ["> PING", "% sent keepalive ping", "< PONG", "% received keepalive pong"]:
        assert sign in signs
    assert signs.index("< PONG") < signs.index("% received keepalive pong")
    assert signs[-5:] == [
        "- timed out waiting for keepalive pong",
        "> CLOSE 1011 (internal error) keepalive ping timeout [24 bytes]",
        "= connection is CLOSING",
        "> EOF",
        "= connection is CLOSED",
    ]


def test_an_error_of_the_network_is_logged_with_its_exception(
    logger: logging.Logger, keeper: Keeper
) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()
        ws.send("unread, which has the kernel reset the connection")
        wait_until(lambda: len(peer.socket.recv(1, 2)) == 1)  # MSG_PEEK
        peer.close()
        with pytest.raises(ConnectionClosed):
            ws.recv()
    failures = [record for record in keeper.records if record.getMessage().startswith("!")]
    assert [record.getMessage() for record in failures] == ["! error while receiving data"]
    assert failures[0].exc_info is not None
    assert isinstance(failures[0].exc_info[1], ConnectionResetError)


def test_a_frame_that_breaks_the_protocol_is_not_shown(logger: logging.Logger, keeper: Keeper) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()
        peer.send(frame(CONT))  # which continues nothing
        peer.expect()
        peer.close()
        with pytest.raises(ConnectionClosed):
            ws.recv()
    sent, *rest = keeper.take()
    assert sent.startswith("> CLOSE 1002 (protocol error)")
    assert rest == ["= connection is CLOSING", "> EOF", "= connection is CLOSED"]


# What they carry.


def test_records_have_the_connection_and_the_parts_of_their_text(
    logger: logging.Logger, keeper: Keeper
) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger, additional_headers={"Authorization": "Bearer secret"})
        for record in keeper.records:
            websocket: Any = record.__dict__["websocket"]
            assert websocket.id == ws.id
            assert record.levelno == logging.DEBUG
            assert record.name == "test"
            assert record.filename == "_opener.py" or record.funcName
        secret = [record for record in keeper.records if record.args and "Authorization" in record.args]
        assert [record.getMessage() for record in secret] == ["> Authorization: Bearer secret"]
        ws.abort()


def test_the_default_logger_and_the_adapter_of_the_connection(
    caplog: pytest.LogCaptureFixture, server: EchoServer
) -> None:
    with caplog.at_level(logging.DEBUG, "openline.client"), openline.sync.client.connect(server.uri) as ws:
        ws.send("hello")
        assert isinstance(ws.logger, logging.LoggerAdapter)
        ws.logger.info("mine")
    assert {record.name for record in caplog.records} == {"openline.client"}
    mine = [record for record in caplog.records if record.getMessage() == "mine"]
    assert mine[0].__dict__["websocket"].id == ws.id
    assert "> TEXT 'hello' [5 bytes]" in caplog.messages


def test_an_adapter_as_logger_adds_what_it_adds(
    logger: logging.Logger, keeper: Keeper, server: EchoServer
) -> None:
    class Adapter(logging.LoggerAdapter[logging.Logger]):
        def process(self, msg: Any, kwargs: Any) -> Any:
            return f"[{self.extra['user']}] {msg}" if self.extra else msg, kwargs

    with connect(server.uri, Adapter(logger, {"user": "ada"})) as ws:
        assert all(record.__dict__["websocket"].id == ws.id for record in keeper.records)
    assert all(text.startswith("[ada] ") for text in keeper.take())


def test_without_a_connection_the_record_has_none(logger: logging.Logger, keeper: Keeper) -> None:
    with (
        Peer(response=b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n") as peer,
        pytest.raises(InvalidStatus),
    ):
        connect(peer.uri, logger)
    assert keeper.records
    assert all(record.__dict__["websocket"] is None for record in keeper.records)


def test_the_connection_is_not_kept_alive_by_its_records(
    logger: logging.Logger, keeper: Keeper, server: EchoServer
) -> None:
    ws = connect(server.uri, logger)
    websocket = keeper.records[0].__dict__["websocket"]
    assert websocket.state.name == "OPEN"
    ws.close()
    del ws
    gc.collect()
    with pytest.raises(ReferenceError):
        _ = websocket.state


def test_payloads_are_shown_as_long_as_frames_are(
    logger: logging.Logger, keeper: Keeper, server: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Frame, "MAX_LOG_SIZE", 30)
    with connect(server.uri, logger) as ws:
        ws.send("0123456789" * 10)
        assert "> TEXT '01234567890123456...23456789' [100 bytes]" in [
            r.getMessage() for r in keeper.records
        ]


def test_extensions_are_logged_in_plain(logger: logging.Logger, keeper: Keeper) -> None:
    class Reverse(Extension):
        name = ExtensionName("x-reverse")

        def encode(self, frame: Any) -> Any:
            return frame if frame.opcode >= 8 else _reversed(frame)

        def decode(self, frame: Any, *, max_size: int | None = None) -> Any:
            return frame if frame.opcode >= 8 else _reversed(frame)

    class Factory:
        name = "x-reverse"

        def get_request_params(self) -> list[tuple[str, str | None]]:
            return []

        def process_response_params(self, params: Any, accepted: Any) -> Reverse:
            return Reverse()

    with Peer(extensions="x-reverse") as peer:
        ws = connect(peer.uri, logger, extensions=[Factory()], compression=None)
        keeper.take()
        ws.send("abc")
        assert peer.expect() == (0x81, b"cba")
        peer.send(text("fed"), frame(PING, b"p"), frame(TEXT, b"ih", fin=False), frame(CONT, b"gj"))
        assert [ws.recv(), ws.recv()] == ["def", "hijg"]
        ws.abort()
        assert keeper.take()[:6] == [
            "> TEXT 'abc' [3 bytes]",
            "< TEXT 'def' [3 bytes]",
            "< PING 'p' [text, 1 byte]",
            "> PONG 'p' [text, 1 byte]",
            "< TEXT 'hi' [2 bytes, continued]",
            "< CONT 'jg' [text, 2 bytes]",
        ]


def _reversed(frame: Any) -> Any:
    import dataclasses

    return dataclasses.replace(frame, data=bytes(frame.data)[::-1])


# When they come.


def test_what_happens_while_nobody_calls_comes_with_the_next_call(
    logger: logging.Logger, keeper: Keeper
) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()
        for payload in [b"a", b"b"]:
            peer.send(frame(PING, payload))
            assert peer.expect() == (0x80 | PONG, payload)
        assert keeper.take() == []
        ws.send("x")
        assert keeper.take() == [
            "< PING 'a' [text, 1 byte]",
            "> PONG 'a' [text, 1 byte]",
            "< PING 'b' [text, 1 byte]",
            "> PONG 'b' [text, 1 byte]",
            "> TEXT 'x' [1 byte]",
        ]
        ws.abort()


def test_every_call_logs_before_it_returns_or_raises(logger: logging.Logger, keeper: Keeper) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()

        def times_out(call: Callable[[], object]) -> None:
            with pytest.raises(TimeoutError):
                call()

        def pings(call: Callable[[], object]) -> None:
            """Have the driver log something, and see that the call gives it out."""
            peer.send(frame(PING, b"!"))
            while peer.expect() != (0x80 | PONG, b"!"):
                pass
            call()
            assert "< PING '!' [text, 1 byte]" in keeper.take()

        pings(lambda: ws.send("x"))
        pings(lambda: ws.send_many(["x", "y"]))
        pings(lambda: ws.pong())
        pings(lambda: ws.wait_closed(0))
        receives: list[Callable[[], object]] = [
            lambda: ws.recv(0),
            lambda: ws.recv_into(bytearray(9), 0),
            lambda: ws.recv_many(9, 0),
        ]
        for receive in receives:
            pings(lambda: times_out(receive))
        times_out(lambda: ws.ping(b"?", timeout=0))
        assert "> PING '?' [text, 1 byte]" in keeper.take()
        peer.send(text("streamed"))
        assert list(ws.recv_streaming()) == ["streamed"]
        assert keeper.take() == ["< TEXT 'streamed' [8 bytes]"]
        peer.send(text("one"), text("two"))
        received = ws.recv_many()
        while len(received) < 2:
            received += ws.recv_many()
        assert keeper.take() == ["< TEXT 'one' [3 bytes]", "< TEXT 'two' [3 bytes]"]
        peer.send(binary(b"into"))
        assert ws.recv_into(bytearray(4)) == 4
        assert keeper.take() == ["< BINARY 'into' [text, 4 bytes]"]
        ws.abort()
        assert keeper.take()[0] == "> CLOSE 1001 (going away) [2 bytes]"


def test_a_full_journal_drops_the_oldest_and_says_how_many(logger: logging.Logger, keeper: Keeper) -> None:
    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()
        for _ in range(2000):
            peer.send(frame(PONG, b"unsolicited"))
        peer.send(text("end"))
        assert ws.recv() == "end"
        messages = keeper.take()
        assert messages[0] == "- 977 earlier records were dropped"
        assert messages[-1] == "< TEXT 'end' [3 bytes]"
        assert len(messages) == 1025
        ws.abort()


def test_threads_log_every_record_once(server: EchoServer, logger: logging.Logger, keeper: Keeper) -> None:
    with connect(server.uri, logger, max_queue=None) as ws:
        keeper.take()

        def send(name: str) -> None:
            for number in range(200):
                ws.send(f"{name}{number}")

        threads = [threading.Thread(target=send, args=[name]) for name in "ab"]
        for thread in threads:
            thread.start()
        received = [ws.recv() for _ in range(400)]
        for thread in threads:
            thread.join()
        ws.wait_closed(0)
        messages = keeper.take()
    for sign in "<>":
        shown = [message for message in messages if message.startswith(sign)]
        assert len(shown) == len(set(shown)) == 400
    assert [f"< TEXT {message!r} [{len(message)} bytes]" for message in received] == [
        message for message in messages if message.startswith("<")
    ]


# Loggers that do more.


def test_a_handler_may_use_the_connection(logger: logging.Logger, keeper: Keeper) -> None:
    class Echo(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("< TEXT"):
                ws.send("seen")

    with Peer() as peer:
        ws = connect(peer.uri, logger)
        logger.addHandler(Echo())
        keeper.take()
        peer.send(text("hello"))
        assert ws.recv() == "hello"
        assert peer.expect() == (0x81, b"seen")
        assert keeper.take() == ["< TEXT 'hello' [5 bytes]", "> TEXT 'seen' [4 bytes]"]
        ws.abort()


def test_a_logger_that_holds_the_connection_is_collected_with_it(
    logger: logging.Logger, server: EchoServer
) -> None:
    class Held(ClientConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.logger = logging.LoggerAdapter(logger, {"websocket": self})
            super().__init__(*args, **kwargs)

    logger.handlers.clear()  # which keep the records
    ws = connect(server.uri, logger, create_connection=Held)
    reference = weakref.ref(ws)
    ws.send("hello")
    fragments = ws.recv_streaming()
    del ws
    gc.collect()
    assert list(fragments) == ["hello"]
    held = reference()
    assert held is not None
    held.close()
    del fragments, held
    gc.collect()
    assert reference() is None


def test_an_exception_out_of_a_filter_leaves_no_ping_behind(
    logger: logging.Logger, server: EchoServer
) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("refused")

    with connect(server.uri, logger) as ws:
        logger.addFilter(refuse)
        with pytest.raises(RuntimeError, match="refused"):
            ws.ping(b"same")
        logger.removeFilter(refuse)
        assert ws.ping(b"same", 10) < 10


def test_an_exception_out_of_a_filter_loses_nothing(logger: logging.Logger, keeper: Keeper) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("<"):
            raise RuntimeError("refused")
        return True

    with Peer() as peer:
        ws = connect(peer.uri, logger)
        keeper.take()
        logger.addFilter(refuse)
        ways: list[Callable[[], object]] = [
            ws.recv,
            lambda: ws.recv_many()[0],
            lambda: next(ws),
            lambda: ws.recv(decode=False),
        ]
        for number, receive in enumerate(ways):
            peer.send(binary(b"%d" % number))
            with pytest.raises(RuntimeError, match="refused"):
                receive()
            assert receive() == b"%d" % number
        buffer = bytearray(1)
        peer.send(binary(b"i"))
        with pytest.raises(RuntimeError, match="refused"):
            ws.recv_into(buffer)
        assert ws.recv_into(buffer) == 1
        assert buffer == b"i"
        peer.send(binary(b"s"))
        fragments = ws.recv_streaming()
        with pytest.raises(RuntimeError, match="refused"):
            next(fragments)
        assert list(fragments) == [b"s"]
        logger.removeFilter(refuse)
        ws.abort()


def test_a_filter_does_not_hide_the_exception_of_the_call(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: unraisable.append(hook.exc_value))

    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("refused")

    with Peer() as peer:
        ws = connect(peer.uri, logger)
        logger.addFilter(refuse)
        peer.close()
        with pytest.raises(ConnectionClosed):
            ws.recv()
        logger.removeFilter(refuse)
    assert [str(error) for error in unraisable] == ["refused"]


def test_a_filter_that_fails_while_connecting_leaves_nothing_open(logger: logging.Logger) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        logger.removeFilter(refuse)
        raise RuntimeError("refused")

    logger.addFilter(refuse)
    with Peer() as peer:
        with pytest.raises(RuntimeError, match="refused"):
            connect(peer.uri, logger)
        assert peer.expect()[0] == 0x88
        peer.expect_end()


# When nobody wants them.


def test_loggers_that_are_not_enabled_get_nothing(
    logger: logging.Logger, keeper: Keeper, server: EchoServer
) -> None:
    logger.setLevel(logging.INFO)
    with connect(server.uri, logger) as ws:
        assert not ws.debug
        logger.setLevel(logging.DEBUG)  # too late for this connection
        ws.send("x")
    assert keeper.take() == []


def test_reconnecting_is_logged_to_the_logger_given(
    logger: logging.Logger, keeper: Keeper, server: EchoServer
) -> None:
    logger.setLevel(logging.INFO)
    answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]

    def respond(request: bytes) -> bytes:
        return answers.pop() if answers else accepted(request)

    with HttpServer(respond) as http:
        for ws in reconnect(
            http.uri(), logger=logger, reconnect_delays=lambda: iter([0.01]), close_timeout=0.1
        ):
            break
    (record,) = keeper.records
    assert record.levelname == "INFO"
    assert record.getMessage().startswith("connect failed; reconnecting in 0.0 seconds: ")


def test_logging_is_not_imported_for_programs_that_do_not_log(server: EchoServer) -> None:
    program = f"""
import json, sys
from openline.sync.client import connect
with connect({server.uri!r}) as ws:
    ws.send("x")
    ws.recv()
print(json.dumps("logging" in sys.modules))
"""
    output = subprocess.check_output([sys.executable, "-c", program], timeout=60)
    assert json.loads(output) is False


def test_an_upgrade_that_is_refused_shows_the_response(logger: logging.Logger, keeper: Keeper) -> None:
    with Peer(response=b"HTTP/1.1 101 Well\r\nUpgrade: h2c\r\n\r\n") as peer, pytest.raises(InvalidUpgrade):
        connect(peer.uri, logger)
    assert keeper.take()[-4:] == ["< HTTP/1.1 101 Well", "< Upgrade: h2c", "> EOF", "= connection is CLOSED"]
