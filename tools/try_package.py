"""Uses the installed package, as its users do: `tools/packages.py` runs this where nothing of the clone is."""

from __future__ import annotations

import contextlib
import importlib.metadata
import pathlib
import subprocess
import sys
import threading

import openline
from openline.sync.client import connect
from openline.sync.server import ServerConnection, serve
from openline.testing import EchoServer

PROGRAM = """\
import sys
from websockets.sync.client import connect

with connect(sys.argv[1]) as websocket:
    websocket.send("dropped in")
    print(websocket.recv(), connect.__module__)
"""


def main() -> None:
    check_files()
    with EchoServer() as server:
        echo(server.uri)
        check_drop_in(server.uri)
        check_command(server.uri)
    with EchoServer(certfile="server.pem") as server:
        echo(server.uri)
    check_server()
    print(f"openline {openline.__version__} works, on Python {sys.version.split()[0]}")


def check_files() -> None:
    assert "site-packages" in openline.__file__, openline.__file__
    package = importlib.metadata.distribution("openline")
    assert package.version == openline.__version__
    files = {str(file) for file in package.files or []}
    assert {"openline/py.typed", "openline/_openline.pyi"} <= files
    assert not [file for file in files if "test_" in file or file.startswith(("tests/", "crates/"))]
    for name in ["openline", "openline-cli"]:
        licences = {file.name for file in importlib.metadata.distribution(name).files or [] if "licenses" in file.parts}
        assert licences >= {"LICENSE-MIT", "LICENSE-APACHE"}, (name, licences)


def echo(uri: str) -> None:
    with connect(uri) as websocket:
        messages: list[str | bytes] = ["text", b"binary", "x" * 100_000]
        for message in messages:
            websocket.send(message)
            assert websocket.recv(timeout=30) == message


def check_drop_in(uri: str) -> None:
    pathlib.Path("program.py").write_text(PROGRAM, encoding="utf-8")
    printed = run(sys.executable, "-m", "openline", "run", "program.py", uri)
    assert printed == "dropped in openline.dropin.client\n", printed


def check_command(uri: str) -> None:
    """As the script that is installed, and by `python -m openline`: the same."""
    script = str(pathlib.Path(sys.executable).parent / "openline")
    for command in [[script], [sys.executable, "-m", "openline"]]:
        assert openline.__version__ in run(*command, "--version")
        assert run(*command, "connect", "--one", uri, text="hello\n") == "hello\n"
    closed = subprocess.run([sys.executable, "-m", "openline", "connect", "ws://127.0.0.1:1"], capture_output=True)
    assert closed.returncode == 2 and b"refused" in closed.stderr


def check_server() -> None:
    def handler(websocket: ServerConnection) -> None:
        with contextlib.suppress(openline.ConnectionClosed):
            websocket.send(websocket.recv())

    with serve(handler, "localhost", 0) as server:
        threading.Thread(target=server.serve_forever).start()
        host, port = server.socket.getsockname()[:2]
        with connect(f"ws://localhost:{port}", address=(host, port)) as websocket:
            websocket.send("hello")
            assert websocket.recv(timeout=30) == "hello"


def run(*command: str, text: str = "") -> str:
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


if __name__ == "__main__":
    main()
