"""A folder for what is temporary in a set-up, which goes with it; that of one that was killed goes with the next.

Who uses a folder holds a lock on it, which the kernel drops with the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "hvdbench-setup-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    _clear_leftovers()
    staged = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))  # under its name it is locked, or left
    descriptor = os.open(staged, os.O_RDONLY | os.O_DIRECTORY)
    folder = staged.with_name(staged.name.removeprefix("."))
    try:
        with suppress(OSError):  # a file system without locks, where nothing is cleared
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        staged.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _clear_leftovers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or alive
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
