"""Memory that a server and its workers share, here in one process."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from harness.fabrics.shard_memory import ShardMemory, row_of


def test_row_is_the_same_for_server_and_worker_and_apart_from_others() -> None:
    memory = ShardMemory(num_workers=2, num_values=3)
    rows = [row_of(memory.path, rank=rank, num_values=3) for rank in range(2)]
    rows[1][:] = [1, 2, 3]
    memory.rows[0][:] = 4
    memory.close()
    assert [row.tolist() for row in rows] == [[4, 4, 4], [1, 2, 3]]
    assert memory.rows[1].tolist() == [1, 2, 3]


def test_part_without_values_has_a_row_too() -> None:
    memory = ShardMemory(num_workers=1, num_values=0)
    assert row_of(memory.path, rank=0, num_values=0).tolist() == []
    memory.close()


def test_memory_has_no_name_that_could_stay_behind() -> None:
    memory = ShardMemory(num_workers=1, num_values=3)
    assert str(Path(memory.path).readlink()) == "/memfd:hvdbench-shard (deleted)"
    memory.close()
    assert not Path(memory.path).exists()


def test_memory_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    said = "[Errno 28] No space left on device: '8192 bytes of memory to share with 2 workers'"
    with pytest.raises(OSError, match=re.escape(said)):
        ShardMemory(num_workers=2, num_values=3)
