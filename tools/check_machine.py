"""Tells what is missing for a build here, before it fails in the middle.

python tools/check_machine.py
"""

# No syntax of a recent Python here: an old one is to read this file and say so.
import sys

OLDEST = (3, 11)
problems = []

if sys.version_info < OLDEST:
    problems.append(
        "Python %d.%d or later: this is %s. Name another one: make PYTHON=/path/to/python3"
        % (OLDEST + (sys.version.split()[0],))
    )
else:
    import importlib.util
    import shutil

    for module in ["venv", "ensurepip"]:
        if importlib.util.find_spec(module) is None:
            problems.append("Python's %s: install python3-venv, or: make PYTHON=/path/to/python3" % module)
    if shutil.which("cargo") is None:
        problems.append("cargo: install Rust, 1.88 or later")
    if shutil.which("cc") is None:
        problems.append("cc, a C compiler: install gcc or clang")

for problem in problems:
    sys.stderr.write("openline needs %s\n" % problem)
sys.exit(1 if problems else 0)
