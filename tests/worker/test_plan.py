"""How much a worker trains, when it is evaluated, at what rate: the same total work for any number of workers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.cell import Cell
from harness.worker.plan import (
    drift_steps,
    evaluation_steps,
    first_exchange_step,
    learning_rate_of,
    most_merges,
    plan_of,
)


def cell_of(**fields: object) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "allreduce", **fields})


def test_plan_divides_the_epochs_work_among_the_workers() -> None:
    plan = plan_of(cell_of(workers=4, batch_size=32, epochs=10), 1437)
    assert plan.steps_per_epoch == pytest.approx(11.2265625)
    assert plan.num_steps == 112


def test_plan_divides_a_global_batch_too() -> None:
    plan = plan_of(cell_of(workers=4, batch_size=32, batch_per="global", epochs=10), 1437)
    assert plan.num_steps == 449


@pytest.mark.parametrize(
    ("strategy", "workers", "step"),
    [
        ("allreduce", 2, 1),
        ({"name": "local-sgd", "period": 8}, 2, 8),
        ({"name": "local-sgd", "period": 8}, 1, None),
        ({"name": "elastic", "period": 8}, 1, 9),  # with the shared model
        ({"name": "hogwild-averaging", "period": 8, "workers_per_group": 2}, 4, 8),
        ({"name": "hogwild-averaging", "period": 8}, 4, None),  # one group
    ],
)
def test_first_exchange_is_with_others_where_there_are_some(
    strategy: str | dict[str, object], workers: int, step: int | None
) -> None:
    cell = cell_of(strategy=strategy, workers=workers)
    assert first_exchange_step(cell, plan_of(cell, 1437)) == step


@given(st.integers(0, 50), st.floats(0.05, 20))
def test_evaluations_are_equally_spaced_and_the_last_is_at_the_end(evaluations: int, epochs: float) -> None:
    cell = cell_of(evaluations=evaluations, evaluation_spacing="even", epochs=epochs)
    plan = plan_of(cell, 1437)
    steps = evaluation_steps(cell, plan, num_weights=1000)
    assert len(steps) == min(evaluations, plan.num_steps)
    if steps:
        gaps = np.diff([0, *steps])
        assert steps[-1] == plan.num_steps
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


@given(st.integers(0, 200), st.floats(0.05, 200))
def test_geometric_evaluations_grow_by_one_factor_and_the_last_is_at_the_end(evaluations: int, epochs: float) -> None:
    plan = plan_of(cell_of(epochs=epochs), 1437)
    steps = evaluation_steps(cell_of(evaluations=evaluations, epochs=epochs), plan, num_weights=1000)
    assert len(steps) <= min(evaluations, plan.num_steps)
    assert sorted(set(steps)) == steps
    assert not steps or (steps[-1] == plan.num_steps and steps[0] >= 1)


def test_sixty_geometric_evaluations_tell_a_moment_to_a_twentieth() -> None:
    cell = cell_of(epochs=100)
    plan = plan_of(cell, 32_000)  # 100,000 steps
    steps = np.array(evaluation_steps(cell, plan, num_weights=1000))
    assert (len(steps), steps[0], steps[-1]) == (60, 5621, 100_000)
    np.testing.assert_allclose(steps[1:] / steps[:-1], 1.05, atol=1e-4)


def test_evaluations_are_fewer_where_their_copies_would_not_fit() -> None:
    cell = cell_of(epochs=100)
    plan = plan_of(cell, 32_000)
    assert len(evaluation_steps(cell, plan, num_weights=25_000_000)) == 10  # 100 MB each, of 1 GiB


@pytest.mark.parametrize(("scaling", "scaled"), [("none", 0.1), ("linear", 0.4), ("sqrt", 0.2)])
def test_learning_rate_grows_to_its_scaled_value(scaling: str, scaled: float) -> None:
    cell = cell_of(workers=4, learning_rate=0.1, lr_scaling=scaling, warmup_epochs=2, batch_size=25)
    plan = plan_of(cell, 1000)  # 10 steps an epoch, so 20 of warm-up
    rate = learning_rate_of(cell, plan)
    assert rate.at(0) == pytest.approx(0.1)
    assert rate.at(5) == pytest.approx(0.1 + (scaled - 0.1) / 4)
    assert rate.at(20) == pytest.approx(scaled)
    assert rate.at(10_000) == pytest.approx(scaled)


def test_learning_rate_follows_the_batches_of_an_update() -> None:
    strategy = {"name": "allreduce", "backward_passes_per_step": 2}
    cell = cell_of(strategy=strategy, workers=4, learning_rate=0.1, lr_scaling="linear")
    assert learning_rate_of(cell, plan_of(cell, 1437)).at(0) == pytest.approx(0.8)
    whole = cell_of(workers=4, learning_rate=0.1, lr_scaling="linear", batch_per="global")
    assert learning_rate_of(whole, plan_of(whole, 1437)).at(0) == pytest.approx(0.1)


def test_learning_rate_without_warm_up_is_scaled_from_the_first_step() -> None:
    cell = cell_of(workers=4, learning_rate=0.1, lr_scaling="linear")
    assert learning_rate_of(cell, plan_of(cell, 1000)).at(0) == pytest.approx(0.4)


def test_drift_is_seen_once_in_each_stretch_anywhere_in_a_period() -> None:
    # 1,437 digits in 16 epochs of steps of 32: 718 of a worker alone, sixteen stretches of 44 or 45.
    cell = Cell.model_validate({"workload": "fnn", "strategy": "local-sgd", "epochs": 16.0, "batch_size": 32})
    plan = plan_of(cell, 1437)
    steps = [drift_steps(cell.with_seed(seed), plan, num_weights=1000) for seed in range(50)]
    for each in steps:
        assert all(718 * k // 16 < step <= 718 * (k + 1) // 16 for k, step in enumerate(each))
    assert drift_steps(cell, plan, num_weights=1000) == steps[cell.seed]  # the same on every rank
    phases = [step % 8 for each in steps for step in each]
    assert {phases.count(phase) > 60 for phase in range(8)} == {True}  # of 800, 100 each


def test_drift_is_seen_less_often_of_large_models_and_not_without_evaluations() -> None:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "local-sgd", "epochs": 16.0})
    plan = plan_of(cell, 1437)
    assert len(drift_steps(cell, plan, num_weights=2**23)) == 8  # copies of 32 MiB each
    assert len(drift_steps(cell, plan, num_weights=2**30)) == 2
    assert drift_steps(cell.model_copy(update={"evaluations": 0}), plan, num_weights=1000) == []


def test_fewer_merges_are_watched_of_large_models_but_one_at_least() -> None:
    assert most_merges(50_000) == 5
    assert most_merges(2**23) == 4  # two copies of 32 MiB each, of 256 MiB
    assert most_merges(100_000_000) == 1
