"""The files of a run's folder, through which its processes and the one that started them speak to each other."""

from __future__ import annotations

import os
from pathlib import Path

PARENT_LOCK, HEARTBEAT_FILE = "parent.lock", "heartbeat"
CELL_FILE, CURVE_FILE, PROGRESS_FILE = "cell.json", "curve.json", "progress.json"
TRAINING_BEGAN, TRAINING_ENDED = "training-began", "training-ended"  # empty; rank 0 tells its servers and the parent
ERROR_PREFIX = "error-"
SERVER_PART_PREFIX = "server-"
PLACE_PREFIX = "place-"


def stop_path(run_dir: Path, rank: int) -> Path:
    """Of the step that a rank has not passed when the time limit is near, or when it has taken its last."""
    return run_dir / f"stop-{rank}"


def part_path(run_dir: Path, rank: int) -> Path:
    return run_dir / f"part-{rank}.json"


def place_path(run_dir: Path, rank: int) -> Path:
    """Of the machine that a rank is on, told as it starts: a launch that crashes has no parts."""
    return run_dir / f"{PLACE_PREFIX}{rank}.json"


def server_part_path(run_dir: Path, role: str, index: int) -> Path:
    return run_dir / f"{SERVER_PART_PREFIX}{role}-{index}.json"


def shard_path(run_dir: Path, index: int) -> Path:
    """Of the address of a server that workers push to and pull from."""
    return run_dir / f"shard-{index}.json"


def lost_path(run_dir: Path, rank: int) -> Path:
    """Tells servers that this worker is gone, and the others go on."""
    return run_dir / f"lost-{rank}"


def is_there(path: Path) -> bool:
    """As far as the file system can tell now."""
    try:
        return path.exists()
    except OSError:
        return False


def content_of(path: Path) -> str | None:
    """None where it is not there, as far as the file system can tell now."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def write_atomically(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_text(text, encoding="utf-8", errors="replace")  # a name of a file may be no text
    staged.rename(path)
