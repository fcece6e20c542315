"""`openline.testing.pair`: both ends of a connection."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

import pytest

from openline import ConnectionClosedError, ConnectionClosedOK, InvalidURI, State
from openline.extensions.permessage_deflate import PerMessageDeflate
from openline.protocol import Side
from openline.sync.client import ClientConnection
from openline.sync.connection import Connection
from openline.testing import pair


def test_messages() -> None:
    with pair() as (client, server):
        client.send("up")
        server.send(b"down")
        assert (server.recv(), client.recv()) == ("up", b"down")
        assert client.ping(timeout=10) > 0
        server.send(["in ", "fragments"])
        assert client.recv() == "in fragments"
    assert client.closed and server.closed
    assert (client.close_code, server.close_code) == (1000, 1000)


def test_large_messages_both_ways_at_once() -> None:
    message = os.urandom(8 << 20)
    with pair(max_size=None) as (client, server):
        sender = threading.Thread(target=client.send, args=(message,))
        sender.start()
        server.send(message)
        assert (server.recv() == message, client.recv() == message) == (True, True)
        sender.join()


def test_what_they_are() -> None:
    with pair() as both:
        assert type(both.client) is ClientConnection
        assert type(both.server) is Connection
        assert both.client.protocol.side is Side.CLIENT
        assert both.server.protocol.side is Side.SERVER
        assert both.server.state is State.OPEN
        assert both.client.socket.family is both.server.socket.family is socket.AF_UNIX
        assert repr(both.server) == "<Connection OPEN to ''>"


def test_the_handshake_is_a_real_one() -> None:
    with pair(
        "ws://example.com/room?id=7",
        subprotocols=["v2", "v1"],
        additional_headers={"X-Trace": "42"},
        origin="https://example.com",
        user_agent_header="test/1",
    ) as (client, server):
        assert client.subprotocol == server.subprotocol == "v2"
        assert server.request.path == client.request.path == "/room?id=7"
        headers = server.request.headers
        assert headers["Host"] == "example.com"
        assert (headers["X-Trace"], headers["User-Agent"]) == ("42", "test/1")
        assert client.response.status_code == server.response.status_code == 101


def test_compression() -> None:
    with pair() as (client, server):
        assert [type(extension) for extension in client.extensions] == [PerMessageDeflate]
        assert [type(extension) for extension in server.extensions] == [PerMessageDeflate]
    with pair(compression=None) as (client, server):
        assert client.extensions == server.extensions == []


def test_limits_hold_for_both() -> None:
    for way in (1, -1):
        with pair(max_size=10) as both:
            sender, receiver = both[::way]
            sender.send("x" * 11)
            with pytest.raises(ConnectionClosedError, match="1009"):
                receiver.recv()


def test_times_hold_for_both() -> None:
    with pair(ping_interval=7, ping_timeout=None, close_timeout=3) as both:
        for end in both:
            assert (end.ping_interval, end.ping_timeout, end.close_timeout) == (7, None, 3)


def test_keepalive() -> None:
    with pair(ping_interval=0.01) as (client, server):
        while not client.latency or not server.latency:
            client.wait_closed(timeout=0.01)


def test_close_by_either() -> None:
    with pair() as (client, server):
        server.close(4000, "enough")
        with pytest.raises(ConnectionClosedError, match="received 4000"):
            client.recv()
    with pair() as (client, server):
        client.close()
        with pytest.raises(ConnectionClosedOK):
            server.recv()


def test_the_end_of_the_block_waits_for_no_message_that_is_left() -> None:
    for way in (1, -1):
        with pair(close_timeout=60) as both:
            sender, receiver = both[::way]
            for number in range(100):  # more than `max_queue`, so that the receiver stops reading
                sender.send(f"message {number}")
        assert receiver.recv_many() == [f"message {number}" for number in range(100)]
        assert (sender.close_code, receiver.close_code) == (1000, 1000)


def test_an_exception_in_the_body() -> None:
    with pytest.raises(KeyError), pair() as (client, server):
        raise KeyError
    assert server.close_code == 1011


def test_create_connection() -> None:
    class Mine(ClientConnection):
        pass

    with pair(create_connection=Mine) as (client, server):
        assert type(client) is Mine
        assert type(server) is Connection


def test_nothing_is_left_if_that_fails() -> None:
    def fail(*args: Any, **kwargs: Any) -> ClientConnection:
        raise RuntimeError("not today")

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RuntimeError, match="not today"):
        pair(create_connection=fail)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_the_client_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pair")
    with caplog.at_level(logging.DEBUG, "pair"), pair(logger=logger) as (client, server):
        client.send("hello")
        assert server.recv() == "hello"
    assert "> TEXT 'hello' [5 bytes]" in caplog.messages
    assert caplog.messages.count("= connection is OPEN") == 1


@pytest.mark.parametrize("name", ["sock", "ssl", "proxy", "timeout", "source_address", "server_hostname"])
def test_what_networks_need_is_refused(name: str) -> None:
    arguments: dict[str, Any] = {name: None}
    with pytest.raises(TypeError, match=f"pair\\(\\) got the argument '{name}', and has no network"):
        pair(**arguments)


def test_other_arguments_that_cannot_be() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        pair(nope=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="a pair has no TLS"):
        pair("wss://localhost/")
    with pytest.raises(InvalidURI):
        pair("http://localhost/")
