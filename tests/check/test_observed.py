"""What pairs of runs tell: by how much one is worse, and how well several workers scale."""

from __future__ import annotations

import math

import pytest

from harness.check.observed import Pair, Run, Stage, difference, observed_of, run_of
from harness.suite.cell import Cell
from tests.sample_records import finished


def test_difference_is_positive_when_b_is_worse() -> None:
    assert difference(100.0, 50.0, better="higher", scale="ratio") == pytest.approx(math.log(2))
    assert difference(1.0, 2.0, better="lower", scale="ratio") == pytest.approx(math.log(2))
    assert difference(0.9, 0.8, better="higher", scale="difference") == pytest.approx(0.1)
    assert difference(1.0, math.inf, better="lower", scale="ratio") == math.inf
    assert difference(math.inf, 1.0, better="lower", scale="ratio") == -math.inf
    assert difference(math.inf, math.inf, better="lower", scale="ratio") == 0.0
    assert difference(0.9, -math.inf, better="higher", scale="difference") == math.inf
    assert difference(-5.0, -math.inf, better="higher", scale="ratio") == math.inf


def test_scaling_efficiency_is_throughput_over_workers_times_one_workers() -> None:
    one = Cell(workload="fnn", strategy="allreduce", workers=1)
    two = one.model_copy(update={"workers": 2})
    pairs = tuple(
        Pair(
            group=cell.group,
            seed=0,
            stage=Stage.SCREEN,
            a=Run(values={"throughput": a}),
            b=Run(values={"throughput": b}),
        )
        for cell, a, b in ((one, 100.0, 100.0), (two, 180.0, 120.0))
    )
    derived = observed_of([one.stored(), two.stored()], pairs)
    assert derived.pairs[1].a.values["scaling_efficiency"] == pytest.approx(0.9)
    assert derived.pairs[1].b.values["scaling_efficiency"] == pytest.approx(0.6)
    assert "scaling_efficiency" not in derived.pairs[0].a.values


def test_scaling_efficiency_leaves_a_run_what_else_is_known_of_it() -> None:
    """Between which evaluations it reached the target, and that its time limit stopped it."""
    one = Cell(workload="fnn", strategy="allreduce", workers=1)
    two = one.model_copy(update={"workers": 2})
    stopped = Run(
        values={"throughput": 100.0, "time_to_target": 2.0}, earliest={"time_to_target": 1.5}, was_stopped=True
    )
    pairs = tuple(Pair(group=cell.group, seed=0, stage=Stage.SCREEN, a=stopped, b=stopped) for cell in (one, two))
    found = observed_of([one.stored(), two.stored()], pairs).pairs[1].a
    assert found is not None
    assert "scaling_efficiency" in found.values
    assert (found.earliest, found.was_stopped) == ({"time_to_target": 1.5}, True)


def test_launch_without_evaluations_that_its_time_limit_stopped_tells_of_speed() -> None:
    (part,) = finished().workers
    stopped = part.model_copy(update={"stopped_after": 4})
    found = run_of(finished(status="timeout", reason="x", log_tail="", curve=[], workers=[stopped]))
    assert found is not None
    assert (found.trouble, found.was_stopped, found.values["throughput"]) == (None, True, 64.0)
