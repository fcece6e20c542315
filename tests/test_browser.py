"""The server with a browser: what its `WebSocket` makes of what we send, in pages that we serve."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import browser
from openline.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from openline.http11 import Request, Response
from openline.sync.server import ServerConnection, serve
from serving import port_of, run, serving, until

PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<title>openline</title>
<link rel="icon" href="data:,">
<script>
class Client {
  constructor(url, protocols = [], binaryType = "arraybuffer") {
    this.ws = new WebSocket(url, protocols);
    this.ws.binaryType = binaryType;
    this.messages = [];
    this.errors = 0;
    this.opened = new Promise((resolve) => {
      this.ws.onopen = () => resolve("open");
      this.ws.onerror = () => { this.errors++; resolve("error"); };
    });
    this.closed = new Promise((resolve) => {
      this.ws.onclose = (event) => resolve([event.code, event.reason, event.wasClean]);
    });
    this.ws.onmessage = (event) => {
      this.messages.push(event.data);
      this.wake?.();
    };
  }

  async next() {
    while (this.messages.length == 0) await new Promise((resolve) => { this.wake = resolve; });
    return this.messages.shift();
  }
}

async function opened(...details) {
  const client = new Client(...details);
  await client.opened;
  return client;
}
</script>
"""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    if not browser.is_there():
        pytest.skip("no chromium here: apt-get install chromium")
    with browser.running(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def with_page(websocket: ServerConnection, request: Request) -> Response | None:
    """A `process_request` that answers whoever wants no WebSocket with the page; at /sandboxed it has no origin."""
    if "Upgrade" in request.headers:
        return None
    response = websocket.respond(200, PAGE)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    if request.path == "/sandboxed":
        response.headers["Content-Security-Policy"] = "sandbox allow-scripts"
    return response


def page_of(uri: str) -> str:
    return uri.replace("ws://", "http://") + "/"


class Served:
    """A handler that does what it is told by messages, and notes what it saw."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.ends: list[tuple[int | None, str | None]] = []

    def __call__(self, websocket: ServerConnection) -> None:
        self.connections.append(websocket)
        try:
            for message in websocket:
                if message == "fragments":
                    websocket.send(["frag", "", "men", "ted é"])
                    websocket.send([b"a" * 70_000, b"b"])
                elif message == "ping":
                    websocket.send(f"pong after {websocket.ping(timeout=10)} s")
                elif message == "raise":
                    raise ZeroDivisionError
                elif message == "cut":
                    websocket.socket.shutdown(socket.SHUT_RDWR)
                elif isinstance(message, str) and message.startswith("close "):
                    _, code, reason = message.split(" ")
                    websocket.close(int(code), reason)
                else:
                    websocket.send(message)
        finally:
            self.ends.append((websocket.close_code, websocket.close_reason))

    def last_end(self) -> tuple[int | None, str | None]:
        until(lambda: bool(self.ends))
        return self.ends.pop()

    def header(self, name: str) -> str | None:
        """A header of the last request that was served."""
        request = self.connections[-1].request
        assert request is not None
        return request.headers.get(name)


class Opened:
    """A server, and a page of it in the browser."""

    def __init__(self, uri: str, page: browser.Page, handler: Served) -> None:
        self.uri = uri
        self.page = page
        self.handler = handler

    def run(self, script: str, **values: Any) -> Any:
        return self.page.run(script, uri=self.uri, **values)


@contextlib.contextmanager
def open_page(chromium: browser.Browser, **options: Any) -> Iterator[Opened]:
    handler = Served()
    with (
        run(handler, process_request=with_page, **options) as uri,
        chromium.page(page_of(uri)) as page,
    ):
        yield Opened(uri, page, handler)


@pytest.fixture
def opened(chromium: browser.Browser) -> Iterator[Opened]:
    with open_page(chromium) as opened:
        yield opened


# Messages.


def test_text(opened: Opened) -> None:
    texts = ["text", "é☃😀" * 1000, "", "\x00", "a" * 125, "b" * 126, "c" * 65_535, "d" * 65_536]
    script = """
    const client = await opened(`${uri}/chat?room=1`);
    const received = [];
    for (const text of texts) {
      client.ws.send(text);
      received.push(await client.next());
    }
    client.ws.close();
    return received;
    """
    assert opened.run(script, texts=texts) == texts
    request = opened.handler.connections[-1].request
    assert request is not None and request.path == "/chat?room=1"
    assert opened.handler.header("Origin") == page_of(opened.uri)[:-1]


@pytest.mark.parametrize("kind", ["arraybuffer", "blob"])
def test_binary(opened: Opened, kind: str) -> None:
    script = """
    const client = await opened(uri, [], kind);
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
    const received = [];
    for (const data of [bytes, bytes.buffer, new Blob([bytes]), new DataView(bytes.buffer)]) {
      client.ws.send(data);
      const message = await client.next();
      const back = new Uint8Array(kind == "blob" ? await message.arrayBuffer() : message);
      received.push([message.constructor.name, back.length, back.every((byte, index) => byte == bytes[index])]);
    }
    client.ws.send(new ArrayBuffer(0));
    const empty = await client.next();
    received.push([empty.constructor.name, kind == "blob" ? empty.size : empty.byteLength, true]);
    return received;
    """
    name = {"arraybuffer": "ArrayBuffer", "blob": "Blob"}[kind]
    assert opened.run(script, kind=kind) == [[name, 70_000, True]] * 4 + [[name, 0, True]]


def test_large_messages(opened: Opened) -> None:
    """Of as many bytes as a message may have, and of one more."""
    script = """
    const client = await opened(uri);
    const bytes = new Uint8Array(2 ** 20);
    for (let start = 0; start < bytes.length; start += 65536) {
      crypto.getRandomValues(bytes.subarray(start, start + 65536));
    }
    client.ws.send(bytes);
    const back = new Uint8Array(await client.next());
    const same = back.length == bytes.length && back.every((byte, index) => byte == bytes[index]);
    client.ws.send("é".repeat(2 ** 19));
    const text = await client.next();
    client.ws.send(new Uint8Array(2 ** 20 + 1));
    return [same, text == "é".repeat(2 ** 19), ...await client.closed];
    """
    same, same_text, code, reason, was_clean = opened.run(script)
    assert (same, same_text, code, was_clean) == (True, True, 1009, True)
    assert "1048576" in reason


def test_messages_in_fragments(opened: Opened) -> None:
    script = """
    const client = await opened(uri);
    client.ws.send("fragments");
    const text = await client.next();
    return [text, (await client.next()).byteLength];
    """
    assert opened.run(script) == ["fragmented é", 70_001]


def test_pings_are_answered_by_the_browser(opened: Opened) -> None:
    script = "const client = await opened(uri); client.ws.send('ping'); return await client.next();"
    assert opened.run(script).startswith("pong after ")


def test_keepalive(chromium: browser.Browser) -> None:
    with open_page(chromium, ping_interval=0.01, ping_timeout=5) as opened:
        opened.run("window.client = await opened(uri);")
        (websocket,) = opened.handler.connections
        until(lambda: websocket.latency > 0)
        assert opened.run("window.client.ws.send('open'); return await window.client.next();") == "open"


def test_many_connections_of_one_page(opened: Opened) -> None:
    script = """
    // With more than a dozen on their way the browser takes its time.
    const clients = await Promise.all(Array.from({ length: 12 }, () => opened(uri)));
    for (let number = 0; number < 20; number++) {
      clients.forEach((client, index) => client.ws.send(`${index} ${number}`));
    }
    let right = 0;
    for (const [index, client] of clients.entries()) {
      for (let number = 0; number < 20; number++) right += (await client.next()) == `${index} ${number}`;
    }
    return right;
    """
    assert opened.run(script) == 240


def test_a_page_that_sends_faster_than_the_handler_receives(chromium: browser.Browser) -> None:
    goes_on = threading.Event()

    def handler(websocket: ServerConnection) -> None:
        assert goes_on.wait(20)
        websocket.send(str([len(websocket.recv(20)) for _ in range(32)]))

    with run(handler, process_request=with_page, compression=None) as uri, chromium.page(page_of(uri)) as page:
        script = """
        window.client = await opened(uri);
        for (let number = 0; number < 32; number++) window.client.ws.send(new Uint8Array(2 ** 20));
        return window.client.ws.bufferedAmount;
        """
        assert page.run(script, uri=uri) > 0
        goes_on.set()
        assert page.run("return await window.client.next();") == str([2**20] * 32)


# Closing.


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (3001, "é" * 61), (4999, "")])
def test_the_page_closes(opened: Opened, code: int, reason: str) -> None:
    script = "const client = await opened(uri); client.ws.close(code, reason); return await client.closed;"
    assert opened.run(script, code=code, reason=reason) == [code, reason, True]
    assert opened.handler.last_end() == (code, reason)


def test_the_page_closes_without_a_code(opened: Opened) -> None:
    script = "const client = await opened(uri); client.ws.close(); return await client.closed;"
    assert opened.run(script) == [1005, "", True]
    assert opened.handler.last_end() == (1005, "")


def test_the_page_goes_away(chromium: browser.Browser) -> None:
    handler = Served()
    with run(handler, process_request=with_page) as uri:
        with chromium.page(page_of(uri)) as page:
            page.run("window.client = await opened(uri);", uri=uri)
            page.go("about:blank")
            assert handler.last_end() == (1001, "")
            page.go(page_of(uri))
            page.run("window.client = await opened(uri);", uri=uri)
        assert handler.last_end() == (1001, "")


@pytest.mark.parametrize(
    ("order", "closed"),
    [
        ("close 1000 bye", [1000, "bye", True]),
        ("close 3001 é", [3001, "é", True]),
        ("close 4999 x", [4999, "x", True]),
        ("raise", [1011, "", True]),
        ("cut", [1006, "", False]),
    ],
)
def test_the_server_closes(opened: Opened, order: str, closed: list[Any]) -> None:
    script = "const client = await opened(uri); client.ws.send(order); return await client.closed;"
    assert opened.run(script, order=order) == closed


def test_the_server_shuts_down(chromium: browser.Browser) -> None:
    server = serve(Served(), "127.0.0.1", 0, process_request=with_page)
    with serving(server) as uri, chromium.page(page_of(uri)) as page:
        page.run("window.client = await opened(uri);", uri=uri)
        ending = threading.Thread(target=server.shutdown)
        ending.start()
        assert page.run("return await window.client.closed;") == [1001, "", True]
        ending.join(10)
        assert not ending.is_alive()


# What is negotiated.


@pytest.mark.parametrize(
    ("options", "extensions"),
    [
        ({}, "permessage-deflate"),
        ({"compression": None}, ""),
        ({"extensions": [ServerPerMessageDeflateFactory(True, True)]}, "permessage-deflate"),
        ({"extensions": [ServerPerMessageDeflateFactory(False, False, 9, 9)]}, "permessage-deflate"),
    ],
)
def test_compression(chromium: browser.Browser, options: dict[str, Any], extensions: str) -> None:
    script = """
    const client = await opened(uri);
    const received = [];
    for (const text of texts) {
      client.ws.send(text);
      received.push(await client.next());
    }
    return [client.ws.extensions, received];
    """
    texts = ["again and " * 2000, "again and " * 2000, "é", "", "".join(map(chr, range(32, 2000))) * 20]
    with open_page(chromium, **options) as opened:
        # Parameters are told, too, if there are any.
        told, received = opened.run(script, texts=texts)
        assert told.partition(";")[0] == extensions
        assert received == texts


def test_subprotocols(chromium: browser.Browser) -> None:
    script = """
    const client = new Client(uri, offered);
    const outcome = await client.opened;
    return [outcome, client.ws.protocol, outcome == "open" ? null : await client.closed];
    """
    with open_page(chromium, subprotocols=["v1", "v2"]) as opened:
        assert opened.run(script, offered=["v2", "v1"]) == ["open", "v1", None]
        assert opened.run(script, offered=["v3", "v2"]) == ["open", "v2", None]
        assert opened.run(script, offered=["v3"]) == ["error", "", [1006, "", False]]
        assert opened.run(script, offered=[]) == ["error", "", [1006, "", False]]
    with open_page(chromium) as opened:
        # The server speaks none: the browser wants one of those that it offered.
        assert opened.run(script, offered=["v1"]) == ["error", "", [1006, "", False]]


def test_cookies(chromium: browser.Browser) -> None:
    def process_response(websocket: ServerConnection, request: Request, response: Response) -> None:
        if response.status_code == 101:
            response.headers["Set-Cookie"] = "session=7; SameSite=Strict"

    with open_page(chromium, process_response=process_response) as opened:
        opened.run("document.cookie = 'room=lobby; SameSite=Strict'; await opened(uri);")
        cookie = opened.handler.header("Cookie")
        assert cookie is not None and "room=lobby" in cookie.split("; ")
        opened.run("await opened(uri);")
        cookie = opened.handler.header("Cookie")
        assert cookie is not None and "session=7" in cookie.split("; ")


# Which pages may connect.


def test_pages_of_other_origins_are_refused(chromium: browser.Browser) -> None:
    script = """
    const client = new Client(uri);
    return [await client.opened, client.ws.readyState == WebSocket.OPEN ? null : await client.closed];
    """
    answers: list[tuple[str | None, int]] = []

    def process_response(websocket: ServerConnection, request: Request, response: Response) -> None:
        if "Upgrade" in request.headers:
            answers.append((request.headers.get("Origin"), response.status_code))

    sock = socket.create_server(("127.0.0.1", 0))
    uri = f"ws://127.0.0.1:{sock.getsockname()[1]}"
    handler = Served()
    server = serve(
        handler,
        sock=sock,
        origins=[page_of(uri)[:-1]],
        process_request=with_page,
        process_response=process_response,
    )
    with serving(server), run(process_request=with_page) as other:
        with chromium.page(page_of(uri)) as page:
            assert page.run(script, uri=uri) == ["open", None]
        by_name = page_of(uri).replace("127.0.0.1", "localhost")
        for url in [page_of(other), by_name, f"{page_of(uri)}sandboxed"]:
            with chromium.page(url) as page:
                assert page.run(script, uri=uri) == ["error", [1006, "", False]]
    assert answers == [
        (page_of(uri)[:-1], 101),
        (page_of(other)[:-1], 403),
        (by_name[:-1], 403),
        ("null", 403),
    ]
    assert len(handler.connections) == 1


# TLS, and servers that begin anew.


def test_tls(chromium: browser.Browser, certificate: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with run(Served(), process_request=with_page, ssl=context) as uri:
        secure = uri.replace("ws://", "wss://")
        with chromium.page(secure.replace("wss://", "https://") + "/") as page:
            script = """
            const client = await opened(uri);
            client.ws.send(new Uint8Array(2 ** 20));
            return (await client.next()).byteLength;
            """
            assert page.run(script, uri=secure) == 2**20


def test_a_page_that_reconnects(chromium: browser.Browser) -> None:
    script = """
    window.seen = [];
    function start() {
      const ws = new WebSocket(uri);
      ws.onopen = () => ws.send("hello");
      ws.onmessage = (event) => window.seen.push(event.data);
      ws.onclose = (event) => {
        window.seen.push(event.code);
        setTimeout(start, 10);
      };
    }
    start();
    """
    wait = "while (!window.seen.at(-1)?.startsWith?.(end)) await new Promise((go) => setTimeout(go, 10));"

    def handler(websocket: ServerConnection) -> None:
        for message in websocket:
            websocket.send(f"{str(message)} from {websocket.server.socket.getsockname()[1]}")

    with contextlib.ExitStack() as stack:
        with run(handler, process_request=with_page) as uri:
            page = stack.enter_context(chromium.page(page_of(uri)))
            page.run(script, uri=uri)
            page.run(wait, end="hello")
        while_down = "while (!window.seen.includes(1006)) await new Promise((go) => setTimeout(go, 10));"
        page.run(while_down)
        with run(handler, port_of(uri)):
            page.run(wait, end="hello")
            seen = page.run("return window.seen;")
        hello = f"hello from {port_of(uri)}"
        assert [seen[0], seen[1], seen[-1]] == [hello, 1001, hello]
        assert set(seen[2:-1]) == {1006}
