"""Runs cases of the suite against an endpoint, which is a process of its own.

The suite is `kosoku`: the cases of the Autobahn test suite, and a runner for them. To test a client it is the
server, and the client asks for one case after the other; to test a server it is the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, NamedTuple, TypeVar

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from kosoku._kosoku import CaseResult

import corrections
from expected import Ran

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")

T = TypeVar("T")

# What an endpoint may take to end when it should.
ENDING = 15

corrections.apply()


class Endpoint(NamedTuple):
    """A program under test."""

    peer: str
    """`rust`, `python` or `websockets`; `rust callbacks`, which is a server only, and `bare`, a client only."""
    role: str
    """`client` or `server`."""
    profile: str
    """Of the Rust program: `debug` or `release`."""

    def command(self) -> list[str]:
        """What starts it."""
        if self.peer == "bare":
            return [str(TARGET / self.profile / "bare")]
        if self.peer.startswith("rust"):
            role = "callbacks" if self.peer == "rust callbacks" else self.role
            return [str(TARGET / self.profile / "examples" / "autobahn"), role]
        package = {"python": "openline"}.get(self.peer, self.peer)
        return [sys.executable, str(ROOT / "conformance" / "endpoint.py"), package, self.role]

    def __str__(self) -> str:
        return f"{self.peer} {self.role}"


class EndpointError(Exception):
    """An endpoint did not do its part, whatever the cases came to."""


async def play(
    endpoint: Endpoint, cases: Sequence[str], limit: float, *, without: Sequence[str] = ()
) -> list[CaseResult]:
    """Run the cases that match `cases`, such as `9.*`, but for those of `without`, within `limit` seconds."""
    playing = _play_with_client if endpoint.role == "client" else _play_with_server
    try:
        return await _within(limit, playing(endpoint, cases, without), f"{endpoint}: not through the cases")
    except FailureError as failure:
        return failure.results  # of all cases, the good ones too


def ran(result: CaseResult) -> Ran:
    """The outcome of a case."""
    return Ran(result.case_id, f"{result.behavior.value} / {result.behavior_close.value}")


async def _play_with_client(
    endpoint: Endpoint, cases: Sequence[str], without: Sequence[str]
) -> list[CaseResult]:
    async with run_fuzzingserver(cases, without, host="127.0.0.1", port=0) as server:
        uri = f"ws://127.0.0.1:{server.port}"
        async with _running(endpoint, uri, f"{endpoint.peer}-{endpoint.role}") as process:
            _check(endpoint, await process.wait())
        # A client that has ended well has told the suite so.
        results = await _within(ENDING, server.get_result(), f"{endpoint}: no updateReports")
    return results


async def _play_with_server(
    endpoint: Endpoint, cases: Sequence[str], without: Sequence[str]
) -> list[CaseResult]:
    async with _running(endpoint) as process:
        assert process.stdin is not None and process.stdout is not None
        uri = (await process.stdout.readline()).decode().strip()
        if not uri:
            raise EndpointError(f"{endpoint}: it does not listen")
        try:
            return await run_fuzzingclient(uri, cases, without)
        finally:
            process.stdin.close()  # this ends it
            _check(endpoint, await _within(ENDING, process.wait(), f"{endpoint}: it does not end"))


async def _within(seconds: float, wanted: Awaitable[T], otherwise: str) -> T:
    try:
        return await asyncio.wait_for(wanted, seconds)
    except TimeoutError:
        raise EndpointError(f"{otherwise} after {seconds:.0f} s") from None


def _check(endpoint: Endpoint, status: int) -> None:
    if status != 0:
        raise EndpointError(f"{endpoint}: exit status {status}")


@contextlib.asynccontextmanager
async def _running(endpoint: Endpoint, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The endpoint's process, which does not outlive this."""
    # A proxy of the machine's is for others than these.
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    pipes: dict[str, Any] = {}
    if endpoint.role == "server":
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    command = [*endpoint.command(), *arguments]
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment, **pipes)
    except OSError as error:
        raise EndpointError(f"{endpoint}: {error}; make conformance builds it") from None
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
