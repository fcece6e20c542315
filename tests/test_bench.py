"""That the benchmarks work: what they measure is for bench/ to say, and no timing fails a test."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"

KINDS = {
    "round trip, 64 B": "p50",
    "receive, 1 KiB of text": "rate",
    "send, 64 B of text": "rate",
    "receive, 1 KiB compressed": "rate",
    "round trip, 64 B over TLS": "p50",
    "connect and close": "rate",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of one short round with what every checkout has."""
    path = tmp_path_factory.mktemp("bench") / "results.json"
    command = [sys.executable, str(BENCH / "benchsuite.py"), "--rounds", "1", "--seconds", "0.02", "--save", str(path)]
    for name in KINDS:
        command += ["--only", name]
    command += ["--clients", "raw", "openline", "openline, many", "websockets"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return run


@pytest.mark.parametrize(("workload", "key"), KINDS.items())
def test_each_client_does_its_work(results: dict[str, Any], workload: str, key: str) -> None:
    clients = results["results"][workload]
    assert {"openline", "websockets"} <= set(clients)
    for name, runs in clients.items():
        assert [run.get("failed") for run in runs] == [None], name
        assert runs[0][key] > 0 and runs[0]["cpu"] > 0, name


def test_the_machine_is_on_record(results: dict[str, Any]) -> None:
    assert set(results["machine"]) == {"date", "cpu", "system", "python", "openssl", "commit", "command"}
    assert results["versions"]["websockets"][0].startswith("websockets ")


def test_the_results_make_tables(results: dict[str, Any], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    command = [sys.executable, str(BENCH / "figures.py"), str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    for workload in KINDS:
        assert f"\n{workload}\n\n| client |" in printed
    assert "send, 64 B of text: openline, rate" in printed


def test_a_client_that_is_not_there_is_named() -> None:
    command = [sys.executable, str(BENCH / "benchsuite.py"), "--clients", "nobody"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert outcome.returncode == 2
    assert "no such client: nobody" in outcome.stderr


def test_the_documentation_shows_what_was_measured() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    latest = json.loads((BENCH / "runs" / "latest.json").read_text(encoding="utf-8"))
    assert latest["machine"]["cpu"] in text and latest["machine"]["date"] in text
