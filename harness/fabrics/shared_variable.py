"""One set of weights in one TensorFlow variable that the threads of a process read and write without excluding another.

The variable has one row, or those of a table and one for the rest, read with a gather and written with a scatter-add.
Those are TensorFlow's operations that work in place and in parallel: both take the variable's lock shared, never alone.
A dense update (`ResourceApplyGradientDescent(use_locking=False)`) would copy the whole variable first whenever someone
still holds what was read from it, and swap it in: whole updates would be lost, and the swap races.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor, bytes_of
from harness.fabrics.connection import Connection
from harness.fabrics.staleness import Staleness
from harness.protocols import RowTable, UsedRows
from harness.suite.cell import Cell
from harness.timing.clock import Clock


@dataclass
class _Meeting:
    """What the threads of one run share."""

    barrier: threading.Barrier
    steps: list[int]  # each thread's own count
    weights: Any = None  # tf.Variable of shape (1, P); without the table, where there is one
    table: Any = None  # tf.Variable of shape (R, width)
    next_step: Iterator[int] = field(default_factory=count)  # whose `next` no other thread comes between
    lock: threading.Lock = field(default_factory=threading.Lock)
    lock_of_each: list[threading.Lock] = field(default_factory=list)  # of each thread's own part
    num_left: int = field(default=0)


class _Meetings:
    """Where the threads of a run find one another, by the run's folder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_run: dict[str, _Meeting] = {}

    def join(self, run: str, size: int) -> _Meeting:
        with self._lock:
            if run not in self._by_run:
                self._by_run[run] = _Meeting(
                    barrier=threading.Barrier(size),
                    steps=[0] * size,
                    lock_of_each=[threading.Lock() for _ in range(size)],
                    num_left=size,
                )
            return self._by_run[run]

    def leave(self, run: str) -> None:
        with self._lock:
            self._by_run[run].num_left -= 1
            if self._by_run[run].num_left == 0:
                del self._by_run[run]


_MEETINGS = _Meetings()  # threads of a process have nothing but the process in common


class SharedVariable:
    """Implements harness.protocols.RowFabric for TensorFlow's threads."""

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self._run = str(connection.run_dir)
        self._meeting = _MEETINGS.join(self._run, self.size)
        self._row = tf.constant([0])
        self._waiting = clock.waiting
        self._staleness = Staleness()
        self._table = RowTable(num_rows=0, width=1)

    def broadcast(self, vector: Tensor) -> Tensor:
        """Rank 0's vector becomes the shared weights, and each worker's count of its steps starts again."""
        self.barrier()  # nobody still trains on the old ones
        if self.rank == 0:
            size = self._table.size
            self._meeting.table = tf.Variable(tf.reshape(vector[:size], (-1, self._table.width)))
            self._meeting.weights = tf.Variable(tf.expand_dims(vector[size:], 0))
        self._meeting.steps[self.rank] = 0
        self.barrier()
        self._staleness.restart()
        return self.read()

    def barrier(self) -> None:
        self._meeting.barrier.wait()

    def read(self) -> Tensor:
        return self.live()

    def live(self, *, to_train: bool = True) -> Tensor:
        """What TensorFlow hands out of a variable that others write to has to be a copy."""
        if to_train:
            self._staleness.weights_read(sum(self._meeting.steps))
        rest = self._read_rest()
        if not self._table.size:
            return rest
        whole = gathered(self._meeting.table, tf.range(self._table.num_rows))
        return tf.concat([tf.reshape(whole, (-1,)), rest], axis=0)

    def _read_rest(self) -> Tensor:
        return tf.reshape(gathered(self._meeting.weights, self._row), (-1,))

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        with self._waiting:
            self._meeting.lock.acquire()
        try:
            yield
        finally:
            self._meeting.lock.release()

    def take_step(self, num_in_all: int) -> int:
        return next(self._meeting.next_step)

    def add(self, delta: Tensor) -> None:
        _scatter(self._meeting.weights, self._row, tf.expand_dims(delta, 0))
        self._count_update(delta)

    def _count_update(self, *changes: Tensor) -> None:
        self._staleness.update_applied(sum(self._meeting.steps))
        self._meeting.steps[self.rank] += 1
        self.bytes_sent += bytes_of(changes)

    def share_rows(self, table: RowTable) -> None:
        self._table = table

    def read_rows(self, rows: Tensor) -> UsedRows:
        self._staleness.weights_read(sum(self._meeting.steps))
        return UsedRows(rows=rows, values=gathered(self._meeting.table, rows), rest=self._read_rest())

    def add_rows(self, change: UsedRows) -> None:
        _scatter(self._meeting.table, change.rows, change.values)
        if change.rest.shape[0]:
            _scatter(self._meeting.weights, self._row, tf.expand_dims(change.rest, 0))
        self._count_update(change.values, change.rest)

    def total_steps(self, own_steps: int) -> int:
        return sum(self._meeting.steps)

    def settings(self) -> dict[str, str]:
        return {"workers": "threads of one process"}

    def staleness_counts(self) -> list[int]:
        return self._staleness.counts

    def close(self) -> None:
        _MEETINGS.leave(self._run)


def gathered(variable: Any, rows: Tensor) -> Tensor:
    """A copy of these rows, taken without a lock."""
    return tf.raw_ops.ResourceGather(resource=variable.handle, indices=rows, dtype=tf.float32)


def _scatter(variable: Any, rows: Tensor, changes: Tensor) -> None:
    tf.raw_ops.ResourceScatterAdd(resource=variable.handle, indices=rows, updates=changes)
