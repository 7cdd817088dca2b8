"""Workers of a group that share weights in memory, and averages between groups over Horovod: for PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import horovod.torch as hvd
import torch

from harness.fabrics.connection import Connection
from harness.fabrics.horovod_torch import HorovodTorch, PendingMean
from harness.fabrics.process_sets import process_sets
from harness.fabrics.shared_memory import SharedMemory
from harness.protocols import GroupOptions
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allreduce_bytes


class GroupsTorch(HorovodTorch):
    """Implements harness.protocols.GroupedFabric and TellsStaleness. Groups are of consecutive ranks."""

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        assert isinstance(cell.options, GroupOptions)
        size = cell.options.group_size(cell.topology)
        if connection.local_size % size:
            raise ValueError(
                f"a host has {connection.local_size} workers, groups of {size} each; allowed: its divisors"
            )
        super().__init__(cell, connection, clock)
        group, place = divmod(self.rank, size)
        self.num_groups, self.is_first_of_group = self.size // size, place == 0
        run_dir = connection.run_dir.with_name(f"{connection.run_dir.name}-{group}")  # whose name is the memory's too
        self._memory = SharedMemory(cell, replace(connection, rank=place, size=size, run_dir=run_dir), clock)

    def _start(self, cell: Cell) -> None:
        """Where Horovod runs already, it looks up the set that it was started with."""
        sets = process_sets([cell], hvd)
        try:
            hvd.init(process_sets=sets)
        except KeyError:
            raise ValueError(
                f"Horovod already runs, and knows no set of the workers {sets[0].ranks}; allowed: `hosts` of the suite "
                "as this launch has them, or a launch of hvdbench's own"
            ) from None
        self._firsts = sets[0] if sets else hvd.global_process_set

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
