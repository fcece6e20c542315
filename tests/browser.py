"""Chromium without a window, driven by its DevTools protocol, which comes through a connection of ours."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openline.sync.client import ClientConnection, connect

__all__ = ["Browser", "Page", "is_there", "running"]

PROGRAM = "chromium"

OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # it has none for root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # which is small in containers
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-features=BackForwardCache",  # with it a page that is left lives on for a while
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--ignore-certificate-errors",  # the authority of these tests is nobody's
    "--remote-debugging-port=0",
]


def is_there() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def running(directory: pathlib.Path) -> Iterator[Browser]:
    """Run a browser, which ends with the block.

    Args:
        directory: where it may keep what it keeps of its user.
    """
    command = [PROGRAM, *OPTIONS, f"--user-data-dir={directory}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("DevTools listening on "):
                break
        else:
            raise AssertionError("".join(told))
        # Or it would wait for room in the pipe, some time.
        draining = threading.Thread(target=process.stderr.read)
        draining.start()
        try:
            with connect(told[-1].split()[-1], max_size=None) as devtools:
                browser = Browser(devtools)
                yield browser
                browser.call("Browser.close")
            process.wait(20)
        finally:
            process.kill()
            draining.join()


class Browser:
    """What runs, by way of its DevTools. Used by one thread."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._devtools = devtools
        self._last = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method of the protocol; gives its result."""
        self._last += 1
        call: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if session is not None:
            call["sessionId"] = session
        self._devtools.send(json.dumps(call))
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._events.append(answer)

    def wait_for(self, event: str, session: str) -> None:
        def is_it(message: dict[str, Any]) -> bool:
            return message.get("method") == event and message.get("sessionId") == session

        while not any(map(is_it, self._events)):
            self._events.append(self._receive())
        self._events.clear()

    @contextmanager
    def page(self, url: str) -> Iterator[Page]:
        """Open a page in a tab of its own, which is closed with the block."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable", session)
        page = Page(self, session)
        page.go(url)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._devtools.recv(timeout=30))
        return message


class Page:
    """A page in a tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def go(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self.call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired", self._session)

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, for this page; gives its result."""
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str, **values: Any) -> Any:
        """Run the body of an asynchronous function, to which `values` are known; gives what it returns."""
        body = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items()) + script
        answer = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {body} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")
