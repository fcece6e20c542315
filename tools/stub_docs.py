"""Writes the docstrings of the binding's `Connection` into its stub, where editors look for them.

    python tools/stub_docs.py          # after a change of docstrings in crates/openline-python
    python tools/stub_docs.py --check  # exit status 1 if the stub is not up to date
"""

from __future__ import annotations

import ast
import inspect
import pathlib
import sys
import textwrap

from openline import _openline

STUB = pathlib.Path(__file__).resolve().parent.parent / "python/openline/_openline.pyi"


def main() -> int:
    stub = STUB.read_text(encoding="utf-8")
    documented = with_docstrings(stub)
    if "--check" not in sys.argv:
        STUB.write_text(documented, encoding="utf-8")
    elif stub != documented:
        print("the stub's docstrings are not those of the module: run tools/stub_docs.py", file=sys.stderr)
        return 1
    return 0


def with_docstrings(stub: str) -> str:
    """Return the stub with the module's docstrings in place of its own."""
    lines = stub.splitlines()
    classes = [node for node in ast.parse(stub).body if isinstance(node, ast.ClassDef)]
    connection = next(node for node in classes if node.name == "Connection")
    functions = [node for node in connection.body if isinstance(node, ast.FunctionDef)]
    # The first of several overloads speaks for all of them; backwards, so that line numbers stay right.
    first = {node.name: node for node in reversed(functions)}
    for node in reversed(functions):
        doc = inspect.getdoc(getattr(_openline.Connection, node.name))
        if node.name.startswith("_") or node is not first[node.name] or doc is None:
            continue
        body = node.body[0]
        last_of_signature = lines[body.lineno - 1].removesuffix(" ...")
        is_documented = ast.get_docstring(node) is not None
        before = [] if is_documented else [last_of_signature]
        lines[body.lineno - 1 : body.end_lineno] = [*before, *docstring(doc)]
    return "\n".join(lines) + "\n"


def docstring(doc: str) -> list[str]:
    """Return the lines of a docstring in a method."""
    prefix = "r" if "\\" in doc else ""
    end = '\n"""' if "\n" in doc else '"""'
    return textwrap.indent(f'{prefix}"""{doc}{end}', " " * 8).splitlines()


if __name__ == "__main__":
    sys.exit(main())
