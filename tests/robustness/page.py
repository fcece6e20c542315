"""The tables of docs/robustness.md and their picture, which `python -m robustness.page [PART-OF-A-NAME]`, in tests/, writes.

It measures with every client. With a part of the names of rows it leaves the others as they are, and with
`none` all of them, for what else is on the page.
"""

from __future__ import annotations

import datetime
import importlib
import os
import pathlib
import pkgutil
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import robustness
from robustness import clients
from robustness.classes import CLASSES, FaultClass
from robustness.picture import draw
from robustness.probes import CLIENTS, PROBES, Outcome, Verdict, observe

__all__ = ["PAGE", "PICTURE", "Key", "Row", "import_rows", "picture", "read", "tables"]

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "robustness.md"
PICTURE = PAGE.parent / "pictures" / "robustness.svg"

BEGIN, END = "<!-- From tests/robustness, by make robustness. -->", "<!-- To here. -->"
SEEN, TESTS = "## What was seen", "## The tests"

Key = tuple[str, str, str]
"""A row's name, a probe's label, a client."""


@dataclass(frozen=True)
class Row:
    """What the documentation of a row's module says.

    Attributes:
        module, name: of the row: "test_m02_stopped_peer", "M2".
        situation: its first line.
        must: what must hold, its second paragraph.
        in_rust: the tests of the crates that show it there.
    """

    module: str
    name: str
    situation: str
    must: str
    in_rust: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        """What each probe is about, by its name."""
        return {name: (run.__doc__ or "").strip() for name, run in PROBES[self.module].items()}


def import_rows() -> list[Row]:
    """Import the modules of rows. Returns what they say, in order."""
    rows = []
    for module in pkgutil.iter_modules(robustness.__path__):
        if found := re.match(r"test_m(\d+)_", module.name):
            imported = importlib.import_module(f"robustness.{module.name}")
            told, _, in_rust = (imported.__doc__ or "").partition("\nIn Rust:\n- ")
            situation, _, must = told.partition("\n\n")
            tests = tuple(in_rust.strip().split("\n- ")) if in_rust else ()
            rows.append(Row(module.name, f"M{int(found[1])}", situation, " ".join(must.split()), tests))
    return rows


def tables(rows: list[Row], measured: str, outcomes: dict[Key, Outcome]) -> str:
    """The part of the page that is made, as Markdown.

    Args:
        measured: when, where and with what.
        outcomes: of every probe of the rows with every client.
    """

    def details() -> Iterator[tuple[str, ...]]:
        for row in rows:
            yield row.name, f"**{row.situation}**", *[""] * len(CLIENTS)
            for label in row.labels.values():
                seen = [outcomes[row.name, label, client] for client in CLIENTS]
                yield "", label, *(f"{outcome.verdict} {_cell(outcome.seen)}" for outcome in seen)

    summary = [
        (row.name, row.situation, row.must, *_verdicts(row, outcomes)) for row in rows
    ]
    return "\n".join(
        [
            BEGIN,
            *_table("", "", "must hold", *CLIENTS, lines=summary),
            SEEN,
            "",
            measured,
            *_table("", "", *CLIENTS, lines=list(details())),
            TESTS,
            *_table("", "in Python, and for other clients", "in Rust", lines=[_tests(row) for row in rows]),
            "## Classes of faults",
            "",
            "What openline withstands besides, and what shows it:",
            *_table("", "", "tests", lines=[_told(each) for each in CLASSES]),
            END,
        ]
    )


def picture(rows: list[Row], outcomes: dict[Key, Outcome]) -> str:
    """The first table at a glance, as SVG."""
    return draw([(row.situation, _verdicts(row, outcomes)) for row in rows])


def read(text: str) -> tuple[str, dict[Key, Outcome]]:
    """What `tables` was given, from the page."""
    made = _made(text)
    lines = made[made.index(SEEN) : made.index(TESTS)].splitlines()
    outcomes, row = {}, ""
    for line in lines:
        cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
        if re.match(r"\| M\d", line):
            row = cells[0]
        elif line.startswith("|  | ") and row:
            for client, cell in zip(CLIENTS, cells[2:], strict=True):
                verdict, _, seen = cell.partition(" ")
                outcomes[row, cells[1], client] = Outcome(Verdict(verdict), seen)
    return next(line for line in lines if line.startswith("Measured")), outcomes


def main(part: str) -> None:
    rows = import_rows()
    text = PAGE.read_text(encoding="utf-8")
    measured, outcomes = read(text) if part else ("", {})
    chosen = [row for row in rows if part in row.module]
    for row in chosen:
        for name, label in row.labels.items():
            for client in CLIENTS:
                outcome = outcomes[row.name, label, client] = observe(row.module, name, client)
                print(f"{row.name} {label}, {client}: {outcome.verdict} {outcome.seen}", flush=True)
    made = tables(rows, _measured() if chosen else measured, outcomes)
    PAGE.write_text(text.replace(_made(text), made), encoding="utf-8")
    PICTURE.write_text(picture(rows, outcomes), encoding="utf-8")


def _verdicts(row: Row, outcomes: dict[Key, Outcome]) -> list[Verdict]:
    """Of each client, over all probes of the row."""

    def verdict(client: str) -> Verdict:
        verdicts = {outcomes[row.name, label, client].verdict for label in row.labels.values()}
        return next(each for each in (Verdict.BREAKS, Verdict.HOLDS, Verdict.LACKS) if each in verdicts)

    return [verdict(client) for client in CLIENTS]


def _made(text: str) -> str:
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def _measured() -> str:
    libraries = [clients.load(name) for name in CLIENTS]
    versions = ", ".join(f"{library.name} {library.version}" for library in libraries)
    release = ".".join(platform.release().split(".")[:2])
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    machine = f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"
    return (
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} with {versions}; "
        f"CPython {platform.python_version()}, {platform.system()} {release}, {machine}."
    )


def _tests(row: Row) -> tuple[str, ...]:
    file = f"{row.module}.py"
    in_rust = ", ".join(f"`{test}`" for test in row.in_rust)
    return row.name, f"[{file}](../tests/robustness/{file})", in_rust or "—"


def _told(each: FaultClass) -> tuple[str, ...]:
    links = (f"[{test.rpartition('/')[2]}](../{test.partition('::')[0]})" for test in each.tests)
    return each.name, each.shown, ", ".join(links)


def _cell(seen: str) -> str:
    return " ".join(seen.replace("|", r"\|").split())


def _table(*heads: str, lines: list[tuple[str, ...]]) -> list[str]:
    rows = [heads, ("---",) * len(heads), *lines]
    return ["", *(f"| {' | '.join(row)} |" for row in rows), ""]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
