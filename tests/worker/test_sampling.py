"""Which samples a worker gets: the same total work, whatever the number of workers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.cell import Cell
from harness.worker.sampling import LearningRate, Sampler, evaluation_steps, plan_of

sizes = st.integers(1, 200)
batches = st.integers(1, 40)
workers = st.integers(1, 6)


def samplers(num_samples: int, batch_size: int, num_workers: int, seed: int = 3) -> list[Sampler]:
    return [
        Sampler(num_samples=num_samples, batch_size=batch_size, num_workers=num_workers, rank=rank, seed=seed)
        for rank in range(num_workers)
    ]


def stream(team: list[Sampler], num_steps: int) -> np.ndarray:
    """All samples in the order of steps, then ranks."""
    return np.concatenate([sampler.indices(step) for step in range(num_steps) for sampler in team])


@given(sizes, batches, workers)
def test_every_epoch_has_every_sample_once_over_all_workers(
    num_samples: int, batch_size: int, num_workers: int
) -> None:
    num_steps = math.ceil(3 * num_samples / (batch_size * num_workers))
    drawn = stream(samplers(num_samples, batch_size, num_workers), num_steps)
    for epoch in range(3):
        assert sorted(drawn[epoch * num_samples : (epoch + 1) * num_samples]) == list(range(num_samples))


@given(sizes, batches, workers, st.integers(0, 20))
def test_workers_of_a_batch_see_what_one_of_them_all_sees(
    num_samples: int, batch_size: int, num_workers: int, step: int
) -> None:
    team = samplers(num_samples, batch_size, num_workers)
    (alone,) = samplers(num_samples, batch_size * num_workers, 1)
    shares = [sampler.indices(step) for sampler in team]
    assert [len(share) for share in shares] == [batch_size] * num_workers
    np.testing.assert_array_equal(np.concatenate(shares), alone.indices(step))


@given(sizes, batches, workers, st.lists(st.integers(0, 50), min_size=2, max_size=6))
def test_a_step_has_the_same_samples_whenever_it_is_asked_for(
    num_samples: int, batch_size: int, num_workers: int, steps: list[int]
) -> None:
    """Warm-up draws the first steps, and training starts from the first again."""
    sampler = samplers(num_samples, batch_size, num_workers)[-1]
    for step in steps:
        fresh = samplers(num_samples, batch_size, num_workers)[-1]
        np.testing.assert_array_equal(sampler.indices(step), fresh.indices(step))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    drawn = stream(samplers(100, 10, 1), 20)
    assert list(drawn[:100]) != list(drawn[100:])
    assert list(drawn[:100]) != list(stream(samplers(100, 10, 1, seed=4), 10))


def cell_of(**fields: object) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "allreduce", **fields})


def test_plan_divides_the_epochs_work_among_the_workers() -> None:
    plan = plan_of(cell_of(workers=4, batch_size=32, epochs=10), 1437)
    assert plan.steps_per_epoch == pytest.approx(11.2265625)
    assert plan.num_steps == 112


def test_plan_divides_a_global_batch_too() -> None:
    plan = plan_of(cell_of(workers=4, batch_size=32, batch_per="global", epochs=10), 1437)
    assert plan.num_steps == 449


def test_plan_has_at_least_one_step() -> None:
    assert plan_of(cell_of(batch_size=512, epochs=0.001), 1437).num_steps == 1


@given(st.integers(0, 50), st.floats(0.01, 20))
def test_evaluations_are_equally_spaced_and_the_last_is_at_the_end(evaluations: int, epochs: float) -> None:
    cell = cell_of(evaluations=evaluations, epochs=epochs)
    plan = plan_of(cell, 1437)
    steps = evaluation_steps(cell, plan)
    assert len(steps) == min(evaluations, plan.num_steps)
    if steps:
        gaps = np.diff([0, *steps])
        assert steps[-1] == plan.num_steps
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(("scaling", "scaled"), [("none", 0.1), ("linear", 0.4), ("sqrt", 0.2)])
def test_learning_rate_grows_to_its_scaled_value(scaling: str, scaled: float) -> None:
    cell = cell_of(workers=4, learning_rate=0.1, lr_scaling=scaling, warmup_epochs=2, batch_size=25)
    plan = plan_of(cell, 1000)  # 10 steps an epoch, so 20 of warm-up
    rate = LearningRate(cell, plan)
    assert rate.at(0) == pytest.approx(0.1)
    assert rate.at(5) == pytest.approx(0.1 + (scaled - 0.1) / 4)
    assert rate.at(20) == pytest.approx(scaled)
    assert rate.at(10_000) == pytest.approx(scaled)


def test_learning_rate_without_warm_up_is_scaled_from_the_first_step() -> None:
    cell = cell_of(workers=4, learning_rate=0.1, lr_scaling="linear")
    assert LearningRate(cell, plan_of(cell, 1000)).at(0) == pytest.approx(0.4)
