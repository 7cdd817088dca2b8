"""Browsers of tests: none outlives its test."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.command import is_alive, wait_until
from tests.report import browser

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


@pytest.mark.needs_chromium
def test_browser_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium leaves two folders wherever temporary files go. Its socket there has to have a short path."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        monkeypatch.setenv("TMPDIR", short)
        with browser.browsing(width=400, height=400) as page:
            assert page.run("return 6 * 7") == 42
            assert list(Path(short).iterdir())
        assert list(Path(short).iterdir()) == []
