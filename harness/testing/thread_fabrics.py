"""How the workers of a test reach each other: threads of one process over a real barrier, one fabric a worker.

They hold a strategy to the letter of harness/protocols/fabric.py: a vector that `mean` was given is spoilt, one that
`mean_async` was given may not change before its mean has arrived, and one such mean may be under way at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any

import numpy as np

from harness.protocols import GROUPS, PEERS, SERVED, SHARED, TORCH_SHARED, Capability, GradientAveraging, ServerRule
from harness.servers.held_weights import HeldWeights
from harness.testing.quadratic import Array, NumpyReplica

PATIENCE_S = 10.0  # a strategy whose workers disagree about a collective fails here, and does not hang


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
            self._move(_mean(self._accumulated))
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


class ThreadFabric:
    """What the fabrics of all capabilities share; one object a worker, `team` shared by them."""

    waiting_is_known = True

    def __init__(self, rank: int, team: Team) -> None:
        self.rank, self.size, self._team = rank, team.size, team
        self.bytes_sent = 0
        self.num_under_way = 0  # what was asked for and not waited for

    def barrier(self) -> None:
        self._team.barrier.wait(PATIENCE_S)

    def broadcast(self, vector: Array) -> Array:
        return self._team.exchange(self.rank, vector)[0].copy()

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def settings(self) -> dict[str, str]:
        return {}

    def close(self) -> None: ...


class ThreadCollective(ThreadFabric):
    """Implements harness.protocols.CollectiveFabric and NativeFabric.

    The k-th mean of each worker is of one kind, whenever it comes.
    """

    def __init__(self, rank: int, team: Team) -> None:
        super().__init__(rank, team)
        self._num_async = 0

    def mean(self, vector: Array) -> Array:
        arrived = _mean(self._team.exchange(self.rank, vector))
        vector[...] = np.nan  # given up: elsewhere its memory may hold the mean
        return arrived

    def adasum(self, vector: Array) -> Array:
        return adasum(self._team.exchange(self.rank, vector))

    def mean_async(self, vector: Array) -> _PendingMean:
        if self.num_under_way:
            raise AssertionError(
                f"mean_async: expected no other mean under way, found {self.num_under_way}. "
                "Rule: one may be under way (harness/protocols/fabric.py)"
            )
        self.num_under_way += 1
        self._num_async += 1
        self._team.contribute(self._num_async, self.rank, vector)
        return _PendingMean(self, self._team, self._num_async, given=vector, ranks=range(self.size))

    def gather(self, values: Array) -> Array:
        return np.array(self._team.exchange(self.rank, values))

    def shifted(self, vector: Array, hop: int) -> Array:
        return self._team.exchange(self.rank, vector)[(self.rank - hop) % self.size]

    def gather_bytes(self, payload: Any) -> Any:
        return np.array(self._team.exchange(self.rank, payload))

    def distribute(self, model: NumpyReplica, averaging: GradientAveraging) -> _Native:
        return _Native(model, averaging, self)


class _PendingMean:
    """Implements harness.protocols.Pending. given: the worker's vector itself, of which the team has a copy."""

    def __init__(
        self, fabric: ThreadCollective, team: Team, number: int, *, given: Array, ranks: Sequence[int]
    ) -> None:
        self._fabric, self._team, self._number = fabric, team, number
        self._given, self._ranks = given, ranks

    def wait(self) -> Array:
        contributed = self._team.collected(self._number, self._ranks)
        self._fabric.num_under_way = 0
        _check_unchanged("mean_async", self._given, contributed[self._fabric.rank])
        return _mean(list(contributed.values()))


def _check_unchanged(call: str, given: Array, copied: Array) -> None:
    if not np.array_equal(given, copied, equal_nan=True):
        raise AssertionError(
            f"{call}: expected the vector as it was given, found it changed before it was waited for. "
            "Rule: it must not change until then (harness/protocols/fabric.py)"
        )


def _mean(vectors: list[Array]) -> Array:
    mean: Array = np.mean(vectors, axis=0)
    return mean


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


class _InPlaceTraining:
    """Implements harness.protocols.NativeTraining: a loop over weights that others write to, written out."""

    def __init__(self, replica: NumpyReplica, fabric: ThreadShared) -> None:
        self._replica, self._fabric = replica, fabric

    def step(self, batch: Any, learning_rate: float) -> float:
        gradient, loss = self._replica.gradient(batch)
        self._fabric.add(self._replica.update(gradient))
        return loss

    def forget(self) -> None: ...


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

    def take_step(self) -> int:
        return next(self._team.next_step)

    def total_steps(self, own_steps: int) -> int:
        return self._team.num_added


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

    def mean_of_groups(self, vector: Array) -> _PendingMean:
        self.num_under_way += 1
        self._num_async += 1
        self._team.contribute(self._num_async, self.rank, vector)
        firsts = range(0, self.size, self._team.group_size)
        return _PendingMean(self, self._team, self._num_async, given=vector, ranks=firsts)

    def await_group(self) -> None:
        self.barrier()


class ThreadPeers(ThreadFabric):
    """Implements harness.protocols.PeerFabric.

    In lockstep, all workers read before any of them averages, which they do in the order of their ranks.
    """

    def broadcast(self, vector: Array) -> Array:
        first = super().broadcast(vector)
        if self.rank == 0:
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
        return _mean(list(self._team.of_each))


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

    def take_step(self) -> int:
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
            _check_unchanged("push", self._pushed, self._copied)
        return self._value


# The others can have collectives.
FABRICS: dict[Capability, type[ThreadFabric]] = {
    SHARED: ThreadShared,
    TORCH_SHARED: ThreadShared,
    GROUPS: ThreadGroups,
    PEERS: ThreadPeers,
    SERVED: ThreadServed,
}


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
        self.served = HeldWeights(np.zeros(0), ServerRule())
        self.num_steps = 0
        self.next_step = count()
        self._slots: list[Array] = [np.zeros(0)] * size
        self._contributions: dict[int, dict[int, Array]] = {}

    def exchange(self, rank: int, vector: Array) -> list[Array]:
        """Everybody's vector, by rank."""
        self._slots[rank] = vector.copy()
        self.barrier.wait(PATIENCE_S)
        gathered = list(self._slots)
        self.barrier.wait(PATIENCE_S)
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
