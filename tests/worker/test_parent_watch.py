"""When a worker takes its parent for dead, on file systems of all kinds."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.records.results_folder import ResultsFolder
from harness.records.run_files import HEARTBEAT_FILE, PARENT_LOCK
from harness.run.heartbeat import beating
from harness.run.run_folder import run_folder
from harness.worker.parent_watch import LOOKS_AT_MOST, LOOKS_WHERE_LOCKS_ARE_SEEN, ParentWatch

NUM_BEATS = 2 * LOOKS_AT_MOST


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    with run_folder(ResultsFolder(tmp_path)) as made:
        yield made


def parent_dies(run_dir: Path) -> None:
    """Its lock is free: another file of that name, which nobody holds."""
    (run_dir / PARENT_LOCK).unlink()
    (run_dir / PARENT_LOCK).touch()


def looks_until_gone(watch: ParentWatch) -> int | None:
    return next((number for number in range(1, 2 * LOOKS_AT_MOST) if watch.is_gone()), None)


def failing(number: int) -> Callable[..., None]:
    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_parent_whose_lock_is_held_lives(run_dir: Path) -> None:
    assert looks_until_gone(ParentWatch(run_dir)) is None


def test_parent_whose_lock_was_seen_and_is_free_is_gone_at_the_second_look(run_dir: Path) -> None:
    watch = ParentWatch(run_dir)
    assert not watch.is_gone()
    parent_dies(run_dir)
    assert looks_until_gone(watch) == LOOKS_WHERE_LOCKS_ARE_SEEN == 2


def test_parent_that_ended_the_run_is_gone(tmp_path: Path) -> None:
    with run_folder(ResultsFolder(tmp_path)) as run_dir:
        watch = ParentWatch(run_dir)
        assert not watch.is_gone()
    assert looks_until_gone(watch) == 2


@pytest.mark.parametrize("number", [None, errno.ENOLCK, errno.EOPNOTSUPP])
def test_parent_whose_lock_is_not_seen_here_lives_while_it_beats(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    """As with flock that ends at its host, and where there is none."""
    if number is None:
        parent_dies(run_dir)
    else:
        monkeypatch.setattr(fcntl, "flock", failing(number))
    watch = ParentWatch(run_dir)
    for beat in range(NUM_BEATS):
        (run_dir / HEARTBEAT_FILE).write_text(str(beat))
        assert not watch.is_gone()
        assert not watch.is_gone()  # looks come oftener than beats
    assert looks_until_gone(watch) == LOOKS_AT_MOST - 1


def test_parent_that_beats_lives_though_its_lock_got_lost(run_dir: Path) -> None:
    watch = ParentWatch(run_dir)
    assert not watch.is_gone()
    parent_dies(run_dir)  # NFS, when its server has started anew
    for beat in range(NUM_BEATS):
        (run_dir / HEARTBEAT_FILE).write_text(str(beat))
        assert not watch.is_gone()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_passing_error_neither_ends_nor_blinds_a_watch(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    watch = ParentWatch(run_dir)
    assert not watch.is_gone()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", failing(number))
        assert not any(watch.is_gone() for _ in range(LOOKS_AT_MOST - 1))
    assert not watch.is_gone()  # it answers again
    parent_dies(run_dir)
    assert looks_until_gone(watch) == 2


def test_file_system_that_does_not_answer_any_more_ends_the_watch(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ParentWatch(run_dir)
    monkeypatch.setattr(Path, "open", failing(errno.EIO))
    assert looks_until_gone(watch) == LOOKS_AT_MOST


def test_beating_writes_another_count_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.run.heartbeat.BEAT_EVERY_S", 0.001)
    path, seen = tmp_path / HEARTBEAT_FILE, set()
    with beating(tmp_path):
        while len(seen) < 3:
            if path.exists():
                seen.add(path.read_text())
    assert path.read_text()


def test_beating_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.run.heartbeat.BEAT_EVERY_S", 0.001)
    (tmp_path / HEARTBEAT_FILE).mkdir()
    with beating(tmp_path):
        (tmp_path / HEARTBEAT_FILE).rmdir()
        while not (tmp_path / HEARTBEAT_FILE).exists():
            pass
