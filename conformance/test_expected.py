"""Outcomes against what is expected of them."""

from __future__ import annotations

import pathlib

from expected import EVERY, OK, Difference, Expected, Ran, table

INFORMATIONAL = "INFORMATIONAL / INFORMATIONAL"
EXPECTED = Expected(
    {"1": 2, "7": 1}, {EVERY: {"7.1.6": INFORMATIONAL}, "rust server": {"1.2": "NON-STRICT / OK"}}
)
RUN = [Ran("1.1", OK), Ran("1.2", OK), Ran("7.1.6", INFORMATIONAL)]


def differences(run: list[Ran], peer: str = "rust", role: str = "client") -> list[Difference]:
    return EXPECTED.differences(peer, role, run, ["1", "7"])


def test_as_expected() -> None:
    assert differences(RUN) == []
    assert EXPECTED.differences("rust", "client", RUN[:1], []) == []  # no section is complete


def test_a_failure_differs() -> None:
    run = [RUN[0], Ran("1.2", "OK / UNCLEAN"), RUN[2]]
    assert differences(run) == [Difference("1.2", "client", "rust", OK, "OK / UNCLEAN")]


def test_better_than_expected_differs_too() -> None:
    assert differences(RUN, role="server") == [Difference("1.2", "server", "rust", "NON-STRICT / OK", OK)]
    assert differences([*RUN[:2], Ran("7.1.6", OK)]) == [
        Difference("7.1.6", "client", "rust", INFORMATIONAL, OK)
    ]


def test_every_case_runs_once() -> None:
    missing = [Difference("section 1", "client", "rust", "2 cases", "1 cases")]
    assert differences(RUN[1:]) == missing
    assert differences([*RUN, RUN[0]]) == [missing[0]._replace(found="3 cases")]
    assert differences([])[-1].found == "0 cases"


def test_table_has_a_line_for_cases_that_differ_alike() -> None:
    def alike(count: int, role: str) -> list[Difference]:
        return [Difference(f"12.1.{n}", role, "rust", OK, "UNIMPLEMENTED / OK") for n in range(1, 1 + count)]

    failed = Difference("2.1", "client", "python", OK, "FAILED / FAILED")
    assert table([failed, *alike(2, "client"), *alike(18, "server")]) == (
        "case                       role    peer    expected  found\n"
        "2.1                        client  python  OK / OK   FAILED / FAILED\n"
        "12.1.1, 12.1.2             client  rust    OK / OK   UNIMPLEMENTED / OK\n"
        "18 from 12.1.1 to 12.1.18  server  rust    OK / OK   UNIMPLEMENTED / OK"
    )


def test_made_of_runs(tmp_path: pathlib.Path) -> None:
    other = [RUN[0], Ran("1.2", "NON-STRICT / OK"), RUN[2]]
    made = Expected.of({("rust", "client"): RUN, ("rust", "server"): other})
    assert made == EXPECTED
    made.save(tmp_path / "expected.json")
    assert Expected.load(tmp_path / "expected.json") == EXPECTED
