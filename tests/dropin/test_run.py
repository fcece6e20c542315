"""`python -m openline run`: programs run as Python itself runs them."""

from __future__ import annotations

import functools
import os
import pathlib
import re
import signal
import zipfile

import pytest

from . import ALONE, INSTALLED, ROOT, python, run

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))

PROGRAM = """\
import __main__, os, sys
import beside

print(sys.argv, __name__, __file__, __package__, __spec__ and __spec__.name)
print(sys.path[0] == os.path.dirname(__file__))
print(__main__.__dict__ is globals(), sorted(name for name in globals() if name.startswith("__")))
match sys.argv[1:]:
    case ["raise"]:
        beside.fail()
    case ["interrupt"]:
        raise KeyboardInterrupt
    case ["exit", code]:
        sys.exit(int(code))
    case ["exit text"]:
        sys.exit("a last word")
    case ["thread"]:
        import threading
        main = sys.modules["__main__"]
        threading.Timer(0.1, lambda: print("later", sys.modules["__main__"] is main)).start()
    case ["hook"]:
        sys.excepthook = lambda kind, error, trace: print("hook", error, trace.tb_frame.f_code.co_name)
        beside.fail()
"""

STDIN = """\
import sys
import beside
print(sys.argv, __file__, __spec__, __loader__.__name__, sys.path[0] == "")
beside.fail()
"""

BESIDE = """\
def fail():
    raise ValueError("on purpose")
"""


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "beside.py").write_text(BESIDE)
    (tmp_path / "wrong.py").write_text("x = 1\ny = = 2\n")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("value = 42\n")
    (package / "__main__.py").write_text("from .part import value\nimport sys\nprint(value, sys.argv[1:])\n")
    program = "import sys, part\nprint(part.value, sys.argv, __spec__.name, __package__, __file__)\n"
    (tmp_path / "directory").mkdir()
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        for name, source in [("__main__.py", program), ("part.py", "value = 43\n")]:
            (tmp_path / "directory" / name).write_text(source)
            archive.writestr(name, source)
    return tmp_path


ARGUMENTS = [
    ["app.py"],
    ["app.py", "-v", "--flag=1", "-m"],
    ["./app.py", "raise"],
    ["app.py", "--", "-m", "--"],
    ["--", "app.py", "-v"],
    ["app.py", "interrupt"],
    ["app.py", "exit", "7"],
    ["app.py", "exit text"],
    ["app.py", "thread"],
    ["app.py", "hook"],
    ["wrong.py"],
    ["-m", "package", "-m", "--flag"],
    ["-m", "package.part"],
    ["-mpackage", "--", "-m", "x"],
    ["directory", "-v"],
    ["app.pyz", "-v"],
    ["-", "--", "-v"],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_as_python_does(directory: pathlib.Path, arguments: list[str]) -> None:
    expected = run(INSTALLED, *arguments, cwd=directory, stdin=STDIN)
    ended = run(INSTALLED, "-m", "openline", "run", *arguments, cwd=directory, stdin=STDIN)
    assert ended.stdout == expected.stdout
    assert ended.stderr == expected.stderr
    assert ended.returncode == expected.returncode
    if "interrupt" in arguments:
        assert ended.returncode == -signal.SIGINT


def test_script_in_another_directory(directory: pathlib.Path) -> None:
    assert "True" in python(INSTALLED, "-m", "openline", "run", str(directory / "app.py"))


def test_wrong_module(directory: pathlib.Path) -> None:
    ended = run(INSTALLED, "-m", "openline", "run", "-m", "wrong", cwd=directory)
    assert ended.returncode == 1
    assert "SyntaxError" in ended.stderr and "openline" not in ended.stderr


def test_safe_path(directory: pathlib.Path) -> None:
    ended = run(INSTALLED, "-P", "-m", "openline", "run", "app.py", cwd=directory)
    assert "No module named 'beside'" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["none.py"], "cannot open"),
        (["."], "cannot open"),
        (["-m", "none"], "no module named none"),
        (["-m", "none.part"], "cannot find module none.part: No module named 'none'"),
        (["-m", "sys"], "nothing in it to run"),
        ([], "the following arguments are required"),
    ],
)
def test_nothing_to_run(directory: pathlib.Path, arguments: list[str], text: str) -> None:
    ended = run(INSTALLED, "-m", "openline", "run", *arguments, cwd=directory)
    assert ended.returncode == 2
    assert text in ended.stderr and "Traceback" not in ended.stderr


def test_prompt_after_an_exception(directory: pathlib.Path) -> None:
    ended = run(
        INSTALLED, "-i", "-m", "openline", "run", "app.py", "raise", cwd=directory, stdin="raise OSError('two')"
    )
    assert ended.stderr.count("ValueError: on purpose") == ended.stderr.count("OSError: two") == 1


def test_other_commands_are_those_of_the_command(tmp_path: pathlib.Path) -> None:
    command = tmp_path / "openline"
    command.write_text("#!/bin/sh\necho \"$@\"\nexit 7\n")
    command.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = run(INSTALLED, "-m", "openline", "connect", "--one", "ws://localhost:1", PATH=path)
    assert (ended.returncode, ended.stdout) == (7, "connect --one ws://localhost:1\n")


def test_other_commands_need_the_command(tmp_path: pathlib.Path) -> None:
    ended = run(INSTALLED, "-m", "openline", "connect", "ws://localhost:1", PATH=str(tmp_path))
    assert ended.returncode == 2
    assert "pip install openline-cli" in ended.stderr and "Traceback" not in ended.stderr


def test_help() -> None:
    text = python(INSTALLED, "-m", "openline", "run", "--help")
    assert "python -m openline run app.py" in text
    assert "run" in python(INSTALLED, "-m", "openline", "--help")


@pytest.mark.parametrize("situation", [INSTALLED, ALONE])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_processes(tmp_path: pathlib.Path, situation: str, method: str) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "from websockets.sync.client import connect\n"
        "def inner(): return connect.__module__\n"
        "def work(method):\n"
        "    return [inner(), multiprocessing.get_context(method).Pool]\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:\n"
        "        print(pool.apply(inner))\n"
    )
    for arguments in (["app.py"], ["-m", "app"]):
        printed = python(situation, "-m", "openline", "run", *arguments, method, cwd=tmp_path)
        assert printed == "openline.dropin.client\n"


def masked(text: str) -> str:
    """The text without what differs: times, ports, files, keys, how often one has to try; and our name."""
    text = re.sub(r"(Sec-WebSocket-(?:Key|Accept):) \S+", r"\1 #", text)
    text = re.sub(r"(?:openline|websockets)/\S+", "#", text)
    text = re.sub(r"^(?:connect failed.*\n)+", "connect failed\n", text, flags=re.MULTILINE)
    return re.sub(r"/tmp/\S+|[ (]*\d[\d.,]*(e-\d+)?", "#", text)


@functools.cache
def with_openline(name: str) -> str:
    return python(INSTALLED, str(ROOT / "examples" / name))


@pytest.mark.parametrize("situation", [INSTALLED, ALONE])
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(tmp_path: pathlib.Path, situation: str, name: str) -> None:
    """With imports, and the logger, changed to `websockets`, they print what they print with openline."""
    source = (ROOT / "examples" / name).read_text()
    changed = re.sub(r"^from openline(?!\.testing)", "from websockets", source, flags=re.MULTILINE)
    changed = changed.replace("from websockets import ConnectionClosed, reconnect", _TWO_IMPORTS)
    changed = changed.replace('"openline.client"', '"websockets.client"')
    assert changed != source
    (tmp_path / name).write_text(changed)
    printed = python(situation, "-m", "openline", "run", str(tmp_path / name))
    assert masked(printed) == masked(with_openline(name))


# `reconnect` is not a name of the package itself there.
_TWO_IMPORTS = "from websockets import ConnectionClosed\nfrom websockets.sync.client import reconnect"
