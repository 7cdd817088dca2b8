"""Commits the faults that a cell asks for (harness/suite/injection.py), and slows a worker that a cell has slowed.

Without either none of this code runs.

A slowed worker sleeps between its steps. It models one that is held up there, as by its data: it takes fewer steps,
and where each begins by reading the weights, as in Hogwild, its gradients are no older than at full speed, since what
others write meanwhile comes before it reads. The gradients of one that computes slowly are older. To model that, it
would sleep with the gradient in hand, a place that only steps have that ask for one: those of `local_step` and of the
libraries' optimizers have none, and strategies would be slowed in two ways. Speeds would be the same, staleness and
scores not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, cast

import numpy as np

from harness.protocols import CollectiveFabric, FabricT, Loss, Plan, Replica, Strategy, Vector, needs_equal_steps
from harness.records.record import Point
from harness.suite.cell import Cell
from harness.suite.injection import Injection
from harness.timing.stopwatch import Stopwatch
from harness.workloads.metric import Metric

# The kernel wakes a sleeper some 0.1 ms late; sleeping seldom and longer keeps the account exact to a few per cent.
_LEAST_SLEEP_S = 0.002


class InjectedCrashError(Exception):
    """The crash that the cell asked for."""


def faults_of(cell: Cell) -> list[Injection]:
    """What stands around the strategy, from inside to outside."""
    slowed = cell.slowed
    slowness = [] if slowed is None else [Injection(rank=slowed.rank, slowdown=slowed.factor - 1)]
    return [*slowness, *([] if cell.inject is None else [cell.inject])]


def with_faults(
    strategy: Strategy[FabricT],
    injection: Injection,
    plan: Plan,
    *,
    rank: int,
    now: Callable[[], float] = time.perf_counter,
) -> Strategy[FabricT]:
    """The strategy with the faults around its steps. now: the clock by which it gets slower."""
    injected = _Injected(strategy, injection, plan, rank, now)
    return cast("Strategy[FabricT]", injected)  # its class attributes are the wrapped one's


class _Injected(Generic[FabricT]):
    def __init__(
        self, strategy: Strategy[FabricT], injection: Injection, plan: Plan, rank: int, now: Callable[[], float]
    ) -> None:
        self._now = now
        self._strategy, self._injection, self._plan = strategy, injection, plan
        self._is_hit = rank == injection.rank
        self.Options, self.needs, self.evaluated = strategy.Options, strategy.needs, strategy.evaluated
        self.needs_equal_steps = needs_equal_steps(strategy)
        # Ones, not zeros: untouched zero pages take no memory.
        self._ballast = np.ones(injection.ballast_bytes if self._is_hit else 0, np.uint8)

    def setup(self, replica: Replica, fabric: FabricT) -> None:
        self._strategy.setup(replica, fabric)
        self._num_steps = 0
        self._owed_s = 0.0
        self._since_last_step = Stopwatch(self._now)

    def step(self, replica: Replica, fabric: FabricT, batch: Any) -> Loss:
        sent_before = fabric.bytes_sent
        loss = self._strategy.step(replica, fabric, batch)
        if self._injection.doubled_traffic and fabric.bytes_sent > sent_before:
            cast("CollectiveFabric", fabric).mean(replica.weights())  # harness/suite/cell.py refuses it elsewhere
        self._num_steps += 1
        if self._is_hit:
            self._crash_when_due()
            self._sleep_its_share()
        return loss

    def finish(self, replica: Replica, fabric: FabricT) -> None:
        self._strategy.finish(replica, fabric)

    def snapshot(self, replica: Replica, fabric: FabricT) -> Vector:
        return self._strategy.snapshot(replica, fabric)

    def _crash_when_due(self) -> None:
        at = self._injection.crash_at
        if at is not None and self._num_steps >= at * self._plan.num_steps:
            raise InjectedCrashError(f"after {self._num_steps} of {self._plan.num_steps} steps, as the cell asks")

    def _sleep_its_share(self) -> None:
        """Everything between two steps counts, loading too: the whole loop gets slower by the share."""
        self._owed_s += self._since_last_step.elapsed_s() * self._injection.slowdown
        if self._owed_s >= _LEAST_SLEEP_S:
            slept = Stopwatch(self._now)
            time.sleep(self._owed_s)
            self._owed_s -= slept.elapsed_s()
        self._since_last_step = Stopwatch(self._now)


def worsened(points: Sequence[Point], injection: Injection, metric: Metric) -> list[Point]:
    """The evaluated points with the injected drop in their scores."""
    drop = injection.score_drop
    return [point.model_copy(update={"score": metric.worsened(point.score, drop)}) for point in points]
