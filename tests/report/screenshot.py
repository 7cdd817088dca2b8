"""Writes the picture of a report's first screen beside it, for README: `python -m tests.report.screenshot FOLDER`.

FOLDER: of the report, with its index.html. Needs Chromium and chromedriver.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.report import browser

WIDTH, HEIGHT = 1400, 900
NAME = "screenshot.png"


def take(folder: Path) -> Path:
    with browser.browsing(width=WIDTH, height=HEIGHT) as page:
        page.open(folder / "index.html")
        (folder / NAME).write_bytes(page.screenshot())
    return folder / NAME


if __name__ == "__main__":
    if not browser.is_installed():
        sys.exit(f"chromium or chromedriver is missing: {browser.INSTALL}")
    print(take(Path(sys.argv[1])))
