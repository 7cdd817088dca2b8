"""Weights of each worker in memory that all workers of a machine reach: two of them average theirs as one.

The file of harness/fabrics/shared_memory.py, with as many vectors as there are workers, and a lock for each of these,
which the kernel drops when a process dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.fabrics.connection import Connection
from harness.fabrics.shared_memory import SharedMemory
from harness.protocols import Stretches, hold_positive
from harness.suite.cell import Cell
from harness.timing.clock import Clock


class PeerMemory(SharedMemory):
    """Implements harness.protocols.PeerFabric for PyTorch on the CPU."""

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        super().__init__(cell, connection, clock)
        self._lock_files: list[int] = []
        self._mean = torch.zeros(0)
        self._began_positive: Stretches = ()

    def broadcast(self, vector: torch.Tensor, *, began_positive: Stretches = ()) -> torch.Tensor:
        """Rank 0's vector becomes everybody's."""
        self._began_positive = began_positive
        super().broadcast(vector.repeat(self.size))
        return self.own().clone()

    def _map(self, num_weights: int) -> None:
        super()._map(num_weights)
        self._mean = torch.zeros(num_weights // self.size)
        paths = [self._path.with_suffix(f".{rank}") for rank in range(self.size)]
        self._lock_files = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
        self.barrier()
        paths[self.rank].unlink()

    def own(self) -> torch.Tensor:
        return self._row_of_each(self.live())[self.rank]

    def average_and_add(self, peer: int | None, delta: torch.Tensor) -> None:
        assert self._weights is not None, "broadcast comes first"
        weights = self._row_of_each(self._weights)
        with self._alone_with(peer):
            if peer is None:
                hold_positive(delta, weights[self.rank], self._began_positive)
                weights[self.rank].add_(delta)
            else:
                # Made apart: others read meanwhile, and would find a sum where the mean is to be.
                torch.add(weights[self.rank], weights[peer], out=self._mean).mul_(0.5)
                hold_positive(delta, self._mean, self._began_positive)
                weights[peer].copy_(self._mean)
                torch.add(self._mean, delta, out=weights[self.rank])
        self._count_update(delta.nbytes)

    def mean_of_all(self) -> torch.Tensor:
        return self._row_of_each(self.live(to_train=False)).mean(dim=0)

    def _row_of_each(self, weights: torch.Tensor) -> torch.Tensor:
        return weights.view(self.size, -1)

    @contextmanager
    def _alone_with(self, peer: int | None) -> Iterator[None]:
        """In the order of ranks, so that no two wait for each other."""
        files = [self._lock_files[rank] for rank in sorted({self.rank, self.rank if peer is None else peer})]
        with self._waiting:
            for file in files:
                fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            for file in files:
                fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        super().close()
        for file in self._lock_files:
            os.close(file)
