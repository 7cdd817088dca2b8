"""The files of a run's folder, through which its processes and the one that started them speak to each other."""

from __future__ import annotations

import os
from pathlib import Path

PARENT_LOCK = "parent.lock"
CELL_FILE, CURVE_FILE, PROGRESS_FILE = "cell.json", "curve.json", "progress.json"
ERROR_PREFIX = "error-"


def part_path(run_dir: Path, rank: int) -> Path:
    return run_dir / f"part-{rank}.json"


def write_atomically(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_text(text)
    staged.rename(path)
