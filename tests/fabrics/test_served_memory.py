"""Values between workers and servers of one machine, in memory that they share; else over sockets."""

from __future__ import annotations

import errno
import platform
import threading
from pathlib import Path

import pytest
import torch

from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_memory import ShardMemory
from tests.fabrics.served_workers import SUM, in_threads, served


def test_memory_that_is_too_short_leaves_values_to_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, really = tmp_path / "short", ShardMemory.open
    short.touch()

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        return made.push_pull(torch.ones(2)).wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(ShardMemory, "open", lambda path, **size: really(str(short), **size))
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [([1, 1], "cannot be opened: 0 bytes; wanted: 12288")]


def test_memory_that_cannot_be_opened_leaves_values_to_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /proc hides other processes, or a server's Python has capabilities of its own: of one worker of two."""
    may_open = ShardMemory.open

    def barred(path: str, **size: int) -> ShardMemory:
        if threading.current_thread().name.endswith("_0"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return may_open(path, **size)

    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        made.push_pull(torch.ones(2)).wait()
        made.push(torch.ones(2)).wait()
        made.barrier()
        return made.pull().wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(ShardMemory, "open", barred)
    with served(tmp_path, 1, 2):
        said = in_threads(2, tmp_path, work)
    assert sorted(said) == [([4, 4], "cannot be opened: Permission denied"), ([4, 4], "shared")]


def test_memory_that_can_be_opened_again_is_used_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, errors = ShardMemory.open, [OSError(errno.EMFILE, "Too many open files")]

    def barred(path: str, **size: int) -> ShardMemory:
        if errors:
            raise errors.pop()
        return may_open(path, **size)

    def work(made: ServedTorch) -> list[str]:
        said = []
        for _ in range(2):
            made.serve(torch.zeros(2), SUM)
            said.append(made.settings()["zmq.memory"])
        return said

    monkeypatch.setattr(ShardMemory, "open", barred)
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [["cannot be opened: Too many open files", "shared"]]


def test_machine_that_reorders_writes_shares_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(made: ServedTorch) -> tuple[list[float], str]:
        made.serve(torch.zeros(2), SUM)
        return made.push_pull(torch.ones(2)).wait().tolist(), made.settings()["zmq.memory"]

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    for module in ("fabrics.served", "servers.shard_server"):
        monkeypatch.setattr(f"harness.{module}.MEMORY_IS_ORDERED", False)
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [([1, 1], "not on aarch64")]


@pytest.mark.parametrize(("host", "num_asked"), [(None, 0), ("127.0.0.1", 1)])
def test_weights_in_memory_are_pulled_without_a_message(tmp_path: Path, host: str | None, num_asked: int) -> None:
    def work(made: ServedTorch) -> tuple[list[float], int]:
        made.serve(torch.ones(2), SUM)
        before = made._shards[0]._last_number
        return made.pull().wait().tolist(), made._shards[0]._last_number - before

    with served(tmp_path, 1, 1, host=host):
        assert in_threads(1, tmp_path, work) == [([1, 1], num_asked)]


def test_weights_that_a_server_changes_are_asked_for_and_no_others(tmp_path: Path) -> None:
    def work(made: ServedTorch) -> tuple[list[float], list[int], list[int]]:
        made.serve(torch.ones(4), SUM)
        there, changing = (mapped for shard in made._shards if (mapped := shard._memory) is not None)
        before, copies_before = [shard._last_number for shard in made._shards], int(there.num_copies[0])
        held = ShardMemory.open(changing.path, num_workers=1, num_values=2)
        with held.exclusively():
            pulled: list[float] = made.pull().wait().tolist()
        held.close()
        asked = [shard._last_number - number for shard, number in zip(made._shards, before, strict=True)]
        return pulled, asked, [int(there.num_copies[0]) - copies_before]

    with served(tmp_path, 2, 1):
        assert in_threads(1, tmp_path, work, servers=2) == [([1, 1, 1, 1], [0, 1], [1])]
