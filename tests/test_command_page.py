"""The commands that docs/command.md and README.md show give what is shown: but for numbers, times, keys and bars."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

from command import PROGRAM, serving

ROOT = pathlib.Path(__file__).resolve().parent.parent

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)

# These serve until they are told to end. What they say at once is looked at.
SERVES = re.compile(r"openline (?:echo|proxy|replay .*--listen)")

VARIES = [
    (r"Sec-WebSocket-(Key|Accept): \S+", r"Sec-WebSocket-\1: KEY"),
    (r"(Date:|valid) .*", "DATE"),
    (r"(?m)^(certificate|names|issuer) .*", r"\1"),
    (r"(?m)^[\d.]+ - [\d.]+ ms .*\n", ""),
    (r"\d[\d,.]*", "N"),
    (r" +", " "),
]


def transcripts(page: str) -> list[tuple[str, str]]:
    """Each command, with what is printed."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(command, printed) for block in BLOCK.findall(text) for command, printed in COMMAND.findall(block)]


def in_general(text: str) -> str:
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return text


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, certificate: pathlib.Path) -> pathlib.Path:
    """Where the commands run, one after the other: with the files that the page has said how to make."""
    made = tmp_path_factory.mktemp("page")
    (made / "bin").mkdir()
    (made / "bin" / "openline").symlink_to(PROGRAM)
    return made


@pytest.mark.parametrize("page", ["README.md", "docs/command.md"])
def test_commands_give_what_the_page_shows(
    page: str, directory: pathlib.Path, certificate: pathlib.Path, authority_file: pathlib.Path
) -> None:
    (directory / "ca.pem").write_bytes(authority_file.read_bytes())
    tls = ["--cert", str(certificate), "--key", str(certificate)]
    with serving("echo", "127.0.0.1:0") as (port, _), serving("echo", "127.0.0.1:0", *tls) as (tls_port, _):
        shown = transcripts(page)
        assert shown
        status = 0
        for command, printed in shown:
            command = re.sub(r"(localhost|127\.0\.0\.1):(?:876[57]|44587)", rf"\1:{port}", command)
            command = command.replace("localhost:8766", f"localhost:{tls_port}").replace("-d 5", "-d 0.3")
            if SERVES.match(command):
                check_server(command, printed, directory, certificate)
                continue
            if "changed.jsonl" in command:
                session = (directory / "session.jsonl").read_text(encoding="utf-8")
                head, received, rest = session.rpartition('"world"')
                (directory / "changed.jsonl").write_text(f'{head}"World"{rest}' if received else "", encoding="utf-8")
            command = command.replace("$?", str(status))
            ended = subprocess.run(
                ["bash", "-c", command],
                cwd=directory,
                env={**os.environ, "PATH": f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            status = ended.returncode
            wanted, found = in_general(printed), in_general(ended.stdout)
            if "…" in wanted:
                wanted = wanted.partition("…")[0]
                found = found[: len(wanted)]
            if " -vv" in command:  # threads log beside each other
                assert sorted(found.splitlines()) == sorted(wanted.splitlines())
            else:
                assert found == wanted, command


def check_server(command: str, printed: str, directory: pathlib.Path, certificate: pathlib.Path) -> None:
    words = command.removesuffix(" &").split()[1:]
    words = [re.sub(r"^127\.0\.0\.1:\d+$", "127.0.0.1:0", word) for word in words]
    words = [str(certificate) if word in {"cert.pem", "key.pem"} else word for word in words]
    words = [str(directory / word) if word.endswith(".jsonl") else word for word in words]
    if words == ["echo"]:
        words.append("127.0.0.1:0")
    with serving(*words) as (_, lines):
        assert in_general("".join(lines)) == in_general("".join(printed.splitlines(keepends=True)[: len(lines)]))
