"""One set of weights in memory that all workers of a machine read and write without a lock.

A file in /dev/shm mapped by every worker: first 64 bytes a worker (its arrivals at barriers, its steps), then as much
for the counter by which steps are shared out, then the weights. Each worker's counters have one writer and a cache line
of their own, so counting loses nothing and slows nobody. The common one is changed under the file's lock, which the
kernel drops when a process dies: Python has no addition in memory that another process could not come between.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from harness.fabrics.connection import Connection
from harness.fabrics.staleness import Staleness
from harness.protocols import RowTable, UsedRows
from harness.suite.cell import Cell
from harness.timing.clock import Clock

_SLOT_BYTES = 64
_POLL_S = 0.0001


class SharedMemory:
    """Implements harness.protocols.RowFabric for PyTorch on the CPU."""

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self._path = Path("/dev/shm") / f"hvdbench-{connection.run_dir.name}"
        self._waiting = clock.waiting
        self._file = self._lock_file = -1
        self._weights: torch.Tensor | None = None
        self._table = RowTable(num_rows=0, width=1)
        self._staleness = Staleness()

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        """Rank 0's vector becomes the shared weights, and each worker's count of its steps starts again."""
        if self._weights is None:
            self._map(vector.numel())
        assert self._weights is not None
        self.barrier()  # nobody still trains on the old ones
        if self.rank == 0:
            self._weights.copy_(vector)
        self._steps[self.rank] = 0
        self.barrier()
        self._staleness.restart()
        return self.read()

    def _map(self, num_weights: int) -> None:
        slots_bytes = self.size * _SLOT_BYTES
        header_bytes = slots_bytes + _SLOT_BYTES
        total_bytes = header_bytes + num_weights * 4
        if self.rank == 0:
            staged = self._path.with_suffix(".new")
            _make_room(staged, total_bytes)
            staged.rename(self._path)
        while not self._path.exists():
            time.sleep(_POLL_S)
        self._file = os.open(self._path, os.O_RDWR)
        lock_path = self._path.with_suffix(".lock")  # a file of its own: the first one's lock is the counter's
        self._lock_file = os.open(lock_path, os.O_RDWR | os.O_CREAT)
        memory = mmap.mmap(self._file, total_bytes)
        slots = np.frombuffer(memory, np.int64, self.size * _SLOT_BYTES // 8).reshape(self.size, -1)
        self._arrivals, self._steps = slots[:, 0], slots[:, 1]
        # The same counters once more: adding up a memoryview takes a tenth of the time that NumPy does for so few.
        self._live_steps = memoryview(memory)[:slots_bytes].cast("q")[1 :: _SLOT_BYTES // 8]
        self._next_step = memoryview(memory)[slots_bytes:header_bytes].cast("q")
        self._weights = torch.frombuffer(memory, dtype=torch.float32, count=num_weights, offset=header_bytes)
        self.barrier()
        if self.rank == 0:
            self._path.unlink()  # all have mapped it: the memory now goes when the last worker does, however it ends
            lock_path.unlink()

    def barrier(self) -> None:
        self._arrivals[self.rank] += 1
        while self._arrivals.min() < self._arrivals[self.rank]:
            time.sleep(_POLL_S)

    def read(self) -> torch.Tensor:
        return self.live().clone()

    def live(self, *, to_train: bool = True) -> torch.Tensor:
        assert self._weights is not None, "broadcast comes first"
        if to_train:
            self._staleness.weights_read(sum(self._live_steps))
        return self._weights

    def add(self, delta: torch.Tensor) -> None:
        assert self._weights is not None, "broadcast comes first"
        self._weights.add_(delta)
        self._count_update(delta.nbytes)

    def correct(self, change: torch.Tensor) -> None:
        """As `add`, of what no step has made."""
        assert self._weights is not None, "broadcast comes first"
        self._weights.add_(change)

    def share_rows(self, table: RowTable) -> None:
        self._table = table

    def read_rows(self, rows: torch.Tensor) -> UsedRows:
        table, rest = self._in_rows(self.live())
        return UsedRows(rows=rows, values=table.index_select(0, rows), rest=rest.clone())

    def add_rows(self, change: UsedRows) -> None:
        assert self._weights is not None, "broadcast comes first"
        table, rest = self._in_rows(self._weights)
        table.index_add_(0, change.rows, change.values)
        rest.add_(change.rest)
        self._count_update(change.values.nbytes + rest.nbytes)

    def _in_rows(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size = self._table.size
        return weights[:size].view(-1, self._table.width), weights[size:]

    def _count_update(self, num_bytes: int) -> None:
        self._staleness.update_applied(sum(self._live_steps))
        self._steps[self.rank] += 1
        self.bytes_sent += num_bytes

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        with self._waiting:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def take_step(self, num_in_all: int) -> int:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        taken = self._next_step[0]
        self._next_step[0] = taken + 1
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return taken

    def total_steps(self, own_steps: int) -> int:
        return int(self._steps.sum())

    def settings(self) -> dict[str, str]:
        return {}

    def staleness_counts(self) -> list[int]:
        return self._staleness.counts

    def close(self) -> None:
        for suffix in (".new", ".lock"):
            self._path.with_suffix(suffix).unlink(missing_ok=True)
        for file in (self._file, self._lock_file):
            if file >= 0:
                os.close(file)


def _make_room(path: Path, num_bytes: int) -> None:
    """A new file of this size. Raises OSError, which names the file, where there is no room."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, num_bytes)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
