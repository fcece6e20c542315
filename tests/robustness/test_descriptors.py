"""Descriptors: numbers over 1023, and none left when the process has all it may have."""

from __future__ import annotations

import os
import pathlib
import resource
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from openline.sync.client import connect
from openline.testing import EchoServer


class TestLargeNumbers:
    """`select` stops at 1023."""

    @pytest.fixture(autouse=True)
    def low_numbers_are_taken(self) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < 1200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
        taken = [os.open(os.devnull, os.O_RDONLY)]
        while taken[-1] < 1024:
            taken.append(os.dup(taken[0]))
        yield
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.parametrize("transport", ["TCP", "rustls", "SSLContext"])
    def test_every_wait(
        self,
        transport: str,
        certificate: pathlib.Path,
        authority_file: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        context = ssl.create_default_context() if transport == "SSLContext" else None
        with EchoServer(certfile=None if transport == "TCP" else certificate) as server:
            uri = server.uri.replace("127.0.0.1", "localhost")
            with connect(uri, ssl=context, max_size=None, ping_interval=0.02) as ws:
                assert ws.fileno() > 1023
                with pytest.raises(TimeoutError):
                    ws.recv(timeout=0.1)
                ws.send(bytes(4 << 20), timeout=10)
                assert ws.recv(timeout=10) == bytes(4 << 20)
                assert ws.ping(timeout=10) > 0
                ws.send_many(["a", "b"], timeout=10)
                assert [ws.recv(), ws.recv()] == ["a", "b"]
                assert not ws.wait_closed(0.1)  # the driver answers and asks meanwhile
            assert ws.close_code == 1000


class TestNoneLeft:
    """With any number of free ones: a connection, or an `OSError`; and then all is as before."""

    # What needs one: the driver's epoll, eventfd and timer, the resolver's files, sockets, certificates.
    PROGRAM = textwrap.dedent("""
        import faulthandler, os, resource, ssl, sys

        import openline
        from openline.sync.client import connect

        free, uri, authorities = int(sys.argv[1]), sys.argv[2], sys.argv[3]
        faulthandler.dump_traceback_later(20, exit=True)
        context = None
        if authorities:
            context = ssl.create_default_context(cafile=authorities)

        def opened():
            return len(os.listdir("/proc/self/fd"))

        def attempt():
            with connect(uri, ssl=context, open_timeout=10) as ws:
                ws.send("hello")
                assert ws.recv(timeout=10) == "hello"

        before = opened()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        for descriptor in taken[:free]:
            os.close(descriptor)
        try:
            attempt()
        except OSError:
            outcome = "OSError"
        else:
            outcome = "connected"
        for descriptor in taken[free:]:
            os.close(descriptor)
        assert opened() <= before + 3, "those of the driver may stay"
        attempt()  # what failed once does not fail for ever
        print(outcome)
        """)

    @pytest.mark.parametrize("free", range(12))
    @pytest.mark.parametrize("transport", ["TCP", "rustls", "SSLContext"])
    def test_connect(
        self, transport: str, free: int, certificate: pathlib.Path, authority_file: pathlib.Path
    ) -> None:
        with EchoServer(certfile=None if transport == "TCP" else certificate) as server:
            uri = server.uri.replace("127.0.0.1", "localhost")
            authorities = str(authority_file) if transport == "SSLContext" else ""
            run = subprocess.run(
                [sys.executable, "-W", "error", "-c", self.PROGRAM, str(free), uri, authorities],
                capture_output=True,
                text=True,
                timeout=25,
                env={**os.environ, "SSL_CERT_FILE": str(authority_file)},
            )
        assert (run.returncode, run.stderr) == (0, "")
        if free in (0, 11):
            assert run.stdout == ("connected\n" if free else "OSError\n")
