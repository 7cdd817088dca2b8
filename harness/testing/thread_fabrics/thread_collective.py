"""Collectives of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.protocols import GradientAveraging
from harness.testing.quadratic import Array, NumpyReplica
from harness.testing.thread_fabrics.team import Team
from harness.testing.thread_fabrics.thread_fabric import ThreadFabric, check_unchanged, mean_of


class ThreadCollective(ThreadFabric):
    """Implements harness.protocols.CollectiveFabric and NativeFabric.

    The k-th mean of each worker is of one kind, whenever it comes.
    """

    def __init__(self, rank: int, team: Team) -> None:
        super().__init__(rank, team)
        self._num_async = 0

    def mean(self, vector: Array) -> Array:
        arrived = mean_of(self._team.exchange(self.rank, vector))
        vector[...] = np.nan  # given up: elsewhere its memory may hold the mean
        return arrived

    def adasum(self, vector: Array) -> Array:
        return adasum(self._team.exchange(self.rank, vector))

    def mean_async(self, vector: Array) -> PendingThreadMean:
        if self.num_under_way:
            raise AssertionError(
                f"mean_async: expected no other mean under way, found {self.num_under_way}. "
                "Rule: one may be under way (harness/protocols/fabric.py)"
            )
        self.num_under_way += 1
        self._num_async += 1
        self._team.contribute(self._num_async, self.rank, vector)
        return PendingThreadMean(self, self._team, self._num_async, given=vector, ranks=range(self.size))

    def gather(self, values: Array) -> Array:
        return np.array(self._team.exchange(self.rank, values))

    def shifted(self, vector: Array, hop: int) -> Array:
        return self._team.exchange(self.rank, vector)[(self.rank - hop) % self.size]

    def gather_bytes(self, payload: Any) -> Any:
        return np.array(self._team.exchange(self.rank, payload))

    def distribute(self, model: NumpyReplica, averaging: GradientAveraging) -> _Native:
        return _Native(model, averaging, self)


class PendingThreadMean:
    """Implements harness.protocols.Pending. given: the worker's vector itself, of which the team has a copy."""

    def __init__(
        self, fabric: ThreadCollective, team: Team, number: int, *, given: Array, ranks: Sequence[int]
    ) -> None:
        self._fabric, self._team, self._number = fabric, team, number
        self._given, self._ranks = given, ranks

    def wait(self) -> Array:
        contributed = self._team.collected(self._number, self._ranks)
        self._fabric.num_under_way = 0
        check_unchanged("mean_async", self._given, contributed[self._fabric.rank])
        return mean_of(list(contributed.values()))


def adasum(vectors: Sequence[Array]) -> Array:
    """Of a power of two of vectors: of each half its own, then of those two (arXiv 2006.02924, equation 7)."""
    if len(vectors) == 1:
        return vectors[0]
    middle = len(vectors) // 2
    a, b = adasum(vectors[:middle]), adasum(vectors[middle:])
    product = float(np.vdot(a, b))
    combined: Array = a * _share_kept(product, a) + b * _share_kept(product, b)
    return combined


def _share_kept(product: float, vector: Array) -> float:
    square = float(np.vdot(vector, vector))
    return 1 - product / (2 * square) if square else 1.0


class _Native:
    """Implements harness.protocols.NativeTraining: a library's wrapper, written out."""

    def __init__(self, replica: NumpyReplica, averaging: GradientAveraging, fabric: ThreadCollective) -> None:
        self._replica, self._fabric = replica, fabric
        self._passes, self._is_adasum = averaging.backward_passes_per_step, averaging.op == "adasum"
        self._accumulated: list[Array] = []

    def step(self, batch: Any, learning_rate: float) -> float:
        gradient, loss = self._replica.gradient(batch)
        self._accumulated.append(gradient)
        if len(self._accumulated) == self._passes:
            self._replica.set_learning_rate(learning_rate)
            self._move(mean_of(self._accumulated))
            self.forget()
        return loss

    def _move(self, gradient: Array) -> None:
        if self._is_adasum:
            update = self._fabric.adasum(self._replica.update(gradient))
            self._replica.set_weights(self._replica.weights() + update)
        else:
            self._replica.descend(self._fabric.mean(gradient))

    def forget(self) -> None:
        self._accumulated = []
