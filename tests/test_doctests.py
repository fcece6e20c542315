"""The docstrings of all public names: that they are there and tell what they must, and that their examples run.

Examples that need a server stand after "Example:"; test_readme.py runs them.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import openline
from openline import _frame
from openline.frames import Frame

MODULES = [
    importlib.import_module(name)
    for name in ["openline", *(info.name for info in pkgutil.walk_packages(openline.__path__, "openline."))]
    if name != "openline._openline"  # it is not written in Python
]
# Programs know the modules of the drop-in mode by their names in `websockets`.
PUBLIC_MODULES = [module for module in MODULES if not re.search(r"\._|\.dropin\.", module.__name__)]


class Public(NamedTuple):
    """A public class or function, or a method or property of such a class."""

    thing: Any
    owner: Any = None

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.thing.__doc__ or "")

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """Its parameters, but those that stand for any number."""
        thing = self.thing
        if inspect.isclass(thing):
            # As its base is made, unless it has a constructor of its own.
            thing = vars(thing).get("__init__")
        if not callable(thing):
            return []
        parameters = inspect.signature(thing).parameters.values()
        return [
            p
            for p in parameters
            if p.name not in ("self", "cls") and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]


def public() -> Iterator[tuple[str, Public]]:
    for module in PUBLIC_MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing is TimeoutError:
                continue
            yield f"{thing.__module__}.{thing.__qualname__}", Public(thing)
            for base in thing.__mro__ if inspect.isclass(thing) else ():
                for name, member in vars(base).items():
                    member = getattr(member, "__func__", member)  # of a class method
                    if (
                        base.__module__.startswith("openline")
                        and not name.startswith("_")
                        and name not in getattr(base, "_fields", ())
                        and hasattr(member, "__get__")  # a method, a property, or the like
                    ):
                        yield f"{base.__module__}.{base.__qualname__}.{name}", Public(member, thing)


PUBLIC = dict(sorted(public(), key=lambda named: named[0]))


def examples() -> Iterator[tuple[str, doctest.DocTest]]:
    finder = doctest.DocTestFinder()
    # A class that says it is from another module than its methods is not looked at with its module.
    frames = finder.find(Frame, "openline.frames.Frame", module=False, globs=vars(_frame).copy())
    for example in [*frames, *(example for module in MODULES for example in finder.find(module))]:
        if example.examples:
            yield example.name, example


EXAMPLES = dict(examples())


@pytest.mark.parametrize("where", EXAMPLES)
def test_examples(where: str) -> None:
    runner = doctest.DocTestRunner()
    runner.run(EXAMPLES[where])
    assert runner.failures == 0


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 80
    assert {"openline.frames.Frame.serialize", "openline.headers.parse_extension"} <= EXAMPLES.keys()


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_modules_say_what_they_are_for(module: Any) -> None:
    assert module.__doc__
    assert module.__all__


@pytest.mark.parametrize("path", PUBLIC)
def test_public_names_have_docstrings(path: str) -> None:
    summary = PUBLIC[path].doc.partition("\n\n")[0]
    assert summary.endswith((".", ":")), "what it is stands in front, and ends"


@pytest.mark.parametrize("path", PUBLIC)
def test_docstrings_tell_of_parameters(path: str) -> None:
    doc = PUBLIC[path].doc
    for parameter in PUBLIC[path].parameters:
        if "as are all arguments that are not below" in doc and f"\n    {parameter.name}: " not in doc:
            continue
        entry = re.search(
            rf"^    (?:\w+, )*{parameter.name}(?:, \w+)*: (.*\n(?:        .*\n?|\n)*)",
            f"{doc}\n",
            re.MULTILINE,
        )
        assert entry, f"{parameter.name} is not described"
        if parameter.default is not parameter.empty:
            told = "Default" in entry[1] or entry[1].startswith("as for ")
            assert told, f"the default of {parameter.name} is not told"


@pytest.mark.parametrize("path", PUBLIC)
def test_docstrings_have_examples(path: str) -> None:
    """For a method or property, one in the docstring of its class will do."""
    public = PUBLIC[path]
    docs = [public.doc, *(inspect.getdoc(base) or "" for base in (public.owner or object).__mro__[:-1])]
    assert any(">>> " in doc or "Example:\n" in doc for doc in docs)
