"""Memory that a server shares with the workers of its machine: values go through it, messages only tell of them.

A row for each worker, of as many values as the server holds: an update as it is pushed, weights as they are pulled. A
row is its worker's until the message has gone, and the server's until that is answered.

The memory has no name in a folder, where it could stay behind, and is not bounded by what /dev/shm may hold: it is gone
with the last process that has mapped it. Workers open it as a file of the server's process, which the kernel lets none
but processes of the same user.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]


class ShardMemory:
    """A server's. Close it when done: workers keep what they have mapped."""

    def __init__(self, *, num_workers: int, num_values: int) -> None:
        """Raises OSError, which says what for, where there is no room."""
        self.num_values = num_values
        self._file = os.memfd_create("hvdbench-shard")
        num_bytes = num_workers * _bytes_of_row(num_values)
        try:
            os.posix_fallocate(self._file, 0, num_bytes)
        except OSError as error:
            os.close(self._file)
            wanted = f"{num_bytes} bytes of memory to share with {num_workers} workers"
            raise OSError(error.errno, error.strerror, wanted) from None
        self.rows = [_row(self._file, rank, num_values) for rank in range(num_workers)]

    @property
    def path(self) -> str:
        """As processes of this machine and user open it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def close(self) -> None:
        os.close(self._file)


def row_of(path: str, *, rank: int, num_values: int) -> Row:
    """That worker's, of the memory that its server has told it."""
    file = os.open(path, os.O_RDWR)
    try:
        return _row(file, rank, num_values)
    finally:
        os.close(file)


def _row(file: int, rank: int, num_values: int) -> Row:
    row_bytes = _bytes_of_row(num_values)
    return np.frombuffer(mmap.mmap(file, row_bytes, offset=rank * row_bytes), np.float32, num_values)


def _bytes_of_row(num_values: int) -> int:
    """Whole pages: a worker maps its own alone."""
    return max(1, -(-4 * num_values // mmap.PAGESIZE)) * mmap.PAGESIZE
