"""A session with the package `langsmith`: commands in its sandboxes, and a tunnel to one."""

from __future__ import annotations

import os
import socket

from transcript import PLAIN, say, scenario

# Its own 0.01 s are too short for a close that both sides see on a busy machine.
os.environ["LANGSMITH_SANDBOX_WS_TIMEOUT_CLOSE"] = "5"

from langsmith.sandbox import Sandbox, SandboxClient, SandboxConnectionError  # noqa: E402
from langsmith.sandbox._tunnel import Tunnel  # noqa: E402
from langsmith.sandbox._ws_execute import run_ws_stream  # noqa: E402


def sandbox(behaviour: str) -> Sandbox:
    headers = {"X-Service-Key": "service"}
    client = SandboxClient(api_endpoint=f"http://{PLAIN}", api_key="key", headers=headers)
    return Sandbox.from_dict({"name": "box", "dataplane_url": f"http://{PLAIN}/{behaviour}"}, client)


def run(behaviour: str) -> None:
    handle = sandbox(behaviour).run("ls -l", timeout=5, wait=False, env={"A": "ä"})
    for chunk in handle:
        say(chunk.stream, repr(chunk.data))
    say("exit", handle.result.exit_code)


with scenario("a command"):
    run("served")

with scenario("a command with input"):
    handle = sandbox("served").run("cat", wait=False, close_input=False)
    handle.send_input("Grüße\n")
    result = handle.result
    say(repr(result.stdout), repr(result.stderr), result.exit_code)

with scenario("a command that is killed"):
    handle = sandbox("unwatched").run("cat", wait=False, close_input=False)
    try:
        for chunk in handle:
            if chunk.stream == "stderr":
                handle.kill()
    except SandboxConnectionError:  # whose text depends on who is faster
        say("killed")

with scenario("a handshake that is refused"):
    run("refused/403")

with scenario("a close with a code"):
    stream, _ = run_ws_stream(f"http://{PLAIN}/closed/4401", "key", "ls")
    say(list(stream))

with scenario("a server that reloads"):
    stream, _ = run_ws_stream(f"http://{PLAIN}/closed/1001", "key", "ls")
    say(list(stream))

with scenario("the end without a close"):
    stream, _ = run_ws_stream(f"http://{PLAIN}/closed/1006", "key", "ls")
    say(list(stream))

with scenario("a server that restarts before the command has started"):
    run("restarting/1012")

with scenario("a handshake without an answer"):
    stream, _ = run_ws_stream(f"http://{PLAIN}/silent", "key", "ls", open_timeout=1)
    say(list(stream))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


with scenario("a server that is not there"):
    stream, _ = run_ws_stream(f"http://127.0.0.1:{free_port()}", "key", "ls")
    say(list(stream))


def tunnel(behaviour: str) -> None:
    with sandbox(behaviour).tunnel(5432, local_port=free_port()) as there:
        say(isinstance(there, Tunnel))
        with socket.create_connection(("127.0.0.1", there.local_port)) as line:
            line.sendall(b"durch den Tunnel" * 100)
            say(line.recv(1600, socket.MSG_WAITALL))
            line.shutdown(socket.SHUT_WR)
            say(line.recv(1))


with scenario("binary, through a tunnel"):
    tunnel("served")

with scenario("a tunnel that is refused"):
    tunnel("refused/401")
