"""What the threads of one run share, whatever their fabric."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

import numpy as np

from harness.protocols import ServerRule, Stretches, hold_positive
from harness.servers.held_weights import HeldWeights
from harness.testing.quadratic import Array

PATIENCE_S = 60.0  # a strategy whose workers disagree about a collective fails here, and does not hang


class Team:
    """What the threads of one run share."""

    def __init__(self, size: int, *, in_lockstep: bool, group_size: int = 1) -> None:
        self.size, self.in_lockstep, self.group_size = size, in_lockstep, group_size
        self.barrier = threading.Barrier(size)
        self.condition = threading.Condition()
        self.lock = threading.Lock()
        self.shared = np.zeros(0)
        self.num_added = 0
        self.of_groups: list[Array] = [np.zeros(0)] * (size // group_size)
        self.of_each = np.zeros((size, 0))
        self.began_positive: Stretches = ()
        self.served = HeldWeights(np.zeros(0), ServerRule())
        self.num_steps = 0
        self.next_step = count()
        self._slots: list[Array] = [np.zeros(0)] * size
        self._contributions: dict[int, dict[int, Array]] = {}

    def meet(self) -> None:
        self.barrier.wait(PATIENCE_S)

    def exchange(self, rank: int, vector: Array) -> list[Array]:
        """Everybody's vector, by rank."""
        self._slots[rank] = vector.copy()
        self.meet()
        gathered = list(self._slots)
        self.meet()
        return gathered

    def share(self, vector: Array) -> None:
        """These values in the shared weights, whose memory workers may train in."""
        if self.shared.shape != vector.shape:
            self.shared = np.empty_like(vector)
        self.shared[...] = vector

    def add(self, delta: Array) -> None:
        with self.condition:  # in NumPy two threads' += may lose one; what is tested here is not that
            self.shared += delta
            self.num_added += 1

    def average(self, rank: int, peer: int | None, delta: Array) -> None:
        with self.condition:
            if peer is not None:
                self.of_each[[rank, peer]] = 0.5 * (self.of_each[rank] + self.of_each[peer])
            hold_positive(delta, self.of_each[rank], self.began_positive)
            self.of_each[rank] += delta

    def apply(self, update: Array) -> None:
        """As servers do: one update after another."""
        with self.condition:
            self.served.apply(update)

    def contribute(self, number: int, rank: int, vector: Array) -> None:
        with self.condition:
            self._contributions.setdefault(number, {})[rank] = vector.copy()
            self.condition.notify_all()

    def collected(self, number: int, ranks: Sequence[int]) -> dict[int, Array]:
        with self.condition:
            if not self.condition.wait_for(lambda: len(self._contributions[number]) == len(ranks), PATIENCE_S):
                here = sorted(self._contributions[number])
                raise AssertionError(f"mean_async: expected all {len(ranks)} workers at mean {number}, found {here}")
            return {rank: self._contributions[number][rank] for rank in ranks}
