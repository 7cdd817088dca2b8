"""The folder in which one run's parent and workers exchange files: RESULTS/.runs/<id>/, gone when the run is over.

It holds the lock by which workers see that their parent lives, and the room that the record will need.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.launchers.supervisor import end_run
from harness.records.results_folder import RESERVED_BYTES, STAGED_RECORD, ResultsError, ResultsFolder, lock, writing_to
from harness.records.run_files import PARENT_LOCK
from harness.worker.machine_identity import machine_id

RUNS_FOLDER = ".runs"
_UNFINISHED = ".new-"
MAKING_TAKES_AT_MOST_S = 60
ABANDONED_AFTER_S = 24 * 3600.0


@contextmanager
def run_folder(folder: ResultsFolder) -> Iterator[Path]:
    """A new run folder, locked as long as this process is in the block."""
    name = secrets.token_hex(6)
    runs = folder.path.resolve() / RUNS_FOLDER
    staged, run_dir = runs / f"{_UNFINISHED}{name}", runs / name
    with writing_to(runs, "--results"):
        staged.mkdir(parents=True)
        held = (staged / PARENT_LOCK).open("wb", buffering=0)
    with held:
        lock(held, waiting=True)  # whoever clears leftovers may have it for a moment
        with writing_to(runs, "--results"):
            held.write(machine_id().encode())
            staged.rename(run_dir)  # only now: nobody sees it without its lock held
        try:
            yield run_dir
        finally:
            shutil.rmtree(run_dir, ignore_errors=True)


def reserve(run_dir: Path) -> None:
    """Takes the room that the record will need: a disk filled by the run cannot lose it then. Raises ResultsError."""
    try:
        with (run_dir / STAGED_RECORD).open("xb") as room:
            os.posix_fallocate(room.fileno(), 0, RESERVED_BYTES)
    except OSError as error:
        raise ResultsError(
            f"{run_dir.parents[1]}: {error.strerror}: a run needs {RESERVED_BYTES // 1024**2} MiB there. "
            "Finished records are safe; free some space and give the same command again"
        ) from None


def clear_leftovers(folder: ResultsFolder) -> None:
    """Ends and removes runs whose parent was killed."""
    for run_dir in (folder.path / RUNS_FOLDER).glob("*"):
        try:
            with (run_dir / PARENT_LOCK).open("r+") as held:
                if not lock(held) or (held.read() not in ("", machine_id()) and not _is_abandoned(run_dir)):
                    continue  # alive; where locks end at their host, as far as can be seen from here
        except PermissionError:
            continue  # another user's to clear
        except FileNotFoundError:
            if not _is_old(run_dir):
                continue  # just beginning or ending
        if run_dir.name.startswith(_UNFINISHED) and not _is_old(run_dir):
            continue
        end_run(run_dir.name)
        shutil.rmtree(run_dir, ignore_errors=True)


def _is_old(run_dir: Path) -> bool:
    """Past the moments in which a run folder is made or removed."""
    try:
        return time.time() - run_dir.stat().st_mtime > MAKING_TAKES_AT_MOST_S
    except FileNotFoundError:
        return False


def _is_abandoned(run_dir: Path) -> bool:
    """Whether nobody has written there for so long that no launch can be under way."""
    newest = max(path.stat().st_mtime for path in (run_dir, *run_dir.iterdir()))
    return time.time() - newest > ABANDONED_AFTER_S


class ProgressFile:
    """What rank 0 last said of the run in progress."""

    def __init__(self, path: Path, tell: Callable[[float, float, float], None]) -> None:
        self._path, self._tell = path, tell
        self._read_at = 0

    def read(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read_at:
                self._read_at = changed
                said = json.loads(self._path.read_bytes())
                self._tell(said["share"], said["samples_per_s"], said["loss"])
        except (OSError, ValueError):
            return  # not there yet, or a file system that does not answer now
