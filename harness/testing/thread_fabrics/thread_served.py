"""Weights that threads push to and pull from."""

from __future__ import annotations

from itertools import count
from typing import Any

from harness.protocols import ServerRule
from harness.servers.held_weights import HeldWeights
from harness.testing.quadratic import Array
from harness.testing.thread_fabrics.thread_fabric import ThreadFabric, check_unchanged


class ThreadServed(ThreadFabric):
    """Implements harness.protocols.ServedFabric and SharesOutSteps.

    In lockstep, all workers pull before any of them pushes, and push before any of them pulls.
    """

    def serve(self, vector: Array, rule: ServerRule) -> Array:
        first = self.broadcast(vector)
        if self.rank == 0:
            self._team.served = HeldWeights(first.copy(), rule)
            self._team.num_steps = 0
            self._team.next_step = count()
        self.barrier()
        return first

    def pull(self, *, to_train: bool = True) -> _Answer:
        return self._answer(self._pulled())

    def _pulled(self) -> Array:
        copied = self._team.served.weights.copy()
        if self._team.in_lockstep:
            self.barrier()
        return copied

    def push(self, update: Array) -> _Answer:
        self._apply(update)
        return self._answer(None, pushed=update)

    def push_pull(self, update: Array) -> _Answer:
        self._apply(update)
        return self._answer(self._pulled(), pushed=update)

    def step_taken(self) -> None:
        with self._team.condition:
            self._team.num_steps += 1

    def take_step(self, num_in_all: int) -> int:
        return next(self._team.next_step)

    def total_steps(self, own_steps: int) -> int:
        return self._team.num_steps

    def _apply(self, update: Array) -> None:
        if not self._team.in_lockstep:
            self._team.apply(update)
            return
        updates = self._team.exchange(self.rank, update)
        if self.rank == 0:
            for each in updates:  # in the order of ranks, so that runs repeat one another
                self._team.apply(each)
        self.barrier()

    def _answer(self, value: Array | None, *, pushed: Array | None = None) -> _Answer:
        self.num_under_way += 1
        return _Answer(self, value, pushed=pushed)


class _Answer:
    """Implements harness.protocols.Pending and Sent. pushed: the worker's vector itself."""

    def __init__(self, fabric: ThreadServed, value: Array | None, *, pushed: Array | None) -> None:
        self._fabric, self._value = fabric, value
        self._pushed, self._copied = pushed, None if pushed is None else pushed.copy()

    def wait(self) -> Any:
        self._fabric.num_under_way -= 1
        if self._pushed is not None and self._copied is not None:
            check_unchanged("push", self._pushed, self._copied)
        return self._value
