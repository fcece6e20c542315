"""Reconnecting again and again: memory, threads and descriptors stay as they are."""

from __future__ import annotations

import gc
import itertools
import os
import pathlib
import ssl

import pytest

from openline.sync.client import connect, reconnect
from openline.testing import EchoServer

from robustness.census import FULL, opened, resident, threads

COUNT = 10_000 if FULL else 1_000


def turns(uri: str, count: int) -> None:
    """Connect again and again, while both ends take turns in closing."""
    for number, ws in enumerate(itertools.islice(reconnect(uri), count)):
        ws.send(f"{number}")
        assert ws.recv(timeout=10) == f"{number}"
        if number % 2:
            assert list(ws) == []  # the server closes after a message


def test_reconnecting() -> None:
    with EchoServer(close_after=1) as server:
        turns(server.uri, COUNT // 10)
        gc.collect()
        before = opened(), threads(), resident()
        turns(server.uri, COUNT)
        gc.collect()
        assert opened() <= before[0] + 2  # the server is about to close them
        assert threads() <= before[1] + 2
        assert resident() - before[2] < 4 << 20


@pytest.mark.parametrize("by", ["rustls", "SSLContext"])
def test_over_tls(
    by: str, certificate: pathlib.Path, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.create_default_context() if by == "SSLContext" else None

    def some(count: int) -> None:
        for number in range(count):
            with connect(server.uri, ssl=context) as ws:
                ws.send(f"{number}")
                assert ws.recv(timeout=10) == f"{number}"

    with EchoServer(certfile=certificate) as server:
        some(COUNT // 10)
        gc.collect()
        before = opened(), threads(), resident()
        some(COUNT // 2)
        gc.collect()
        assert opened() <= before[0] + 2
        assert threads() <= before[1] + 2
        assert resident() - before[2] < 4 << 20
