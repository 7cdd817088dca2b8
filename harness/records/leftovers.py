"""What is staged beside its place until it is whole, and stays there when the process that writes it is killed."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

STAGED_AT_MOST_S = 3600.0  # minutes are plenty; whoever is slower finds nothing to put in place, and goes without


def clear_abandoned(folder: Path, pattern: str) -> None:
    """Removes files and folders of such names that are older. Their age tells of other hosts' processes, too."""
    with suppress(OSError):  # a leftover harms nobody
        for staged in list(folder.glob(pattern)):
            _clear(staged)


def _clear(staged: Path) -> None:
    with suppress(OSError):  # another process may be at the same
        if time.time() - staged.lstat().st_mtime <= STAGED_AT_MOST_S:
            return
        if staged.is_dir():
            shutil.rmtree(staged)
        else:
            staged.unlink()
