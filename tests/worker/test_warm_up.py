"""What comes before the clock starts: the first average too, however seldom a strategy averages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from harness.protocols import Plan
from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.testing.quadratic import Array, NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.worker.training import WARMUP_STEPS, Session, warm_up

SELDOM = 10 * WARMUP_STEPS


class Counting(ThreadCollective):
    num_means = num_async_means = 0

    def mean(self, vector: Array) -> Array:
        self.num_means += 1
        return super().mean(vector)

    def mean_async(self, vector: Array) -> Any:
        self.num_async_means += 1
        return super().mean_async(vector)


@pytest.mark.parametrize("name", ["local-sgd", "delayed-averaging"])
def test_first_averages_come_before_training_and_leave_no_trace(name: str) -> None:
    options = {"period": SELDOM, "delay": SELDOM} if name == "delayed-averaging" else {"period": SELDOM}
    cell = Cell.model_validate({"workload": "fnn", "strategy": {"name": name, **options}, "workers": 2})
    plan = Plan(num_workers=2, num_steps=4, steps_per_epoch=2.0)
    team = Team(2, in_lockstep=True)

    def work(rank: int) -> tuple[Counting, Array]:
        fabric, replica = Counting(rank, team), NumpyReplica(one_dimensional([4.0, 12.0]))
        strategy = STRATEGIES[name](cell.options, plan)
        warm_up(Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=strategy))
        return fabric, replica.weights()

    with ThreadPoolExecutor(2) as threads:
        for fabric, weights in threads.map(work, range(2)):
            assert fabric.num_means >= 1
            assert fabric.num_async_means >= 1
            assert np.array_equal(weights, [0.0])
