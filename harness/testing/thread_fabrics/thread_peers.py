"""Weights of each thread that others average with theirs."""

from __future__ import annotations

import numpy as np

from harness.protocols import Stretches
from harness.testing.quadratic import Array
from harness.testing.thread_fabrics.thread_fabric import ThreadFabric, mean_of


class ThreadPeers(ThreadFabric):
    """Implements harness.protocols.PeerFabric.

    In lockstep, all workers read before any of them averages, which they do in the order of their ranks.
    """

    def broadcast(self, vector: Array, *, began_positive: Stretches = ()) -> Array:
        first = super().broadcast(vector)
        if self.rank == 0:
            self._team.began_positive = began_positive
            self._team.of_each = np.tile(first, (self.size, 1))
        self.barrier()
        return first

    def own(self) -> Array:
        copied: Array = self._team.of_each[self.rank].copy()
        if self._team.in_lockstep:
            self.barrier()
        return copied

    def average_and_add(self, peer: int | None, delta: Array) -> None:
        if not self._team.in_lockstep:
            self._team.average(self.rank, peer, delta)
            return
        for turn in range(self.size):
            if turn == self.rank:
                self._team.average(self.rank, peer, delta)
            self.barrier()

    def mean_of_all(self) -> Array:
        return mean_of(list(self._team.of_each))
