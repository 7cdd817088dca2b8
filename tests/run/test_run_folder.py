"""Run folders: locked while their parent lives, ended and removed when it was killed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.launchers.supervisor import RUN_VARIABLE
from harness.records.results_folder import ResultsFolder
from harness.records.run_files import PARENT_LOCK
from harness.run.run_folder import ProgressFile, clear_leftovers, run_folder
from tests.command import LIMIT_S


def test_folder_is_locked_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    with run_folder(ResultsFolder(tmp_path)) as run_dir:
        with (run_dir / PARENT_LOCK).open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert run_dir.parent == tmp_path / ".runs"
        assert run_dir.is_absolute()
    assert not run_dir.exists()


def test_folder_goes_when_the_run_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_folder(ResultsFolder(tmp_path)) as run_dir:
        _ = 1 / 0
    assert not run_dir.exists()


def test_leftovers_of_a_killed_parent_are_ended_and_removed(tmp_path: Path) -> None:
    dead = tmp_path / ".runs" / "0123456789ab"
    dead.mkdir(parents=True)
    (dead / PARENT_LOCK).touch()  # nobody holds it
    folder = ResultsFolder(tmp_path)
    sleeping = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(3600)"]
    with (
        subprocess.Popen(sleeping, stdout=subprocess.PIPE, env={RUN_VARIABLE: dead.name}) as worker,
        run_folder(folder) as alive,
    ):
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"up\n"
        clear_leftovers(folder)
        worker.wait(LIMIT_S)  # long before it would have ended by itself
        assert not dead.exists()
        assert alive.exists()


def test_run_of_another_machine_whose_lock_is_not_seen_here_is_left_for_a_day(tmp_path: Path) -> None:
    elsewhere = tmp_path / ".runs" / "0123456789ab"
    elsewhere.mkdir(parents=True)
    lock = elsewhere / PARENT_LOCK
    lock.write_text("another machine")
    os.utime(elsewhere, (0, 0))
    clear_leftovers(ResultsFolder(tmp_path))
    assert elsewhere.exists()
    os.utime(lock, (0, 0))
    clear_leftovers(ResultsFolder(tmp_path))
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", ["0123456789ab", ".new-0123456789ab"])
def test_folders_that_lost_their_lock_go_once_they_are_old(tmp_path: Path, name: str) -> None:
    left = tmp_path / ".runs" / name
    left.mkdir(parents=True)
    clear_leftovers(ResultsFolder(tmp_path))
    assert left.exists()  # somebody may be making it
    os.utime(left, (0, 0))
    clear_leftovers(ResultsFolder(tmp_path))
    assert not left.exists()


def test_progress_is_told_once_a_change(tmp_path: Path) -> None:
    told: list[tuple[float, float, float]] = []
    path = tmp_path / "progress.json"
    progress = ProgressFile(path, lambda *said: told.append(said))
    progress.read()  # nothing is there yet
    path.write_text('{"share": 0.2')  # torn
    progress.read()
    path.write_text(json.dumps({"share": 0.5, "samples_per_s": 100.0, "loss": 2.0}))
    progress.read()
    progress.read()
    assert told == [(0.5, 100.0, 2.0)]
