"""Tells what is missing for a build here, before it fails in the middle.

python tools/check_machine.py
"""

# No syntax of a recent Python here: an old one is to read this file and say so.
import shutil
import sys

OLDEST = (3, 11)


def missing():
    if sys.version_info < OLDEST:
        yield "Python %d.%d or later: this is %s. Name another one: make PYTHON=/path/to/python3" % (
            OLDEST + (sys.version.split()[0],)
        )
        return
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        yield "venv and ensurepip of %s: install python3-venv, or: make PYTHON=/path/to/python3" % sys.executable
    if shutil.which("cargo") is None:
        yield "cargo: install Rust, 1.88 or later"
    if shutil.which("cc") is None:
        yield "cc, a C compiler: install gcc or clang"


problems = list(missing())
for problem in problems:
    print("openline needs " + problem, file=sys.stderr)
sys.exit(1 if problems else 0)
