"""The workflows for a public host, which do not run here: at least they can be read, and call what exists."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(workflow: pathlib.Path) -> list[str]:
    made: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    steps = [step for job in made["jobs"].values() for step in job["steps"]]
    assert all("uses" in step or "run" in step for step in steps)
    return [step["run"] for step in steps if "run" in step]


def test_there_are_workflows() -> None:
    assert [workflow.name for workflow in WORKFLOWS] == ["release.yml", "test.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_what_a_workflow_calls_exists(workflow: pathlib.Path) -> None:
    assert "Not run here" in workflow.read_text(encoding="utf-8")
    for command in commands(workflow):
        words = command.split()
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= TARGETS
        elif "/" in words[0]:
            assert (ROOT / words[0]).exists()
        else:
            assert words[0] in {"cargo", "rustup"}


def test_what_the_page_of_releases_calls_exists() -> None:
    page = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    called = {target for words in re.findall(r"`make ([a-z -]+)`", page) for target in words.split()}
    assert "wheel" in called and called <= TARGETS


def test_the_version_stands_where_the_page_of_releases_says() -> None:
    manifests = [ROOT / "Cargo.toml", *sorted(ROOT.glob("crates/*/Cargo.toml"))]
    text = "".join(manifest.read_text(encoding="utf-8") for manifest in manifests)
    version = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    assert version is not None
    ours = set(re.findall(r'^openline[a-z-]* = \{ path = "[^"]*", version = "([^"]+)"', text, re.MULTILINE))
    assert ours == {version[1]}
