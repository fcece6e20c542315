"""Reconnecting again and again: memory, threads and descriptors stay as they are."""

from __future__ import annotations

import gc
import itertools
import os
import pathlib
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from openline.sync.client import connect, reconnect
from openline.testing import EchoServer

from robustness.census import FULL, opened, resident, threads

ROUNDS, TURNS = (10 if FULL else 1), 1_000


def check(turns: Callable[[str, int], None], **options: Any) -> None:
    """Take turns with a new server in each round, since a server keeps the requests that it got."""
    with EchoServer(**options) as server:
        turns(server.uri, TURNS // 5)
    gc.collect()
    before = opened(), threads(), resident()
    for _ in range(ROUNDS):
        with EchoServer(**options) as server:
            turns(server.uri, TURNS)
    gc.collect()
    assert opened() <= before[0] + 2  # the server is about to close them
    assert threads() <= before[1] + 2
    assert resident() - before[2] < 4 << 20


def test_reconnecting() -> None:
    """Both ends take turns in closing."""

    def turns(uri: str, count: int) -> None:
        for number, ws in enumerate(itertools.islice(reconnect(uri), count)):
            ws.send(f"{number}")
            assert ws.recv(timeout=10) == f"{number}"
            if number % 2:
                assert list(ws) == []  # the server closes after a message

    check(turns, close_after=1)


@pytest.mark.parametrize("by", ["rustls", "SSLContext"])
def test_over_tls(
    by: str, certificate: pathlib.Path, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.create_default_context() if by == "SSLContext" else None

    def turns(uri: str, count: int) -> None:
        for number in range(count):
            with connect(uri, ssl=context) as ws:
                ws.send(f"{number}")
                assert ws.recv(timeout=10) == f"{number}"

    check(turns, certfile=certificate)
