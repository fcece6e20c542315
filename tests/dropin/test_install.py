"""`openline.install()` and `uninstall()`, each in an interpreter of its own."""

from __future__ import annotations

import pathlib
import textwrap

import pytest

from . import ALONE, INSTALLED, RELEASES, SITUATIONS, python, run

MODULES = """
    websockets websockets.client websockets.datastructures websockets.exceptions websockets.extensions
    websockets.extensions.base websockets.extensions.permessage_deflate websockets.frames websockets.headers
    websockets.http11 websockets.protocol websockets.server websockets.streams websockets.sync
    websockets.sync.client websockets.sync.connection websockets.sync.router websockets.sync.server
    websockets.typing websockets.uri websockets.utils websockets.version websockets.cli
    websockets.asyncio.client websockets.asyncio.server
"""


def check(situation: str, program: str, *arguments: str) -> None:
    """Run a program in which warnings are errors, and whose assertions must hold."""
    python(situation, "-W", "error", "-c", textwrap.dedent(program), *arguments)


each_situation = pytest.mark.parametrize("situation", SITUATIONS)


@each_situation
def test_modules(situation: str) -> None:
    modules = MODULES.split()
    if situation in RELEASES:
        modules.remove("websockets.cli")
        modules.remove("websockets.sync.router")  # which needs werkzeug there
    check(
        situation,
        """
        import importlib, importlib.util, sys
        import openline
        openline.install()
        for name in sys.argv[1:]:
            assert importlib.util.find_spec(name) is not None, name
            module = importlib.import_module(name)
            assert sys.modules[name] is module
            parent, _, child = name.rpartition(".")
            assert not parent or getattr(sys.modules[parent], child) is module
        import websockets.sync.client as client
        from websockets.sync.connection import Connection
        from websockets.sync.client import Connection as same
        assert client.__name__ == "openline.dropin.client"
        assert issubclass(client.ClientConnection, Connection) and same is Connection
        for deprecated in ("auth", "connection", "http"):
            assert f"websockets.{deprecated}" not in sys.modules
        """,
        *modules,
    )


@each_situation
def test_top_level_names(situation: str) -> None:
    check(
        situation,
        """
        import builtins
        import openline
        openline.install()
        import websockets
        from websockets import ConnectionClosed, Headers, InvalidStatus, State, CloseCode, Opcode, Close
        from websockets import ClientProtocol, ServerProtocol, Request, Response, Subprotocol, TimeoutError
        import websockets.exceptions
        assert ConnectionClosed is websockets.exceptions.ConnectionClosed is websockets.ConnectionClosed
        assert TimeoutError is builtins.TimeoutError
        assert websockets.version.version == websockets.__version__
        assert "connect" in dir(websockets) and "Headers" in dir(websockets)
        assert callable(websockets.connect) and callable(websockets.serve)
        try:
            websockets.nothing
        except AttributeError as error:
            assert str(error) == "module 'websockets' has no attribute 'nothing'"
        else:
            assert False
        """,
    )


@each_situation
def test_install_twice_and_uninstall(situation: str) -> None:
    check(
        situation,
        """
        import sys
        import openline
        from openline import exceptions
        from openline.testing import EchoServer

        classes = [value for value in vars(exceptions).values() if isinstance(value, type)]
        def state():
            modules = {name: id(sys.modules[name]) for name in sys.modules if name.startswith("websockets")}
            packages = [name for name in ("websockets", "websockets.sync") if name in modules]
            names = {name: dict(vars(sys.modules[name])) for name in packages}
            bases = [each.__bases__ for each in classes], openline.frames.Close.__bases__
            return modules, names, bases, list(sys.meta_path), vars(openline.Headers).keys()

        # What is imported of the real package stays imported.
        openline.install()
        openline.uninstall()
        before = state()
        openline.uninstall()
        for _ in range(3):
            openline.install()
            during = state()
            openline.install()
            assert state() == during != before
            from websockets.sync.client import connect
            with EchoServer() as server:
                websocket = connect(server.uri)
                openline.uninstall()
                assert state() == before
                openline.uninstall()
                websocket.send("still open")
                assert websocket.recv() == "still open"
                assert websocket.state.name == websocket.protocol.state.name == "OPEN"
                websocket.close()
        try:
            from websockets.sync.client import connect
        except ModuleNotFoundError:
            pass
        else:
            assert connect.__module__ == "websockets.sync.client"
        """,
    )


@each_situation
def test_uninstall_while_connected(situation: str) -> None:
    """A program that was written for `websockets` catches what its connection raises later on."""
    check(
        situation,
        """
        import openline
        from openline.testing import EchoServer
        openline.install()
        import websockets
        from websockets.protocol import State
        from websockets.sync.client import connect
        with EchoServer(close_after=1, close_code=4001) as server:
            websocket = connect(server.uri)
            openline.uninstall()
            assert websocket.state is State.OPEN
            assert isinstance(websocket.request, websockets.http11.Request)
            assert isinstance(websocket.request.headers, websockets.Headers)
            websocket.send("still open")
            assert websocket.recv() == "still open"
            try:
                websocket.recv()
            except websockets.ConnectionClosed as error:
                assert error.rcvd == websockets.Close(4001, "")
                assert isinstance(error.rcvd, websockets.frames.Close)
            else:
                assert False
        assert websockets.connect.__name__ == "connect"
        """,
    )


@each_situation
def test_threads_that_install_at_once(situation: str) -> None:
    check(
        situation,
        """
        import sys, threading
        sys.setswitchinterval(1e-6)
        import openline
        def work():
            barrier.wait()
            openline.install()
            from websockets.sync.client import connect
            from websockets.exceptions import ConnectionClosed
            found.append((connect.__module__, ConnectionClosed))
        found, barrier = [], threading.Barrier(8)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert len(found) == 8 and len(set(found)) == 1, found
        assert found[0][0] == "openline.dropin.client"
        """,
    )


@each_situation
def test_exceptions_of_openline(situation: str) -> None:
    """Code written for openline goes on working beside code that is not."""
    check(
        situation,
        """
        import openline
        from openline import ConnectionClosedOK, State
        from openline.frames import Close
        from openline.testing import EchoServer
        openline.install()
        import websockets.frames, websockets.exceptions
        with EchoServer() as server:
            native = openline.connect(server.uri)
            assert native.state is State.OPEN
            native.close()
            try:
                native.recv()
            except ConnectionClosedOK as error:
                assert isinstance(error, websockets.exceptions.ConnectionClosedOK)
                assert error.rcvd == Close(1000, "") == websockets.frames.Close(1000, "")
            try:
                openline.connect("ws://127.0.0.1:1/")
            except openline.ConnectionClosed as error:
                assert isinstance(error, ConnectionRefusedError)
        """,
    )


@pytest.mark.parametrize("situation", [INSTALLED, *RELEASES])
def test_classes_of_websockets(situation: str) -> None:
    check(
        situation,
        """
        import importlib
        import openline
        openline.install()
        from openline import exceptions
        import websockets.exceptions as theirs
        for name in exceptions.__all__:
            ours = getattr(exceptions, name)
            if exceptions.WebSocketException in ours.__mro__[1:]:
                assert issubclass(ours, theirs.WebSocketException), name
                assert issubclass(ours, getattr(theirs, name, object)), name
        records = {"frames": "Close", "http11": "Request Response", "uri": "WebSocketURI"}
        for module, names in records.items():
            for name in names.split():
                ours = getattr(importlib.import_module(f"openline.{module}"), name)
                assert issubclass(ours, getattr(importlib.import_module(f"websockets.{module}"), name))
        from openline.http11 import Response
        import websockets
        one = Response(404, "Not Found", openline.Headers(a="b"), b"")
        two = websockets.Response(404, "Not Found", websockets.Headers(a="b"), b"")
        assert one == two and two == one and one != websockets.Response(404, "", two.headers, b"")
        assert one != object() and one != 404
        """,
    )


@pytest.mark.parametrize("situation", [INSTALLED, *RELEASES])
def test_the_rest_stays_real(situation: str) -> None:
    check(
        situation,
        """
        import openline, threading
        openline.install()
        import websockets, websockets.asyncio.client, websockets.asyncio.server
        assert websockets.connect is websockets.asyncio.client.connect
        assert websockets.connect.__module__ == "websockets.asyncio.client"
        from websockets.sync.client import connect
        from websockets.sync.server import serve
        def handler(websocket):
            for message in websocket:
                websocket.send(message)
        with serve(handler, "127.0.0.1", 0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            host, port = server.socket.getsockname()[:2]
            with connect(f"ws://{host}:{port}/") as websocket:
                websocket.send("hello")
                assert websocket.recv() == "hello"
            server.shutdown()
            thread.join()
        """,
    )


@pytest.mark.parametrize("situation", [INSTALLED, *RELEASES, ALONE])
def test_the_server(situation: str) -> None:
    """Its parts are openline's, and take what is the package's own: responses, exceptions, factories."""
    check(
        situation,
        """
        import logging, threading
        import openline
        openline.install()
        import websockets
        from websockets.datastructures import Headers
        from websockets.exceptions import InvalidStatus, NegotiationError
        from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
        from websockets.http11 import Response
        from websockets.protocol import State
        from websockets.sync.client import connect
        from websockets.sync.connection import Connection
        from websockets.sync.server import Server, ServerConnection, basic_auth, serve, unix_serve
        assert issubclass(ServerConnection, openline._openline.Connection) and issubclass(ServerConnection, Connection)
        records = []
        class Records(logging.Handler):
            def emit(self, record):
                records.append((record.name, record.getMessage(), getattr(record, "websocket", None)))
        logging.getLogger("websockets.server").addHandler(Records())
        logging.getLogger("websockets.server").setLevel(logging.INFO)
        def handler(websocket):
            assert websocket.state is State.OPEN
            for message in websocket:
                assert websocket.ping().wait(10)
                websocket.send(message)
        def process_request(websocket, request):
            if request.path == "/gone":
                return Response(410, "Gone", Headers(), b"no more")
        def select_subprotocol(websocket, offered):
            if "wrong" in offered:
                raise NegotiationError("not that one")
        factory = ServerPerMessageDeflateFactory(server_max_window_bits=10, client_max_window_bits=10)
        with serve(
            handler, "127.0.0.1", 0, process_request=process_request, select_subprotocol=select_subprotocol,
            extensions=[factory],
        ) as server:
            assert isinstance(server, Server)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            uri = "ws://127.0.0.1:%d" % server.socket.getsockname()[1]
            with connect(uri) as websocket:
                websocket.send("hello" * 100)
                assert websocket.recv() == "hello" * 100
                assert "server_max_window_bits=10" in websocket.response.headers["Sec-WebSocket-Extensions"]
                assert "websockets/17.4" in websocket.response.headers["Server"]
            for path, subprotocols, status, body in [
                ("/gone", None, 410, b"no more"), ("/", ["wrong"], 400, b"not that one")
            ]:
                try:
                    connect(uri + path, subprotocols=subprotocols)
                except InvalidStatus as error:
                    assert error.response.status_code == status and body in error.response.body
                else:
                    assert False
            server.shutdown()
            thread.join()
        assert ("websockets.server", "connection open") in [record[:2] for record in records]
        """,
    )


def test_placeholders() -> None:
    check(
        ALONE,
        """
        import importlib, importlib.util
        import openline
        openline.install()
        import websockets
        from websockets import WebSocketClientProtocol
        from websockets.asyncio.client import connect, ClientConnection
        from websockets.asyncio.server import serve
        import websockets.streams
        assert websockets.connect.__name__ == "connect" and websockets.serve.__name__ == "serve"
        assert importlib.util.find_spec("websockets.legacy") is None
        class Mine(WebSocketClientProtocol):
            pass
        class Other(ClientConnection):
            pass
        assert issubclass(Mine, websockets.WebSocketClientProtocol) and websockets.connect is connect
        uses = connect, serve, Mine, Other
        for use in uses:
            try:
                use("ws://localhost/", ping_interval=None)
            except ImportError as error:
                assert "pip install websockets" in str(error) and use.__mro__[-2].__name__ in str(error)
            else:
                assert False
        try:
            import websockets.legacy
        except ImportError:
            pass
        else:
            assert False
        import websockets.version
        assert websockets.__version__ == websockets.version.version == "17.4" and websockets.version.released
        """,
    )


def test_all_names_of_websockets() -> None:
    public = python(INSTALLED, "-c", "import websockets; print(*websockets.__all__)").split()
    check(
        ALONE,
        """
        import sys
        import openline
        openline.install()
        import websockets
        from websockets import *
        assert set(sys.argv[1:]) == set(websockets.__all__)
        assert set(sys.argv[1:]) <= globals().keys()
        """,
        *public,
    )


def test_submodules_are_attributes() -> None:
    """Also those that nobody has imported."""
    check(
        ALONE,
        """
        import openline
        openline.install()
        import websockets
        assert websockets.exceptions.ConnectionClosed is openline.ConnectionClosed
        assert websockets.sync.client.connect.__module__ == "openline.dropin.client"
        assert websockets.asyncio.client.connect and websockets.extensions.Extension
        for package in (websockets.sync, websockets.asyncio):
            try:
                package.nothing
            except AttributeError as error:
                assert str(error) == f"module {package.__name__!r} has no attribute 'nothing'"
            else:
                assert False
        """,
    )


def test_values_of_websockets_alone() -> None:
    check(
        ALONE,
        """
        import openline, openline.protocol, openline.exceptions, openline.frames
        openline.install()
        import websockets.exceptions, websockets.protocol, websockets.frames
        import websockets.http11, websockets.client
        assert websockets.exceptions is openline.exceptions and websockets.protocol is openline.protocol
        assert websockets.frames.Close is openline.frames.Close
        assert "websockets/" in websockets.http11.USER_AGENT and "openline/" in openline.http11.USER_AGENT
        assert websockets.http11.Response is openline.http11.Response
        assert websockets.client.ClientProtocol("ws://localhost/").logger.name == "websockets.client"
        """,
    )


HOLDER = "from websockets.sync.client import connect\n"


@pytest.mark.parametrize("situation", [INSTALLED, *RELEASES])
def test_modules_that_hold_the_real_client(situation: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "early.py").write_text(HOLDER)
    (tmp_path / "late.py").write_text(HOLDER)
    program = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import early, openline
    openline.install()
    import late
    print(early.connect.__module__, late.connect.__module__)
    openline.uninstall()
    import websockets.sync.client
    assert websockets.sync.client.connect is early.connect
    """
    ended = run(situation, "-c", textwrap.dedent(program), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "websockets.sync.client openline.dropin.client\n"
    assert "<string>:5: RuntimeWarning: websockets.sync was imported before" in ended.stderr
    assert "by early, which will not use openline" in ended.stderr


def test_websockets_that_is_too_old(tmp_path: pathlib.Path) -> None:
    (tmp_path / "websockets").mkdir()
    (tmp_path / "websockets" / "__init__.py").write_text("")
    program = "import sys; sys.path.insert(0, sys.argv[1]); import openline; openline.install()"
    ended = run(ALONE, "-c", program, str(tmp_path))
    assert "ImportError: drop-in mode goes with websockets 15 or later, or with none; " in ended.stderr


HIDING = {
    "None": "sys.modules['websockets'] = None",
    "finder": """
class Hiding:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "websockets":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hiding())
""",
    "stand-in": "sys.modules['websockets'] = types.ModuleType('websockets')",
}


@pytest.mark.parametrize("how", HIDING)
def test_websockets_that_is_hidden(how: str) -> None:
    rest = """
        import openline
        before = sys.modules.get("websockets")
        openline.install()
        import websockets.sync.client
        from websockets import ConnectionClosed
        assert websockets.sync.client.connect.__module__ == "openline.dropin.client"
        assert ConnectionClosed is openline.ConnectionClosed
        openline.uninstall()
        assert sys.modules.get("websockets") is before
        """
    check(INSTALLED, "import sys, types\n" + HIDING[how] + textwrap.dedent(rest))


def test_directory_of_that_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "websockets").mkdir()
    check(
        ALONE,
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import openline
        openline.install()
        from websockets.sync.client import connect
        """,
        str(tmp_path),
    )


@each_situation
def test_environment(situation: str) -> None:
    program = """
    import itertools
    import openline
    openline.install()
    from openline.testing import EchoServer
    from websockets.sync.client import connect, reconnect
    from openline.dropin.client import backoff
    with EchoServer() as server:
        with connect(server.uri):
            assert server.requests[-1].headers["User-Agent"] == "mine"
    assert list(itertools.islice(backoff(), 4)) == [0.0, 0.5, 1.0, 1.5]
    assert list(itertools.islice(backoff(0, 1, 3, 2), 4)) == [0.0, 1, 2, 3]
    import http_server, logging
    with http_server.HttpServer(lambda request: http_server.moved("/again")) as server:
        try:
            connect(server.uri())
        except openline.SecurityError as error:
            assert "more than 2 redirects" in str(error), error
    records = []
    logging.getLogger("websockets").addHandler(logging.Handler())
    logging.getLogger("websockets").handlers[0].emit = lambda record: records.append(record.getMessage())
    logging.getLogger("websockets.client").setLevel(logging.DEBUG)
    with EchoServer() as server, connect(server.uri) as websocket:
        websocket.send("x" * 100)
    assert "> TEXT 'xxxxxxxxx...xxxx' [100 bytes]" in records, records
    """
    python(
        situation,
        "-c",
        textwrap.dedent(program),
        WEBSOCKETS_USER_AGENT="mine",
        WEBSOCKETS_MAX_REDIRECTS="2",
        WEBSOCKETS_MAX_LOG_SIZE="20",
        WEBSOCKETS_BACKOFF_INITIAL_DELAY="0",
        WEBSOCKETS_BACKOFF_MIN_DELAY="0.5",
        WEBSOCKETS_BACKOFF_MAX_DELAY="1.5",
        WEBSOCKETS_BACKOFF_FACTOR="2",
    )


def test_import_of_openline_is_cheap_still() -> None:
    check(
        INSTALLED,
        """
        import sys
        import openline
        assert "openline.dropin" not in sys.modules and "websockets" not in sys.modules
        assert callable(openline.install)
        """,
    )
