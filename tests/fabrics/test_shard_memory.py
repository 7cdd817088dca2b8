"""Memory that a server and its workers share, here in one process."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.fabrics import shard_memory
from harness.fabrics.shard_memory import ShardMemory
from tests.open_files import num_open_files

NUM_WORKERS, NUM_VALUES = 2, 3
AMPLE = shard_memory.FreeMemory(num_bytes=1 << 20, of="machine")


@contextmanager
def shared() -> Iterator[tuple[ShardMemory, ShardMemory]]:
    """As a server and a worker have it."""
    server = ShardMemory.make(num_workers=NUM_WORKERS, num_values=NUM_VALUES, free=AMPLE)
    worker = ShardMemory.of(server.opened_again(), num_workers=NUM_WORKERS, num_values=NUM_VALUES)
    yield server, worker
    worker.close()
    server.close()


def test_rows_and_weights_are_the_same_for_server_and_worker_and_apart_from_one_another() -> None:
    with shared() as (server, worker):
        worker.rows[1][:] = [1, 2, 3]
        server.rows[0][:] = 4
        server.weights[:] = 5
        assert [row.tolist() for row in server.rows] == [[4, 4, 4], [1, 2, 3]]
        assert [row.tolist() for row in worker.rows] == [[4, 4, 4], [1, 2, 3]]
        assert worker.weights.tolist() == [5, 5, 5]


def test_copy_of_the_weights_says_how_many_updates_of_others_they_have() -> None:
    with shared() as (server, worker):
        with server.exclusively():
            server.weights[:] = 5
            server.num_updates[:] = [2, 9]
        values, num_foreign = worker.copy_of_weights(1) or ([], None)
        server.weights[:] = 6
        assert (list(values), num_foreign) == ([5, 5, 5], 2)
        assert server.num_copies.tolist() == [0, 1]


def test_weights_that_change_or_are_not_there_yet_are_not_copied() -> None:
    with shared() as (server, worker):
        assert worker.copy_of_weights(0) is None
        with server.exclusively():
            assert worker.copy_of_weights(0) is None
        assert worker.copy_of_weights(0) is not None
        assert server.num_copies.tolist() == [1, 0]


def test_server_does_not_wait_for_ever_for_a_worker_that_was_stopped_at_its_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shard_memory, "PATIENCE_S", 0.01)
    with shared() as (server, worker):
        fcntl.flock(worker._file, fcntl.LOCK_SH)
        other = ShardMemory.of(server.opened_again(), num_workers=NUM_WORKERS, num_values=NUM_VALUES)
        with server.exclusively():
            server.weights[:] = 1
            assert other.copy_of_weights(0) is None
        values, _ = other.copy_of_weights(0) or ([], None)
        assert list(values) == [1, 1, 1]
        fcntl.flock(worker._file, fcntl.LOCK_UN)
        with server.exclusively():
            assert not other._is_locked(fcntl.LOCK_SH)
        other.close()


def test_copy_in_which_the_server_has_changed_the_weights_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_memory, "PATIENCE_S", 0.01)
    with shared() as (server, worker):

        class Stopped:
            def copy(self) -> list[float]:
                with server.exclusively():
                    return [0, 0, 0]

        worker.weights = Stopped()  # type: ignore[assignment]
        assert worker.copy_of_weights(0) is None
        assert server.num_copies.tolist() == [0, 0]


def test_part_without_values_has_memory_too() -> None:
    memory = ShardMemory.make(num_workers=1, num_values=0, free=AMPLE)
    assert (memory.weights.tolist(), memory.rows[0].tolist()) == ([], [])
    memory.close()


def test_memory_has_no_name_that_could_stay_behind() -> None:
    memory = ShardMemory.make(num_workers=1, num_values=3, free=AMPLE)
    file = Path(f"/proc/self/fd/{memory.opened_again()}")
    assert str(file.readlink()) == "/memfd:hvdbench-shard (deleted)"
    os.close(int(file.name))
    memory.close()


def test_memory_that_is_not_there_is_said_to_be_memory_and_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    said = (
        "^wanted 16384 bytes of memory to share with 2 workers: Cannot allocate memory: take fewer workers, a smaller "
        "model or a machine with more memory$"
    )
    with pytest.raises(OSError, match=said):
        ShardMemory.make(num_workers=2, num_values=3, free=AMPLE)


def test_memory_beyond_what_is_free_is_refused_before_it_is_looked_for() -> None:
    """A page of counts, and one each for the weights, two rows and the weights as they come: 5 * 4096 bytes."""
    ShardMemory.make(num_workers=2, num_values=3, free=replace(AMPLE, num_bytes=20480)).close()
    before = num_open_files()
    said = (
        "^wanted 20480 bytes of memory to share with 2 workers, and for the weights that come, the job has 20479 free: "
        "take fewer workers, a smaller model or a job with more memory$"
    )
    with pytest.raises(OSError, match=said):
        ShardMemory.make(num_workers=2, num_values=3, free=shard_memory.FreeMemory(num_bytes=20479, of="job"))
    assert num_open_files() == before


def test_memory_that_cannot_be_mapped_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a limit on address space is reached."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    memory = ShardMemory.make(num_workers=1, num_values=3, free=AMPLE)
    file, before = memory.opened_again(), num_open_files()
    monkeypatch.setattr(shard_memory.mmap, "mmap", full)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        ShardMemory.of(file, num_workers=1, num_values=3)
    with pytest.raises(OSError, match="wanted 12288 bytes of memory to share with 1 worker: Cannot allocate memory"):
        ShardMemory.make(num_workers=1, num_values=3, free=AMPLE)
    assert num_open_files() == before - 1
    memory.close()


def test_no_process_can_take_memory_away_that_others_have_mapped() -> None:
    memory = ShardMemory.make(num_workers=1, num_values=3, free=AMPLE)
    with pytest.raises(PermissionError):
        os.ftruncate(memory._file, 0)
    memory.close()


def test_file_of_another_size_is_no_memory_of_these_values() -> None:
    memory = ShardMemory.make(num_workers=2, num_values=3, free=AMPLE)
    file = memory.opened_again()
    with pytest.raises(OSError, match="16384 bytes; wanted: 12288"):
        ShardMemory.of(file, num_workers=1, num_values=3)
    assert not Path(f"/proc/self/fd/{file}").exists()
    memory.close()


def test_lock_of_one_worker_is_no_other_ones() -> None:
    """As it would be of one open file that both have."""
    with shared() as (server, worker):
        other = ShardMemory.of(server.opened_again(), num_workers=NUM_WORKERS, num_values=NUM_VALUES)
        assert worker._is_locked(fcntl.LOCK_SH)
        assert other._is_locked(fcntl.LOCK_SH)
        fcntl.flock(other._file, fcntl.LOCK_UN)
        assert not server._is_locked(fcntl.LOCK_EX)
        fcntl.flock(worker._file, fcntl.LOCK_UN)
        assert server._is_locked(fcntl.LOCK_EX)
        other.close()
