"""Lock-free updates, with the interleaving held fixed: in lockstep all workers read before any of them adds."""

from __future__ import annotations

import pytest

from harness.strategies.hogwild import HogwildOptions
from harness.testing import check_equal, check_strategy
from harness.testing.quadratic import one_dimensional, random_problem
from harness.testing.thread_workers import train
from tests.strategies.interleaved import never_far_apart

BOTH = pytest.mark.parametrize("strategy", ["hogwild", "torch-hogwild"])


@BOTH
def test_every_update_counts_and_none_is_averaged(strategy: str) -> None:
    # optima 4 and 12, η = ¼, both read the same w:  Δ = ¼(4 − w) + ¼(12 − w) = 4 − ½w
    # 0 → 4 → 4 + 2 = 6 → 6 + 1 = 7
    done = train(one_dimensional([4.0, 12.0], learning_rate=0.25), strategy, workers=2)
    assert done.path == [[4.0, 6.0, 7.0]] * 2


@BOTH
def test_velocity_is_the_workers_own(strategy: str) -> None:
    # μ = ½, η = ¼
    # step 1: v = −4 and −12, w = 0 + 1 + 3 = 4
    # step 2: v = −2 + 0 = −2 and −6 − 8 = −14, w = 4 + ½ + 3½ = 8
    # step 3: v = −1 + 4 = 3 and −7 − 4 = −11, w = 8 − ¾ + 2¾ = 10
    done = train(one_dimensional([4.0, 12.0], learning_rate=0.25, momentum=0.5), strategy, workers=2)
    assert done.path == [[4.0, 8.0, 10.0]] * 2


@BOTH
def test_workers_left_to_themselves_reach_a_common_optimum_whatever_the_interleaving(strategy: str) -> None:
    problem = random_problem(num_samples=1, learning_rate=0.05)
    done = train(problem, strategy, workers=4, steps=800, batch_of=never_far_apart(4), in_lockstep=False)
    assert done.final[-1] == pytest.approx(problem.optima[0], abs=1e-6)


def test_with_a_lock_it_is_the_same_step_bit_for_bit() -> None:
    check_equal("hogwild", {"lock": True}, "hogwild", {}, tolerance=0)


def test_with_a_lock_no_addition_is_lost() -> None:
    """Each of 2 · 200 steps goes 1 towards an optimum that stays as far away."""
    problem = one_dimensional([1e9], learning_rate=1e-9)
    done = train(
        problem,
        "hogwild",
        {"lock": True},
        workers=2,
        steps=200,
        batch_of=lambda rank, step: [0],
        in_lockstep=False,
    )
    assert done.final.max() == pytest.approx(400.0, rel=1e-5)  # as whoever ended last has read it


def test_shared_velocity_takes_what_each_worker_has_moved_it_by() -> None:
    # μ = ½, η = ¼, both read the same w and v; w' = w − ¼ (v₁ + v₂), v' = v + (v₁ − v) + (v₂ − v)
    # step 1 from 0, 0:       v₁ = −4, v₂ = −12:             w = 4,  v = −16
    # step 2: g = 0, −8:      v₁ = −8, v₂ = −8 − 8 = −16:    w = 10, v = −16 + 8 + 0 = −8
    # step 3: g = 6, −2:      v₁ = −4 + 6 = 2, v₂ = −6:      w = 11, v = −8 + 10 + 2 = 4
    problem = one_dimensional([4.0, 12.0], learning_rate=0.25, momentum=0.5)
    done = train(problem, "hogwild", {"shared_statistics": True}, workers=2)
    assert done.path == [[4.0, 10.0, 11.0]] * 2


@pytest.mark.parametrize("options", [{}, {"lock": True}])
def test_shared_statistics_of_one_worker_are_its_own_to_rounding(options: dict[str, bool]) -> None:
    check_strategy("hogwild", {"shared_statistics": True, **options})  # v + (v' − v) is not v' to the bit


def test_without_anything_to_keep_sharing_it_changes_nothing() -> None:
    problem = random_problem(num_samples=48)  # without momentum the velocity is the gradient
    check_equal("hogwild", {"shared_statistics": True}, "hogwild", {}, problem=problem, tolerance=0)


def test_sparse_rows_have_no_statistics_to_share() -> None:
    with pytest.raises(ValueError, match="shared_statistics: true with sparse"):
        HogwildOptions(sparse=True, shared_statistics=True)
