"""Values between workers and servers of one machine, in memory that they share."""

from __future__ import annotations

import errno
import os
import re
import resource
import select
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.fabrics import shard_client, shard_memory
from harness.fabrics.served_torch import ServedTorch
from harness.fabrics.shard_client import Answered, ShardError
from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import Kind, Reply
from harness.protocols import ServerRule
from harness.servers import free_memory
from tests.command import LIMIT_S
from tests.fabrics.served_workers import SUM, in_threads, served
from tests.servers.talking import Local, answered, serving


def test_memory_that_cannot_be_mapped_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def barred(descriptor: int, **size: int) -> ShardMemory:
        os.close(descriptor)
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(ShardMemory, "of", barred)
    said = r"^server 0 \(unix:@.*\): its memory cannot be shared: \[Errno 12\] Cannot allocate memory"
    with served(tmp_path, 1, 1), pytest.raises(ShardError, match=said):
        in_threads(1, tmp_path, lambda made: made.serve(torch.zeros(2), SUM))


def test_memory_that_a_worker_has_no_descriptor_left_for_is_said(tmp_path: Path) -> None:
    """The kernel leaves out what was sent along."""

    def work(made: ServedTorch) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        server = made._shards[0]
        number = server.ask(Kind.MAP, (2).to_bytes(8, "little"))
        assert select.select([server._channel._socket], [], [], LIMIT_S)[0]  # type: ignore[attr-defined]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            assert server.answer_to(number).descriptor is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        without_any = Answered(reply=Reply(number=1), payload=b"")
        server.answer_to = lambda number: without_any  # type: ignore[method-assign]
        server.share_memory(num_workers=1, num_values=2)

    said = r"its memory cannot be shared: \[Errno 24\] Too many open files"
    with served(tmp_path, 1, 1), pytest.raises(ShardError, match=said):
        in_threads(1, tmp_path, work)


def test_memory_that_a_server_has_no_room_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shard_memory.os, "posix_fallocate", full)
    said = r"refused: wanted 12288 bytes of memory to share with 1 worker: Cannot allocate memory: take fewer workers, "
    with served(tmp_path, 1, 1), pytest.raises(ShardError, match=said):
        in_threads(1, tmp_path, lambda made: made.serve(torch.zeros(2), SUM))


def test_server_refuses_memory_beyond_its_machine_or_job_before_it_looks_for_any() -> None:
    """2**60 values of 4 bytes, four times, and a page of counts."""
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, b"0")
        is_refused, why = answered(told, Kind.MAP, (2**60).to_bytes(8, "little"))
        said = rb"wanted 18446744073709555712 bytes of memory to share with 2 workers, and .*, the .* has \d+ free: "
        assert is_refused
        assert re.match(said, why)
        assert answered(told, Kind.PING) == (False, b"")


@pytest.mark.parametrize(
    ("available", "allowed", "lacking"),
    [(16383, None, "machine"), (16383, 16384, "machine"), (16384, 16383, "job or container")],
)
def test_server_takes_no_memory_that_machine_or_job_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int, allowed: int | None, lacking: str
) -> None:
    def work(made: ServedTorch) -> None:
        made.serve(torch.zeros(2), SUM)

    def has(available: int, allowed: int | None) -> None:
        monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=available))
        monkeypatch.setattr(free_memory.cgroup, "free_bytes", lambda: allowed)

    has(available, allowed)
    said = (
        f"refused: wanted 16384 bytes of memory to share with 1 worker, and for the weights that come, the {lacking} "
        f"has 16383 free: take fewer workers, a smaller model or a {lacking} with more memory"
    )
    with served(tmp_path, 1, 1), pytest.raises(ShardError, match=said):
        in_threads(1, tmp_path, work)
    has(16384, None if allowed is None else 16384)
    with served(tmp_path, 1, 1):
        in_threads(1, tmp_path, work)


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_takes_no_weights_that_it_has_no_memory_for_with_what_the_rule_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str | None
) -> None:
    """8 bytes of weights and as many of squares, once what is shared on one machine has been taken."""
    free = [7, 1 << 20] if host is None else [7]
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=free.pop()))
    monkeypatch.setattr(free_memory.cgroup, "free_bytes", lambda: None)
    said = "refused: wanted 16 bytes of memory to hold weights by the rule adagrad, the machine has 7 free: take a "
    with served(tmp_path, 1, 1, host=host), pytest.raises(ShardError, match=said):
        in_threads(1, tmp_path, lambda made: made.serve(torch.zeros(2), ServerRule(name="adagrad")))


def test_machine_that_reorders_writes_asks_for_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(made: ServedTorch) -> tuple[list[float], int]:
        made.serve(torch.zeros(2), SUM)
        made.push(torch.ones(2)).wait()
        before = made._shards[0]._last_number
        return made.pull().wait().tolist(), made._shards[0]._last_number - before

    monkeypatch.setattr(shard_client, "MEMORY_IS_ORDERED", False)
    with served(tmp_path, 1, 1):
        assert in_threads(1, tmp_path, work) == [([1, 1], 1)]


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
        held = ShardMemory.of(changing.opened_again(), num_workers=1, num_values=2)
        with held.exclusively():
            pulled: list[float] = made.pull().wait().tolist()
        held.close()
        asked = [shard._last_number - number for shard, number in zip(made._shards, before, strict=True)]
        return pulled, asked, [int(there.num_copies[0]) - copies_before]

    with served(tmp_path, 2, 1):
        assert in_threads(1, tmp_path, work, servers=2) == [([1, 1, 1, 1], [0, 1], [1])]
