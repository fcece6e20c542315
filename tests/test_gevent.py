"""Programs that gevent has patched: they are warned once, and its thread pool is a place for connections."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from openline.testing import EchoServer

from fixtures import server  # noqa: F401  # pytest finds it by name

# Patching cannot be taken back, so each of these is a program of its own.
PATCH = "from gevent import monkey; monkey.patch_all()"


def outcome_of(program: str, server: EchoServer, *options: str) -> tuple[int, str, str]:
    outcome = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program), server.uri],
        capture_output=True,
        text=True,
        timeout=40,
    )
    return outcome.returncode, outcome.stdout, outcome.stderr


class TestWarning:
    @pytest.mark.parametrize(
        "call",
        [
            "openline.connect(uri).close()",
            "openline.sync.connect(uri).close()",
            "[(ws, ws.close()) for ws in itertools.islice(openline.reconnect(uri), 1)]",
            "gevent.spawn(lambda: openline.connect(uri).close()).get()",
        ],
        ids=["connect", "sync.connect", "reconnect", "in a greenlet"],
    )
    def test_it_names_the_line_that_connects(self, server: EchoServer, call: str) -> None:
        program = f"""
            {PATCH}
            import gevent, itertools, sys, warnings
            import openline

            uri = sys.argv[1]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                {call}
            for warning in caught:
                print(warning.category.__name__, warning.lineno, str(warning.message).partition(":")[0])
            """
        text = "RuntimeWarning 9 gevent has patched sockets, but openline waits without it, "
        expected = (0, f"{text}and no greenlet runs meanwhile\n", "")
        assert outcome_of(program, server) == expected

    def test_it_is_shown_once_for_each_line(self, server: EchoServer) -> None:
        program = f"""
            {PATCH}
            import sys
            import openline

            for _ in range(3):
                openline.connect(sys.argv[1]).close()
            print("done")
            """
        status, output, complaints = outcome_of(program, server)
        assert (status, output) == (0, "done\n")
        assert complaints.count("RuntimeWarning: gevent has patched sockets") == 1

    @pytest.mark.parametrize(
        ("action", "expected"),
        [("ignore", "connected\n"), ("error", "refused: gevent has patched sockets\n")],
    )
    def test_a_filter_decides(self, server: EchoServer, action: str, expected: str) -> None:
        program = f"""
            {PATCH}
            import sys, warnings
            import openline

            warnings.filterwarnings("{action}", "gevent has patched sockets", RuntimeWarning)
            try:
                openline.connect(sys.argv[1]).close()
                print("connected")
            except RuntimeWarning as warning:
                print(f"refused: {{str(warning).partition(',')[0]}}")
            """
        assert outcome_of(program, server) == (0, expected, "")

    @pytest.mark.parametrize(
        "patching",
        ["import gevent", "import gevent.monkey", "from gevent import monkey; monkey.patch_time()", "pass"],
    )
    def test_not_where_sockets_are_pythons(self, server: EchoServer, patching: str) -> None:
        program = f"""
            {patching}
            import sys
            import openline

            openline.connect(sys.argv[1]).close()
            print("gevent" in sys.modules)
            """
        expected = f"{patching != 'pass'}\n"
        assert outcome_of(program, server, "-W", "error") == (0, expected, "")


def test_a_wait_holds_all_greenlets_up(server: EchoServer) -> None:
    """That is what the warning says."""
    program = f"""
        {PATCH}
        import sys, time, warnings
        import gevent
        import openline

        warnings.filterwarnings("ignore", "gevent has patched sockets", RuntimeWarning)
        ticks = []
        def tick():
            while True:
                ticks.append(None)
                gevent.sleep(0.001)

        ws = openline.connect(sys.argv[1])
        gevent.spawn(tick)
        gevent.sleep(0.02)
        before = len(ticks)
        try:
            ws.recv(timeout=0.1)
        except TimeoutError:
            print(before > 0, len(ticks) - before)
        ws.close()
        """
    assert outcome_of(program, server) == (0, "True 0\n", "")


class TestThreadPool:
    """gevent's threads are real ones: what waits there holds no greenlet up, and nothing is warned of."""

    def test_greenlets_run_while_a_call_waits(self, server: EchoServer) -> None:
        program = f"""
            {PATCH}
            import sys
            import gevent
            import openline

            pool = gevent.get_hub().threadpool
            ws = pool.apply(openline.connect, (sys.argv[1],))
            receiving = gevent.spawn(pool.apply, ws.recv, (10,))  # no message yet
            gevent.sleep(0.02)
            print("still receiving:", not receiving.ready())
            pool.apply(ws.send, ("hello",))
            print(receiving.get(timeout=10))
            pool.apply(ws.close)
            print(ws.close_code)
            """
        expected = "still receiving: True\nhello\n1000\n"
        assert outcome_of(program, server, "-W", "error") == (0, expected, "")

    def test_its_executor(self, server: EchoServer) -> None:
        program = f"""
            {PATCH}
            import sys
            from gevent.threadpool import ThreadPoolExecutor
            import openline

            def exchange(number):
                with openline.connect(sys.argv[1]) as ws:
                    ws.send(str(number))
                    return ws.recv(timeout=10)

            with ThreadPoolExecutor(4) as pool:
                print([future.result() for future in [pool.submit(exchange, n) for n in range(8)]])
            """
        expected = f"{[str(number) for number in range(8)]}\n"
        assert outcome_of(program, server, "-W", "error") == (0, expected, "")

    def test_a_socket_of_gevents(self, server: EchoServer) -> None:
        program = f"""
            {PATCH}
            import socket, sys
            import gevent
            import openline

            host, port = sys.argv[1].removeprefix("ws://").rstrip("/").split(":")
            sock = socket.create_connection((host, int(port)))

            def exchange():
                with openline.connect(sys.argv[1], sock=sock) as ws:
                    ws.send("hello")
                    return ws.recv(timeout=10)

            print(gevent.get_hub().threadpool.apply(exchange))
            """
        assert outcome_of(program, server, "-W", "error") == (0, "hello\n", "")

    def test_a_stream_that_is_no_socket(self, server: EchoServer) -> None:
        program = f"""
            {PATCH}
            import sys
            import gevent
            import openline

            class Tunnel:
                def recv(self, length): ...
                def sendall(self, data): ...
                def close(self): print("closed")

            def exchange():
                try:
                    openline.connect(sys.argv[1], sock=Tunnel())
                except RuntimeError as error:
                    print(str(error).partition(",")[0])

            gevent.get_hub().threadpool.apply(exchange)
            """
        expected = "closed\ngevent has patched threads\n"
        assert outcome_of(program, server, "-W", "error") == (0, expected, "")
