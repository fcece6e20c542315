"""The server, with clients of ours and of others, and with bytes that no client sends."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
import weakref
from typing import Any

import pytest
import trustme
import websockets.asyncio.client
import websockets.sync.client
from werkzeug.routing import Map, Rule

from openline import ConnectionClosed, InvalidStatus, _openline
from openline.exceptions import InvalidOrigin, NegotiationError
from openline.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from openline.http11 import Request, Response
from openline.server import ServerProtocol
from openline.sync.client import connect, unix_connect
from openline.sync.router import route, unix_route
from openline.sync.server import Server, ServerConnection, basic_auth, broadcast, serve, unix_serve
from serving import ask, echo, run, serving, until


def test_echo() -> None:
    with run() as uri, connect(f"{uri}/chat?room=1") as client:
        messages: list[str | bytes] = ["text", b"binary", "é" * 1000, b"x" * 300_000, ""]
        for message in messages:
            client.send(message)
            assert client.recv() == message
        assert [extension.name for extension in client.extensions] == ["permessage-deflate"]


def test_what_a_handler_sees() -> None:
    seen: list[Any] = []

    def handler(websocket: ServerConnection) -> None:
        seen.extend([websocket.request.path, websocket.request.headers["Host"], websocket.response.status_code])
        seen.extend([websocket.subprotocol, websocket.remote_address, websocket.socket.getpeername()])
        assert websocket in websocket.server.connections

    with run(handler, subprotocols=["v2", "v1"]) as uri, connect(f"{uri}/a?b=c", subprotocols=["v1"]) as client:
        assert list(client) == []
        assert client.close_code == 1000
    address = client.local_address
    assert seen == ["/a?b=c", uri.removeprefix("ws://"), 101, "v1", address, address]


def test_clients_of_websockets() -> None:
    async def talk(uri: str) -> Any:
        async with websockets.asyncio.client.connect(uri) as client:
            await client.send("asynchronous" * 100)
            return await client.recv()

    with run() as uri:
        with websockets.sync.client.connect(uri) as client:
            client.send("synchronous" * 100)
            assert client.recv() == "synchronous" * 100
        assert asyncio.run(talk(uri)) == "asynchronous" * 100


NODE = """
const { WebSocket } = require("ws");
const client = new WebSocket(process.argv[1], ["v2", "v1"], { headers: { "X-Trace": "7" } });
const seen = [];
client.on("open", () => {
  client.send("text ".repeat(100));
  client.send(Buffer.from([1, 2, 3]));
  client.send("frag", { fin: false });
  client.send("mented", { fin: true });
  client.ping("are you there");
});
client.on("pong", (data) => seen.push("pong " + data));
client.on("message", (data, isBinary) => {
  seen.push(isBinary ? data.toString("hex") : String(data));
  if (data == "fragmented") client.close(4001, "enough");
});
client.on("close", (code, reason) => {
  console.log(JSON.stringify([client.protocol, client.extensions, seen.sort(), code, String(reason)]));
});
"""


def test_client_of_node() -> None:
    ends = []

    def handler(websocket: ServerConnection) -> None:
        assert websocket.request is not None and websocket.request.headers["X-Trace"] == "7"
        echo(websocket)
        ends.append((websocket.close_code, websocket.close_reason))

    node = pathlib.Path(__file__).parent / "node"
    with run(handler, subprotocols=["v1"]) as uri:
        program = subprocess.run(
            ["node", "-e", NODE, uri], cwd=node, capture_output=True, text=True, timeout=30, check=True
        )
        until(lambda: bool(ends))
    subprotocol, extensions, seen, code, reason = json.loads(program.stdout)
    assert (subprotocol, code, reason) == ("v1", 4001, "enough")
    assert extensions.startswith("permessage-deflate")
    assert seen == ["010203", "fragmented", "pong are you there", "text " * 100]
    assert ends == [(4001, "enough")]


def test_unix_socket(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "socket"
    with serving(unix_serve(echo, path)), unix_connect(path) as client:
        client.send("hello")
        assert client.recv() == "hello"
    assert not path.exists()


def test_tls(authority: trustme.CA, certificate: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    seen = []

    def handler(websocket: ServerConnection) -> None:
        seen.append((websocket.socket.version(), websocket.socket.server_side))
        echo(websocket)

    with run(handler, ssl=context) as uri:
        secure = uri.replace("ws://", "wss://")
        with connect(secure, ssl=trusting) as client:
            client.send(b"x" * 100_000)
            assert client.recv() == b"x" * 100_000
        with websockets.sync.client.connect(secure, ssl=trusting) as other:
            other.send("hello")
            assert other.recv() == "hello"
        assert ask(uri, b"GET / HTTP/1.1\r\n\r\n") is not None  # no TLS: it is cut, and the server goes on
        with connect(secure, ssl=trusting) as client:
            client.send("still here")
            assert client.recv() == "still here"
    assert seen[0] == ("TLSv1.3", True)


def test_origins() -> None:
    allowed = ["https://a.example", re.compile(r"https://.*\.b\.example"), None]
    with run(origins=allowed) as uri:
        for origin in ["https://a.example", "https://x.b.example", None]:
            connect(uri, origin=origin).close()
        for origin in ["https://c.example", "https://x.b.example.evil", "https://A.example"]:
            with pytest.raises(InvalidStatus) as raised:
                connect(uri, origin=origin)
            assert raised.value.response.status_code == 403
            assert origin in raised.value.response.body.decode()


def test_a_client_that_speaks_no_subprotocol_of_ours() -> None:
    with run(subprotocols=["v2"]) as uri:
        with pytest.raises(InvalidStatus) as raised:
            connect(uri, subprotocols=["v1"])
        assert raised.value.response.status_code == 400
        assert b"expected one of v2" in raised.value.response.body


def test_select_subprotocol(caplog: pytest.LogCaptureFixture) -> None:
    def select(websocket: ServerConnection, offered: Any) -> str | None:
        assert isinstance(websocket, ServerConnection)
        if offered == ["refused"]:
            raise NegotiationError("not that one")
        return offered[-1] if offered else None

    with run(select_subprotocol=select) as uri:
        with connect(uri, subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "b"
        with connect(uri) as client:
            assert client.subprotocol is None
        with pytest.raises(InvalidStatus) as raised:
            connect(uri, subprotocols=["refused"])
        assert b"not that one" in raised.value.response.body
    with run(select_subprotocol=lambda websocket, offered: "other") as uri, caplog.at_level("ERROR"):
        with pytest.raises(InvalidStatus) as raised:
            connect(uri, subprotocols=["a"])
        assert raised.value.response.status_code == 500
    assert "which the client did not offer" in caplog.text


def test_compression_of_ones_own() -> None:
    factory = ServerPerMessageDeflateFactory(server_no_context_takeover=True, server_max_window_bits=9)
    with run(extensions=[factory]) as uri, connect(uri) as client:
        answer = client.response.headers["Sec-WebSocket-Extensions"]
        assert answer == "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"
        client.send("a" * 1000)
        assert client.recv() == "a" * 1000
    with run(compression=None) as uri, connect(uri) as client:
        assert client.extensions == []


def test_process_request_answers_what_is_for_no_websocket() -> None:
    def process_request(websocket: ServerConnection, request: Request) -> Response | None:
        if request.path == "/health":
            return websocket.respond(200, f"OK {request.method}")
        return None

    with run(process_request=process_request) as uri:
        page = http.client.HTTPConnection(uri.removeprefix("ws://"), timeout=10)
        for method, body in [("GET", b"OK GET"), ("POST", b"OK POST"), ("HEAD", b"")]:
            page.request(method, "/health")
            answer = page.getresponse()
            assert (answer.status, answer.read()) == (200, body)
        connect(uri).close()


def test_process_response_changes_the_answer() -> None:
    def process_response(websocket: ServerConnection, request: Request, response: Response) -> Response | None:
        response.headers["Set-Cookie"] = "a=1"
        return websocket.respond(503, "later") if request.path == "/busy" else None

    with run(process_response=process_response, server_header="own/1") as uri:
        with connect(uri) as client:
            assert client.response.headers["Set-Cookie"] == "a=1"
            assert client.response.headers["Server"] == "own/1"
        with pytest.raises(InvalidStatus) as raised:
            connect(f"{uri}/busy")
        assert raised.value.response.body == b"later"


@pytest.mark.parametrize("result", [ZeroDivisionError("oops"), (404, {}, b"")])
def test_faults_of_process_request_are_logged_and_not_told(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    def process_request(websocket: ServerConnection, request: Request) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    with run(process_request=process_request) as uri:
        with pytest.raises(InvalidStatus) as raised:
            connect(uri)
        assert raised.value.response.status_code == 500
        assert b"oops" not in raised.value.response.body
    assert "process_request failed" in caplog.text


def test_a_response_that_cannot_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    def process_response(websocket: ServerConnection, request: Request, response: Response) -> None:
        response.headers["X-Name"] = "a\r\nX-Smuggled: b"

    with run(process_response=process_response) as uri:
        with pytest.raises(InvalidStatus) as raised:
            connect(uri)
        assert raised.value.response.status_code == 500
        assert "X-Smuggled" not in raised.value.response.headers
    assert "process_response failed" in caplog.text


def test_basic_auth() -> None:
    names = []

    def handler(websocket: ServerConnection) -> None:
        names.append(websocket.username)

    users = [("alice", "secret"), ("bob", "påss")]
    with run(handler, process_request=basic_auth("lounge", users)) as uri:
        host = uri.removeprefix("ws://")
        for user in ["alice:secret", "bob:p%C3%A5ss"]:
            with connect(f"ws://{user}@{host}") as client:
                assert client.wait_closed(10)
        for user in ["", "alice:wrong@", "eve:secret@", "eve:@"]:
            with pytest.raises(InvalidStatus) as raised:
                connect(f"ws://{user}{host}")
            assert raised.value.response.status_code == 401
            assert raised.value.response.headers["WWW-Authenticate"].startswith('Basic realm="lounge"')
    assert names == ["alice", "bob"]
    with run(handler, process_request=basic_auth(check_credentials=lambda *both: both == ("a", "b"))) as uri:
        with connect(uri.replace("//", "//a:b@")) as client:
            assert client.wait_closed(10)
    assert names[-1] == "a"


def test_basic_auth_refuses_what_is_none() -> None:
    both: dict[str, Any] = {"credentials": ("a", "b"), "check_credentials": print}
    for arguments in [{}, both]:
        with pytest.raises(ValueError, match="either credentials or"):
            basic_auth(**arguments)
    for credentials in [1, ("a", 1), [("a", "b", "c")]]:
        with pytest.raises(TypeError, match="invalid credentials"):
            basic_auth(credentials=credentials)  # type: ignore[arg-type]


# HTTP manners.

GOOD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (400, b"HELO relay.invalid\r\n"),
        (400, GOOD.replace(b"Host: localhost\r\n", b"") + b"\r\n"),
        (400, GOOD + b"Host: other\r\n\r\n"),
        (400, GOOD.replace(b"Sec-WebSocket-Key", b"X") + b"\r\n"),
        (400, GOOD + b"Content-Length: 5\r\n\r\nhello"),
        (400, GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, GOOD + b"A: b\rSmuggled: c\r\n\r\n"),
        (400, GOOD + b" folded: c\r\n\r\n"),
        (405, GOOD.replace(b"GET", b"PUT") + b"\r\n"),
        (414, b"GET /" + b"a" * 10_000),
        (426, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (426, GOOD.replace(b"Version: 13", b"Version: 8") + b"\r\n"),
        (431, GOOD + b"A: " + b"b" * 10_000),
        (431, GOOD + b"A: b\r\n" * 1000),
        (505, GOOD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n"),
    ],
)
def test_answers_to_what_cannot_be_served(status: int, request_bytes: bytes) -> None:
    with run() as uri:
        head, _, body = ask(uri, request_bytes).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"Connection: close" in head or b"Connection: Upgrade, close" in head
        assert body.startswith(b"Failed to open a WebSocket connection: ")
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
        if status == 426:
            assert b"Upgrade: websocket" in head and b"Sec-WebSocket-Version: 13" in head
        if status == 405:
            assert b"Allow: GET" in head
        connect(uri).close()  # the others are served


def test_max_connections() -> None:
    with run(max_connections=2) as uri:
        with connect(uri) as one, connect(uri) as other:
            with pytest.raises(InvalidStatus) as raised:
                connect(uri)
            assert raised.value.response.status_code == 503
            assert b"as many connections as it may" in raised.value.response.body
            other.send("still served")
            assert other.recv() == "still served"
            assert one.state.name == "OPEN"

        def connects() -> bool:
            try:
                connect(uri).close()
            except InvalidStatus:
                return False  # the handlers have not noticed yet
            return True

        until(connects)


def test_a_client_that_says_nothing_is_cut() -> None:
    with run(open_timeout=0.05) as uri:
        assert ask(uri, b"") == b""
        assert ask(uri, b"GET / HTTP/1.1\r\nHost:") == b""
        connect(uri).close()


# Handlers and the end.


def test_an_exception_of_a_handler_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def handler(websocket: ServerConnection) -> None:
        raise ZeroDivisionError("oops")

    with run(handler) as uri, connect(uri) as client:
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert client.close_code == 1011
        assert client.close_reason == ""
    assert "connection handler failed" in caplog.text and "oops" in caplog.text


def test_a_client_that_leaves_is_no_fault_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()

    def handler(websocket: ServerConnection) -> None:
        try:
            websocket.recv()
        finally:
            over.set()

    with run(handler) as uri:
        connect(uri).close()
        assert over.wait(10)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_ends_if_nobody_ever_serves() -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        assert server.fileno() == server.socket.fileno() != -1
    assert server.fileno() == -1
    server.serve_forever()  # returns at once
    server.shutdown()  # again


def test_shutdown_closes_connections() -> None:
    server = serve(echo, "127.0.0.1", 0)
    with serving(server) as uri:
        clients = [connect(uri) for _ in range(5)]
        until(lambda: len(server.connections) == 5)
        server.shutdown(code=1012, reason="restart")
        for client in clients:
            assert list(client) == []
            assert (client.close_code, client.close_reason) == (1012, "restart")
        assert server.connections == set()


@pytest.mark.parametrize("number", [1, 2])
def test_shutdown_from_handlers(number: int) -> None:
    barrier = threading.Barrier(number)

    def handler(websocket: ServerConnection) -> None:
        websocket.recv()
        barrier.wait(10)
        websocket.server.shutdown()

    server = serve(handler, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    uri = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    clients = [connect(uri) for _ in range(number)]
    for client in clients:
        client.send("end")
    for client in clients:
        assert list(client) == []
        assert client.close_code == 1001
    thread.join(10)
    assert not thread.is_alive()


def test_shutdown_from_a_signal_handler() -> None:
    """The thread that it interrupts is in `serve_forever`."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: server.shutdown())
    try:
        with serve(echo, "127.0.0.1", 0) as server:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            server.serve_forever()
            assert server.fileno() == -1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_signal_that_interrupts_nothing() -> None:
    """As one that comes just before the wait: its handler runs all the same, though no client comes."""

    def handler(websocket: ServerConnection) -> None:
        websocket.recv()
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    def visit() -> None:
        with connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}") as client:
            client.send("the server waits for others again")
            client.wait_closed()

    before = signal.signal(signal.SIGUSR1, lambda number, frame: server.shutdown())
    try:
        with serve(handler, "127.0.0.1", 0) as server:
            thread = threading.Thread(target=visit)
            thread.start()
            server.serve_forever()
            thread.join()
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_signals_of_an_event_loop_stay_its_own() -> None:
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    signal.set_wakeup_fd(writes.fileno())
    try:
        test_shutdown_from_a_signal_handler()
        reads.settimeout(10)
        assert reads.recv(1) == bytes([signal.SIGALRM])
    finally:
        assert signal.set_wakeup_fd(-1) == writes.fileno()
        reads.close()
        writes.close()


@pytest.mark.parametrize("has_service", [True, False])
def test_shutdown_just_before_it_waits(has_service: bool) -> None:
    class Logger(logging.LoggerAdapter[logging.Logger]):
        def info(self, msg: object, *args: Any, **kwargs: Any) -> None:
            if str(msg).startswith("server listening"):
                server.shutdown()

    logger = Logger(logging.getLogger("test"), {})
    if has_service:
        server = serve(echo, "127.0.0.1", 0, logger=logger)
    else:
        server = Server(socket.create_server(("127.0.0.1", 0)), lambda sock, address: None, logger)
    server.serve_forever()
    assert server.fileno() == -1


def test_nothing_is_left_of_a_connection() -> None:
    seen: list[weakref.ref[Any]] = []

    def handler(websocket: ServerConnection) -> None:
        seen.append(weakref.ref(websocket))

    with run(handler, select_subprotocol=lambda websocket, offered: None) as uri:
        with connect(uri) as client:  # now the server has what it needs itself
            assert client.wait_closed(10)
        del client
        until(lambda: all(reference() is None for reference in seen))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with connect(uri) as client:
                assert client.wait_closed(10)
            ask(uri, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            ask(uri, b"nonsense\r\n")
        del client
        until(lambda: all(reference() is None for reference in seen))
        until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_shutdown_can_leave_connections_open() -> None:
    server = serve(echo, "127.0.0.1", 0)
    with serving(server) as uri:
        client = connect(uri)
        ending = threading.Thread(target=server.shutdown, args=(False,))
        ending.start()
        until(lambda: server.fileno() == -1)
        client.send("still open")
        assert client.recv() == "still open"
        client.close()
        ending.join(10)
        assert not ending.is_alive()


def test_shutdown_turns_clients_away_that_are_on_their_way_in() -> None:
    server = serve(echo, "127.0.0.1", 0)
    with serving(server) as uri:
        address = "127.0.0.1", int(uri.rpartition(":")[2])
        silent = [socket.create_connection(address, timeout=10) for _ in range(3)]
        silent[1].sendall(b"GET / HTTP/1.1\r\nHost: loc")
        with connect(uri):  # which was accepted after those
            begun = time.monotonic()
            server.shutdown()
            assert time.monotonic() - begun < 5  # and not `open_timeout`
        for sock in silent:
            with sock, sock.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"


def test_clients_without_a_request_have_no_thread_and_hold_up_nobody() -> None:
    with run(echo, open_timeout=0.5) as uri:
        address = "127.0.0.1", int(uri.rpartition(":")[2])
        before = threading.active_count()
        silent = [socket.create_connection(address, timeout=10) for _ in range(100)]
        with connect(uri) as client:
            client.send("served")
            assert client.recv() == "served"
            assert threading.active_count() == before + 1
        for sock in silent:
            with sock:
                assert sock.recv(1) == b""  # cut by `open_timeout`


def test_a_client_for_whom_there_is_no_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with run(echo) as uri:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        address = "127.0.0.1", int(uri.rpartition(":")[2])
        with socket.create_connection(address, timeout=10) as sock, sock.makefile("rb") as answer:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer.read().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        monkeypatch.setattr(threading.Thread, "start", start)
        with connect(uri) as client:
            client.send("served again")
            assert client.recv() == "served again"


@pytest.mark.parametrize("limit", ["max_handshakes", "max_per_address"])
def test_limits_for_clients_on_their_way_in(limit: str) -> None:
    with run(echo, **{limit: 2}) as uri:
        address = "127.0.0.1", int(uri.rpartition(":")[2])
        silent = [socket.create_connection(address, timeout=10) for _ in range(2)]
        with socket.create_connection(address, timeout=10) as sock, sock.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
        for sock in silent:
            sock.close()
        until(lambda: is_served(uri))
        if limit == "max_per_address":
            with connect(uri), connect(uri):  # the places of those before were left
                with pytest.raises(InvalidStatus):
                    connect(uri)


def is_served(uri: str) -> bool:
    try:
        connect(uri).close()
    except InvalidStatus:
        return False
    return True


def test_a_client_that_is_silent_instead_of_shaking_hands_for_tls(certificate: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with run(echo, ssl=context, open_timeout=0.5) as uri:
        address = "127.0.0.1", int(uri.rpartition(":")[2])
        silent = [socket.create_connection(address, timeout=10) for _ in range(10)]
        with connect(uri.replace("ws:", "wss:"), ssl=trust) as client:
            client.send("served")
            assert client.recv() == "served"
        for sock in silent:
            with sock:
                assert sock.recv(1) == b""


def test_shutdown_with_a_handler_that_goes_on() -> None:
    release = threading.Event()

    def handler(websocket: ServerConnection) -> None:
        release.wait(10)

    server = serve(handler, "127.0.0.1", 0)
    with serving(server) as uri:
        client = connect(uri)
        until(lambda: len(server.connections) == 1)
        server.shutdown(timeout=0.01)
        assert client.wait_closed(10)
        release.set()


def test_a_subclass_for_connections() -> None:
    class Counted(ServerConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.number = 7

    def handler(websocket: Counted) -> None:
        websocket.send(f"{websocket.number}")

    with run(handler, create_connection=Counted) as uri, connect(uri) as client:
        assert client.recv() == "7"


def test_a_handshake_of_ones_own() -> None:
    ours, theirs = socket.socketpair()
    connection = ServerConnection(ours, ServerProtocol(), None)  # type: ignore[arg-type]
    thread = threading.Thread(target=connection.handshake, kwargs={"timeout": 10})
    thread.start()
    with connect("ws://localhost/", sock=theirs) as client:
        thread.join(10)
        connection.send("hello")
        assert client.recv() == "hello"
        assert connection.state.name == "OPEN"
    connection.close()


def test_protocol_says_what_is_wrong() -> None:
    protocol = ServerProtocol(origins=["https://a.example"])
    request = Request("/", connect_headers(Origin="https://b.example"))
    assert protocol.accept(request).status_code == 403
    assert isinstance(protocol.handshake_exc, InvalidOrigin)


def connect_headers(**others: str) -> Any:
    from openline.datastructures import Headers

    return Headers(
        {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            **others,
        }
    )


# Broadcast.


def test_broadcast_reaches_all_and_a_slow_peer_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def handler(websocket: ServerConnection) -> None:
        websocket.wait_closed()

    server = serve(handler, "127.0.0.1", 0, compression=None)
    with serving(server) as uri:
        clients = [connect(uri, max_queue=None) for _ in range(10)]
        slow = socket.create_connection(("127.0.0.1", int(uri.rpartition(":")[2])))
        slow.sendall(GOOD + b"\r\n")
        until(lambda: len(server.connections) == 11)
        # The system takes one at once, if the peer has taken those before; the slow one's are too many.
        message = "x" * 10_000
        for _ in range(1_500):
            broadcast(server.connections, message)
            for client in clients:
                assert client.recv(10) == message
        assert "skipped broadcast" in caplog.text
        with pytest.raises(ExceptionGroup):
            broadcast(server.connections, message, raise_exceptions=True)
        slow.close()
        for client in clients:
            client.close()


def test_broadcast_refuses_what_is_no_message() -> None:
    with pytest.raises(TypeError):
        broadcast([], 1)  # type: ignore[arg-type]


# Routes.


def test_route(tmp_path: pathlib.Path) -> None:
    def room(websocket: ServerConnection, number: int) -> None:
        websocket.send(f"room {number}")

    def rules() -> Map:
        return Map([Rule("/room/<int:number>", endpoint=room), Rule("/old", redirect_to="/room/1")])

    with serving(route(rules(), "127.0.0.1", 0)) as uri:
        with connect(f"{uri}/room/5") as client:
            assert client.recv() == "room 5"
        with connect(f"{uri}/old") as client:
            assert client.recv() == "room 1"
        with pytest.raises(InvalidStatus) as raised:
            connect(f"{uri}/other")
        assert raised.value.response.status_code == 404
    path = tmp_path / "socket"
    with serving(unix_route(rules(), path)), unix_connect(path, "ws://localhost/room/6") as client:
        assert client.recv() == "room 6"


def test_route_asks_the_programs_process_request_first() -> None:
    with serving(
        route(
            Map([Rule("/", endpoint=echo)]),
            "127.0.0.1",
            0,
            process_request=lambda websocket, request: websocket.respond(418, "short and stout"),
        )
    ) as uri:
        with pytest.raises(InvalidStatus) as raised:
            connect(uri)
        assert raised.value.response.status_code == 418


# Arguments.


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (TypeError, {"handler": 1}),
        (TypeError, {"process_request": 1}),
        (TypeError, {"create_connection": 1}),
        (TypeError, {"subprotocols": "chat"}),
        (TypeError, {"origins": "https://a.example"}),
        (TypeError, {"origins": [1]}),
        (TypeError, {"ssl": True}),
        (TypeError, {"logger": "log"}),
        (TypeError, {"no_such_option": 1}),
        (TypeError, {"max_connections": 1.5}),
        (ValueError, {"max_connections": 0}),
        (TypeError, {"ping_interval": "1"}),
        (ValueError, {"ping_interval": 0}),
        (ValueError, {"compression": "gzip"}),
        (ValueError, {"max_size": -1}),
        (ValueError, {"subprotocols": ["a b"]}),
        (ValueError, {"server_header": "a\nb"}),
    ],
)
def test_bad_arguments(error: type[Exception], options: dict[str, Any]) -> None:
    with pytest.raises(error):
        serve(**{"handler": echo, "host": "127.0.0.1", "port": 0, **options})


def test_a_socket_of_ones_own() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    with serving(serve(echo, sock=sock)) as uri:
        connect(uri).close()
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(ValueError, match="incompatible"):
        serve(echo, "127.0.0.1", sock=sock)
    with pytest.raises(ValueError, match="path"):
        unix_serve(echo)


def test_addresses_and_the_certificate_are_known_in_process_request(
    authority: trustme.CA, certificate: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    seen: list[Any] = []

    def process_request(websocket: ServerConnection, request: Request) -> Response | None:
        seen.append((websocket.remote_address, websocket.local_address, websocket.socket.getpeername()))
        if websocket.socket.getpeercert() is None:
            return websocket.respond(403, "no certificate\n")
        return None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    known = ssl.create_default_context()
    authority.configure_trust(known)
    authority.issue_cert("client.example").configure_cert(known)
    with run(echo, ssl=context, process_request=process_request) as uri:
        secure = uri.replace("ws:", "wss:")
        with pytest.raises(InvalidStatus):
            connect(secure, ssl=trust)
        with connect(secure, ssl=known) as client:
            client.send("hello")
            assert client.recv() == "hello"
            assert seen[1] == (client.local_address, client.remote_address, client.local_address)


def test_a_forked_child_leaves_clients_on_their_way_in_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lobby = _openline.Lobby(listener, None, 10, None, None)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            select.select([lobby.fileno()], [], [], 10)
            lobby.turn()
            child = os.fork()
            if child == 0:
                lobby.close()
                os._exit(0)
            assert os.waitpid(child, 0) == (child, 0)
            client.sendall(b"Host: localhost\r\n\r\n")
            arrival = None
            while arrival is None:  # the request, and not the end that the child could have made
                select.select([lobby.fileno()], [], [], 10)
                lobby.turn()
                arrival = lobby.next()
            assert isinstance(arrival, _openline.Incoming)
            arrival.abort()
            assert client.recv(1) == b""
        lobby.close()
