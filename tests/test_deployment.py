"""The configurations and programs of docs/deployment.md: real proxies in front of our server, and its restarts."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import websockets.exceptions
import websockets.sync.client

import openline
from openline.sync.client import connect
from openline.sync.server import Server, ServerConnection, serve, unix_serve
from peers import proxies

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
ORIGIN = "https://chat.example.com"
MIB = os.urandom(2**20)
# Seconds for what comes at once, on a machine that is busy with other things.
SOON = 30
# Starts a program with a socket as descriptor 3, as systemd does.
ACTIVATE = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
# Starts a program that may have few files open.
FEW_FILES = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def changed(text: str, changes: dict[str, str]) -> str:
    """Replace what is there for sure."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def program_with(marker: str) -> str:
    (program,) = [block for block in blocks("python") if marker in block]
    return program


def start_nginx(
    directory: pathlib.Path, certificate: pathlib.Path, targets: list[str], changes: dict[str, str] = {}
) -> contextlib.AbstractContextManager[int]:
    site, general = blocks("nginx")
    port = proxies.free_port()
    site = changed(
        site,
        {
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/ssl/chat.pem": str(certificate),
            "server 127.0.0.1:8765 ": f"server {targets[0]} ",
            "server 127.0.0.1:8766 ": f"server {targets[1]} ",
            **changes,
        },
    )
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; {user}\n"
        f"{general}\nhttp {{\naccess_log {directory}/log;\n{temporary}{site}}}\n"
    )
    command = [proxies.needs("nginx", "nginx"), "-c", str(directory / "nginx.conf"), "-p", str(directory)]
    return running(command, port, directory)


def start_haproxy(
    directory: pathlib.Path,
    certificate: pathlib.Path,
    targets: list[str],
    changes: dict[str, str] = {},
    check: str = "10s",
) -> contextlib.AbstractContextManager[int]:
    (text,) = blocks("haproxy")
    port = proxies.free_port()
    text = changed(
        text,
        {
            "maxconn 20000": "maxconn 200",
            ":443": f"127.0.0.1:{port}",
            "/etc/ssl/chat.pem": str(certificate),
            "server one 127.0.0.1:8765 ": f"server one {targets[0].replace('unix:', 'unix@')} ",
            "server two 127.0.0.1:8766 ": f"server two {targets[1].replace('unix:', 'unix@')} ",
            # Whoever asks a busy machine often, and gives it little time, finds a server down that is not.
            "check inter 1s": f"check inter {check}",
            **changes,
        },
    )
    (directory / "haproxy.cfg").write_text(text)
    command = [proxies.needs("haproxy", "haproxy"), "-db", "-f", str(directory / "haproxy.cfg")]
    return running(command, port, directory)


@contextlib.contextmanager
def running(command: list[str], port: int, directory: pathlib.Path) -> Iterator[int]:
    with proxies.running(command, port, directory):
        yield port


START: dict[str, Callable[..., contextlib.AbstractContextManager[int]]] = {
    "nginx": start_nginx,
    "haproxy": start_haproxy,
}


@dataclass
class Site:
    """A proxy with two servers behind it, which are in this process."""

    port: int
    servers: list[Server]
    ends: queue.Queue[tuple[int | None, str | None]] = field(default_factory=queue.Queue)
    """Code and reason of the close frames that the clients on /watched sent."""


def handler_of(site: Site) -> Callable[[ServerConnection], None]:
    def handler(websocket: ServerConnection) -> None:
        path = websocket.request.path
        if path == "/headers":
            websocket.send(json.dumps(list(websocket.request.headers.raw_items())))
        elif path == "/close":
            websocket.close(4001, "the server's")
            return
        try:
            for message in websocket:
                websocket.send(message)
        finally:
            if path == "/watched":
                site.ends.put((websocket.close_code, websocket.close_reason))

    return handler


@pytest.fixture(scope="module", params=["nginx", "haproxy", "nginx, Unix sockets", "haproxy, Unix sockets"])
def site(
    request: pytest.FixtureRequest, certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    name, _, is_unix = request.param.partition(", ")
    directory = tmp_path_factory.mktemp(name)
    site = Site(0, [])
    options: dict[str, Any] = {
        "origins": [ORIGIN, None],
        "subprotocols": ["chat", "echo"],
        "select_subprotocol": lambda websocket, names: "echo" if "echo" in names else None,
        "process_request": health,
    }
    with contextlib.ExitStack() as stack:
        targets = []
        for number in range(2):
            if is_unix:
                path = directory / f"{number}.sock"
                server = unix_serve(handler_of(site), path, **options)
                targets.append(f"unix:{path}")
            else:
                server = serve(handler_of(site), "127.0.0.1", 0, **options)
                targets.append(f"127.0.0.1:{server.socket.getsockname()[1]}")
            site.servers.append(stack.enter_context(server))
            threading.Thread(target=server.serve_forever).start()
        site.port = stack.enter_context(START[name](directory, certificate, targets))
        yield site


def health(websocket: ServerConnection, request: Any) -> Any:
    return websocket.respond(200, "OK\n") if request.path == "/health" else None


@pytest.fixture
def trusting(authority_file: pathlib.Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority_file))


Open = Callable[..., Any]


@pytest.fixture(params=["openline", "websockets"])
def reach(request: pytest.FixtureRequest, site: Site, trusting: ssl.SSLContext) -> Open:
    """Connects by each of two clients, to a path."""
    client: Open = connect
    if request.param == "websockets":
        client = websockets.sync.client.connect
        # It reads and writes one SSLSocket in two threads at once. With haproxy, whose session tickets come after the
        # handshake of TLS 1.3, one connection in a hundred hangs then, to a server of websockets too.
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    return lambda path, **options: client(f"wss://localhost:{site.port}{path}", ssl=trusting, **options)


CLOSED = (openline.ConnectionClosed, websockets.exceptions.ConnectionClosed)
REFUSED = (openline.InvalidStatus, websockets.exceptions.InvalidStatus)


class TestThroughAProxy:
    def test_messages(self, reach: Open) -> None:
        with reach("/echo", max_size=None) as ws:
            for message in ["hello, 👋", "", b"\x00\xff", b"", MIB, MIB.hex()[: 2**20]]:
                ws.send(message)
                assert ws.recv(timeout=SOON) == message

    def test_compression(self, reach: Open) -> None:
        with reach("/echo") as ws:
            assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
            ws.send("a" * 2**20)
            assert ws.recv(timeout=SOON) == "a" * 2**20
        with reach("/echo", compression=None) as ws:
            assert "Sec-WebSocket-Extensions" not in ws.response.headers
            ws.send("a" * 1000)
            assert ws.recv(timeout=SOON) == "a" * 1000

    def test_subprotocol(self, reach: Open) -> None:
        with reach("/echo", subprotocols=["other", "echo"]) as ws:
            assert ws.subprotocol == "echo"

    def test_close_by_the_server(self, reach: Open) -> None:
        with reach("/close") as ws:
            with pytest.raises(CLOSED):
                ws.recv(timeout=SOON)
            assert (ws.close_code, ws.close_reason) == (4001, "the server's")

    def test_close_by_the_client(self, reach: Open, site: Site) -> None:
        with reach("/watched") as ws:
            ws.close(4002, "the client's")
        assert site.ends.get(timeout=SOON) == (4002, "the client's")

    def test_client_that_is_gone(self, reach: Open, site: Site) -> None:
        with contextlib.suppress(*CLOSED), reach("/watched") as ws:
            ws.socket.shutdown(socket.SHUT_RDWR)
            assert site.ends.get(timeout=SOON) == (1006, "")

    def test_origin(self, reach: Open) -> None:
        with reach("/echo", origin=ORIGIN) as ws:
            ws.ping()
        with pytest.raises(REFUSED) as caught:
            reach("/echo", origin="https://evil.example")
        error: Any = caught.value
        assert error.response.status_code == 403

    def test_headers(self, reach: Open) -> None:
        """The client's own are overwritten."""
        own = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"}
        with reach("/headers", additional_headers=own) as ws:
            headers = [(name.lower(), value) for name, value in json.loads(ws.recv(timeout=SOON))]
        assert [value for name, value in headers if name == "x-forwarded-for"] == ["127.0.0.1"]
        assert [value for name, value in headers if name == "x-forwarded-proto"] == ["https"]

    def test_fewest_connections(self, reach: Open, site: Site) -> None:
        def are_even() -> bool:
            """The proxies may not have noticed the end of earlier connections."""
            with contextlib.ExitStack() as stack:
                for _ in range(6):
                    stack.enter_context(reach("/echo"))
                return [len(server.connections) for server in site.servers] == [3, 3]

        until(are_even)


def test_idle(tmp_path_factory: pytest.TempPathFactory, certificate: pathlib.Path, trusting: ssl.SSLContext) -> None:
    """The server's pings keep a connection alive; the proxies cut one without them."""
    shorter = {
        "nginx": {"proxy_read_timeout 60s": "proxy_read_timeout 3s"},
        "haproxy": {"timeout tunnel 60s": "timeout tunnel 3s"},
    }

    def handler(websocket: ServerConnection) -> None:
        if websocket.request.path == "/silent":
            websocket.ping_interval = None
            websocket.start_keepalive()
        for message in websocket:
            websocket.send(message)

    with contextlib.ExitStack() as stack:
        target = stack.enter_context(serving(handler, ping_interval=0.2))
        connections = []
        for name, start in START.items():
            directory = tmp_path_factory.mktemp(name)
            port = stack.enter_context(start(directory, certificate, [target, target], shorter[name]))
            # None pings itself.
            options: dict[str, Any] = {"ssl": trusting, "ping_interval": None}
            pinged = stack.enter_context(connect(f"wss://localhost:{port}", **options))
            silent = stack.enter_context(connect(f"wss://localhost:{port}/silent", **options))
            connections.append((name, pinged, silent))
        for name, pinged, silent in connections:
            with pytest.raises(openline.ConnectionClosedError):
                silent.recv(timeout=SOON)
            assert silent.close_code == 1006, name
            pinged.send("still here")
            assert pinged.recv(timeout=SOON) == "still here", name


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"proxy_http_version 1.1;": "proxy_http_version 1.0;"}, 505),
        ({"proxy_set_header Upgrade $http_upgrade;": ""}, 426),
        ({"proxy_set_header Connection $connection_upgrade;": ""}, 426),
    ],
)
def test_nginx_without_what_an_upgrade_needs(
    changes: dict[str, str], status: int, tmp_path: pathlib.Path, certificate: pathlib.Path, trusting: ssl.SSLContext
) -> None:
    with serving() as target, start_nginx(tmp_path, certificate, [target, target], changes) as port:
        with pytest.raises(openline.InvalidStatus) as caught:
            connect(f"wss://localhost:{port}", ssl=trusting)
        assert caught.value.response.status_code == status


def test_haproxy_asks_for_health(
    tmp_path: pathlib.Path, certificate: pathlib.Path, trusting: ssl.SSLContext
) -> None:
    status = 200

    def process_request(websocket: ServerConnection, request: Any) -> Any:
        return websocket.respond(status, "") if request.path == "/health" else None

    with (
        serving(process_request=process_request) as target,
        start_haproxy(tmp_path, certificate, [target, target], check="200ms") as port,
    ):

        def is_refused() -> bool:
            try:
                connect(f"wss://localhost:{port}", ssl=trusting).close()
            except openline.InvalidStatus as error:
                assert error.response.status_code == 503
                return True
            return False

        assert not is_refused()
        status = 500
        until(is_refused)
        status = 200
        until(lambda: not is_refused())


@contextlib.contextmanager
def serving(handler: Callable[[ServerConnection], None] = lambda websocket: None, **options: Any) -> Iterator[str]:
    with serve(handler, "127.0.0.1", 0, **options) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # nothing tells of it


@dataclass
class Program:
    """A program of the page, in a process of its own."""

    process: subprocess.Popen[bytes]
    directory: pathlib.Path

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> None:
        """Check that it ends as it should."""
        assert self.process.wait(SOON) == 0
        assert (self.directory / "output").read_text() == ""


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Program]]:
    """Starts a program; before it a line of arguments of Python's."""
    programs: list[Program] = []

    def run(text: str, *before: str, **options: Any) -> Program:
        directory = tmp_path_factory.mktemp("program")
        (directory / "app.py").write_text(text)
        command = [sys.executable, *before, "-W", "error", str(directory / "app.py")]
        with open(directory / "output", "wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, **options)
        programs.append(Program(process, directory))
        return programs[-1]

    yield run
    for program in programs:
        program.process.kill()
        program.process.wait()


def await_port(port: int) -> None:
    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return False
        return True

    until(listens)


def test_restart_behind_a_proxy_one_after_the_other(
    run: Callable[..., Program],
    tmp_path_factory: pytest.TempPathFactory,
    certificate: pathlib.Path,
    trusting: ssl.SSLContext,
    proxy: str,
) -> None:
    ports = [proxies.free_port(), proxies.free_port()]
    text = changed(program_with("def process_request"), {'f"hello, {': "f\"{__import__('os').getpid()} {"})
    texts = [changed(text, {'"localhost", 8765': f'"127.0.0.1", {port}'}) for port in ports]
    programs = [run(text) for text in texts]
    for port in ports:
        await_port(port)
    targets = [f"127.0.0.1:{port}" for port in ports]
    directory = tmp_path_factory.mktemp(proxy)
    if proxy == "nginx":
        starting = start_nginx(directory, certificate, targets)
    else:
        starting = start_haproxy(directory, certificate, targets, check="500ms")
    with starting as port:

        def client() -> tuple[int, Any]:
            ws = connect(f"wss://localhost:{port}", ssl=trusting)
            pid, address = str(ws.recv(timeout=SOON)).split()
            assert address == "127.0.0.1"
            return int(pid), ws

        for index in range(2):
            old, other = programs[index], programs[1 - index]
            clients = [client() for _ in range(4)]
            old.terminate()
            for pid, ws in clients:
                if pid == old.process.pid:
                    with pytest.raises(openline.ConnectionClosedError):
                        ws.recv(timeout=SOON)
                    assert (ws.close_code, ws.close_reason) == (1012, "restart")
            # While it is ending, and when it is not there, clients get to the other one.
            late = [client()]
            old.ended()
            late += [client() for _ in range(4)]
            assert {pid for pid, _ in late} == {other.process.pid}
            for pid, ws in clients + late:
                if pid == other.process.pid:
                    ws.send("still here")
                    assert ws.recv(timeout=SOON) == "still here"
                ws.close()
            programs[index] = run(texts[index])
            await_port(ports[index])

            def is_back() -> bool:
                # Two at a time: the other one has one more then.
                (first, ws), (second, other_ws) = client(), client()
                ws.close()
                other_ws.close()
                return programs[index].process.pid in (first, second)

            # nginx asks it again at once, haproxy when its checks have found it.
            if proxy == "haproxy":
                until(is_back)
        for program in programs:
            program.terminate()
        for program in programs:
            program.ended()


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class TestSystemd:
    def test_clients_wait_while_it_restarts(self, run: Callable[..., Program]) -> None:
        text = program_with("fileno=3")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            uri = f"ws://127.0.0.1:{listener.getsockname()[1]}"

            def start() -> Program:
                return run(text, "-c", ACTIVATE, str(listener.fileno()), pass_fds=[listener.fileno()])

            program = start()
            with connect(uri) as ws:
                ws.send("hello")
                assert ws.recv(timeout=SOON) == "hello"
                program.terminate()
                with pytest.raises(openline.ConnectionClosedError):
                    ws.recv(timeout=SOON)
                assert (ws.close_code, ws.close_reason) == (1012, "restart")
            program.ended()
            # Nobody is there, and it is connected all the same.
            waiting = socket.create_connection(listener.getsockname())
            program = start()
            with connect(uri, sock=waiting) as ws:
                ws.send("hello again")
                assert ws.recv(timeout=SOON) == "hello again"
            program.terminate()
            program.ended()

    def test_by_hand(self, run: Callable[..., Program]) -> None:
        port = proxies.free_port()
        program = run(changed(program_with("fileno=3"), {'"localhost", 8765': f'"127.0.0.1", {port}'}))
        await_port(port)
        with connect(f"ws://127.0.0.1:{port}") as ws:
            ws.send("hello")
            assert ws.recv(timeout=SOON) == "hello"
        program.terminate()
        program.ended()

    def test_units(self, tmp_path: pathlib.Path) -> None:
        sockets, service = blocks("systemd")
        (tmp_path / "chat@.socket").write_text(sockets)
        command = "/srv/chat/venv/bin/python /srv/chat/app.py"
        (tmp_path / "chat@.service").write_text(changed(service, {command: sys.executable}))
        verify = [proxies.needs("systemd-analyze", "systemd"), "verify", "--man=no"]
        units = [str(tmp_path / f"chat@1.{kind}") for kind in ("socket", "service")]
        outcome = subprocess.run([*verify, *units], capture_output=True, text=True, timeout=30, check=False)
        assert (outcome.returncode, outcome.stderr) == (0, "")


def test_few_files(run: Callable[..., Program]) -> None:
    port = proxies.free_port()
    text = changed(program_with("def process_request"), {'"localhost", 8765': f'"127.0.0.1", {port}'})
    program = run(text, "-c", FEW_FILES)
    await_port(port)
    uri = f"ws://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        clients = []
        # It waits, or the server has a descriptor for its socket and none for what comes after.
        with pytest.raises((TimeoutError, openline.InvalidMessage)):
            for _ in range(50):
                clients.append(stack.enter_context(connect(uri, open_timeout=2)))
        assert len(clients) > 10
        for _ in range(5):
            clients.pop().close()

        def is_let_in() -> bool:
            try:
                with connect(uri) as ws:
                    return str(ws.recv(timeout=SOON)).startswith("hello")
            except openline.InvalidMessage:
                return False

        until(is_let_in)
    program.terminate()
    assert program.process.wait(SOON) == 0


def test_several_processes_on_one_port(run: Callable[..., Program]) -> None:
    port = proxies.free_port()
    text = changed(program_with("reuse_port"), {'"localhost", 8765': f'"127.0.0.1", {port}'})
    programs = [run(text) for _ in range(2)]
    seen = set()

    def both_were_seen() -> bool:
        with contextlib.suppress(ConnectionRefusedError), connect(f"ws://127.0.0.1:{port}") as ws:
            seen.add(ws.recv(timeout=SOON))
        return len(seen) == 2

    until(both_were_seen)
    assert seen == {f"process {program.process.pid}" for program in programs}


def test_socket_that_was_left_behind(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "1.sock"
    with socket.create_server(str(path), family=socket.AF_UNIX):
        pass
    with pytest.raises(OSError, match=re.escape("[Errno 98] Address already in use")):
        unix_serve(lambda websocket: None, path)
    path.unlink()
    with unix_serve(lambda websocket: None, path):
        assert path.exists()
    assert not path.exists()
