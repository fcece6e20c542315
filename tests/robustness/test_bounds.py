"""The table of what each call waits for has a row for every public call, in Rust and in Python."""

from __future__ import annotations

import pathlib
import re

import openline.sync.client
from robustness.calls import public_names

CRATE = pathlib.Path(__file__).parent.parent.parent / "crates" / "openline" / "src"

# Where public functions are calls on a connection, or make one.
SOURCES = ["connection.rs", "fragments.rs"]
OPENING = ["connect", "upgraded", "reconnect"]


def names_in(column: int) -> set[str]:
    rows = [line.split("|") for line in (CRATE / "bounds.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row[column])]
    assert len(listed) == len(set(listed)), "a call has two rows"
    return set(listed)


def test_every_call_of_the_rust_crate_has_a_row() -> None:
    public = re.compile(r"^    pub fn (\w+)", re.MULTILINE)
    calls = {name for source in SOURCES for name in public.findall((CRATE / source).read_text())}
    client = public.findall((CRATE / "client" / "mod.rs").read_text())
    # `connect_timeout` is a setting, as all others of the client are.
    settings = {"connect_timeout"}
    calls |= {name for name in client if name.startswith(tuple(OPENING))} - settings
    assert names_in(1) == calls


def test_every_call_of_the_python_package_has_a_row() -> None:
    functions = {"connect", "unix_connect", "reconnect", "unix_reconnect"}
    assert functions <= set(openline.sync.client.__all__)
    assert names_in(2) == {*public_names(), *functions, "Connection"}
