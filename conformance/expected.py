"""What the cases are expected to come to, and how a run differs from that. No suite and no processes here.

An outcome is the suite's verdict on the messages and its verdict on how the connection ended, as one text:
`OK / OK`. That is expected of each case, but for the exceptions in `expected-results.json`.
"""

from __future__ import annotations

import collections
import itertools
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

OK = "OK / OK"
EVERY = "every endpoint"


class Ran(NamedTuple):
    """A case that was run."""

    case: str
    outcome: str


class Difference(NamedTuple):
    """A case that did not come to what is expected of it, or a section with another number of cases."""

    case: str
    role: str
    peer: str
    expected: str
    found: str


@dataclass(frozen=True)
class Expected:
    """The contents of `expected-results.json`."""

    cases: Mapping[str, int]
    """How many cases each section has, so that none can go missing."""
    exceptions: Mapping[str, Mapping[str, str]]
    """For `every endpoint`, or one such as `rust client`: the cases that come to something else than OK."""

    @classmethod
    def load(cls, path: pathlib.Path) -> Self:
        """Read the file."""
        contents = json.loads(path.read_text(encoding="utf-8"))
        return cls(contents["cases"], contents["exceptions"])

    @classmethod
    def of(cls, runs: Mapping[tuple[str, str], Sequence[Ran]]) -> Self:
        """What makes complete runs, by peer and role, come out as expected."""
        found = [{ran for ran in run if ran.outcome != OK} for run in runs.values()]
        shared = set.intersection(*found)
        exceptions = {EVERY: _in_order(shared)}
        for (peer, role), own in zip(runs, found, strict=True):
            if own - shared:
                exceptions[f"{peer} {role}"] = _in_order(own - shared)
        one_run = next(iter(runs.values()))
        return cls(_count(one_run), exceptions)

    def save(self, path: pathlib.Path) -> None:
        """Write the file."""
        contents = {"cases": self.cases, "exceptions": self.exceptions}
        path.write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")

    def outcome(self, peer: str, role: str, case: str) -> str:
        """What is expected of one case."""
        own = self.exceptions.get(f"{peer} {role}", {})
        return own.get(case) or self.exceptions[EVERY].get(case, OK)

    def differences(
        self, peer: str, role: str, run: Sequence[Ran], sections: Iterable[str]
    ) -> list[Difference]:
        """How a run differs, in which each of `sections` should be complete."""
        found = []
        counts = _count(run)
        for section in sections:
            expected, number = self.cases.get(section, 0), counts.get(section, 0)
            if number != expected:
                found.append(
                    Difference(f"section {section}", role, peer, f"{expected} cases", f"{number} cases")
                )
        for case, outcome in run:
            expected_outcome = self.outcome(peer, role, case)
            if outcome != expected_outcome:
                found.append(Difference(case, role, peer, expected_outcome, outcome))
        return found


def table(differences: Sequence[Difference]) -> str:
    """The differences for people, with one line for cases on end that differ in the same way."""
    rows = [("case", "role", "peer", "expected", "found")]
    for (role, peer, expected, found), same in itertools.groupby(differences, key=lambda each: each[1:]):
        cases = [each.case for each in same]
        name = f"{len(cases)} from {cases[0]} to {cases[-1]}" if len(cases) > 3 else ", ".join(cases)
        rows.append((name, role, peer, expected, found))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def section_of(case: str) -> str:
    """The section that a case is in: 9 for 9.1.6."""
    return case.partition(".")[0]


def _count(run: Iterable[Ran]) -> dict[str, int]:
    # A case that was run twice is one too many, and shows.
    return dict(collections.Counter(section_of(ran.case) for ran in run))


def _in_order(cases: Iterable[Ran]) -> dict[str, str]:
    ordered = sorted(cases, key=lambda ran: [int(part) for part in ran.case.split(".")])
    return dict(ordered)
