"""The names a program can import, and what `import openline` does not do."""

from __future__ import annotations

import builtins
import importlib
import pathlib
import subprocess
import sys
import textwrap

import pytest

import openline
from openline import exceptions
from openline.testing import EchoServer

NAMES = {
    "openline": [*exceptions.__all__, "connect", "Headers", "CloseCode", "Opcode", "State", "TimeoutError"],
    "openline.client": ["ClientProtocol", "backoff", "process_exception"],
    "openline.datastructures": ["Headers", "HeadersLike", "MultipleValuesError", "SupportsKeysAndGetItem"],
    "openline.exceptions": exceptions.__all__,
    "openline.extensions": [],
    "openline.extensions.base": ["Extension", "ClientExtensionFactory", "ServerExtensionFactory"],
    "openline.frames": [
        "Close",
        "CloseCode",
        "Frame",
        "Opcode",
        "DATA_OPCODES",
        "CTRL_OPCODES",
        "OP_TEXT",
        "TEXT",
    ],
    "openline.headers": [],
    "openline.http11": ["Request", "Response", "SERVER", "USER_AGENT"],
    "openline.protocol": ["Protocol", "Side", "State", "SERVER", "CLIENT", "CONNECTING", "OPEN", "CLOSING", "CLOSED"],
    "openline.sync": ["connect", "unix_connect", "ClientConnection"],
    "openline.sync.client": ["connect", "unix_connect", "ClientConnection"],
    "openline.sync.connection": ["Connection"],
    "openline.testing": ["EchoServer", "FaultCounts", "FaultProxy", "Faults", "Pair", "pair"],
    "openline.typing": [
        "Data",
        "BytesLike",
        "DataLike",
        "LoggerLike",
        "PathLike",
        "StatusLike",
        "Origin",
        "Subprotocol",
        "ExtensionName",
        "ExtensionParameter",
    ],
    "openline.uri": ["WebSocketURI", "parse_uri"],
    "openline.utils": ["accept_key", "apply_mask", "generate_key", "get_socket_name"],
    "openline.version": ["tag", "version", "commit", "released"],
}


@pytest.mark.parametrize("module", NAMES)
def test_names(module: str) -> None:
    loaded = importlib.import_module(module)
    for name in NAMES[module]:
        assert hasattr(loaded, name), name
    for name in getattr(loaded, "__all__", []):
        assert hasattr(loaded, name), name


def test_the_same_objects_everywhere() -> None:
    from openline import sync
    from openline.sync import client

    assert openline.connect is sync.connect is client.connect
    assert sync.unix_connect is client.unix_connect
    assert sync.ClientConnection is client.ClientConnection
    for name in exceptions.__all__:
        assert getattr(openline, name) is getattr(exceptions, name)


def test_timeout_error_is_the_builtin() -> None:
    assert openline.TimeoutError is builtins.TimeoutError


def test_star_import() -> None:
    names: dict[str, object] = {}
    exec("from openline import *", names)
    assert set(openline.__all__) <= set(names)


def test_version_is_a_version() -> None:
    assert all(part.isdigit() for part in openline.__version__.split(".")[:2])


def test_unknown_names_in_typing() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        importlib.import_module("openline.typing").Nope


# Of Python and of openline: what programs that never use it do not pay for.
SLOW = """
    asyncio base64 concurrent.futures dataclasses datetime email hashlib http importlib.metadata inspect
    ipaddress json logging multiprocessing pathlib pickle platform queue random select selectors shutil
    signal socket ssl string subprocess tempfile textwrap threading tokenize traceback urllib urllib.parse
    urllib.request uuid weakref zipfile
""".split()
LAZY = """
    openline._gevent openline._sessions openline.dropin openline.extensions openline.headers
    openline.server openline.sync._bridge openline.sync.server openline.testing openline.utils
    openline.version
""".split()


@pytest.mark.parametrize("module", ["openline", "openline.sync", "openline.sync.client"])
def test_import_is_cheap(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint([*SLOW, *LAZY])


def test_the_first_connection_imports_nothing() -> None:
    """A child that is forked while another thread imports a module waits for its lock for ever.

    Here that is where the environment names no proxy. What a connection needs in other cases is loaded then.
    """
    with EchoServer() as server:
        ready = loaded_by("from openline.sync.client import connect")
        used = loaded_by(f"""
            import os
            os.environ = {{}}  # no proxies
            from openline.sync.client import connect
            with connect({server.uri!r}) as ws:
                ws.send("hello")
                assert ws.recv(timeout=10) == "hello"
                ws.ping()
            """)
    assert used - ready == set()


def loaded_by(program: str) -> set[str]:
    """The modules that a program loads, in an interpreter that has loaded next to none."""
    package = pathlib.Path(openline.__file__).parent.parent
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{textwrap.dedent(program)}\n"
    code += "print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    return set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
