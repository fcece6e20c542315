"""`python -m openline run SCRIPT [ARGS]`: runs a program written for `websockets` on openline.

`python -m openline COMMAND` with another one is the command `openline`, which the package openline-cli installs.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from importlib.machinery import BuiltinImporter, ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, NoReturn

from .dropin import install
from .dropin.child import Inherited


def main() -> None:
    """Read the command line, and do what it says."""
    if len(sys.argv) > 1 and sys.argv[1] not in {"run", "-h", "--help"}:
        _execute(sys.argv[1:])
    parser = argparse.ArgumentParser(prog="python -m openline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        usage="%(prog)s SCRIPT [ARGS ...]\n       %(prog)s -m MODULE [ARGS ...]",
        help="run a program written for websockets on openline",
        description="Run a program written for websockets on openline, as python itself would run it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("-m", dest="module", action="store_true", help="run a module, by its name")
    run.add_argument(
        "program",
        metavar="SCRIPT",
        help="the file, a directory or zip file with __main__.py, or - for standard input; with -m the module",
    )
    run.add_argument("args", metavar="ARGS", nargs="*", default=[], help="its arguments")
    ours, args = _split(sys.argv[1:])
    options = parser.parse_args(ours)

    install()
    sys.argv = ["-m" if options.module else options.program, *args]
    path = os.path.join(os.getcwd(), options.program)
    if options.module:
        spec, code = _find_module(options.program)
        path = sys.argv[0] = spec.origin or options.program
    elif options.program == "-":
        path = "<stdin>"
        spec, code = None, _compile(sys.stdin.buffer.read(), path)
        _look_first(None if sys.flags.safe_path else "")
    elif (spec := PathFinder.find_spec("__main__", [path])) is not None:
        _look_first(path)
        spec, code = _find_module("__main__", spec)
        path = spec.origin or path
    else:
        spec, code = None, _read_script(path)
        # What is found beside the program goes first, in place of where we are.
        _look_first(None if sys.flags.safe_path else os.path.dirname(os.path.realpath(path)))
    sys.path[0] = Inherited(sys.path[0])
    if sys.version_info >= (3, 12):
        # The server would import the program, without drop-in mode, for its children. Older ones do not.
        import multiprocessing

        multiprocessing.set_forkserver_preload([])
    _run(code, path, spec)


def _execute(words: list[str]) -> NoReturn:
    """Become the command `openline`: that of this environment, else the first on the path."""
    import shutil
    import sysconfig

    places = [sysconfig.get_path("scripts"), *os.get_exec_path()]
    command = shutil.which("openline", path=os.pathsep.join(places))
    if command is None:
        _fail(
            f"{words[0]!r} is for the command openline, which is not installed; "
            "pip install openline-cli, or cargo install openline-cli"
        )
    os.execv(command, ["openline", *words])


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Part our command line from what follows the program, which is the program's, `--` and all."""
    for index, word in enumerate(words):
        if word.startswith("-m") and word != "-m":
            return [*words[:index], "-m", word[2:]], words[index + 1 :]
        if index > 0 and (word == "-" or not word.startswith("-")):
            return words[: index + 1], words[index + 1 :]
    return words, []


def _look_first(directory: str | None) -> None:
    """Have modules looked for there first, in place of where we are; None is for nowhere."""
    if not sys.flags.safe_path:
        del sys.path[0]
    if directory is not None:
        sys.path.insert(0, directory)


def _find_module(name: str, spec: ModuleSpec | None = None) -> tuple[ModuleSpec, CodeType]:
    try:
        if spec is None:
            spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ImportError as error:
        _fail(f"cannot find module {name}: {error}")
    get_code = getattr(getattr(spec, "loader", None), "get_code", None)
    try:
        code = get_code(spec.name) if spec is not None and get_code is not None else None
    except SyntaxError as error:
        _raise(error)
    if spec is None or code is None:
        _fail(f"no module named {name}, or nothing in it to run")
    return spec, code


def _read_script(path: str) -> CodeType:
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        _fail(f"cannot open {path!r}: {error.strerror}")
    return _compile(source, path)


def _compile(source: bytes, path: str) -> CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except Exception as error:
        _raise(error)


def _run(code: CodeType, path: str, spec: ModuleSpec | None) -> None:
    """Run code as `__main__`, which stays that when it is done: threads and exit handlers may go on."""
    module = ModuleType("__main__")
    loader: Any = None if spec is None else spec.loader
    if spec is None:
        loader = BuiltinImporter if path == "<stdin>" else SourceFileLoader("__main__", path)
    module.__file__ = path
    module.__spec__ = spec
    module.__loader__ = loader
    module.__package__ = None if spec is None else spec.parent
    module.__dict__.update(__builtins__=__builtins__, __cached__=None if spec is None else spec.cached)
    if "__annotations__" in globals():  # as in older releases of Python
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _raise(error)


def _raise(error: BaseException) -> NoReturn:
    """End the program with an exception, as if nothing of ours had been below it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)
    # It is printed. Python shall end as it ends for this exception, with its exit code or signal.
    hook = sys.excepthook

    def print_once(*_: object) -> None:
        sys.excepthook = hook  # for the prompt that follows under `python -i`

    sys.excepthook = print_once
    raise error


def _fail(text: str) -> NoReturn:
    print(f"python -m openline: {text}", file=sys.stderr)
    sys.exit(2)


_EXAMPLES = """\
examples:
  python -m openline run app.py --verbose       as python app.py --verbose
  python -m openline run -m app.main            as python -m app.main

In the program, openline.install() does the same from there on.
"""

if __name__ == "__main__":
    main()
