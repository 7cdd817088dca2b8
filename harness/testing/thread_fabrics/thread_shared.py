"""Weights that threads share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from harness.protocols import GradientAveraging
from harness.testing.quadratic import Array, NumpyReplica
from harness.testing.thread_fabrics.thread_fabric import ThreadFabric


class ThreadShared(ThreadFabric):
    """Implements harness.protocols.SharedFabric, SharesOutSteps and NativeFabric.

    In lockstep, all workers read before any of them adds.
    """

    def broadcast(self, vector: Array) -> Array:
        first = super().broadcast(vector)
        if self.rank == 0:
            self._team.share(first)
            self._team.num_added = 0
        self.barrier()
        return first

    def read(self) -> Array:
        copied = self._team.shared.copy()
        if self._team.in_lockstep:
            self.barrier()
        return copied

    def live(self, *, to_train: bool = True) -> Array:
        return self.read()

    def distribute(self, model: NumpyReplica, averaging: GradientAveraging) -> _InPlaceTraining:
        model.move_into(self._team.shared)
        return _InPlaceTraining(model, self)

    def add(self, delta: Array) -> None:
        if not self._team.in_lockstep:
            self._team.add(delta)
            return
        deltas = self._team.exchange(self.rank, delta)
        if self.rank == 0:
            for each in deltas:  # in the order of ranks: sums that differ by rounding would not be equal
                self._team.add(each)
        self.barrier()

    def exclusively(self) -> AbstractContextManager[Any]:
        """In lockstep all read and add together, whatever they ask for."""
        return nullcontext() if self._team.in_lockstep else self._team.lock

    def take_step(self, num_in_all: int) -> int:
        return next(self._team.next_step)

    def total_steps(self, own_steps: int) -> int:
        return self._team.num_added


class _InPlaceTraining:
    """Implements harness.protocols.NativeTraining: a loop over weights that others write to, written out."""

    def __init__(self, replica: NumpyReplica, fabric: ThreadShared) -> None:
        self._replica, self._fabric = replica, fabric

    def step(self, batch: Any, learning_rate: float) -> float:
        gradient, loss = self._replica.gradient(batch)
        self._fabric.add(self._replica.update(gradient))
        return loss

    def forget(self) -> None: ...
