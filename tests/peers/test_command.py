"""The command `openline` against the servers that others wrote. Its own tests are in `crates/openline-cli/tests`."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import peers
from command import PROGRAM

PATIENCE = ["-W", "30"]


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


def way_to(target: peers.Target, authority_file: pathlib.Path, path: str) -> list[str]:
    """The arguments that lead there."""
    uri = target.uri(path)
    arguments = [uri]
    if uri.startswith("wss:"):
        arguments += ["--ca-file", str(authority_file)]
    if target.is_unix:
        arguments += ["--unix-socket", target.server.sockets[uri.partition(":")[0]]]
    return arguments


def test_lines_come_back(target: peers.Target, authority_file: pathlib.Path) -> None:
    way = way_to(target, authority_file, "/echo")
    assert run("connect", "--linger", "30", "-e", "^two$", *way, text="one\ntwo\n").stdout == "one\ntwo\n"
    assert "3 pings, 3 pongs" in run("ping", "-c", "3", "-i", "0", *PATIENCE, *way).stdout


def test_they_keep_to_the_protocol(target: peers.Target, authority_file: pathlib.Path) -> None:
    way = way_to(target, authority_file, "/echo")
    report: dict[str, Any] = json.loads(run("check", "--json", "--echo", "yes", *PATIENCE, *way).stdout)
    assert report["summary"] == {"ok": 20, "odd": 1, "failed": 0}, report
    # RFC 6455 §5.2 binds those who send.
    assert [check["name"] for check in report["checks"] if check["verdict"] == "odd"] == ["long form of a length"]
    if target.transport in ["wss", "unix+tls"]:
        assert "localhost" in report["tls"]["certificate"]["names"], report


def test_a_session_is_the_same_again(
    target: peers.Target, authority_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    way = way_to(target, authority_file, "/send?count=3&code=1000&reason=done")
    file = str(tmp_path / "session.jsonl")
    recorded = run("record", "-n", *way, file).stdout
    assert recorded == "message 0\nmessage 1\nmessage 2\n"
    end = json.loads((tmp_path / "session.jsonl").read_text().splitlines()[-1])
    assert (end["first"], end["server"]) == ("server", {"code": 1000, "reason": "done"})
    assert run("replay", *PATIENCE, file, "--to", *way).stdout == "0 sent, 3 answers, 0 different\n"


def test_a_program_for_websockets_runs(websockets_server: peers.Server, tmp_path: pathlib.Path) -> None:
    uri = peers.Target(websockets_server, "ws").uri("/echo")
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from websockets.sync.client import connect\n"
        "with connect(sys.argv[1]) as websocket:\n"
        "    websocket.send('hello')\n"
        "    print(connect.__module__, websocket.recv())\n"
    )
    done = run("run", "--python", sys.executable, str(program), uri)
    assert done.stdout.startswith("openline.") and done.stdout.endswith(" hello\n"), done
