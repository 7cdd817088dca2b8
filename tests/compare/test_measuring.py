"""What a measuring launch is, and what is read off it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.compare.measuring import launch_times_s, measuring_cells, paces_of
from harness.compare.planning import Pace
from harness.compare.request import CompareError
from harness.records.record import Record
from harness.suite.cell import Cell
from tests.analysis.handmade import curve, record, worker

NUM_SAMPLES = 1437


def cells_of(*strategies: str, workers: int = 2) -> list[Cell]:
    return [Cell.model_validate({"workload": "fnn", "strategy": name, "workers": workers}) for name in strategies]


def test_one_cell_is_measured_for_each_number_of_workers_under_who_waits_most() -> None:
    cells = [
        *cells_of("serial", "hogwild", workers=1),
        *cells_of("hogwild", "local-sgd", "allreduce", "allreduce-flat"),
    ]
    measured = measuring_cells(cells)
    assert [(cell.strategy, cell.workers, cell.evaluations) for cell in measured] == [
        ("serial", 1, 1),
        ("allreduce", 2, 1),
    ]
    alone, together = measured
    assert alone.epochs * NUM_SAMPLES == pytest.approx(50 * 32)
    assert together.epochs * NUM_SAMPLES == pytest.approx(2 * 50 * 32)


def test_each_framework_is_measured() -> None:
    cells = [
        cell.model_copy(update={"framework": name}) for name in ("torch", "tensorflow") for cell in cells_of("hogwild")
    ]
    assert [cell.framework for cell in measuring_cells(cells)] == ["tensorflow", "torch"]


def test_measuring_trains_no_longer_than_the_recipe() -> None:
    (cell,) = (cell.model_copy(update={"epochs": 0.5}) for cell in cells_of("hogwild"))
    assert measuring_cells([cell])[0].epochs == 0.5


def test_pace_is_read_off_the_record() -> None:
    """Ten seconds of training at 100 samples/s and one evaluation of half a second, in 14 s from launch to record."""
    cell, made = measured_by(workers=[worker()], curve=curve((0.5,)))
    pace = Pace(startup_s=3.5, samples_per_s=100.0, evaluation_s=0.5, mean_s=0.0, num_weights=made.num_parameters or 0)
    assert paces_of([cell], [made]) == {("torch", 1): pace}
    whole = cell.model_copy(update={"epochs": 2.0, "evaluations": 20})
    assert launch_times_s([whole], {("torch", 1): pace}) == {("torch", 1): 3.5 + 28.74 + 10.0}


def pace_of(num_weights: int) -> Pace:
    return Pace(startup_s=0.0, samples_per_s=math.inf, evaluation_s=1.0, mean_s=100.0, num_weights=num_weights)


def test_launch_of_a_large_model_has_the_evaluations_that_its_copies_leave_room_for() -> None:
    (cell,) = cells_of("allreduce-flat")  # 60 of a small one
    assert launch_times_s([cell], {("torch", 2): pace_of(1000)}) == {("torch", 2): 60.0}
    assert launch_times_s([cell], {("torch", 2): pace_of(100_000_000)}) == {("torch", 2): 2.0}


def test_launch_that_is_judged_by_the_mean_of_its_workers_takes_the_averages_after_training() -> None:
    cells = cells_of("local-sgd", "allreduce-flat")  # the slower of both counts, whichever comes first
    # 60 evaluations, 16 drawn steps, 5 merges; of the large model 2, 2 and 1
    assert launch_times_s(cells, {("torch", 2): pace_of(1000)}) == {("torch", 2): 60.0 + 100.0 * (60 + 16 + 2 * 5)}
    assert launch_times_s(cells, {("torch", 2): pace_of(100_000_000)}) == {("torch", 2): 2.0 + 100.0 * (2 + 2 + 2 * 1)}


def test_averages_of_the_measuring_launch_are_no_part_of_start_up() -> None:
    """One evaluation, 16 drawn steps and a merge: 19 averages of 0.1 s, of the 3.5 s beside training and evaluation."""
    (cell,) = measuring_cells(cells_of("local-sgd"))
    parts = [worker(rank, average_alone_s=[0.1, 0.1, 0.3]) for rank in range(2)]
    made = record(workers=parts, curve=curve((0.5,))).model_copy(update={"cell": cell.stored()})
    pace = paces_of([cell], [made])["torch", 2]
    assert pace.mean_s == 0.1
    assert pace.startup_s == pytest.approx(3.5 - 1.9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"status": "failed", "reason": "boom\x1b[2J"},
            r"serial .*: boom; nothing is planned before that is mended",
        ),
        ({"status": "timeout", "reason": "-"}, "50 steps took over 25% of the minutes; allowed: more --minutes"),
    ],
)
def test_measuring_that_ended_badly_plans_nothing(changes: dict[str, Any], message: str) -> None:
    cell, made = measured_by(**changes)
    with pytest.raises(CompareError, match=message):
        paces_of([cell], [made])


def test_measuring_that_another_is_at_says_so() -> None:
    with pytest.raises(CompareError, match="another hvdbench is at it; the same command goes on once it is done"):
        paces_of(cells_of("serial", workers=1), [])


def measured_by(**changes: Any) -> tuple[Cell, Record]:
    return Cell.model_validate({"workload": "cnn", "strategy": "serial"}), record(**changes)
