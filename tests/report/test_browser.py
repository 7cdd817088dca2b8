"""Browsers of tests: none outlives its test."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from tests.command import is_alive, wait_until

PARENT = """
import time
from tests.report import browser

with browser.browsing(width=400, height=400):
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.mark.needs_chromium
def test_browser_ends_with_a_test_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "open\n"
        browsers = psutil.Process(parent.pid).children(recursive=True)
        assert {"chromedriver", "chromium"} <= {process.name() for process in browsers}
        parent.kill()
    wait_until(lambda: not any(map(is_alive, browsers)), "Chromium and its driver to end")
