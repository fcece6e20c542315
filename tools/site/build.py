"""Makes the site of the documentation in target/site: `make docs`.

The pages are docs/*.md and others of the repository, as they are. They are put together in target/site-pages with what a
site needs besides: the index, the reference, and for each Python example that a Rust one follows, two tabs.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "target" / "site-pages"
SITE = ROOT / "target" / "site"
CRATES = ["openline", "openline-proto"]

GROUPS = {
    "Getting started": ["quickstart", "when-not", "support-matrix", "command"],
    "Using it": [
        "timeouts",
        "errors",
        "closing",
        "large-messages",
        "threads",
        "processes",
        "gevent",
        "tls",
        "proxies",
        "compression",
        "logging",
        "testing",
        "types",
        "extensions",
    ],
    "A line that stays open": ["keepalive", "reconnecting", "robustness"],
    "The server": ["server", "authentication", "deployment", "scaling-out"],
    "Coming from elsewhere": [
        "migrate-from-websockets",
        "drop-in",
        "packages",
        "migrate-from-websocket-client",
        "migrate-from-tungstenite",
    ],
    "Behind it": ["performance", "security", "conformance-differences", "DESIGN"],
    "The project": ["CHANGELOG", "CONTRIBUTING", "SECURITY", "releasing"],
}
"""The pages, by what one looks for."""

MODULES = [
    "openline",
    "openline.sync.client",
    "openline.sync.server",
    "openline.sync.router",
    "openline.client",
    "openline.server",
    "openline.exceptions",
    "openline.testing",
    "openline.extensions",
    "openline.frames",
    "openline.datastructures",
    "openline.headers",
    "openline.http11",
    "openline.protocol",
    "openline.proxy",
    "openline.report",
    "openline.typing",
    "openline.uri",
]

FENCE = r"^```{}\b[^\n]*\n(?:.*\n)*?^```\n"
EXAMPLE = FENCE + r"(?:\n" + FENCE.format("text") + r")?"
PAIR = re.compile(rf"(?P<python>{EXAMPLE.format('python')})\n(?P<rust>{EXAMPLE.format('rust')})", re.MULTILINE)
LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)#\s]+)((?:#[^)\s]*)?\))")


def main() -> None:
    put_together()
    shutil.rmtree(SITE, ignore_errors=True)
    # -W: what is wrong with a page fails. -E: nothing is left of the last time.
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E"]
    command += ["-c", str(ROOT / "tools" / "site"), "-d", str(ROOT / "target" / "site-cache"), str(PAGES), str(SITE)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
    document_crates()


def put_together() -> None:
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "pictures", PAGES / "pictures")
    places = {name: ROOT / f"{name}.md" for name in ["DESIGN", "CHANGELOG", "CONTRIBUTING", "SECURITY"]}
    places |= {page.stem: page for page in (ROOT / "docs").glob("*.md")}
    grouped = [name for names in GROUPS.values() for name in names]
    if forgotten := places.keys() - grouped:
        sys.exit(f"{__file__}: GROUPS has no place for {', '.join(sorted(forgotten))}")
    # Names of files that differ in nothing but case would be one, on some systems.
    targets = {path.relative_to(ROOT).as_posix(): _name(path) for path in places.values()}
    targets["README.md"] = "index"
    for path in places.values():
        (PAGES / f"{_name(path)}.md").write_text(page(path, targets), encoding="utf-8")
    (PAGES / "index.md").write_text(index(targets), encoding="utf-8")
    for module in MODULES:
        (PAGES / f"reference-{module}.rst").write_text(reference(module), encoding="utf-8")
    crates = "".join(f'- <a href="rust/{crate.replace("-", "_")}/index.html">{crate}</a>\n' for crate in CRATES)
    (PAGES / "reference-rust.md").write_text(f"# The Rust crates\n\n{crates}", encoding="utf-8")


def page(path: pathlib.Path, targets: dict[str, str]) -> str:
    """The text of a page, with its links as they are in the site."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]

    def follow(found: re.Match[str]) -> str:
        before, link, after = found.groups()
        target = pathlib.Path(os.path.normpath(path.parent / link)).relative_to(ROOT).as_posix()
        if target in targets:
            return f"{before}{targets[target]}.md{after}"
        if target.startswith("docs/pictures/"):
            return f"{before}{target.removeprefix('docs/')}{after}"
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{before}{package['repository']}/{kind}/main/{target}{after}"

    text = PAIR.sub(tabs, path.read_text(encoding="utf-8"))
    text = re.sub(r"^```rust,.*", "```rust", text, flags=re.MULTILINE)
    return LINK.sub(follow, text.replace("```haproxy\n", "```text\n"))  # which Pygments does not know


def tabs(found: re.Match[str]) -> str:
    return "".join(f"````{{tab}} {name.capitalize()}\n{found[name]}````\n\n" for name in ["python", "rust"])


def index(targets: dict[str, str]) -> str:
    """The README, and the way to all pages."""
    text = page(ROOT / "README.md", targets)
    trees = [
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
        + "".join(f"{_name(pathlib.Path(name))}\n" for name in names if name in map(_stem, targets))
        + "```\n"
        for caption, names in GROUPS.items()
    ]
    modules = "".join(f"reference-{module}\n" for module in MODULES)
    trees.append(f"```{{toctree}}\n:hidden:\n:caption: Reference\n\n{modules}reference-rust\n```\n")
    return text + "\n" + "\n".join(trees)


def reference(name: str) -> str:
    """What there is in a module: its own classes and functions, and links to those that are another's."""
    module = importlib.import_module(name)
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    others = []
    for public in module.__all__:
        thing = getattr(module, public)
        home = getattr(thing, "__module__", name)
        if home in MODULES and home != name:
            others.append(f":py:obj:`{public} <{home}.{public}>`")
        elif isinstance(thing, type):
            lines += [f".. autoclass:: {name}.{public}", "   :inherited-members: object, BaseException, int", ""]
        elif callable(thing):
            lines += [f".. autofunction:: {name}.{public}", ""]
    if others:
        lines += ["Names of other modules: " + ", ".join(others), ""]
    return "\n".join(lines)


def document_crates() -> None:
    packages = [argument for crate in CRATES for argument in ["-p", crate]]
    subprocess.run(["cargo", "doc", "--quiet", "--locked", "--no-deps", *packages], cwd=ROOT, check=True)
    made = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "doc"
    shutil.copytree(made, SITE / "rust")


def _stem(target: str) -> str:
    return pathlib.Path(target).stem


def _name(path: pathlib.Path) -> str:
    """SECURITY.md and docs/security.md are two pages."""
    return "reporting" if path.stem == "SECURITY" else path.stem


if __name__ == "__main__":
    main()
