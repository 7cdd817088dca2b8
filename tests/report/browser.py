"""Headless Chromium over the W3C WebDriver protocol, spoken by hand: a few requests to chromedriver."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.perf.ending import ending_with_parent

INSTALL = "apt-get install chromium chromium-driver"
_START_LIMIT_S = 120
# As leader of a session that ends with it, since Chromium outlives a driver that is killed.
_DRIVER = 'trap "kill -KILL 0" TERM; chromedriver --port="$0" & wait'


def is_installed() -> bool:
    return all(map(shutil.which, ("chromium", "chromedriver")))


class Browser:
    def __init__(self, session_url: str) -> None:
        self._url = session_url

    def open(self, page: Path) -> None:
        _ask(f"{self._url}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str) -> Any:
        """What the script returns, run in the page."""
        return _ask(f"{self._url}/execute/sync", {"script": script, "args": []})

    def console(self) -> list[str]:
        return [entry["message"] for entry in _ask(f"{self._url}/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Addresses that the page asked for since the last call."""
        events = [
            json.loads(entry["message"])["message"] for entry in _ask(f"{self._url}/se/log", {"type": "performance"})
        ]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def printed(self) -> bytes:
        """As a PDF."""
        return base64.b64decode(_ask(f"{self._url}/print", {}))

    def screenshot(self) -> bytes:
        """Of what is in view."""
        return base64.b64decode(_ask(f"{self._url}/screenshot"))


@contextmanager
def browsing(*, width: int, height: int, is_dark: bool = False) -> Iterator[Browser]:
    """A fresh browser with a page area of that size."""
    with _driving() as base:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        if is_dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        options = {
            "args": arguments,
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1, "mobile": False}},
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = _ask(f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
        url = f"{base}/session/{session['sessionId']}"
        try:
            yield Browser(url)
        finally:
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()


@contextmanager
def _driving() -> Iterator[str]:
    """Where a driver of its own answers. What it and its browsers leave among temporary files goes with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ending_with_parent(["sh", "-c", _DRIVER, port], by="TERM")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = subprocess.Popen(command, start_new_session=True, env=os.environ | {"TMPDIR": folder}, **silent)
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(base)
            yield base
        finally:
            driver.terminate()
            driver.wait()


def _ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(error.read().decode()) from None


def _wait_until_ready(base: str) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            if _ask(f"{base}/status")["ready"]:
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)
