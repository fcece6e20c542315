"""The server, with clients that nobody here wrote: `curl`, `websocket-client`, and `websockets`."""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
import websockets.asyncio.client
import websockets.exceptions
import websockets.sync.client
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from openline.http11 import Request, Response
from openline.sync.server import ServerConnection, basic_auth, serve, unix_serve
from serving import echo, port_of, run, serving, until

ROOT = pathlib.Path(__file__).resolve().parent.parent

FRAGMENTS = ["frag", "men", "", "ted é"]


def steer(websocket: ServerConnection) -> None:
    """Do what the messages say; send back all others."""
    for message in websocket:
        if message == "fragments":
            websocket.send(FRAGMENTS)
        elif message == "ping":
            websocket.send(f"pong after {websocket.ping(b'are you there', timeout=10)} s")
        elif isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ")
            websocket.close(int(code), reason)
        elif message == "raise":
            raise ZeroDivisionError
        elif message == "cut":
            websocket.socket.shutdown(socket.SHUT_RDWR)
        else:
            websocket.send(message)


class Ends:
    """A handler that does as `steer`, and notes how connections ended."""

    def __init__(self) -> None:
        self.noted: list[tuple[int | None, str | None]] = []

    def __call__(self, websocket: ServerConnection) -> None:
        try:
            steer(websocket)
        finally:
            self.noted.append((websocket.close_code, websocket.close_reason))

    def last(self) -> tuple[int | None, str | None]:
        until(lambda: bool(self.noted))
        return self.noted.pop()


MESSAGES: list[str | bytes] = [
    "text",
    "é☃😀" * 5000,
    "",
    b"",
    b"\x00\xff" * 100,
    bytes(300_000),
    "a" * 126,
    "b" * 65536,
]


class TestCurl:
    UPGRADE = (
        "-HConnection: Upgrade",
        "-HUpgrade: websocket",
        "-HSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "-HSec-WebSocket-Version: 13",
    )

    @pytest.fixture
    def curl(self) -> Callable[..., tuple[int, dict[str, str], bytes]]:
        """Asks for a page; gives its status, its headers and its body."""
        if shutil.which("curl") is None:
            pytest.skip("no curl here: apt-get install curl")
        return self.ask

    @staticmethod
    def ask(uri: str, *options: str) -> tuple[int, dict[str, str], bytes]:
        program = subprocess.run(
            ["curl", "-sSiN", "--http1.1", "--max-time", "20", *options, uri.replace("ws", "http", 1)],
            capture_output=True,
            timeout=30,
        )
        assert program.returncode == 0, program.stderr
        head, _, body = program.stdout.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        assert status.startswith("HTTP/1.1 ")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        return int(status.split()[1]), headers, body

    @staticmethod
    def health(websocket: ServerConnection, request: Request) -> Response | None:
        return websocket.respond(200, f"OK {request.method}\n") if request.path == "/health" else None

    def test_a_health_check(self, curl: Any) -> None:
        with run(process_request=self.health) as uri:
            status, headers, body = curl(f"{uri}/health")
            assert (status, body) == (200, b"OK GET\n")
            assert headers["Content-Type"] == "text/plain; charset=utf-8"
            assert headers["Connection"] == "close"
            assert curl(f"{uri}/health", "-I")[::2] == (200, b"")
            # The second request is on a connection of its own.
            program = subprocess.run(
                ["curl", "-sS", *[f"http://127.0.0.1:{port_of(uri)}/health"] * 2],
                capture_output=True,
                check=True,
                timeout=30,
            )
            assert program.stdout == b"OK GET\nOK GET\n"

    def test_a_handshake_and_the_first_frame(self, curl: Any) -> None:
        def handler(websocket: ServerConnection) -> None:
            websocket.send("first")

        with run(handler, close_timeout=0.1) as uri:
            status, headers, frames = curl(uri, *self.UPGRADE)
        assert status == 101
        assert headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert "Sec-WebSocket-Extensions" not in headers
        assert frames == b"\x81\x05first\x88\x02\x03\xe8"

    @pytest.mark.parametrize(
        ("status", "options", "expected"),
        [
            (405, ["-I"], {"Allow": "GET"}),
            (405, ["-d", "a=1"], {"Allow": "GET"}),
            (405, ["-T", __file__], {"Allow": "GET"}),
            (426, [], {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}),
            (426, ["--http2"], {"Upgrade": "websocket"}),
            (426, [*UPGRADE[:3], "-HSec-WebSocket-Version: 14"], {"Sec-WebSocket-Version": "13"}),
            (400, [*UPGRADE, "-HHost:"], {}),
            (400, [*UPGRADE, "-HContent-Length: 3"], {}),
            (403, [*UPGRADE, "-HOrigin: https://evil.example"], {}),
            (431, [*UPGRADE, "-HA: " + "a" * 9000], {}),
            (431, [*UPGRADE, *[f"-HA{number}: a" for number in range(200)]], {}),
            (505, [*UPGRADE, "--http1.0"], {}),
        ],
    )
    def test_refusals(self, curl: Any, status: int, options: list[str], expected: dict[str, str]) -> None:
        with run(origins=["https://a.example", None]) as uri:
            given, headers, body = curl(uri, *options)
            assert given == status
            assert {**headers, **expected} == headers
            assert body.startswith(b"Failed to open a WebSocket connection: ") != ("-I" in options)

    def test_a_path_that_is_too_long(self, curl: Any) -> None:
        with run() as uri:
            assert curl(f"{uri}/{'a' * 9000}")[0] == 414

    def test_http2_without_asking(self, curl: Any, caplog: pytest.LogCaptureFixture) -> None:
        """Its answer is no HTTP/2, so curl tells nothing of it."""
        with run(process_request=self.health) as uri, caplog.at_level("INFO", "openline.server"):
            program = subprocess.run(
                ["curl", "-sS", "--http2-prior-knowledge", f"http://127.0.0.1:{port_of(uri)}/health"],
                capture_output=True,
                timeout=30,
            )
            assert program.returncode != 0
            until(lambda: "opening handshake failed" in caplog.text)
            assert curl(f"{uri}/health")[0] == 200
        assert "HTTP/2" in caplog.text

    def test_basic_auth(self, curl: Any) -> None:
        def handler(websocket: ServerConnection) -> None:
            websocket.send(websocket.username)

        with run(handler, close_timeout=0.1, process_request=basic_auth("lounge", ("alice", "secret"))) as uri:
            status, headers, _ = curl(uri, *self.UPGRADE)
            assert (status, headers["WWW-Authenticate"][:20]) == (401, 'Basic realm="lounge"')
            assert curl(uri, *self.UPGRADE, "-ualice:wrong")[0] == 401
            status, _, frames = curl(uri, *self.UPGRADE, "-ualice:secret")
            assert status == 101
            assert frames.startswith(b"\x81\x05alice")

    def test_tls_and_unix_sockets(
        self,
        curl: Any,
        certificate: pathlib.Path,
        authority_file: pathlib.Path,
        tmp_path: pathlib.Path,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with run(ssl=context, process_request=self.health) as uri:
            secure = uri.replace("ws://", "wss://")
            assert curl(f"{secure}/health", "--cacert", str(authority_file))[0] == 200
        path = tmp_path / "socket"
        with serving(unix_serve(echo, path, process_request=self.health)) as uri:
            assert curl(f"{uri}/health", "--unix-socket", str(path))[0] == 200


@pytest.fixture(autouse=True)
def left_sockets() -> Iterator[None]:
    """Attempts of others' clients that fail leave their sockets to the garbage collector, which warns in a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def websocket_client() -> Any:
    """The module of websocket-client, which `make` puts below target/."""
    directory = ROOT / "target" / "websocket-client"
    if not directory.exists():
        pytest.skip("no websocket-client here: make target/websocket-client")
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module("websocket")
    finally:
        sys.path.remove(str(directory))


class TestWebsocketClient:
    @staticmethod
    @contextmanager
    def connected(module: Any, uri: str, **options: Any) -> Iterator[Any]:
        client = module.create_connection(uri, timeout=10, **options)
        try:
            yield client
        finally:
            client.close()
            client.shutdown()  # which `close` does not do after a Close of the server's

    def test_messages(self, websocket_client: Any) -> None:
        with run() as uri, self.connected(websocket_client, f"{uri}/a?b=c") as client:
            for message in MESSAGES:
                if isinstance(message, str):
                    client.send(message)
                else:
                    client.send_binary(message)
                assert client.recv() == message

    def test_fragments(self, websocket_client: Any) -> None:
        frame = websocket_client.ABNF
        with run(steer) as uri, self.connected(websocket_client, uri) as client:
            client.send_frame(frame.create_frame("frag", frame.OPCODE_TEXT, 0))
            client.ping("between")
            client.send_frame(frame.create_frame("", frame.OPCODE_CONT, 0))
            client.send_frame(frame.create_frame("mented", frame.OPCODE_CONT, 1))
            assert client.recv_data(control_frame=True) == (frame.OPCODE_PONG, b"between")
            assert client.recv() == "fragmented"
            client.send("fragments")
            assert client.recv() == "".join(FRAGMENTS)
        with run(steer) as uri, self.connected(websocket_client, uri, fire_cont_frame=True) as client:
            client.send("fragments")
            pieces = [client.recv_data() for _ in FRAGMENTS]
            assert "".join(piece.decode() for _, piece in pieces) == "".join(FRAGMENTS)

    def test_pings(self, websocket_client: Any) -> None:
        with run(steer) as uri, self.connected(websocket_client, uri) as client:
            client.ping("one")
            assert client.recv_data(control_frame=True) == (websocket_client.ABNF.OPCODE_PONG, b"one")
            client.send("ping")
            assert client.recv().startswith("pong after ")

    def test_close_codes(self, websocket_client: Any) -> None:
        frame = websocket_client.ABNF
        ends = Ends()
        with run(ends) as uri:
            for code, reason in [(1000, ""), (1001, "away"), (3001, "é"), (4999, "x" * 123)]:
                client = websocket_client.create_connection(uri, timeout=10)
                client.close(code, reason.encode())
                assert ends.last() == (code, reason)
            for code, reason in [(1000, "bye"), (3001, "three"), (4999, "four")]:
                with self.connected(websocket_client, uri) as client:
                    client.send(f"close {code} {reason}")
                    assert client.recv_data() == (frame.OPCODE_CLOSE, code.to_bytes(2, "big") + reason.encode())
                # It answers every Close with this one.
                assert ends.last() == (1000, "")
            with self.connected(websocket_client, uri) as client:
                client.send("raise")
                assert client.recv_data() == (frame.OPCODE_CLOSE, (1011).to_bytes(2, "big"))
            assert ends.last() == (None, None)
            client = websocket_client.create_connection(uri, timeout=10)
            client.shutdown()  # without a word
            assert ends.last() == (1006, "")

    def test_what_a_request_brings(self, websocket_client: Any) -> None:
        seen = []

        def handler(websocket: ServerConnection) -> None:
            assert websocket.request is not None
            headers = websocket.request.headers
            seen.append([headers["Origin"], headers["Cookie"], headers["X-Trace"], websocket.subprotocol])

        options = {"origin": "https://a.example", "cookie": "a=1", "header": {"X-Trace": "7"}}
        with run(handler, subprotocols=["v1", "v2"], origins=["https://a.example"]) as uri:
            with self.connected(websocket_client, uri, subprotocols=["v2", "v3"], **options) as client:
                assert client.getsubprotocol() == "v2"
                assert client.getstatus() == 101
            with pytest.raises(websocket_client.WebSocketBadStatusException) as raised:
                websocket_client.create_connection(uri, subprotocols=["v3"], **options)
            assert raised.value.status_code == 400
            with pytest.raises(websocket_client.WebSocketBadStatusException) as raised:
                websocket_client.create_connection(uri, subprotocols=["v1"], origin="https://evil.example")
            assert raised.value.status_code == 403
        assert seen == [["https://a.example", "a=1", "7", "v2"]]

    def test_basic_auth(self, websocket_client: Any) -> None:
        def handler(websocket: ServerConnection) -> None:
            websocket.send(websocket.username)

        def credentials(text: str) -> list[str]:
            return [f"Authorization: Basic {base64.b64encode(text.encode()).decode()}"]

        with run(handler, process_request=basic_auth("lounge", ("älice", "secret"))) as uri:
            with self.connected(websocket_client, uri, header=credentials("älice:secret")) as client:
                assert client.recv() == "älice"
            with pytest.raises(websocket_client.WebSocketBadStatusException) as raised:
                websocket_client.create_connection(uri, header=credentials("älice:wrong"))
            assert raised.value.status_code == 401
            assert raised.value.resp_headers["www-authenticate"].startswith('Basic realm="lounge"')

    def test_tls(self, websocket_client: Any, authority: trustme.CA, certificate: pathlib.Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        with run(ssl=context) as uri:
            secure = uri.replace("ws://", "wss://")
            with self.connected(websocket_client, secure, sslopt={"context": trusting}) as client:
                client.send_binary(bytes(1_000_000))
                assert client.recv() == bytes(1_000_000)

    def test_the_application_that_reconnects(self, websocket_client: Any) -> None:
        """After a close of the server's, after a connection that was cut, and after the server began anew."""
        told: list[str] = []
        ways = iter(["close 1012 restart", "cut", "stay"])

        def on_message(app: Any, message: str) -> None:
            told.append(message)

        def on_open(app: Any) -> None:
            told.append("open")
            app.send(next(ways, "stay"))

        def on_reconnect(app: Any) -> None:
            told.append("reconnect")
            app.send(next(ways, "stay"))

        app: Any = None
        thread: threading.Thread | None = None
        port = 0
        try:
            for number in range(2):
                with run(steer, port) as uri:
                    port = port_of(uri)
                    if app is None:
                        app = websocket_client.WebSocketApp(
                            uri, on_open=on_open, on_message=on_message, on_reconnect=on_reconnect
                        )
                        forever = {"reconnect": 0.01, "ping_interval": 0.05, "ping_timeout": 0.04}
                        thread = threading.Thread(target=app.run_forever, kwargs=forever)
                        thread.start()
                    until(lambda: told.count("stay") == number + 1)
                    sent = app.last_ping_tm
                    until(lambda: app.last_ping_tm > sent and app.last_pong_tm >= app.last_ping_tm)
        finally:
            if app is not None:
                app.close()
            if thread is not None:
                thread.join(10)
        assert thread is not None and not thread.is_alive()
        assert told == ["open", "reconnect", "reconnect", "stay", "reconnect", "stay"]


class TestWebsockets:
    def test_messages(self) -> None:
        async def talk(uri: str) -> None:
            async with websockets.asyncio.client.connect(f"{uri}/a?b=c") as client:
                for message in MESSAGES:
                    await client.send(message)
                    assert await client.recv() == message

        with run() as uri:
            asyncio.run(talk(uri))
            with websockets.sync.client.connect(uri) as client:
                for message in MESSAGES:
                    client.send(message)
                    assert client.recv() == message

    @pytest.mark.parametrize(
        "factory",
        [
            None,
            ClientPerMessageDeflateFactory(),
            ClientPerMessageDeflateFactory(True, True),
            ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
            ClientPerMessageDeflateFactory(True, False, 12, True),
        ],
    )
    def test_compression(self, factory: Any) -> None:
        async def talk(uri: str, **options: Any) -> None:
            async with websockets.asyncio.client.connect(uri, **options) as client:
                await exchange(client)

        async def exchange(client: Any) -> None:
            extensions = client.response.headers.get("Sec-WebSocket-Extensions", "")
            assert extensions.startswith("permessage-deflate") == (factory is not None)
            for _ in range(3):
                for message in ["text " * 1000, b"\x00\x01" * 50_000, "", "é" * 10]:
                    await client.send(message)
                    assert await client.recv() == message
            await client.send("fragments")
            assert await client.recv() == "".join(FRAGMENTS)

        extensions = None if factory is None else [factory]
        with run(steer) as uri:
            asyncio.run(talk(uri, compression=None, extensions=extensions))

    def test_fragments(self) -> None:
        async def pieces() -> Any:
            for piece in FRAGMENTS:
                yield piece

        async def talk(uri: str) -> None:
            async with websockets.asyncio.client.connect(uri) as client:
                for message in (FRAGMENTS, pieces()):
                    await client.send(message)
                    assert await client.recv() == "".join(FRAGMENTS)
                await client.send([b"a", b"", b"bc" * 70_000])
                assert await client.recv() == b"a" + b"bc" * 70_000
                await client.send("fragments")
                received = [piece async for piece in client.recv_streaming()]
                assert [piece for piece in received if piece] == [piece for piece in FRAGMENTS if piece]

        with run(steer) as uri:
            asyncio.run(talk(uri))
            with websockets.sync.client.connect(uri) as client:
                client.send(iter(FRAGMENTS))
                assert client.recv() == "".join(FRAGMENTS)
                client.send("fragments")
                received = list(client.recv_streaming())
                assert [piece for piece in received if piece] == [piece for piece in FRAGMENTS if piece]

    def test_pings(self) -> None:
        async def talk(uri: str) -> None:
            async with websockets.asyncio.client.connect(uri, ping_interval=0.01) as client:
                for data in [b"one", b"\xff" * 125]:
                    latency = await asyncio.wait_for(await client.ping(data), 10)
                    assert latency >= 0
                await client.send("ping")
                assert str(await client.recv()).startswith("pong after ")
                while not client.latency:  # its keepalive got a Pong
                    await asyncio.sleep(0.001)

        with run(steer) as uri:
            asyncio.run(asyncio.wait_for(talk(uri), 20))
            with websockets.sync.client.connect(uri) as client:
                assert client.ping("one").wait(10)
                client.send("ping")
                assert str(client.recv()).startswith("pong after ")

    def test_close_codes(self) -> None:
        ends = Ends()

        async def closes(uri: str, code: int, reason: str) -> None:
            async with websockets.asyncio.client.connect(uri) as client:
                await client.close(code, reason)
                assert (client.close_code, client.close_reason) == (code, reason)

        async def is_closed(uri: str, order: str) -> Any:
            async with websockets.asyncio.client.connect(uri) as client:
                await client.send(order)
                with pytest.raises(websockets.exceptions.ConnectionClosed) as raised:
                    await client.recv()
                return raised.value.rcvd

        def is_closed_sync(uri: str, order: str) -> Any:
            with websockets.sync.client.connect(uri) as client:
                client.send(order)
                with pytest.raises(websockets.exceptions.ConnectionClosed) as raised:
                    client.recv()
                return raised.value.rcvd

        with run(ends) as uri:
            for code, reason in [(1000, ""), (1001, "away"), (3001, "é"), (4999, "x" * 123)]:
                asyncio.run(closes(uri, code, reason))
                assert ends.last() == (code, reason)
                with websockets.sync.client.connect(uri) as client:
                    client.close(code, reason)
                assert ends.last() == (code, reason)
            for code, reason in [(1000, "bye"), (3001, "three"), (4999, "four")]:
                for received in [
                    asyncio.run(is_closed(uri, f"close {code} {reason}")),
                    is_closed_sync(uri, f"close {code} {reason}"),
                ]:
                    assert (received.code, received.reason) == (code, reason)
                    assert ends.last() == (code, reason)
            assert asyncio.run(is_closed(uri, "raise")).code == 1011
            assert asyncio.run(is_closed(uri, "cut")) is None

    def test_reconnects_by_its_iterator(self) -> None:
        """After closes, after a connection that was cut, after a refusal, and after the server began anew."""
        told: list[str] = []
        orders = iter(["close 1012 restart", "cut", "stay", "stay"])

        def delays() -> Generator[float, None, None]:
            while True:
                yield 0.01

        def process_request(websocket: ServerConnection, request: Request) -> Response | None:
            if told != ["1012"]:
                return None
            told.append("refused")
            return websocket.respond(503, "later")

        async def talk(uri: str) -> None:
            async for client in websockets.asyncio.client.connect(
                uri, process_exception=lambda error: None, reconnect_delays=delays
            ):
                try:
                    await client.send(next(orders))
                    told.append(str(await client.recv()))
                    if told.count("stay") == 2:
                        return
                    await client.wait_closed()
                except websockets.exceptions.ConnectionClosed as closed:
                    told.append(f"{closed.rcvd.code if closed.rcvd else 1006}")

        def client() -> None:
            asyncio.run(asyncio.wait_for(talk(uri), 30))

        with run(steer, process_request=process_request) as uri:
            thread = threading.Thread(target=client)
            thread.start()
            until(lambda: "stay" in told)
        with run(steer, port_of(uri)):
            thread.join(20)
            assert not thread.is_alive()
        assert told == ["1012", "refused", "1006", "stay", "stay"]

    def test_many_at_once(self) -> None:
        async def talk(uri: str, name: int) -> None:
            async with websockets.asyncio.client.connect(uri, compression=None) as client:
                for number in range(50):
                    await client.send(f"{name} {number}")
                for number in range(50):
                    assert await client.recv() == f"{name} {number}"

        async def all_of_them(uri: str) -> None:
            await asyncio.gather(*(talk(uri, name) for name in range(40)))

        with run() as uri:
            asyncio.run(all_of_them(uri))

    def test_shutdown(self) -> None:
        server = serve(echo, "127.0.0.1", 0)
        with serving(server) as uri:
            with websockets.sync.client.connect(uri) as client:
                until(lambda: len(server.connections) == 1)
                ending = threading.Thread(target=server.shutdown)
                ending.start()
                with pytest.raises(websockets.exceptions.ConnectionClosedOK) as raised:
                    client.recv(10)
                assert raised.value.rcvd is not None and raised.value.rcvd.code == 1001
            ending.join(10)
            assert not ending.is_alive()
