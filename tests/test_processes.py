"""Connections and processes: fork, spawn, forkserver, what a child inherits, what cannot be sent to it."""

from __future__ import annotations

import copy
import functools
import gc
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import openline
from openline import ConnectionClosedError, exceptions
from openline.datastructures import Headers
from openline.frames import Close
from openline.http11 import Request, Response
from openline.sync.client import ClientConnection, Timings, connect, reconnect, unix_connect
from openline.testing import EchoServer
from openline.uri import parse_uri

from fixtures import peer, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, text

# Python 3.12 and later warn of fork where there are threads: this is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

FORKED = "connection made in another process; connect again after fork"

# Of a worker of a pool: its own connection.
mine: ClientConnection


def echo(uri: str, message: str) -> str:
    with connect(uri) as ws:
        ws.send(message)
        return str(ws.recv(timeout=10))


def connect_worker(uri: str) -> None:
    global mine
    mine = connect(uri)


def echo_in_worker(message: str) -> tuple[str, int]:
    mine.send(message)
    return str(mine.recv(timeout=10)), os.getpid()


def echo_and_exit(uri: str) -> None:
    sys.exit(0 if echo(uri, "from the child") == "from the child" else 1)


def leave_open(uri: str) -> None:
    connect_worker(uri)


def fail_with_closed(code: int) -> None:
    raise ConnectionClosedError(Close(code, "of the worker"), None, None)


def in_child(call: Callable[[], str]) -> str:
    """What `call` returns in a forked child of `multiprocessing`."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(call()))
    process.start()
    theirs.close()
    result: str = ours.recv()
    process.join(20)
    assert process.exitcode == 0
    return result


def run(program: str, *arguments: str) -> str:
    """What a program prints, which must succeed, quietly, with warnings as errors."""
    outcome = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return outcome.stdout


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def context(request: pytest.FixtureRequest) -> Any:
    return multiprocessing.get_context(request.param)


class TestChildren:
    """However a child was started, it can connect, and the parent's connections are as before."""

    @pytest.fixture(autouse=True)
    def parents(self, ws: ClientConnection) -> Iterator[None]:
        yield
        ws.send("to the parent")
        assert ws.recv(timeout=10) == "to the parent"

    def test_that_connect(self, server: EchoServer, context: Any) -> None:
        children = [context.Process(target=echo_and_exit, args=(server.uri,)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join(20)
        assert [child.exitcode for child in children] == [0] * 4

    def test_that_end_with_an_open_connection(self, server: EchoServer, context: Any) -> None:
        child = context.Process(target=leave_open, args=(server.uri,))
        child.start()
        child.join(20)
        assert child.exitcode == 0

    def test_a_pool_with_a_connection_for_each_worker(self, server: EchoServer, context: Any) -> None:
        with context.Pool(3, connect_worker, (server.uri,)) as pool:
            results = pool.map(echo_in_worker, [str(number) for number in range(60)], chunksize=5)
        assert [message for message, _ in results] == [str(number) for number in range(60)]
        assert os.getpid() not in {process for _, process in results}

    def test_a_pool_with_a_connection_for_each_task(self, server: EchoServer, context: Any) -> None:
        with context.Pool(3) as pool:
            messages = [str(number) for number in range(12)]
            assert pool.map(functools.partial(echo, server.uri), messages) == messages

    def test_an_exception_in_a_worker_comes_back(self, context: Any) -> None:
        with context.Pool(1) as pool, pytest.raises(ConnectionClosedError) as caught:
            pool.apply(fail_with_closed, (1011,))
        assert caught.value.rcvd == Close(1011, "of the worker")

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_a_program(self, server: EchoServer, method: str, tmp_path: Any) -> None:
        """The usual shape, with openline loaded into the server of forkserver before."""
        program = """
            import multiprocessing, sys, warnings
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            from openline.sync.client import connect

            def child(uri, number):
                with connect(uri) as ws:
                    ws.send(number)
                    assert ws.recv(timeout=10) == number

            if __name__ == "__main__":
                method, uri = sys.argv[1:]
                context = multiprocessing.get_context(method)
                if method == "forkserver":
                    context.set_forkserver_preload(["openline.sync.client"])
                with connect(uri) as ws:
                    children = [context.Process(target=child, args=(uri, str(n))) for n in range(3)]
                    for process in children:
                        process.start()
                    for process in children:
                        process.join()
                    print([process.exitcode for process in children])
        """
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(program))
        outcome = subprocess.run(
            [sys.executable, "-W", "error", str(file), method, server.uri],
            capture_output=True,
            text=True,
            timeout=40,
        )
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "[0, 0, 0]\n", "")


class TestInherited:
    """A connection of the parent's in a forked child: it is told, and harms nothing."""

    CALLS: dict[str, Callable[[ClientConnection], object]] = {
        "recv": lambda ws: ws.recv(),
        "recv, polling": lambda ws: ws.recv(timeout=0),
        "recv_into": lambda ws: ws.recv_into(bytearray(9)),
        "recv_many": lambda ws: ws.recv_many(),
        "recv_streaming": lambda ws: list(ws.recv_streaming()),
        "send": lambda ws: ws.send("x"),
        "send, a large one": lambda ws: ws.send(b"x" * 1_000_000),
        "send, fragments": lambda ws: ws.send(["a", "b"]),
        "send_many": lambda ws: ws.send_many(["a", "b"]),
        "ping": lambda ws: ws.ping(),
        "pong": lambda ws: ws.pong(),
    }

    def test_every_call_is_refused_with_the_reason(self, ws: ClientConnection) -> None:
        ws.send("for the parent")
        assert not ws.wait_closed(0.05)  # reads it

        def child() -> str:
            outcomes = []
            for name, call in self.CALLS.items():
                try:
                    outcomes.append(f"{name}: {call(ws)!r}")
                except ConnectionClosedError as error:
                    outcomes.append(f"{name}: {type(error.__cause__).__name__}: {error.__cause__}")
            return "\n".join(outcomes)

        expected = [f"{name}: RuntimeError: {FORKED}" for name in self.CALLS]
        assert in_child(child).split("\n") == expected
        assert ws.recv(timeout=10) == "for the parent"

    def test_it_is_closed_there_and_open_here(self, ws: ClientConnection) -> None:
        def child() -> str:
            return f"{ws.closed} {ws.wait_closed()} {ws.state.name} {list(ws)} {ws.remote_address}"

        assert in_child(child) == f"True True CLOSED [] {ws.remote_address}"
        assert not ws.closed

    def test_closing_it_there_does_nothing(self, ws: ClientConnection) -> None:
        def child() -> str:
            with ws:
                ws.close(1001, "again")
            return f"{ws.close_code}"

        assert in_child(child) == "None"
        assert not ws.closed

    def test_a_socket_of_the_users_is_not_closed_there(self, peer: Peer) -> None:
        class Tunnel:
            closed = 0

            def close(self) -> None:
                self.closed += 1  # others would say goodbye in the stream

        host, port = peer.uri.removeprefix("ws://").rstrip("/").split(":")
        inner = socket.create_connection((host, int(port)))
        tunnel: Any = Tunnel()
        tunnel.recv, tunnel.sendall = inner.recv, inner.sendall
        with inner, peer.connect(sock=tunnel) as ws:

            def child() -> str:
                ws.close()
                ws.abort()
                return str(tunnel.closed)

            assert in_child(child) == "0"
            ws.send("hello")
            assert peer.expect() == (0x81, b"hello")

    def test_dropping_it_is_silent(self, server: EchoServer) -> None:
        holder = [connect(server.uri)]
        ws = holder[0]

        def child() -> str:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                references = gc.get_referrers(ws)
                ws.__del__()
                del references
                gc.collect()
            return str([str(warning.message) for warning in caught])

        assert in_child(child) == "[]"
        ws.send("x")
        assert ws.recv(timeout=10) == "x"
        ws.close()

    def test_a_child_that_exits_as_programs_do(self, server: EchoServer) -> None:
        """It runs all that `sys.exit` runs: exit handlers, and finalizers of what is global."""
        program = """
            import atexit, os, sys, warnings
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            from openline.sync.client import connect

            ws = connect(sys.argv[1])
            atexit.register(ws.close)
            child = os.fork()
            if child == 0:
                with connect(sys.argv[1]) as other:
                    other.send("in the child")
                    print(other.recv(timeout=10), flush=True)
                sys.exit(0)
            assert os.waitpid(child, 0) == (child, 0)
            ws.send("in the parent")
            print(ws.recv(timeout=10))
            ws.close()
            print(ws.close_code)
        """
        assert run(program, server.uri) == "in the child\nin the parent\n1000\n"

    def test_while_another_thread_receives(self, peer: Peer, server: EchoServer) -> None:
        received: list[object] = []
        with peer.connect() as ws:
            receiver = threading.Thread(target=lambda: received.append(ws.recv(timeout=10)))
            receiver.start()
            assert in_child(lambda: echo(server.uri, f"{ws.closed}")) == "True"
            peer.send(text("for the parent"))
            receiver.join(10)
        assert received == ["for the parent"]

    def test_a_fork_by_another_thread(self, server: EchoServer, ws: ClientConnection) -> None:
        results: list[str] = []
        thread = threading.Thread(
            target=lambda: results.append(in_child(lambda: echo(server.uri, f"{ws.closed}")))
        )
        thread.start()
        thread.join(20)
        assert results == ["True"]
        ws.send("x")
        assert ws.recv(timeout=10) == "x"

    def test_a_fork_that_python_does_not_see(self, server: EchoServer) -> None:
        # As a program does that has Python in it, or a server of processes written in C.
        program = """
            import ctypes, os, sys
            import openline
            from openline.sync.client import connect

            ws = connect(sys.argv[1])
            child = ctypes.PyDLL(None).fork()
            if child == 0:
                try:
                    ws.send("into the parent's stream")
                    os._exit(1)
                except openline.ConnectionClosed:
                    os._exit(0 if ws.closed else 2)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            ws.send("from the parent")
            print(ws.recv(timeout=10))
            ws.close()
        """
        assert run(program, server.uri) == "0\nfrom the parent\n"

    def test_a_loop_that_connects_again(self, server: EchoServer, ws: ClientConnection) -> None:
        def child() -> str:
            connection = ws
            while True:
                try:
                    connection.send("x")
                    return f"{connection.recv(timeout=10)!r}"
                except openline.ConnectionClosed:
                    connection = connect(server.uri)

        assert in_child(child) == "'x'"

    def test_a_reconnecting_iterator(self, server: EchoServer) -> None:
        for ws in reconnect(server.uri):

            def child() -> str:
                for connection in connections:
                    connection.send("from the child")
                    return str(connection.recv(timeout=10))
                return "nothing"

            connections = iter(reconnect(server.uri))
            assert in_child(child) == "from the child"
            ws.send("x")
            assert ws.recv(timeout=10) == "x"
            break

    def test_children_of_children(self, server: EchoServer, ws: ClientConnection) -> None:
        def child() -> str:
            with connect(server.uri) as mine:
                below = in_child(lambda: f"{ws.closed} {mine.closed} {echo(server.uri, 'below')}")
                mine.send(below)
                return f"{mine.recv(timeout=10)!r}, {ws.closed} {mine.closed}"

        assert in_child(child) == "'True True below', True False"

    def test_hooks_of_others_may_use_connections(self, server: EchoServer) -> None:
        """They run in the child before openline's own when they were there first."""
        program = """
            import os, sys, warnings
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

            def say(line):
                os.write(1, f"{line}\\n".encode())  # at once, as two processes write here

            def exchange(message):
                ws.send(message)
                say(ws.recv(timeout=10))

            def renew():
                global ws
                try:
                    ws.send("into the parent's stream")
                except openline.ConnectionClosed as error:
                    say(error.__cause__)
                ws = openline.connect(sys.argv[1])
                exchange("renewed")

            os.register_at_fork(
                before=lambda: exchange("before"),
                after_in_child=renew,
                after_in_parent=lambda: exchange("after"),
            )
            import openline

            ws = openline.connect(sys.argv[1])
            child = os.fork()
            exchange("parent" if child else "child")
            ws.close()
            if child:
                os.waitpid(child, 0)
        """
        first, *lines = run(program, server.uri).splitlines()
        assert first == "before"
        assert [line for line in lines if line in ("after", "parent")] == ["after", "parent"]
        assert [line for line in lines if line not in ("after", "parent")] == [FORKED, "renewed", "child"]

    def test_fork_while_others_connect_for_the_first_time(self, server: EchoServer) -> None:
        """A child inherits no lock of a thread that it has not."""
        program = """
            import os, sys, threading, warnings
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            import openline

            def fail():
                try:
                    openline.connect("wss://127.0.0.1:9/", proxy=None)
                except OSError:
                    pass

            def exchange():
                with openline.connect(sys.argv[1]) as ws:
                    ws.send("x")
                    assert ws.recv(timeout=10) == "x"

            threads = [threading.Thread(target=target) for target in [exchange, fail] * 4]
            for thread in threads:
                thread.start()
            children = []
            for _ in range(30):
                children.append(os.fork())
                if children[-1] == 0:
                    exchange()
                    fail()
                    os._exit(0)
            print({os.waitpid(child, 0)[1] for child in children})
            for thread in threads:
                thread.join()
        """
        assert run(program, server.uri) == "{0}\n"

    def test_a_command_inherits_no_descriptor(self, server: EchoServer) -> None:
        def inherited() -> bytes:
            code = "import os; print(sorted(os.listdir('/dev/fd')))"
            return subprocess.check_output([sys.executable, "-c", code], close_fds=False, timeout=20)

        before = inherited()
        sock = socket.create_connection(server.address[:2])
        with connect(server.uri), connect(server.uri, sock=sock):
            assert inherited() == before

    def test_a_command_with_a_function_before_it(self, ws: ClientConnection) -> None:
        seen = subprocess.run(
            [sys.executable, "-c", "print('run')"],
            preexec_fn=lambda: os.write(1, f"{ws.closed}\n".encode()),
            capture_output=True,
            timeout=20,
        )
        assert seen.stdout == b"True\nrun\n"


class TestDropIn:
    """Children of a program that was written for `websockets` run on openline, too."""

    PROGRAM = """
        import multiprocessing, sys, warnings
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        {install}
        from websockets.sync.client import connect

        def child(uri, depth):
            with connect(uri) as ws:
                ws.send(f"{{connect.__module__.partition('.')[0]}} {{sys.argv[1:]}}")
                print(ws.recv(timeout=10), flush=True)
            if depth > 0:
                start(uri, depth - 1)

        def start(uri, depth):
            process = multiprocessing.Process(target=child, args=(uri, depth))
            process.start()
            process.join()

        if __name__ == "__main__":
            multiprocessing.set_start_method(sys.argv[1])
            start(sys.argv[2], 1)
        """

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    @pytest.mark.parametrize(
        ("options", "install"),
        [(["-m", "openline", "run"], "pass"), ([], "import openline; openline.install()")],
        ids=["run", "install"],
    )
    def test_children(
        self, server: EchoServer, method: str, options: list[str], install: str, tmp_path: Any
    ) -> None:
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(self.PROGRAM).format(install=install))
        arguments = [method, server.uri]
        outcome = subprocess.run(
            [sys.executable, "-W", "error", *options, str(file), *arguments],
            capture_output=True,
            text=True,
            timeout=40,
        )
        # The child, and its child.
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, f"openline {arguments}\n" * 2, "")


class TestPickling:
    COPIES: dict[str, Callable[[Any], Any]] = {
        "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }

    @pytest.mark.parametrize("how", COPIES)
    def test_a_connection_stays_where_it_is(self, ws: ClientConnection, how: str) -> None:
        with pytest.raises(TypeError, match="^cannot pickle or copy a ClientConnection: .* connect there"):
            self.COPIES[how](ws)
        ws.send("x")
        assert ws.recv(timeout=10) == "x"

    @pytest.mark.parametrize("method", ["spawn", "forkserver"])
    def test_as_an_argument_of_a_process(self, ws: ClientConnection, method: str) -> None:
        process: Any = multiprocessing.get_context(method).Process  # type: ignore[attr-defined]
        child = process(target=print, args=(ws,))
        with pytest.raises(TypeError, match="cannot pickle or copy a ClientConnection"):
            child.start()

    def test_as_an_argument_of_a_task(self, ws: ClientConnection, context: Any) -> None:
        with context.Pool(1) as pool:
            with pytest.raises(TypeError, match="cannot pickle or copy a ClientConnection"):
                pool.apply(str, (ws,))
            with pytest.raises(TypeError, match="cannot pickle or copy a ClientConnection"):
                pool.apply(ws.send, ("x",))

    VALUES: list[Any] = [
        Headers([("Set-Cookie", "a"), ("Set-Cookie", "b")]),
        Request("/", Headers(Host="localhost")),
        Response(401, "Unauthorized", Headers(), b"no"),
        Close(1000, "bye"),
        Timings(None, 0.1, None, None, 0.2),
        parse_uri("wss://user:secret@example.com/chat?room=1"),
        openline.State.OPEN,
        openline.CloseCode.GOING_AWAY,
    ]

    @pytest.mark.parametrize("how", COPIES)
    @pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
    def test_values_travel(self, value: Any, how: str) -> None:
        copied = self.COPIES[how](value)
        assert type(copied) is type(value)
        assert copied == value

    RESPONSE = Response(503, "Busy", Headers(a="b"), b"later")
    ARGUMENTS: dict[str, tuple[Any, ...]] = {
        "ConnectionClosed": (Close(1000, ""), Close(1000, "bye"), True),
        "ConnectionClosedError": (None, Close(1011, "keepalive ping timeout"), None),
        "ConnectionClosedOK": (Close(1001, ""), None, None),
        "DuplicateParameter": ("name",),
        "InvalidHeader": ("Upgrade", "tls"),
        "InvalidHeaderFormat": ("Upgrade", "expected a token", "a,,b", 2),
        "InvalidHeaderValue": ("Upgrade", "tls"),
        "InvalidOrigin": ("http://example.com",),
        "InvalidParameterName": ("name",),
        "InvalidParameterValue": ("name", "value"),
        "InvalidProxy": ("ftp://x", "not a proxy"),
        "InvalidProxyStatus": (RESPONSE,),
        "InvalidStatus": (RESPONSE,),
        "InvalidURI": ("http://x", "not ws"),
        "InvalidUpgrade": ("Upgrade", "tls"),
        "PayloadTooBig": (100, 10),
    }

    @pytest.mark.parametrize("how", COPIES)
    @pytest.mark.parametrize("name", sorted({*exceptions.__all__} - {"CloseCause", "ConnectError"}))
    def test_exceptions_travel(self, name: str, how: str) -> None:
        kind = getattr(exceptions, name)
        error = kind(*self.ARGUMENTS.get(name, ("what went wrong",)))
        self.check(error, self.COPIES[how](error))

    @pytest.mark.parametrize("how", COPIES)
    def test_a_failure_to_connect_travels(self, how: str, tmp_path: Any) -> None:
        with pytest.raises(openline.ConnectError) as caught:
            unix_connect(tmp_path / "none.sock")
        error = caught.value
        copied = self.COPIES[how](error)
        self.check(error, copied)
        assert isinstance(copied, FileNotFoundError)
        assert (copied.errno, copied.filename) == (error.errno, error.filename)

    @staticmethod
    def check(error: BaseException, copied: BaseException) -> None:
        assert copied is not error
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert repr(vars(copied)) == repr(vars(error))
