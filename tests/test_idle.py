"""What 1,000 idle connections cost a process: next to nothing, and still they answer and ping."""

from __future__ import annotations

import json
import pathlib
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from openline.sync.client import connect

import peers

CONNECTIONS = 1000


@pytest.fixture
def websockets_server(
    certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Server]:
    """Of each test its own: it counts the connections, and is told of their end by no one."""
    with peers.running("websockets", certificate, tmp_path_factory.mktemp("idle")) as server:
        yield server


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Allow the processes that this one starts the descriptors for both ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + 100
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"{needed} descriptors are needed, and {hard} allowed: ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="the figures are those of Linux's /proc")
@pytest.mark.parametrize(
    ("ping_interval", "pings"), [(20, 0), (0.5, 2)], ids=["keepalive as by default", "keepalive every 0.5 s"]
)
def test_a_thousand_idle_connections(
    websockets_server: peers.Server, ping_interval: float, pings: int, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"ws://127.0.0.1:{websockets_server.ports['ws']}"
    client = pathlib.Path(peers.__file__).parent / "idle_client.py"
    command = [
        sys.executable,
        "-W",
        "error",
        str(client),
        f"{uri}/idle",
        str(CONNECTIONS),
        str(ping_interval),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "connected\n"
            # The server waits for what it counts, and nobody in the client receives.
            with connect(f"{uri}/census?count={CONNECTIONS}&pings={pings}") as ws:
                assert ws.recv(timeout=25) == f"{CONNECTIONS} pongs"
            process.stdin.write("measure\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
        finally:
            process.kill()

    with capsys.disabled():
        print(
            f"\n{CONNECTIONS} idle connections, ping_interval={ping_interval}: {found['threads']} threads, "
            f"{found['descriptors']} descriptors, {found['bytes each'] / 1024:.1f} KiB each, "
            f"{found['CPU']:.2%} of a core"
        )
    assert found["open"] == CONNECTIONS
    assert found["threads"] <= 1
    assert found["descriptors"] == CONNECTIONS
    assert found["bytes each"] < 10 * 1024
