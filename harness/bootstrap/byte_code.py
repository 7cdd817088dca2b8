"""Byte code of what pip installs. pip compiles file after file, which takes it about as long as all else that it does.

Here packages that are complete are compiled while pip unpacks the next ones or Horovod is built, and what is left by
all cores. Packages' own tests, a fifth of the code, have none: nothing imports them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

LEFT_OUT_BY_PIP = "--no-compile"


class ByteCode:
    """For this Python, of the packages in `site`. As with pip, what cannot be compiled is passed over in silence."""

    def __init__(self, python: Path, site: Path) -> None:
        own_tests = f"^{re.escape(str(site))}/.*/tests/"
        # Warnings are of other people's code.
        self._command: list[str | Path] = [python, "-W", "ignore", "-m", "compileall", "-qq", "-x", own_tests]
        self._site = site
        self._begun: set[Path] = set()
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def begin(self) -> None:
        """On one core, beside what comes next: all that is in `site` now."""
        new = set(self._site.iterdir()) - self._begun
        self._begun |= new
        if new:  # told of none, compileall takes all of this Python's path
            self._start(*sorted(new))

    def finish(self) -> None:
        """On all cores: what is left."""
        for process in self._started:
            process.wait()
        self._start("-j", "0", self._site).wait()

    def _start(self, *told: str | Path) -> subprocess.Popen[bytes]:
        """In a group of its own: with "-j" it starts others, which do not end with it."""
        self._started.append(subprocess.Popen([*self._command, *told], process_group=0))
        return self._started[-1]
