"""Published packages do with openline behind them what they do with `websockets`.

Each package has a session in `sessions/`: text and binary, handshakes that are refused, closes with codes,
ends without one, time-outs. What it prints and what the server saw must be the same.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from runs import HERE, ROOT, SETUPS, Runner, Transcript

PACKAGES = sorted(path.stem.removeprefix("use_") for path in (HERE / "sessions").glob("use_*.py"))

# What openline says in other words: docs/migrate-from-websockets.md and docs/drop-in.md tell of them.
TEXTS = {
    "[Errno 111] Connection refused": "[Errno 111] cannot connect to 127.0.0.1:PORT: Connection refused",
    "timed out in 0.3s": "timed out while waiting for a message",
    "timed out while waiting for handshake response": "timed out while opening the connection",
}

# What a package does otherwise: docs/packages.md says why.
DIFFERENCES = {
    ("deepgram", "openline alone"): {
        "raised InvalidStatus: server rejected WebSocket connection: HTTP 401": (
            "ApiError 401 Websocket initialized with invalid credentials."
        ),
    },
}

Runs = Callable[[str, str], Transcript]


@pytest.fixture(scope="module")
def run(
    request: pytest.FixtureRequest, certificate: pathlib.Path, authority_file: pathlib.Path
) -> Iterator[Runs]:
    """Waits for a session; those of all tests run beside one another, since they wait a lot."""
    runner = Runner(certificate, authority_file)
    with ThreadPoolExecutor(4) as pool:
        runs: dict[tuple[str, str], Future[Transcript]] = {}
        for package in PACKAGES:
            if any(package in item.name for item in request.session.items):
                for name, setup in SETUPS.items():
                    runs[package, name] = pool.submit(runner.run, package, setup)
        yield lambda package, name: runs[package, name].result()


@pytest.mark.parametrize("package", PACKAGES)
def test_with_websockets(run: Runs, package: str) -> None:
    """The server and the session are right."""
    transcript = run(package, "websockets")
    text = "\n".join(transcript.server)
    assert "the server failed" not in text
    assert "/silent/" in text or "/mute/" in text
    for end in ("refused with 40", "sent 4", "no close frame received or sent"):
        assert end in text


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("setup", [name for name in SETUPS if name != "websockets"])
def test_with_openline(run: Runs, package: str, setup: str) -> None:
    expected, transcript = run(package, "websockets"), run(package, setup)
    differences = DIFFERENCES.get((package, setup), {})
    assert transcript.client == [differences.get(line, _in_our_words(line)) for line in expected.client]
    assert transcript.server == expected.server


def _in_our_words(line: str) -> str:
    for theirs, ours in TEXTS.items():
        line = line.replace(theirs, ours)
    return line


def test_documents_name_what_runs() -> None:
    pinned = set()
    for name in ("requirements-packages-short.txt", "requirements-packages.txt"):
        packages = (ROOT / name).read_text(encoding="utf-8").split("# What these need themselves")[0]
        pinned |= set(re.findall(r"^([\w-]+)==([\d.]+)$", packages, re.MULTILINE))
    document = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", document, re.MULTILINE)) == pinned
    assert {name.removesuffix("-sdk").replace("-", "_") for name, _ in pinned} == set(PACKAGES)
