"""What is spent on the way to a target, each figure worked by hand."""

from __future__ import annotations

import math

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.spending import spendings
from tests.analysis.handmade import comparison, failed, folder_of, reached_after, record

HOGWILD = {"strategy": "hogwild", "workers": 2}


def spent_on(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = spendings(pool)
    return found


def test_spending_is_of_all_cores_with_start_up_up_to_the_target(tmp_path):
    """Two workers of one core; a step is of 16 samples, takes 0.09 s of CPU time and sends 500 bytes."""
    found = spent_on(tmp_path, comparison({"hogwild": (4.0, 4.0, 4.0)}))
    assert found.cores == 2
    assert found.core_s.estimate == pytest.approx(8.0)
    assert found.wall_s.estimate == pytest.approx(5.5)  # 1.5 s of start-up
    steps = 1000 / 16  # of both workers: samples to the target over those of a step
    assert found.cpu_s.estimate == pytest.approx(0.09 * steps)
    assert found.sent_bytes == pytest.approx(500 * steps)
    assert (found.gpu_s, found.is_lower_bound) == (None, False)


def test_cpu_time_may_lie_anywhere_between_two_evaluations(tmp_path):
    """As the time does: the target was reached after half of the steps at the earliest."""
    curve = reached_after(4.0, told_to=0.5)
    found = spent_on(tmp_path, [record({**HOGWILD, "seed": seed}, curve=curve) for seed in range(3)])
    steps = 1000 / 16
    assert (found.cpu_s.low, found.cpu_s.estimate, found.cpu_s.high) == pytest.approx(
        (0.09 * steps / 2, 0.09 * steps, 0.09 * steps)
    )


def test_spending_pays_for_a_crash_by_another_launch_and_the_time_that_it_lasted(tmp_path):
    crash = failed({**HOGWILD, "seed": 3}, wall_s=6.0)
    found = spent_on(tmp_path, [*comparison({"hogwild": (4.0, 4.0, 4.0)}), crash])
    assert found.core_s.estimate == pytest.approx(8.0 * 4 / 3)  # four launches, of which three ran
    assert found.wall_s.estimate == pytest.approx(5.5 + 6.0 / 3)
    assert found.wall_s.low == pytest.approx(5.5)  # none may crash the next time
    assert found.sent_bytes == pytest.approx(500 * 1000 / 16 * 4 / 3)


def test_lower_bound_of_wall_time_has_the_crashes_with_their_start_up(tmp_path):
    given_up = [record({**HOGWILD, "seed": seed, "target": 1.0}) for seed in range(3)]  # watched for 10 s
    crash = failed({**HOGWILD, "seed": 3, "target": 1.0}, wall_s=6.0)
    found = spent_on(tmp_path, [*given_up, crash])
    assert found.is_lower_bound
    assert found.wall_s.estimate == pytest.approx(11.5 + 6.0 / 3)
    assert found.core_s.estimate == pytest.approx(20.0)  # it may have come before training


def test_spending_leaves_crashes_out_where_most_launches_crashed(tmp_path):
    crashes = [failed({**HOGWILD, "seed": seed}, wall_s=6.0) for seed in (1, 2)]
    found = spent_on(tmp_path, [*comparison({"hogwild": (4.0,)}), *crashes])
    assert found.is_lower_bound
    assert (found.core_s.estimate, found.wall_s.estimate) == (pytest.approx(8.0), pytest.approx(5.5))


def test_spending_without_the_target_is_a_lower_bound(tmp_path):
    given_up = [record({**HOGWILD, "seed": seed, "target": 1.0}) for seed in range(3)]  # watched for 10 s
    found = spent_on(tmp_path, given_up)
    assert found.is_lower_bound
    assert (found.core_s.estimate, found.wall_s.estimate) == (pytest.approx(20.0), pytest.approx(11.5))
    assert found.wall_s.high == math.inf
    assert found.cpu_s is None
    assert math.isnan(found.sent_bytes)


def test_spending_is_not_spoken_of_where_all_launches_crashed(tmp_path):
    (pool,) = pools(load(folder_of([failed(HOGWILD)], tmp_path)))
    assert spendings(pool) == []


def test_spending_counts_gpus(tmp_path):
    on_gpus = record({"strategy": "allreduce", "workers": 2, "device": "gpu"}, curve=reached_after(4.0))
    assert spent_on(tmp_path, [on_gpus]).gpu_s.estimate == pytest.approx(8.0)
