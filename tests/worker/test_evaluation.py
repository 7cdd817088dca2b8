"""What is measured after training, on NumPy workers in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.protocols import Plan
from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.testing.quadratic import NumpyReplica, Quadratic
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.worker.training import NUM_AVERAGES_ALONE, Copied, Evaluation, Session, Snapshot, evaluate, time_averages

PROBLEM = Quadratic(optima=np.zeros((1, 2)), curvature=np.ones(2), start=np.zeros(2), learning_rate=0.5)
PLAN = Plan(num_workers=2, num_steps=4, steps_per_epoch=1.0)


def on_two_workers(strategy, work):
    """What `work` makes of each worker's session."""
    team = Team(2, in_lockstep=True)
    cell = Cell.model_validate({"workload": "fnn", "strategy": strategy, "workers": 2})
    sessions = [
        Session(
            cell=cell,
            plan=PLAN,
            replica=NumpyReplica(PROBLEM),
            fabric=ThreadCollective(rank, team),
            strategy=STRATEGIES[strategy](cell.options, PLAN),
        )
        for rank in range(2)
    ]
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(work, sessions))


def evaluated(session) -> Evaluation:
    """Two snapshots: workers at (0, 0) and (6, 8), then both at (1, 1)."""
    apart = np.array([6.0, 8.0]) * session.fabric.rank
    weights = (apart, np.ones(2))
    return evaluate(session, [snapshot_of(w, step=i) for i, w in enumerate(weights, start=1)])


def snapshot_of(weights: np.ndarray, *, step: int = 1) -> Snapshot:
    return Snapshot(step=step, at_s=float(step), copied=Copied(num_samples=step, weights=weights))


@pytest.mark.parametrize("strategy", ["local-sgd", "delayed-averaging"])
def test_evaluation_tells_each_workers_distance_from_the_mean(strategy):
    first, second = on_two_workers(strategy, evaluated)
    assert first.distances == [5.0, 0.0]  # the mean is (3, 4)
    assert second.distances == [5.0, 0.0]


def test_evaluation_takes_what_an_average_rounds_for_no_distance():
    def nearly_equal(session) -> Evaluation:
        weights = np.array([1.0, 1.0 + 1e-7 * session.fabric.rank])  # a unit in the last place of a float32
        return evaluate(session, [snapshot_of(weights)])

    assert [found.distances for found in on_two_workers("local-sgd", nearly_equal)] == [[0.0], [0.0]]


def test_evaluation_tells_no_distance_where_all_hold_the_same():
    first, _ = on_two_workers("allreduce", evaluated)
    assert first.distances is None


def test_evaluation_is_of_the_mean_on_rank_0_alone():
    first, second = on_two_workers("local-sgd", evaluated)
    assert [point.loss for point in first.points] == [(9 + 16) / 2, 1.0]
    assert second.points == []


def test_time_averages_takes_several_on_every_worker():
    for taken_s in on_two_workers("local-sgd", time_averages):
        assert len(taken_s) == NUM_AVERAGES_ALONE
        assert min(taken_s) > 0
