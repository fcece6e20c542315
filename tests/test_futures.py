"""Connections in the threads of `concurrent.futures` and `threading`, and what ends with a program."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait

import pytest

from openline import ConnectionClosedError, ConnectionClosedOK
from openline.frames import Close
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import handle_signals, peer, pool, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, interrupt_later, text, wait_until

# Python 3.12 and later warn of fork where there are threads: the children here connect themselves.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

# Of a worker process: its own connection.
mine: ClientConnection


def connect_worker(uri: str) -> None:
    global mine
    mine = connect(uri)


def echo_in_worker(message: str) -> str:
    mine.send(message)
    return str(mine.recv(timeout=10))


def fail_in_worker() -> None:
    mine.close()
    mine.send("too late")


def outcome_of(program: str, *arguments: str) -> tuple[int, str, str]:
    """The exit status of a program, what it printed, and what it complained of."""
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=40,
    )
    return outcome.returncode, outcome.stdout, outcome.stderr


class TestThreadPools:
    def test_tasks_that_share_a_connection(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(lambda: sorted(str(ws.recv(timeout=20)) for _ in range(200)))
        tasks: list[Future[object]] = [pool.submit(ws.send, f"{number:03}") for number in range(200)]
        tasks += [pool.submit(ws.ping, timeout=20) for _ in range(20)]
        for task in as_completed(tasks, timeout=30):
            task.result()
        assert receiving.result(20) == [f"{number:03}" for number in range(200)]

    def test_a_connection_for_each_thread(self, server: EchoServer) -> None:
        own = threading.local()
        connections: list[ClientConnection] = []

        def start() -> None:
            own.connection = connect(server.uri)
            connections.append(own.connection)

        def exchange(number: int) -> str:
            own.connection.send(str(number))
            return str(own.connection.recv(timeout=10))

        with ThreadPoolExecutor(4, initializer=start) as pool:
            assert list(pool.map(exchange, range(100))) == [str(number) for number in range(100)]
        for connection in connections:
            connection.close()

    def test_one_that_a_thread_forgets_is_closed(self, peer: Peer) -> None:
        def forget() -> None:
            own = threading.local()
            own.connection = peer.connect()

        with pytest.warns(ResourceWarning, match="unclosed connection <ClientConnection OPEN"):
            thread = threading.Thread(target=forget)
            thread.start()
            thread.join(10)
            assert peer.expect() == (0x88, b"\x03\xe9")  # 1001, going away
            peer.expect_end()

    def test_a_timeout_of_the_future_leaves_the_call_waiting(
        self, peer: Peer, pool: ThreadPoolExecutor
    ) -> None:
        with peer.connect() as ws:
            receiving = pool.submit(ws.recv)
            with pytest.raises(TimeoutError):
                receiving.result(timeout=0.05)
            assert not receiving.cancel()  # it runs
            peer.send(text("for the future"))
            assert receiving.result(10) == "for the future"

    def test_close_ends_what_cannot_be_cancelled(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        with peer.connect() as ws:
            calls: list[Callable[[], object]] = [ws.recv, ws.ping, ws.wait_closed]
            waiting = [pool.submit(call) for call in calls]
            assert not wait(waiting, 0.05).done
        assert not wait(waiting, 10).not_done

    def test_the_connection_is_left_before_the_pool(self, server: EchoServer) -> None:
        with ThreadPoolExecutor(1) as pool, connect(server.uri) as ws:
            receiving = pool.submit(ws.recv)
        assert isinstance(receiving.exception(), ConnectionClosedOK)

    def test_ctrl_c_while_the_main_thread_waits_for_a_future(self, server: EchoServer) -> None:
        with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as pool, connect(server.uri) as ws:
            receiving = pool.submit(ws.recv)
            timer = interrupt_later(0.1)
            receiving.result(20)
        timer.join()
        with pytest.raises(ConnectionClosedError, match="1011"):
            receiving.result(10)


class TestSignals:
    """Python runs handlers in the main thread. A thread that waits in openline goes on waiting."""

    def test_to_a_thread_in_recv(
        self,
        peer: Peer,
        pool: ThreadPoolExecutor,
        handle_signals: Callable[[Callable[[], object]], None],
    ) -> None:
        handled: list[str] = []
        handle_signals(lambda: handled.append(threading.current_thread().name))
        receivers: list[int] = []

        def receive() -> str:
            receivers.append(threading.get_ident())
            return str(connection.recv(timeout=10))

        with peer.connect() as connection:
            receiving = pool.submit(receive)
            wait_until(lambda: bool(receivers))
            for times in range(1, 4):
                signal.pthread_kill(receivers[0], signal.SIGUSR1)
                wait_until(lambda: len(handled) == times)  # noqa: B023  # it is called here
            assert not receiving.done()
            peer.send(text("after the signals"))
            assert receiving.result(10) == "after the signals"
        assert handled == ["MainThread"] * 3

    def test_to_the_process_while_a_thread_receives(
        self,
        peer: Peer,
        pool: ThreadPoolExecutor,
        handle_signals: Callable[[Callable[[], object]], None],
    ) -> None:
        with peer.connect() as ws:
            handle_signals(lambda: peer.send(text("from the handler")))
            receiving = pool.submit(ws.recv, 10)
            timer = interrupt_later(0.1, signal.SIGUSR1)
            assert receiving.result(10) == "from the handler"
            timer.join()

    def test_a_handler_that_closes_what_a_thread_waits_for(
        self,
        server: EchoServer,
        pool: ThreadPoolExecutor,
        handle_signals: Callable[[Callable[[], object]], None],
    ) -> None:
        ws = connect(server.uri)
        handle_signals(ws.close)
        receiving = pool.submit(ws.recv)
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(ConnectionClosedOK):
            receiving.result(10)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
class TestProcessPools:
    def test_a_connection_for_each_worker(
        self, server: EchoServer, ws: ClientConnection, method: str
    ) -> None:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, context, connect_worker, (server.uri,)) as pool:
            messages = [str(number) for number in range(40)]
            assert list(pool.map(echo_in_worker, messages, chunksize=4)) == messages
        ws.send("here")
        assert ws.recv(timeout=10) == "here"

    def test_how_a_task_failed_comes_back(self, server: EchoServer, method: str) -> None:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, context, connect_worker, (server.uri,)) as pool:
            error = pool.submit(fail_in_worker).exception(20)
        assert isinstance(error, ConnectionClosedOK)
        assert (error.rcvd, error.sent) == (Close(1000, ""), Close(1000, ""))

    def test_a_connection_is_no_argument(self, ws: ClientConnection, method: str) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
            with pytest.raises(TypeError, match="cannot pickle or copy a ClientConnection"):
                pool.submit(ws.send, "x").result(20)


class TestExit:
    """The end of a program waits for no thread that need not end, and says nothing."""

    START = """
        import atexit, sys, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from openline import ConnectionClosed
        from openline.sync.client import connect

        def receive():
            while True:
                ws.recv()

        def poll():
            while True:
                try:
                    ws.recv(timeout=0.0005)
                except TimeoutError:
                    pass

        def exchange():
            while True:
                ws.send("x")
                ws.recv()

        def ping():
            while True:
                ws.ping()

        def until_closed(call):
            try:
                call()
            except ConnectionClosed as error:
                print(error, flush=True)

        ws = connect(sys.argv[1])
        """

    @pytest.mark.parametrize("call", ["receive", "poll", "exchange", "ping", "ws.wait_closed"])
    def test_daemon_threads(self, server: EchoServer, call: str) -> None:
        end = f"""
        threading.Thread(target={call}, daemon=True).start()
        time.sleep(0.05)
        print("the end")
        """
        for _ in range(5):
            assert outcome_of(self.START + end, server.uri) == (0, "the end\n", "")

    @pytest.mark.parametrize("call", ["receive", "poll", "exchange", "ping"])
    def test_an_exit_handler_that_closes(self, server: EchoServer, call: str) -> None:
        end = f"""
        def quietly():
            try:
                {call}()
            except ConnectionClosed:
                pass

        threading.Thread(target=quietly, daemon=True).start()
        atexit.register(lambda: print(ws.close_code))
        atexit.register(ws.close)
        time.sleep(0.05)
        print("the end")
        """
        assert outcome_of(self.START + end, server.uri) == (0, "the end\n1000\n", "")

    @pytest.mark.parametrize("end", ["pass", "atexit.register(close_all)"])
    def test_daemon_threads_whose_calls_are_logged(self, server: EchoServer, end: str) -> None:
        """Code of Python runs in the middle of such calls, and Python ends threads where they run its code."""
        program = f"""
            import atexit, logging, sys, threading, time
            from openline import ConnectionClosed
            from openline.sync.client import connect

            class Handler(logging.Handler):
                def emit(self, record):
                    time.sleep(0.0001)  # lets go of the GIL, as a file does

            logging.getLogger("openline.client").addHandler(Handler())
            logging.getLogger("openline.client").setLevel("DEBUG")

            def exchange(ws):
                try:
                    while True:
                        ws.send("x")
                        ws.recv()
                except ConnectionClosed:
                    pass

            def close_all():
                for ws in connections:
                    ws.close()

            connections = [connect(sys.argv[1]) for _ in range(4)]
            for ws in connections:
                threading.Thread(target=exchange, args=(ws,), daemon=True).start()
            {end}
            time.sleep(0.05)
            print("the end")
            """
        for _ in range(5):
            assert outcome_of(program, server.uri) == (0, "the end\n", "")

    @pytest.mark.parametrize("call", ["send", "send_many"])
    def test_daemon_threads_in_a_generator_that_is_sent(self, server: EchoServer, call: str) -> None:
        """Python up to 3.13 ends the thread in there, by unwinding it through what called the generator."""
        end = f"""
        def fragments():
            while True:
                time.sleep(0.0005)
                yield "x"

        connections = [connect(sys.argv[1]) for _ in range(4)]
        for each in connections:
            threading.Thread(target=each.{call}, args=(fragments(),), daemon=True).start()
        time.sleep(0.05)
        print("the end")
        """
        for _ in range(5):
            assert outcome_of(self.START + end, server.uri) == (0, "the end\n", "")

    def test_a_thread_pool_that_was_left_before_the_connection_was_closed(self, server: EchoServer) -> None:
        """Python waits for its workers: what ends them is the end of the connection."""
        end = """
        pool = ThreadPoolExecutor(2)
        pool.submit(until_closed, receive)
        pool.submit(until_closed, ws.ping).result()
        pool.shutdown(wait=False, cancel_futures=True)
        threading.Timer(0.1, ws.close).start()
        print("the end")
        """
        expected = "the end\nsent 1000 (OK); then received 1000 (OK)\n"
        assert outcome_of(self.START + end, server.uri) == (0, expected, "")

    def test_a_thread_that_python_waits_for_has_a_timeout(self, server: EchoServer) -> None:
        end = """
        stop = threading.Event()

        def worker():
            while not stop.is_set():
                try:
                    ws.recv(timeout=0.05)
                except TimeoutError:
                    pass
            ws.close()
            print("closed")

        threading.Thread(target=worker).start()
        threading.Timer(0.1, stop.set).start()
        print("the end")
        """
        assert outcome_of(self.START + end, server.uri) == (0, "the end\nclosed\n", "")

    def test_an_exception_with_a_blocked_daemon_thread(self, server: EchoServer) -> None:
        end = """
        threading.Thread(target=receive, daemon=True).start()
        raise SystemExit(3)
        """
        assert outcome_of(self.START + end, server.uri) == (3, "", "")

    def test_a_signal_that_ends_the_program(self, server: EchoServer) -> None:
        program = self.START + "print('receiving', flush=True)\n        receive()\n"
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), server.uri], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "receiving\n"
            time.sleep(0.05)
            process.terminate()
            assert process.wait(10) == -signal.SIGTERM
