"""Workers of a group that share weights in memory, and averages between groups over Horovod: for PyTorch."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache

import horovod.torch as hvd
import torch

from harness.fabrics.connection import Connection
from harness.fabrics.horovod_torch import HorovodTorch, PendingMean
from harness.fabrics.shared_memory import SharedMemory
from harness.protocols import GroupOptions
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allreduce_bytes

_MAKES_PROCESS_SETS = "HOROVOD_DYNAMIC_PROCESS_SETS"


class GroupsTorch(HorovodTorch):
    """Implements harness.protocols.GroupedFabric and TellsStaleness. Groups are of consecutive ranks."""

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        assert isinstance(cell.options, GroupOptions)
        if not hvd.is_initialized():
            os.environ[_MAKES_PROCESS_SETS] = "1"
        super().__init__(cell, connection, clock)
        size = cell.options.group_size(cell.topology)
        if connection.local_size % size:
            raise ValueError(
                f"a host has {connection.local_size} workers, groups of {size} each; allowed: its divisors"
            )
        group, place = divmod(self.rank, size)
        self.num_groups, self.is_first_of_group = self.size // size, place == 0
        run_dir = connection.run_dir.with_name(f"{connection.run_dir.name}-{group}")  # whose name is the memory's too
        self._memory = SharedMemory(cell, replace(connection, rank=place, size=size, run_dir=run_dir), clock)
        self._firsts = _process_set(self.size, size)

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        return self._memory.broadcast(super().broadcast(vector))

    def read(self) -> torch.Tensor:
        return self._memory.read()

    def live(self, *, to_train: bool = True) -> torch.Tensor:
        return self._memory.live(to_train=to_train)

    def add(self, delta: torch.Tensor) -> None:
        self._memory.add(delta)
        self.bytes_sent += delta.nbytes

    def exclusively(self) -> AbstractContextManager[None]:
        return self._memory.exclusively()

    def correct(self, change: torch.Tensor | None) -> None:
        if change is not None:
            self._memory.correct(change)

    def mean_of_groups(self, vector: torch.Tensor) -> PendingMean:
        self.bytes_sent += allreduce_bytes(vector.nbytes, self.num_groups)
        handle = hvd.allreduce_async(vector, op=hvd.Average, name="mean_of_groups", process_set=self._firsts)
        return PendingMean(self, handle, vector, vector.device)

    def await_group(self) -> None:
        with self._waiting:
            self._memory.barrier()

    def staleness_counts(self) -> list[int]:
        return self._memory.staleness_counts()

    def close(self) -> None:
        self._memory.close()
        super().close()


@cache  # Horovod outlives the cells of a launch, and makes none twice
def _process_set(num_workers: int, group_size: int) -> hvd.ProcessSet:
    """Of the first of each group; all workers make it together."""
    if group_size in (1, num_workers):  # all of them, or one, who averages with nobody
        return hvd.global_process_set
    if os.environ.get(_MAKES_PROCESS_SETS) != "1":
        raise ValueError(f"{_MAKES_PROCESS_SETS}=1 is needed, but Horovod already runs without it: set it before")
    return hvd.add_process_set(range(0, num_workers, group_size))
