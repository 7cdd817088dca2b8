"""When evaluated models were there: no average comes for nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.protocols import EvaluatedModel
from harness.records.record import WorkerPart
from harness.run.timed_curve import timed_curve
from tests.analysis.handmade import worker

POINTS = [{"step": k, "num_samples": k, "time_s": 0.0, "evaluation_s": 0.0, "loss": 1.0, "score": 0.5} for k in (1, 2)]


def parts(**of_each: Any) -> list[WorkerPart]:
    """Two workers that got to the points after 1 and 2 s, and after 1.5 and 2.5 s."""
    common = {"average_alone_s": [0.25, 0.125, 0.5], **of_each}
    return [worker(0, snapshots_s=[1.0, 2.0], **common), worker(1, snapshots_s=[1.5, 2.5], **common)]


def test_timed_curve_adds_the_average_that_makes_the_mean() -> None:
    # The median average alone is 0.25 s; at the second point every worker held the mean, as right after an average.
    timed = timed_curve(POINTS, parts(distances=[3.0, 0.0]), EvaluatedModel.MEAN_OF_WORKERS)
    assert [point.time_s for point in timed] == [1.75, 2.5]
    assert [point.average_s for point in timed] == [0.25, 0.0]


def test_timed_curve_adds_the_average_where_one_worker_alone_lacks_the_mean() -> None:
    first, second = parts(distances=[0.0, 0.0])
    apart = second.model_copy(update={"distances": [0.0, 1.0]})
    timed = timed_curve(POINTS, [first, apart], EvaluatedModel.MEAN_OF_WORKERS)
    assert [point.average_s for point in timed] == [0.0, 0.25]


@pytest.mark.parametrize("distances", [[3.0, 3.0], [math.nan, math.nan]])
def test_timed_curve_of_workers_that_never_meet_pays_at_every_point(distances: list[float]) -> None:
    timed = timed_curve(POINTS, parts(distances=distances), EvaluatedModel.MEAN_OF_WORKERS)
    assert [point.average_s for point in timed] == [0.25, 0.25]


@pytest.mark.parametrize("model", [EvaluatedModel.REPLICATED, EvaluatedModel.SHARED])
def test_timed_curve_adds_nothing_where_the_model_is_no_mean(model: EvaluatedModel) -> None:
    timed = timed_curve(POINTS, parts(distances=None), model)
    assert [point.average_s for point in timed] == [0.0, 0.0]
    assert timed[-1].time_s == 2.5


def test_timed_curve_of_a_worker_alone_has_no_average() -> None:
    alone = worker(0, snapshots_s=[1.0, 2.0], distances=[0.0, 0.0], average_alone_s=None)
    assert [point.time_s for point in timed_curve(POINTS, [alone], EvaluatedModel.MEAN_OF_WORKERS)] == [1.0, 2.0]


def test_timed_curve_of_workers_that_stopped_after_different_steps_ends_with_the_last() -> None:
    # One of them got to one point fewer before the time limit.
    first, second = parts(distances=None)
    earlier = second.model_copy(update={"snapshots_s": [2.75]})
    assert [point.time_s for point in timed_curve(POINTS, [first, earlier], EvaluatedModel.SHARED)] == [0.0, 2.75]
