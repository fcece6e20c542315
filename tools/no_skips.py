"""A pytest plugin: with the variable CI set, a test that is skipped is a failure.

CI has all that the tests need, so that a skip there means that something is not tested any more. But what
the machine forbids (`FORBIDDEN`) nobody can install; the tests of the Rust crate show the same without it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

FORBIDDEN = "no namespaces for this user"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    is_forbidden = report.skipped and FORBIDDEN in str(_reason(report.longrepr))
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail") and not is_forbidden:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if os.environ.get("CI") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: Any) -> Any:
    return longrepr[2] if isinstance(longrepr, tuple) else longrepr
