"""The Python examples of the documents and of the docstrings run, and print what the documents say.

Each runs as a program of its own. `ws://localhost:8765` in it is replaced by the address of an echo server that
runs in this process, and `/run/app.sock` by the path of another; port 8766 by that of one with TLS, and
`localhost:3128` by the address of a proxy. If the block after one in a document is `text`,
it is what the program must print.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import os
import pathlib
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import trustme

import connect_proxy
import openline
from openline import _openline
from openline.testing import EchoServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^```(?P<language>[\w,]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

# After "Example:", in a docstring: an indented block. In that of a module: any that is indented.
EXAMPLE = re.compile(r"^Example:\n(?P<body>(?:    .*\n|\n)+)", re.MULTILINE)
INDENTED = re.compile(r"\n\n(?P<body>    (?!>>>|- |python ).*\n(?:    .*\n|\n)*)")

# What readers of a docstring have imported, and what they have a method of.
PRELUDE = """\
import pytest
from openline import *
from openline.client import *
from openline.sync import *
from openline.testing import *
from openline.uri import *
"""
SERVER_PRELUDE = """\
from openline.sync.router import *
from openline.sync.server import *
from werkzeug.routing import Map, Rule

def handler(websocket):
    pass

def room(websocket, name):
    pass

server = serve(handler, "localhost", 0)
"""


CONNECTED = 'websocket = connect("ws://localhost:8765")\n'


class Example(NamedTuple):
    where: str
    program: str
    output: str | None = None


def in_documents() -> Iterator[Example]:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        blocks = list(FENCE.finditer(text))
        for block, following in itertools.zip_longest(blocks, blocks[1:]):
            if block["language"] == "python":
                line = text.count("\n", 0, block.start()) + 1
                output = following["body"] if following and following["language"] == "text" else None
                where = f"{document.relative_to(ROOT).as_posix()}:{line}"
                yield Example(where, block["body"], output)


def in_docstrings() -> Iterator[Example]:
    names = [info.name for info in pkgutil.walk_packages(openline.__path__, "openline.")]
    names.remove("openline._openline")  # it is not written in Python
    for module_name in ["openline", *names]:
        module = importlib.import_module(module_name)
        # From the source: Python 3.13 takes the indentation that all lines have in common away.
        doc = ast.get_docstring(ast.parse(inspect.getsource(module)), clean=False)
        for match in INDENTED.finditer(f"{doc}\n"):
            yield Example(module_name, textwrap.dedent(match["body"]))
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module_name:
                continue
            things = [(name, thing), *vars(thing).items()] if inspect.isclass(thing) else [(name, thing)]
            for inner, part in things:
                where = f"{module_name}.{name}" if part is thing else f"{module_name}.{name}.{inner}"
                text = getattr(part, "__doc__", None)
                for match in EXAMPLE.finditer(inspect.cleandoc(text if isinstance(text, str) else "") + "\n"):
                    prelude = PRELUDE + (SERVER_PRELUDE if "server" in match["body"] else "")
                    yield Example(where, prelude + textwrap.dedent(match["body"]))
    for name, method in vars(_openline.Connection).items():
        for match in EXAMPLE.finditer(f"{inspect.getdoc(method)}\n"):
            body = textwrap.dedent(match["body"])
            yield Example(f"openline._openline.Connection.{name}", f"{PRELUDE}{CONNECTED}{body}websocket.close()\n")


IN_DOCUMENTS = list(in_documents())
IN_DOCSTRINGS = list(in_docstrings())


def ending(program: str) -> str:
    """A program whose server, if it has one, listens on a free port and ends after a moment."""
    served = "server.serve_forever()"
    if served not in program:
        return program
    program = program.replace('"localhost", 8765', '"localhost", 0')
    soon = "__import__('threading').Timer(0.2, server.shutdown).start()"
    return program.replace(served, f"{soon}; {served}")


def run(
    program: str, directory: pathlib.Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    # A file, as processes that it starts look for their functions there.
    file = directory / "program.py"
    file.write_text(program, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", file],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=directory,
        env={**os.environ, **environment},
    )


def test_there_are_examples() -> None:
    assert sum(example.where.startswith("README.md") for example in IN_DOCUMENTS) >= 2
    documented = {example.where for example in IN_DOCSTRINGS}
    assert {"openline", "openline.sync", "openline.sync.client.connect", "openline.testing"} <= documented


@pytest.mark.parametrize("example", IN_DOCUMENTS, ids=lambda example: example.where)
def test_document(
    example: Example, authority: trustme.CA, certificate: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other-ca.pem"))
    (tmp_path / "server.pem").write_bytes(certificate.read_bytes())
    client = authority.issue_cert("me@example.com")
    client.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    # They show one exchange, also those that receive until the end.
    close_after = 1 if "for message in websocket" in example.program or "closes now" in example.program else None
    with (
        EchoServer(close_after=close_after) as server,
        EchoServer(certfile=certificate) as tls_server,
        connect_proxy.running("user", "secret") as proxy,
    ):
        program = example.program.replace("ws://localhost:8765", server.uri.rstrip("/"))
        program = program.replace(":8766", f":{tls_server.address[1]}")
        program = program.replace("localhost:3128", f"localhost:{proxy}")
        program = program.replace("/run/chat/1.sock", str(tmp_path / "chat.sock"))
        outcome = run(ending(program), tmp_path, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    if example.output is not None:
        assert outcome.stdout == example.output


@pytest.mark.parametrize("example", IN_DOCSTRINGS, ids=lambda example: example.where)
def test_docstring(example: Example, tmp_path: pathlib.Path) -> None:
    # They show one exchange, also those that receive until the end.
    close_after = None if CONNECTED in example.program else 1
    with EchoServer(close_after=close_after) as server, EchoServer(path=tmp_path / "app.sock", close_after=1):
        program = ending(example.program).replace("ws://localhost:8765", server.uri.rstrip("/"))
        program = program.replace('("localhost", 8765)', repr(server.address))
        program = program.replace("/run/server.sock", str(tmp_path / "server.sock"))
        outcome = run(program.replace("/run/app.sock", str(tmp_path / "app.sock")), tmp_path)
    assert outcome.returncode == 0, outcome.stderr
