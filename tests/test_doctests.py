"""The examples in the docstrings that need no network."""

from __future__ import annotations

import doctest
import importlib

import pytest


MODULES = [
    "_arguments",
    "_record",
    "datastructures",
    "exceptions",
    "extensions.base",
    "extensions.permessage_deflate",
    "frames",
    "http11",
    "protocol",
    "uri",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"openline.{name}"))
    assert results.attempted > 0
    assert results.failed == 0
