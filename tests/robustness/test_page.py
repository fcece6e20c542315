"""docs/robustness.md tells what the tests of this directory show."""

from __future__ import annotations

from functools import cache

import pytest

from robustness.page import PAGE, PICTURE, Row, import_rows, picture, read, tables
from robustness.probes import Verdict

ROWS = import_rows()
CRATES = PAGE.parent.parent / "crates"


def test_the_rows_are_all_there() -> None:
    assert [row.name for row in ROWS] == [f"M{number}" for number in range(1, 20) if number != 17]
    for row in ROWS:
        assert row.situation and row.must and all(row.labels.values()), row.module


@cache
def functions_in_rust() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in CRATES.rglob("*.rs"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_named_in_rust_is_there(row: Row) -> None:
    functions = functions_in_rust()
    for test in row.in_rust:
        assert f"fn {test}()" in functions


def test_the_page_is_that_of_the_rows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert tables(ROWS, *read(text)) in text, "python -m robustness.page none, in tests/"


def test_the_picture_is_that_of_the_page() -> None:
    _, outcomes = read(PAGE.read_text(encoding="utf-8"))
    made = picture(ROWS, outcomes)
    assert made == PICTURE.read_text(encoding="utf-8"), "python -m robustness.page none, in tests/"


def test_openline_holds() -> None:
    _, outcomes = read(PAGE.read_text(encoding="utf-8"))
    for (row, label, client), outcome in outcomes.items():
        if client == "openline":
            assert outcome.verdict is Verdict.HOLDS, f"{row} {label}"
