"""`python -m openline run SCRIPT [ARGS]`: runs a program written for `websockets` on openline."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import NoReturn

from .dropin import install
from .dropin.child import Inherited


def main() -> None:
    """Read the command line, and do what it says."""
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
    run.add_argument("program", metavar="SCRIPT", help="the file, or with -m the module")
    run.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args()

    install()
    if options.module:
        spec, code = _find_module(options.program)
        path = spec.origin or options.program
    else:
        path = os.path.join(os.getcwd(), options.program)
        spec, code = None, _read_script(path)
        if not sys.flags.safe_path:
            # What is found beside the program goes first, in place of where we are.
            sys.path[0] = os.path.dirname(os.path.realpath(path))
    sys.path[0] = Inherited(sys.path[0])
    if sys.version_info >= (3, 12):
        # The server would import the program, without drop-in mode, for its children. Older ones do not.
        import multiprocessing

        multiprocessing.set_forkserver_preload([])
    sys.argv = [path if options.module else options.program, *options.args]
    _run(code, path, spec)


def _find_module(name: str) -> tuple[ModuleSpec, CodeType]:
    try:
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
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except Exception as error:
        _raise(error)


def _run(code: CodeType, path: str, spec: ModuleSpec | None) -> None:
    """Run code as `__main__`, which stays that when it is done: threads and exit handlers may go on."""
    module = ModuleType("__main__")
    module.__file__ = path
    module.__spec__ = spec
    module.__loader__ = None if spec is None else spec.loader
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
    sys.excepthook = lambda *_: None
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
