"""The site of the documentation that `make docs` has made."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import browser

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "target" / "site"
PAGES = sorted(SITE.glob("*.html"))


class Html(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, page: pathlib.Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}
        for name in ("href", "src"):
            if value := values.get(name):
                self.links.append(value)


@pytest.fixture(scope="module")
def parsed() -> dict[pathlib.Path, Html]:
    return {page: Html(page) for page in PAGES}


def test_the_site_is_there() -> None:
    assert len(PAGES) > 40, "make docs"
    assert (SITE / "rust" / "openline" / "index.html").exists()


def test_links_lead_somewhere(parsed: dict[pathlib.Path, Html]) -> None:
    broken = []
    for page, html in parsed.items():
        for link in html.links:
            target = urlsplit(urljoin(page.as_uri(), link))
            if target.scheme != "file":
                continue
            file = pathlib.Path(unquote(target.path))
            anchors = parsed[file].anchors if file in parsed else {target.fragment} if file.exists() else set()
            if unquote(target.fragment) not in anchors and target.fragment not in anchors:
                broken.append(f"{page.name}: {link}")
    assert not broken, "\n".join(broken)


def test_links_into_the_repository_lead_somewhere(parsed: dict[pathlib.Path, Html]) -> None:
    repository = re.compile(r"https://github\.com/openline/openline/(?:blob|tree)/main/([^#]+)")
    links = {found[1] for html in parsed.values() for link in html.links if (found := repository.match(link))}
    assert len(links) > 20
    assert not [link for link in links if not (ROOT / unquote(link)).exists()]


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

CODE = re.compile(r"^```.*?^```$|`[^`]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL | re.MULTILINE)
WRONG = re.compile(
    r"\b(?:OpenLine|OPENLINE|Openline|Websockets?|Web[ -][Ss]ockets?|Tungstenite|python|Github|Openssl|Rustls|RFC\d+|rfc \d+)\b"
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_names_are_spelled_as_they_are(document: pathlib.Path) -> None:
    assert not WRONG.findall(CODE.sub("", document.read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_rust_in_the_pages_is_compiled(document: pathlib.Path) -> None:
    if re.search(r"^```rust", document.read_text(encoding="utf-8"), re.MULTILINE):
        compiled = (ROOT / "crates" / "openline" / "src" / "lib.rs").read_text(encoding="utf-8")
        assert f'include_str!("../../../{document.relative_to(ROOT).as_posix()}")' in compiled


def test_python_and_rust_are_side_by_side() -> None:
    page = (SITE / "quickstart.html").read_text(encoding="utf-8")
    labels = re.findall(r'<label class="tab-label"[^>]*>(\w+)</label>', page)
    assert labels == ["Python", "Rust"] * 4


def test_the_first_link_skips_what_is_not_the_page_itself() -> None:
    """For text browsers, and for who reads with the ears."""
    page = (SITE / "timeouts.html").read_text(encoding="utf-8")
    first = re.search(r'<a [^>]*href="([^"]*)"', page[page.index("<body") :])
    assert first is not None and first[1] == "#furo-main-content"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    if not browser.is_there():
        pytest.skip("no Chromium here")
    with browser.running(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def test_search_works_without_a_server(chromium: browser.Browser) -> None:
    with chromium.page((SITE / "search.html").as_uri() + "?q=max_size") as page:
        found = page.run(
            """
            for (;;) {
              const links = [...document.querySelectorAll("#search-results li a")].map((a) => a.textContent);
              if (links.includes("Large messages")) return links;
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
            """
        )
    assert "Closing" in found


@pytest.mark.parametrize("name", ["index", "quickstart", "support-matrix", "closing", "reference-openline.sync.client"])
def test_a_page_fits_a_phone(chromium: browser.Browser, name: str) -> None:
    with chromium.page("about:blank") as page:
        page.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True)
        page.go((SITE / f"{name}.html").as_uri())
        assert page.run("return document.documentElement.scrollWidth") == 360
        assert page.run("return document.querySelector('h1').getBoundingClientRect().width") > 100
