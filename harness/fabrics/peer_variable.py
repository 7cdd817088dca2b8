"""Weights of each thread in one TensorFlow variable, a row of each: two of them average theirs as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor
from harness.fabrics.shared_variable import SharedVariable, gathered
from harness.protocols import RowTable, Stretches, mask_of


class PeerVariable(SharedVariable):
    """Implements harness.protocols.PeerFabric for TensorFlow's threads."""

    _stays_positive: Tensor | None = None  # which values do, where there are any

    def broadcast(self, vector: Tensor, *, began_positive: Stretches = ()) -> Tensor:
        """Rank 0's vector becomes everybody's."""
        self._stays_positive = None
        if began_positive:
            self._stays_positive = tf.constant(mask_of(began_positive, first=0, size=vector.shape[0]))
        self.share_rows(RowTable(num_rows=self.size, width=vector.shape[0]))
        super().broadcast(tf.tile(vector, [self.size]))
        return self.own()

    def own(self) -> Tensor:
        self._staleness.weights_read(sum(self._meeting.steps))
        return self._rows_of(self.rank)[0]

    def average_and_add(self, peer: int | None, delta: Tensor) -> None:
        with self._alone_with(peer):
            if peer is None:
                self._write([self.rank], tf.expand_dims(self._moved(self._rows_of(self.rank)[0], delta), 0))
            else:
                mean = 0.5 * tf.reduce_sum(self._rows_of(self.rank, peer), axis=0)
                self._write([self.rank, peer], tf.stack([self._moved(mean, delta), mean]))
        self._count_update(delta)

    def _moved(self, row: Tensor, delta: Tensor) -> Tensor:
        """By Δ, but for what that would take below 0 though it began above it."""
        moved = row + delta
        return moved if self._stays_positive is None else tf.where(self._stays_positive & (moved < 0), row, moved)

    def mean_of_all(self) -> Tensor:
        return tf.reduce_mean(self._rows_of(*range(self.size)), axis=0)

    def _rows_of(self, *ranks: int) -> Tensor:
        return gathered(self._meeting.table, tf.constant(ranks))

    def _write(self, ranks: list[int], values: Tensor) -> None:
        tf.raw_ops.ResourceScatterUpdate(
            resource=self._meeting.table.handle, indices=tf.constant(ranks), updates=values
        )

    @contextmanager
    def _alone_with(self, peer: int | None) -> Iterator[None]:
        """In the order of ranks, so that no two wait for each other."""
        with ExitStack() as held:
            with self._waiting:
                for rank in sorted({self.rank, self.rank if peer is None else peer}):
                    held.enter_context(self._meeting.lock_of_each[rank])
            yield
