"""How Sphinx makes the site: `build.py` has put its pages together."""

import pathlib
import tomllib
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

project = "openline"
version = release = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
copyright = "The openline developers"  # noqa: A001  # the name is Sphinx's

extensions = ["myst_parser", "sphinx_inline_tabs", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"openline {version}"
html_static_path: list[str] = []
# A page's source is in the repository.
html_copy_source = html_show_sourcelink = False

myst_heading_anchors = 4
# What stands in backticks in a docstring is a name, and a link where there is one.
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # the same name in two modules
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
python_maximum_signature_line_length = 90
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
napoleon_use_ivar = True
napoleon_use_rtype = False


def mark_examples(_app: object, what: str, _name: str, thing: object, _options: object, lines: list[str]) -> None:
    """Has what is indented in a docstring, but for its sections, shown as code."""
    if what == "module":
        lines[:] = (thing.__doc__ or "").splitlines()  # with the indentation that all lines have in common
    marked: list[str] = []
    before = ""
    for line in lines:
        if line.startswith("    ") and not before.startswith((" ", *SECTIONS)):
            if before == "Example:":
                marked[-1:] = [".. rubric:: Example", ""]
            elif marked and marked[-1]:
                before = line  # a paragraph that goes on
            if not before.startswith(" "):
                marked += [".. code-block:: python", ""]
        marked.append(line)
        before = line or before
    lines[:] = marked


SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Yields:", "-", "*")


def keep_properties(_app: object, what: str, name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Keeps napoleon from what it takes for a type: the words before a colon in the first line of a property's."""
    if what in {"attribute", "property"}:
        if name in kept:
            lines[:] = kept.pop(name)
        else:
            kept[name] = lines[:]
            lines.clear()


kept: dict[str, list[str]] = {}


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", mark_examples, priority=300)
    app.connect("autodoc-process-docstring", keep_properties, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", keep_properties, priority=600)
