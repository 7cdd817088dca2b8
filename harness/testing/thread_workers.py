"""A strategy's workers as threads on a quadratic: what they did, step by step, in float64.

done = train(one_dimensional([4.0, 12.0]), "local-sgd", {"period": 2}, workers=2)
assert done.path == [[2.0, 6.0, 5.0], [6.0, 6.0, 9.0]]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from harness.protocols import GroupOptions, Plan, Rehearses, Strategy
from harness.registry import strategy_of
from harness.testing.quadratic import Array, NumpyReplica, Quadratic
from harness.testing.thread_fabrics import FABRICS, Team, ThreadCollective, ThreadFabric
from harness.workloads.sampler import Sampler

BatchOf = Callable[[int, int], Any]  # (rank, step) → indices of samples


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the workers of one run did; the first axis is theirs."""

    paths: Array  # (workers, steps, P): each worker's part of the evaluated model after each step
    paths_later: Array  # the same snapshots, looked at when all was over
    final: Array  # (workers, P): after `finish`
    losses: Array  # (workers, steps)
    num_under_way: list[int]  # of each worker after `finish`: means that it did not wait for
    num_merges: list[int]  # of each worker, in training

    @property
    def path(self) -> list[list[float]]:
        """The paths of a one-dimensional problem."""
        path: list[list[float]] = self.paths[:, :, 0].tolist()
        return path


def own_sample(rank: int, step: int) -> list[int]:
    """Worker i sees sample i, always."""
    return [rank]


def stream(*, num_samples: int, batch_size: int, num_workers: int) -> BatchOf:
    """Each worker's share of the stream of samples, as real workers get it."""
    samplers = [
        Sampler(num_samples=num_samples, batch_size=batch_size, num_workers=num_workers, rank=rank, seed=1)
        for rank in range(num_workers)
    ]
    return lambda rank, step: samplers[rank].indices(step)


def train(
    problem: Quadratic,
    strategy: str | type[Strategy[Any]],
    options: Mapping[str, Any] | None = None,
    *,
    workers: int = 1,
    steps: int = 3,
    batch_of: BatchOf = own_sample,
    steps_per_epoch: float = 1.0,
    in_lockstep: bool = True,
    warm_up_steps: int = 0,
) -> Trained:
    """Trains by the strategy, after a warm-up as in harness/worker/training.py. Raises what a worker raises."""
    kind = strategy_of(strategy) if isinstance(strategy, str) else strategy
    given = kind.Options.model_validate(dict(options or {}))
    plan = Plan(num_workers=workers, num_steps=steps, steps_per_epoch=steps_per_epoch)
    group_size = (given.workers_per_group or 1) if isinstance(given, GroupOptions) else 1  # a host of each worker
    team = Team(workers, in_lockstep=in_lockstep, group_size=group_size)

    def work(rank: int) -> _Worker:
        fabric = FABRICS.get(kind.needs, ThreadCollective)(rank, team)
        worker = _Worker(kind(given, plan), NumpyReplica(problem), fabric)
        try:
            if warm_up_steps:
                worker.warm_up(lambda step: batch_of(rank, step), warm_up_steps, problem.start)
            worker.train(lambda step: batch_of(rank, step), steps)
        except BaseException:
            team.barrier.abort()
            raise
        return worker

    with ThreadPoolExecutor(workers) as threads:
        done = _results([threads.submit(work, rank) for rank in range(workers)])
    return Trained(
        paths=np.array([worker.path for worker in done]),
        paths_later=np.array([worker.snapshots for worker in done]),
        final=np.array([worker.final for worker in done]),
        losses=np.array([worker.losses for worker in done]),
        num_under_way=[worker.fabric.num_under_way for worker in done],
        num_merges=[worker.num_merges for worker in done],
    )


class _Worker:
    """One worker and what it saw."""

    def __init__(self, strategy: Strategy[Any], replica: NumpyReplica, fabric: ThreadFabric) -> None:
        self.strategy, self.fabric = strategy, fabric
        self.replica: Any = replica  # a Replica of NumPy's vectors alone
        self.snapshots: list[Array] = []
        self.path: list[Array] = []
        self.losses: list[float] = []

    def warm_up(self, batch_at: Callable[[int], Any], steps: int, start: Array) -> None:
        self.strategy.setup(self.replica, self.fabric)
        places = count()

        def take_step() -> None:
            self.strategy.step(self.replica, self.fabric, batch_at(next(places)))

        for _ in range(steps):
            take_step()
        if isinstance(self.strategy, Rehearses):
            self.strategy.rehearse(take_step)
        self.strategy.finish(self.replica, self.fabric)
        self.fabric.barrier()
        self.replica.reset(start)

    def train(self, batch_at: Callable[[int], Any], steps: int) -> None:
        self.strategy.setup(self.replica, self.fabric)
        merged_before = self.replica.num_merges
        for step in range(steps):
            self.losses.append(float(self.strategy.step(self.replica, self.fabric, batch_at(step))))
            self.snapshots.append(self._snapshot())
            self.path.append(self.snapshots[-1].copy())
        self.strategy.finish(self.replica, self.fabric)
        self.final = self._snapshot()
        self.num_merges = self.replica.num_merges - merged_before

    def _snapshot(self) -> Array:
        snapshot: Any = self.strategy.snapshot(self.replica, self.fabric)
        return np.asarray(snapshot)


def _results(futures: list[Future[_Worker]]) -> list[_Worker]:
    """Raises the first error that is no consequence of another worker's."""
    errors = [error for future in futures if (error := future.exception()) is not None]
    own = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if own:
        raise own[0]
    if errors:
        raise AssertionError(
            "expected every worker at every collective, found some that waited in vain. "
            "Rule: in lockstep, all workers take the same collectives in the same order"
        )
    return [future.result() for future in futures]
