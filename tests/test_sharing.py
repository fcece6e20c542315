"""Connections that several threads use, and many connections at once, to servers that others wrote."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from openline import ConnectionClosed, ConnectionClosedOK
from openline.sync.client import ClientConnection

from peers import Target


def until_closed(step: Callable[[], object]) -> ConnectionClosed:
    """Repeat `step` up to the `ConnectionClosed` that ends it. Any other exception fails the test."""
    while True:
        try:
            step()
        except ConnectionClosed as error:
            return error


@pytest.mark.parametrize("messages", [1, 100])
@pytest.mark.parametrize("fragmented", [False, True], ids=["whole", "in fragments"])
def test_one_thread_receives_two_send_one_closes(target: Target, messages: int, fragmented: bool) -> None:
    received: dict[str, list[int]] = {"a": [], "b": []}
    enough = threading.Event()

    def receive() -> None:
        name, number = str(ws.recv(timeout=20)).split()
        received[name].append(int(number))
        if sum(map(len, received.values())) >= messages:
            enough.set()

    def sender(name: str) -> Callable[[], None]:
        numbers = iter(range(10**9))

        def send() -> None:
            message = f"{name} {next(numbers)}"
            ws.send(iter([message[:1], message[1:]]) if fragmented else message)

        return send

    def close() -> None:
        assert enough.wait(20)
        ws.close()

    # Node's ws compresses each message by itself in other threads: a flood of them it never gets through.
    compression = None if target.server.library == "node" else "deflate"
    ws = target.connect("/echo", compression=compression)
    with ThreadPoolExecutor(4) as pool:
        steps = [receive, sender("a"), sender("b")]
        ends = [pool.submit(until_closed, step) for step in steps]
        pool.submit(close).result(20)
        errors = [end.result(20) for end in ends]

    assert len({str(error) for error in errors}) == 1
    # A close between the fragments of a message is one too, if a rude one: `websockets` answers it with 1002.
    if not fragmented:
        assert {type(error) for error in errors} == {ConnectionClosedOK}
        assert str(errors[0]) == "sent 1000 (OK); then received 1000 (OK)"
    # Of each sender all messages up to one of them, in order: nothing is lost, doubled or mixed.
    for numbers in received.values():
        assert numbers == list(range(len(numbers)))
    assert (ws.closed, ws.close_code) == (True, errors[0].code)


@pytest.mark.parametrize("ending", ["/send", "/abort"])
def test_the_server_ends_it_for_all_threads(target: Target, ending: str) -> None:
    ws = target.connect(ending, {"count": 1, "code": 1001})
    with ThreadPoolExecutor(4) as pool:
        steps: list[Callable[[], object]] = [ws.recv, lambda: ws.send("a"), lambda: ws.send("b"), ws.ping]
        ends = [pool.submit(until_closed, step) for step in steps]
        errors = [end.result(20) for end in ends]
    assert len({str(error) for error in errors}) == 1
    assert len({type(error) for error in errors}) == 1
    assert ws.close_code == errors[0].code


def test_a_hundred_connections_with_a_thread_each(target: Target) -> None:
    together = threading.Barrier(100)

    def talk(number: int) -> None:
        messages = [f"{number} {n}" for n in range(10)]
        with target.connect("/echo") as ws:
            together.wait(20)
            for message in messages:
                ws.send(message)
                assert ws.recv(timeout=20) == message
            ws.send_many(messages)
            assert [ws.recv(timeout=20) for _ in messages] == messages
        assert ws.close_code == 1000

    with ThreadPoolExecutor(100) as pool:
        for end in [pool.submit(talk, number) for number in range(100)]:
            end.result(25)


def test_a_hundred_senders_of_one_connection(target: Target) -> None:
    def send(number: int) -> None:
        ws.send(f"{number} " * 100)
        ws.send([f"{number} "] * 10)

    with target.connect("/echo", max_queue=None) as ws, ThreadPoolExecutor(101) as pool:
        receiving = pool.submit(receive_many, ws, 200)
        for end in [pool.submit(send, number) for number in range(100)]:
            end.result(20)
        expected = [f"{number} " * times for number in range(100) for times in (100, 10)]
        assert sorted(receiving.result(20)) == sorted(expected)


def receive_many(ws: ClientConnection, count: int) -> list[str]:
    return [str(ws.recv(timeout=20)) for _ in range(count)]
