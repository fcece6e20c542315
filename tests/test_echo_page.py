"""The page of `openline echo`, in a browser: sending, receiving, close codes, and the plot of round trips."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import browser
from command import serving

# The page says what happens in lines of its own.
AWAIT = """
    const lines = () => [...document.querySelectorAll("#log div")].map((line) => line.textContent);
    const until = async (is_so) => {
      while (!is_so()) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    const press = (form) => document.querySelector(`#${form} button`).click();
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    if not browser.is_there():
        pytest.skip("no Chromium here")
    with browser.running(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def page(chromium: browser.Browser) -> Iterator[browser.Page]:
    with serving("echo", "127.0.0.1:0") as (port, _), chromium.page(f"http://127.0.0.1:{port}/") as page:
        page.run(f"{AWAIT} await until(() => lines().includes('= open'));")
        yield page


def test_messages_come_back(page: browser.Page) -> None:
    lines = page.run(
        f"""{AWAIT}
        document.querySelector("#text").value = "grüß dich";
        press("sending");
        await until(() => lines().includes("< grüß dich"));
        document.querySelector("#binary").click();
        press("sending");
        await until(() => lines().length == 5);
        return lines();
        """
    )
    binary = " ".join(f"{byte:02x}" for byte in "grüß dich".encode())
    assert lines == ["= open", "> grüß dich", "< grüß dich", f"> {binary}", f"< {binary}"]


def test_it_closes_and_connects_again(page: browser.Page) -> None:
    lines = page.run(
        f"""{AWAIT}
        document.querySelector("#code").value = "4001";
        document.querySelector("#reason").value = "enough";
        press("closing");
        await until(() => lines().some((line) => line.startsWith("= closed")));
        document.querySelector("#connect").click();
        await until(() => lines().length == 3);
        return lines();
        """
    )
    assert lines == ["= open", "= closed with 4001 enough", "= open"]


def test_a_code_that_a_browser_does_not_send_is_told(page: browser.Page) -> None:
    told = page.run(
        f"""{AWAIT}
        document.querySelector("#code").value = "1002";
        press("closing");
        await until(() => lines().length == 2);
        return [lines()[1], socket.readyState];
        """
    )
    assert "1000" in told[0] and told[1] == 1


def test_round_trips_are_plotted(page: browser.Page) -> None:
    figures, drawn = page.run(
        f"""{AWAIT}
        await until(() => trips.length > 3);
        const canvas = document.querySelector("#plot");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return [document.querySelector("#figures").textContent, pixels.some((value) => value != 0)];
        """
    )
    assert "median" in figures and drawn
