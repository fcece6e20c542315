"""Interpreters beside the main one are refused with the reason, and a Python without GIL gets one."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

# A name of the module that is private, and was another one before Python 3.13.
MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"

PROGRAM = f"""
import {MODULE} as interpreters

def in_another(*args, **kwargs):
    interpreter = interpreters.create(*args, **kwargs)
    interpreters.run_string(interpreter, IMPORT)
    interpreters.destroy(interpreter)

IMPORT = '''
try:
    import openline
except ImportError as error:
    print(error, flush=True)
'''
"""


def run(program: str) -> str:
    """What a program prints, which must succeed, quietly."""
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return outcome.stdout


REFUSED = (
    "openline works in the main interpreter of a process only, and this is interpreter 1; "
    "use a process in its place (with mod_wsgi: WSGIApplicationGroup %{GLOBAL})\n"
)
# The configuration of embedders such as mod_wsgi. From Python 3.12 on others are the default.
if sys.version_info >= (3, 13):
    LEGACY = '"legacy"'
elif sys.version_info >= (3, 12):
    LEGACY = "isolated=False"
else:
    LEGACY = ""


@pytest.mark.parametrize("first", ["import openline", "pass"])
def test_one_that_shares_the_gil(first: str) -> None:
    program = f"""
        {first}
        in_another({LEGACY})
        import openline.testing

        # Nothing of it is left behind.
        with openline.testing.EchoServer() as server, openline.connect(server.uri) as ws:
            ws.send("in the main one")
            print(ws.recv(timeout=10))
        """
    assert run(program) == REFUSED + "in the main one\n"


if sys.version_info >= (3, 12):

    def test_one_with_a_gil_of_its_own() -> None:
        """Python refuses these itself, since the module does not declare that it supports them."""
        text = "module openline._openline does not support loading in subinterpreters\n"
        assert run("in_another()") == text


def test_the_gil_is_on() -> None:
    """The module declares that it needs it, where there is a choice."""
    program = """
        import sys, warnings
        warnings.simplefilter("ignore", RuntimeWarning)  # of a free-threaded Python, that tells
        import openline
        print(getattr(sys, "_is_gil_enabled", lambda: True)())
        """
    assert run(program) == "True\n"
