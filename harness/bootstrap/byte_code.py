"""Byte code of what pip installs. pip compiles file after file, which takes it about as long as all else that it does.

Here a process beside it (this file, run by the environment's Python) compiles each package as soon as pip has unpacked
it, while pip is at the next ones and while Horovod is built, and in the end what is left by all cores. Packages' own
tests, a fifth of the code, have none: nothing imports them.
"""

from __future__ import annotations

import compileall
import csv
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LEFT_OUT_BY_PIP = "--no-compile"
_LOOK_AGAIN_S = 0.2


class ByteCode:
    """For this Python, of the packages in `site`. As with pip, what cannot be compiled is passed over in silence."""

    def __init__(self, python: Path, site: Path) -> None:
        # Warnings are of other people's code.
        self._command: list[str | Path] = [python, "-P", "-W", "ignore", Path(__file__), site]

    def __enter__(self) -> Self:
        # In a group of its own: in the end it starts others, which do not end with it.
        self._compiler = subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._compiler.poll() is None:
            os.killpg(self._compiler.pid, signal.SIGKILL)
        self._compiler.communicate()

    def finish(self) -> None:
        """Has all cores compile what is left; pip is through."""
        self._compiler.communicate()  # ends its input


def main() -> None:
    """`byte_code.py SITE`: compiles one file after the other until the input ends, then what is left by all cores."""
    site = Path(sys.argv[1])
    known = set[tuple[Path, int]]()
    left = deque[str]()
    while not _input_has_ended(0 if left else _LOOK_AGAIN_S):
        if left:
            _compile(left.popleft())
        else:
            left += _unpacked(site, known)
    left += _unpacked(site, known)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(_compile, left, chunksize=8))


def _input_has_ended(within_s: float) -> bool:
    """Nothing is ever written to it."""
    return bool(select.select([sys.stdin], [], [], within_s)[0])


def _unpacked(site: Path, known: set[tuple[Path, int]]) -> Iterator[str]:
    """The modules of packages that are new and whole: with all files in place, pip notes that it installed them."""
    for note in site.glob("*.dist-info/INSTALLER"):
        with suppress(FileNotFoundError):  # where pip has removed the package since, for another one
            known_by = note, note.stat().st_mtime_ns
            if known_by not in known:
                known.add(known_by)
                yield from _modules(note.parent, site)


def _modules(package: Path, site: Path) -> Iterator[str]:
    """package: the folder that describes it."""
    record = (package / "RECORD").read_text(encoding="utf-8")
    for name, *_ in filter(None, csv.reader(record.splitlines())):
        if name.endswith(".py") and "/tests/" not in name and not name.startswith(".."):
            yield str(site / name)


def _compile(module: str) -> None:
    compileall.compile_file(module, quiet=2)


if __name__ == "__main__":
    main()
