"""Weights that threads of a group share, averaged between groups."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from harness.testing.quadratic import Array
from harness.testing.thread_fabrics.team import Team
from harness.testing.thread_fabrics.thread_collective import PendingThreadMean, ThreadCollective


class ThreadGroups(ThreadCollective):
    """Implements harness.protocols.GroupedFabric, in lockstep alone: all read before any of them adds."""

    def __init__(self, rank: int, team: Team) -> None:
        super().__init__(rank, team)
        self._group, place = divmod(rank, team.group_size)
        self.num_groups, self.is_first_of_group = team.size // team.group_size, place == 0

    def broadcast(self, vector: Array) -> Array:
        first = super().broadcast(vector)
        if self.is_first_of_group:
            self._team.of_groups[self._group] = first.copy()
        self.barrier()
        return first

    def read(self) -> Array:
        return self._team.of_groups[self._group].copy()

    def live(self, *, to_train: bool = True) -> Array:
        copied = self.read()
        self.barrier()
        return copied

    def add(self, delta: Array) -> None:
        deltas = self._team.exchange(self.rank, delta)
        if self.is_first_of_group:
            for each in deltas[self.rank :][: self._team.group_size]:  # in the order of ranks, so that runs repeat
                self._team.of_groups[self._group] += each
        self.barrier()

    def exclusively(self) -> AbstractContextManager[None]:
        return nullcontext()  # in lockstep all read and add together

    def correct(self, change: Array | None) -> None:
        self.barrier()  # all have looked
        if change is not None:
            self._team.of_groups[self._group] += change
        self.barrier()

    def mean_of_groups(self, vector: Array) -> PendingThreadMean:
        self.num_under_way += 1
        self._num_async += 1
        self._team.contribute(self._num_async, self.rank, vector)
        firsts = range(0, self.size, self._team.group_size)
        return PendingThreadMean(self, self._team, self._num_async, given=vector, ranks=firsts)

    def await_group(self) -> None:
        self.barrier()
