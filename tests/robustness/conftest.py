"""With which client the probes run: openline, or that of `--peer`."""

from __future__ import annotations

import pytest

from robustness.probes import CLIENTS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peer", choices=CLIENTS, default="openline", help="the client of tests/robustness")


@pytest.fixture
def library(request: pytest.FixtureRequest) -> str:
    # Only where pytest is given this directory does it know the option.
    return str(request.config.getoption("--peer", default="openline"))
