"""Memory that a server shares with the workers of its machine: values go through it, messages only tell of them.

The weights, which the server changes and any worker may copy, each while the other does not; and a row for each worker,
of as many values: an update as it is pushed, weights that come with the answer to it. A row is its worker's until the
message has gone, and the server's until that is answered. Before them lie two counts of each worker: its updates that
the weights have, which the server writes, and its copies of the weights, which it writes itself; and how often the
server has begun or ended to change the weights. By that a worker that was stopped as it copied them knows whether the
server, which waits for nobody for long, has changed them meanwhile: its copy is none then.

The memory has no name in a folder, where it could stay behind, and is not bounded by what /dev/shm may hold: it is gone
with the last process that has mapped it. Workers get it from the server as an open file, each one of its own, since the
lock, which is the kernel's and dropped when a process dies, is of an open file.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness.plain_text import counted

Values = NDArray[np.float32]

PATIENCE_S = 0.25  # with who copies weights: hundreds of times as long as that takes
# A copy is thrown away where the count of turns has changed meanwhile, so nobody may see weights before the count that
# was written before them. Where processors reorder writes, as ARM's do, that takes a barrier, which Python has not:
# there, weights are asked for. (Rows need none, nor what happens under the lock: the kernel's calls are barriers.)
MEMORY_IS_ORDERED = platform.machine() in ("x86_64", "AMD64", "i686")


@dataclass(frozen=True, kw_only=True)
class FreeMemory:
    """Beyond it the kernel would end processes to find any.

    Asked for is what a server is sure to have at a time: what it shares with workers, the weights that it is given, and
    what its rule keeps beside them. Not counted: what passes, as values on their way and vectors in between as an
    update is applied, a few times the weights' size at most; and what others take meanwhile, servers among them.
    """

    num_bytes: int
    of: str  # what limits it: `machine`, say

    def require(self, num_bytes: int, purpose: str, *, otherwise: str) -> None:
        """Raises OSError where there is less. otherwise: what to take then, rather than more memory."""
        if num_bytes > self.num_bytes:
            raise self.lack(num_bytes, f"{purpose}, the {self.of} has {self.num_bytes} free", otherwise=otherwise)

    def lack(self, num_bytes: int, why: str, *, otherwise: str) -> OSError:
        """To be raised where it is not to be had."""
        remedy = f"take {otherwise} or a {self.of} with more memory"
        return OSError(f"wanted {num_bytes} bytes of memory {why}: {remedy}")


class ShardMemory:
    """As server and worker have it. Close it when done: what others have mapped stays."""

    def __init__(self, file: int, *, num_workers: int, num_values: int) -> None:
        self.num_values = num_values
        self._file = file
        memory = mmap.mmap(file, _num_bytes(num_workers, num_values))
        counts = np.frombuffer(memory, np.int64, 1 + 2 * num_workers)
        self._num_turns, (self.num_updates, self.num_copies) = counts[:1], counts[1:].reshape(2, -1)
        self._patience_s = PATIENCE_S
        first, each = _in_pages(counts.nbytes), _in_pages(4 * num_values) // 4
        vectors = np.frombuffer(memory, np.float32, (1 + num_workers) * each, first).reshape(-1, each)[:, :num_values]
        self.weights: Values = vectors[0]
        self.rows: list[Values] = list(vectors[1:])

    @classmethod
    def make(cls, *, num_workers: int, num_values: int, free: FreeMemory) -> Self:
        """A server's. Raises OSError, which says what for, where there is no room for it and for weights to come."""
        num_bytes = _num_bytes(num_workers, num_values)
        purpose, otherwise = f"to share with {counted(num_workers, 'worker')}", "fewer workers, a smaller model"
        with_weights = num_bytes + _in_pages(4 * num_values)
        free.require(with_weights, f"{purpose}, and for the weights that come", otherwise=otherwise)
        file = os.memfd_create("hvdbench-shard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(file, 0, num_bytes)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            return cls(file, num_workers=num_workers, num_values=num_values)
        except OSError as error:
            os.close(file)
            # It is a file to the kernel, which may say of memory that no space is left on the device.
            why = os.strerror(errno.ENOMEM) if error.errno == errno.ENOSPC else error.strerror
            raise free.lack(num_bytes, f"{purpose}: {why}", otherwise=otherwise) from None

    @classmethod
    def of(cls, descriptor: int, *, num_workers: int, num_values: int) -> Self:
        """A worker's: of a file that the server has opened for it, which is closed with it.

        Raises OSError where it cannot be mapped, or is not of so many values.
        """
        try:
            found, wanted = os.fstat(descriptor).st_size, _num_bytes(num_workers, num_values)
            if found != wanted:
                raise OSError(errno.EINVAL, f"{found} bytes; wanted: {wanted}")
            return cls(descriptor, num_workers=num_workers, num_values=num_values)
        except OSError:
            os.close(descriptor)
            raise

    def opened_again(self) -> int:
        """For a worker, whose locks are apart from those of others."""
        return os.open(f"/proc/self/fd/{self._file}", os.O_RDWR)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """In it no worker copies the weights, but what is thrown away: of one that takes far too long."""
        is_locked = self._is_locked_in_time()
        self._patience_s = PATIENCE_S if is_locked else 0  # once, however many updates come while a worker is stopped
        self._num_turns += 1
        try:
            yield
        finally:
            self._num_turns += 1
            if is_locked:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _is_locked_in_time(self) -> bool:
        until = time.monotonic() + self._patience_s
        while not self._is_locked(fcntl.LOCK_EX):
            if time.monotonic() >= until:
                return False
            time.sleep(0)  # gives the core to who copies: that is over sooner than a timer wakes
        return True

    def _is_locked(self, how: int) -> bool:
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def copy_of_weights(self, rank: int) -> tuple[Values, int] | None:
        """For that worker, and how many updates of others they have; None while the server changes them,
        and before it has laid any there."""
        if not self._is_locked(fcntl.LOCK_SH):
            return None
        try:
            turn = int(self._num_turns[0])
            values, num_foreign = self.weights.copy(), int(self.num_updates.sum() - self.num_updates[rank])
            if not turn or turn % 2 or turn != self._num_turns[0]:
                return None
            self.num_copies[rank] += 1
            return values, num_foreign
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)


def _num_bytes(num_workers: int, num_values: int) -> int:
    return _in_pages(8 * (1 + 2 * num_workers)) + (1 + num_workers) * _in_pages(4 * num_values)


def _in_pages(num_bytes: int) -> int:
    """So that no two vectors share one; at least one."""
    return max(1, -(-num_bytes // mmap.PAGESIZE)) * mmap.PAGESIZE
