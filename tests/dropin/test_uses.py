"""What programs do with `websockets`, in drop-in mode: `uses.py`, a function for each use."""

from __future__ import annotations

import functools
import json
import pathlib

import pytest

from . import HERE, INSTALLED, SITUATIONS, python, run
from .uses import USES


def failures(situation: str, is_ours: bool, certificate: str, authority: str) -> dict[str, str]:
    """Run all uses; the tracebacks of those that went wrong."""
    settings = json.dumps({"certificate": certificate, "authority": authority, "ours": is_ours})
    program = [str(HERE / "uses.py"), settings]
    if is_ours:
        printed = python(situation, "-m", "openline", "run", *program, SSL_CERT_FILE=authority)
    else:  # where warnings and what threads log are nothing to look at
        printed = run(situation, "-W", "ignore", *program, SSL_CERT_FILE=authority).stdout
    failed: dict[str, str] = json.loads(printed)
    return failed


failures_once = functools.cache(failures)


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_use(situation: str, name: str, certificate: pathlib.Path, authority_file: pathlib.Path) -> None:
    failed = failures_once(situation, True, str(certificate), str(authority_file))
    assert name not in failed, failed[name]


def test_uses_are_right(certificate: pathlib.Path, authority_file: pathlib.Path) -> None:
    """They hold with `websockets` itself. That hangs in some handshakes over TLS: then once more."""
    arguments = (INSTALLED, False, str(certificate), str(authority_file))
    failed = failures(*arguments)
    wrong = failed.keys() & failures(*arguments).keys() if failed else set()
    assert not wrong, "\n".join(failed[name] for name in wrong)
