"""The servers that others wrote, for tests that want them: see `peers`."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
from collections.abc import Iterator

import pytest
import trustme

import peers

# A proxy of the machine's is for others than the servers of these tests.
for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[variable]

# Jobs in the background of a shell are started with Ctrl-C ignored, as are their children then.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority of these tests, which nobody else trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Its certificate, for SSL_CERT_FILE."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A key and a certificate for the names and addresses of this machine."""
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def websockets_server(
    certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Server]:
    with peers.running("websockets", certificate, tmp_path_factory.mktemp("websockets")) as server:
        yield server


@pytest.fixture(scope="session")
def node_server(
    certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Server]:
    modules = pathlib.Path(__file__).parent / "node" / "node_modules"
    if shutil.which("node") is None or not (modules / "ws").exists():
        pytest.skip("no Node with ws; with npm installed: make tests/node/node_modules")
    with peers.running("node", certificate, tmp_path_factory.mktemp("node")) as server:
        yield server


@pytest.fixture(params=["websockets", "node"])
def server(request: pytest.FixtureRequest) -> peers.Server:
    """Each of the two servers in turn."""
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, peers.Server)
    return server


@pytest.fixture(params=peers.TRANSPORTS)
def target(
    request: pytest.FixtureRequest,
    server: peers.Server,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> peers.Target:
    """Each of the two servers by each of the ways to it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    return peers.Target(server, request.param)
