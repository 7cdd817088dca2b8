"""One set of weights in one TensorFlow variable that the threads of a process read and write without excluding another.

The variable has one row, read with a gather and written with a scatter-add. Those are TensorFlow's operations that work
in place and in parallel: both take the variable's lock shared, never alone. A dense update
(`ResourceApplyGradientDescent(use_locking=False)`) would copy the whole variable first whenever someone still holds
what was read from it, and swap it in: whole updates would be lost, and the swap races.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor
from harness.fabrics.connection import Connection
from harness.fabrics.staleness import Staleness
from harness.suite.cell import Cell
from harness.timing.clock import Clock


@dataclass
class _Meeting:
    """What the threads of one run share."""

    barrier: threading.Barrier
    steps: list[int]  # each thread's own count
    weights: Any = None  # tf.Variable of shape (1, P)
    next_step: Iterator[int] = field(default_factory=count)  # whose `next` no other thread comes between
    num_left: int = field(default=0)


class _Meetings:
    """Where the threads of a run find one another, by the run's folder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_run: dict[str, _Meeting] = {}

    def join(self, run: str, size: int) -> _Meeting:
        with self._lock:
            if run not in self._by_run:
                self._by_run[run] = _Meeting(barrier=threading.Barrier(size), steps=[0] * size, num_left=size)
            return self._by_run[run]

    def leave(self, run: str) -> None:
        with self._lock:
            self._by_run[run].num_left -= 1
            if self._by_run[run].num_left == 0:
                del self._by_run[run]


_MEETINGS = _Meetings()  # threads of a process have nothing but the process in common


class SharedVariable:
    """Implements harness.protocols.SharedFabric for TensorFlow's threads."""

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self._run = str(connection.run_dir)
        self._meeting = _MEETINGS.join(self._run, self.size)
        self._row = tf.constant([0])
        self._staleness = Staleness()

    def broadcast(self, vector: Tensor) -> Tensor:
        """Rank 0's vector becomes the shared weights, and each worker's count of its steps starts again."""
        self.barrier()  # nobody still trains on the old ones
        if self.rank == 0:
            self._meeting.weights = tf.Variable(tf.expand_dims(vector, 0))
        self._meeting.steps[self.rank] = 0
        self.barrier()
        self._staleness.restart()
        return self.read()

    def barrier(self) -> None:
        self._meeting.barrier.wait()

    def read(self) -> Tensor:
        self._staleness.weights_read(sum(self._meeting.steps))
        gathered = tf.raw_ops.ResourceGather(resource=self._meeting.weights.handle, indices=self._row, dtype=tf.float32)
        return tf.reshape(gathered, (-1,))

    def live(self) -> Tensor:
        return self.read()  # what TensorFlow hands out of a variable that others write to has to be a copy

    def take_step(self) -> int:
        return next(self._meeting.next_step)

    def add(self, delta: Tensor) -> None:
        tf.raw_ops.ResourceScatterAdd(
            resource=self._meeting.weights.handle, indices=self._row, updates=tf.expand_dims(delta, 0)
        )
        self._staleness.update_applied(sum(self._meeting.steps))
        self._meeting.steps[self.rank] += 1
        self.bytes_sent += int(delta.shape[0]) * delta.dtype.size

    def total_steps(self, own_steps: int) -> int:
        return sum(self._meeting.steps)

    def settings(self) -> dict[str, str]:
        return {"workers": "threads of one process"}

    def staleness_counts(self) -> list[int]:
        return self._staleness.counts

    def close(self) -> None:
        _MEETINGS.leave(self._run)
