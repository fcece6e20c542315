"""The examples in the docstrings that need no network."""

from __future__ import annotations

import doctest
import importlib

import pytest

from openline import _frame
from openline.frames import Frame

MODULES = [
    "_arguments",
    "_record",
    "datastructures",
    "exceptions",
    "extensions.base",
    "extensions.permessage_deflate",
    "frames",
    "headers",
    "http11",
    "protocol",
    "uri",
    "utils",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"openline.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_examples_of_frames() -> None:
    """They are in a module of its own, where `doctest` does not find what says it is from another."""
    examples = doctest.DocTestFinder().find(Frame, "Frame", module=False, globs=vars(_frame).copy())
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.tries > 5
    assert runner.failures == 0
