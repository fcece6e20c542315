"""The program of docs/scaling-out.md: two processes of it, and a Redis between them."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import openline
from openline.sync.client import connect
from peers import proxies

PAGE = (pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling-out.md").read_text(encoding="utf-8")
SOON = 30


class Redis:
    """A Redis that can be stopped and started again, on the same port."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.port = proxies.free_port()
        self.stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        program = proxies.needs("redis-server", "redis-server")
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.directory}
        command = [program, *(text for name, value in options.items() for text in (f"--{name}", str(value)))]
        self.stack.enter_context(proxies.running(command, self.port, self.directory))

    def stop(self) -> None:
        self.stack.close()

    def ask(self, *words: str) -> str:
        command = [proxies.needs("redis-cli", "redis-tools"), "-h", "127.0.0.1", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=SOON, check=True).stdout

    def process_id(self) -> int:
        return int(self.ask("info", "server").split("process_id:")[1].split()[0])


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.stop()


@pytest.fixture
def ports(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """Of two processes that run the program, and are subscribed."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    processes, outputs = [], []
    ports = [proxies.free_port(), proxies.free_port()]
    try:
        for port in ports:
            directory = tmp_path_factory.mktemp("process")
            text = program
            for old, new in {
                '"localhost", 8765': f'"127.0.0.1", {port}',
                "get_message(timeout=5)": "get_message(timeout=1)",
            }.items():
                assert old in text
                text = text.replace(old, new)
            (directory / "app.py").write_text(text)
            outputs.append(directory / "output")
            with open(outputs[-1], "wb") as output:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-W", "error", str(directory / "app.py")],
                        stdout=output,
                        stderr=output,
                        env={**os.environ, "REDIS_URL": f"redis://127.0.0.1:{redis.port}"},
                    )
                )
        for port in ports:
            until(lambda: health(port) == 200)
        yield ports
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process, path in zip(processes, outputs, strict=True):
            assert (process.wait(SOON), path.read_text()) == (0, "")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def health(port: int) -> int:
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    try:
        page.request("GET", "/health")
        return page.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        page.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # nothing tells of it


@contextlib.contextmanager
def clients(ports: list[int], count: int) -> Iterator[list[Any]]:
    """So many to each process."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(f"ws://127.0.0.1:{port}")) for port in ports for _ in range(count)]


def test_everybody_gets_text_and_binary(ports: list[int]) -> None:
    with clients(ports, 3) as all_of_them:
        for sender in (all_of_them[0], all_of_them[-1]):
            for message in ["hello, 👋", b"\x00\xff", "", b"", "x" * 500_000]:
                sender.send(message)
                for ws in all_of_them:
                    assert ws.recv(timeout=SOON) == message


def test_one_order_for_all(ports: list[int]) -> None:
    with clients(ports, 2) as all_of_them:

        def send(index: int) -> None:
            for number in range(50):
                all_of_them[index].send(f"{index}: {number}")

        threads = [threading.Thread(target=send, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first, *others = [[ws.recv(timeout=SOON) for _ in range(200)] for ws in all_of_them]
        assert sorted(first) == sorted(f"{index}: {number}" for index in range(4) for number in range(50))
        assert all(messages == first for messages in others)


def test_a_message_of_another_program(ports: list[int], redis: Redis) -> None:
    with clients(ports, 1) as all_of_them:
        assert redis.ask("publish", "chat", "tmaintenance at noon").strip() == "2"
        assert [ws.recv(timeout=SOON) for ws in all_of_them] == ["maintenance at noon"] * 2


def test_redis_ends_and_comes_back(ports: list[int], redis: Redis) -> None:
    with clients(ports, 2) as (sender, second, third, fourth):
        redis.stop()
        for port in ports:
            until(lambda: health(port) == 503)
        sender.send("lost")
        with pytest.raises(openline.ConnectionClosedError):
            sender.recv(timeout=SOON)
        assert (sender.close_code, sender.close_reason) == (1013, "try again later")
        redis.start()
        for port in ports:
            until(lambda: health(port) == 200)
        # The others have been connected all the time.
        fourth.send("back")
        assert [ws.recv(timeout=SOON) for ws in (second, third, fourth)] == ["back"] * 3


def test_redis_hangs(ports: list[int], redis: Redis) -> None:
    process_id = redis.process_id()
    os.kill(process_id, signal.SIGSTOP)
    try:
        for port in ports:
            until(lambda: health(port) == 503)
    finally:
        os.kill(process_id, signal.SIGCONT)
    for port in ports:
        until(lambda: health(port) == 200)
    with clients(ports, 1) as (sender, receiver):
        sender.send("back")
        assert receiver.recv(timeout=SOON) == "back"


def test_limits_of_redis(redis: Redis) -> None:
    limits = redis.ask("config", "get", "client-output-buffer-limit")
    assert f"pubsub {32 * 2**20} {8 * 2**20} 60" in limits


def test_the_benchmark_works() -> None:
    path = pathlib.Path(__file__).resolve().parent.parent / "bench" / "scaling_out.py"
    proxies.needs("redis-server", "redis-server")
    command = [sys.executable, str(path), "--clients", "2", "--messages", "100", "--rounds", "1"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "2 processes, 4 clients" in outcome.stdout and "delivered: " in outcome.stdout
