"""What a strategy is when its parameters take their extreme values, in float64 on a quadratic.

tests/test_degenerate_runs.py asks the same of real launches, tests/strategies/test_every_strategy.py what is asked of
all. The same bits where the arithmetic is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.testing import check_equal
from harness.testing.quadratic import Quadratic
from harness.testing.strategy_checks import BATCH_SIZE, NUM_SAMPLES, NUM_STEPS, standard_problem, train_on_stream
from harness.testing.thread_workers import stream, train

INDEPENDENT = {"period": 10**6}
NO_DELAY = {"period": 4, "delay": 0}
WITHOUT_MOMENTUM = {"momentum": 0.0, "weight_decay": 0.0, "learning_rate": 0.3}
SAME_BUT_FOR_ROUNDING: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    # Every v_i ← μ v_i + g_i(x̄), so their mean is the velocity of the mean gradient; x̄ moves by it on any loss.
    ("local-sgd", {"period": 1}, "allreduce-flat", {}),
    ("delayed-averaging", {"merge": "delta", **NO_DELAY}, "local-sgd", {"period": 4}),
]
SAME_BITS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("allreduce", {}, "allreduce-flat", {}),
    ("torch-ddp", {}, "allreduce-flat", {}),
    ("torch-hogwild", {}, "hogwild", {}),  # in lockstep, where none writes while another computes
    ("delayed-averaging", {"merge": "mix", "keep": 0.0, **NO_DELAY}, "local-sgd", {"period": 4}),
    ("delayed-averaging", {"merge": "mix", "keep": 1.0, "period": 4, "delay": 1}, "local-sgd", INDEPENDENT),
    (
        "delayed-averaging",
        {"merge": "pullback", "period": 4, "pull": 0.0, "anchor_momentum": 0.0},
        "local-sgd",
        INDEPENDENT,
    ),
    ("post-local-sgd", {"switch_epoch": 0.0, "period": 4}, "local-sgd", {"period": 4}),
    ("post-local-sgd", {"switch_epoch": 1e9, "period": 4}, "allreduce-flat", {}),
]


@pytest.fixture
def with_momentum() -> Quadratic:
    return standard_problem()


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize(("a", "options_a", "b", "options_b"), SAME_BUT_FOR_ROUNDING)
def test_strategies_meet_at_their_extremes(
    a: str, options_a: dict[str, Any], b: str, options_b: dict[str, Any], workers: int
) -> None:
    check_equal(a, options_a, b, options_b, workers=workers, tolerance=1e-13)


@pytest.mark.parametrize(("a", "options_a", "b", "options_b"), SAME_BITS)
def test_strategies_meet_at_their_extremes_bit_for_bit(
    a: str, options_a: dict[str, Any], b: str, options_b: dict[str, Any]
) -> None:
    check_equal(a, options_a, b, options_b, tolerance=0)


def test_local_sgd_of_period_1_is_sync_without_momentum() -> None:
    problem = standard_problem(**WITHOUT_MOMENTUM)
    check_equal("local-sgd", {"period": 1}, "allreduce-flat", {}, problem=problem, tolerance=1e-13)


@pytest.mark.parametrize(("a", "b"), [({"period": 4}, {"period": 3}), ({"period": 4}, INDEPENDENT)])
def test_local_sgd_of_other_periods_is_told_apart(a: dict[str, Any], b: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="found a difference"):
        check_equal("local-sgd", a, "local-sgd", b, tolerance=1e-3)


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_sync_of_m_workers_is_one_worker_with_the_whole_batch(with_momentum: Quadratic, workers: int) -> None:
    many = train_on_stream(with_momentum, "allreduce-flat", workers=workers)
    one = train_on_stream(with_momentum, "serial", workers=1, batch_size=BATCH_SIZE * workers)
    for path in many.paths:
        np.testing.assert_allclose(path, one.paths[0], rtol=1e-13, atol=1e-13)


def test_independent_workers_are_serial_ones_on_their_own_samples(with_momentum: Quadratic) -> None:
    independent = train_on_stream(with_momentum, "local-sgd", INDEPENDENT)
    share = stream(num_samples=NUM_SAMPLES, batch_size=BATCH_SIZE, num_workers=2)
    for rank in range(2):
        alone = train(with_momentum, "serial", steps=NUM_STEPS, batch_of=lambda _, step, own=rank: share(own, step))
        assert independent.paths[rank].tolist() == alone.paths[0].tolist()


def test_pullback_all_the_way_to_an_anchor_without_momentum_freezes_training() -> None:
    problem = standard_problem(**WITHOUT_MOMENTUM)
    options = {"merge": "pullback", "period": 1, "pull": 1.0, "anchor_momentum": 0.0}
    frozen = train_on_stream(problem, "delayed-averaging", options)
    np.testing.assert_allclose(frozen.paths, np.broadcast_to(problem.start, frozen.paths.shape), atol=1e-14)


def test_post_local_sgd_is_sync_up_to_the_switch_and_not_after_it(with_momentum: Quadratic) -> None:
    options = {"switch_epoch": 1.0, "period": 10**6}  # 8 steps an epoch
    post = train_on_stream(with_momentum, "post-local-sgd", options)
    sync = train_on_stream(with_momentum, "allreduce-flat")
    assert post.paths[:, :8].tolist() == sync.paths[:, :8].tolist()
    assert np.abs(post.paths[:, 8] - sync.paths[:, 8]).min(axis=1).max() > 1e-5


def test_several_passes_a_step_are_a_larger_batch(with_momentum: Quadratic) -> None:
    """Two passes of batch 3 see what one pass of batch 6 sees, if each worker's samples stand together."""
    order = np.random.default_rng(1).permutation(NUM_SAMPLES)
    whole = train(
        with_momentum, "allreduce", workers=2, steps=4, batch_of=lambda rank, step: order[12 * step + 6 * rank :][:6]
    )
    halves = train(
        with_momentum,
        "allreduce",
        {"backward_passes_per_step": 2},
        workers=2,
        steps=8,
        batch_of=lambda rank, step: order[12 * (step // 2) + 6 * rank + 3 * (step % 2) :][:3],
    )
    np.testing.assert_allclose(halves.paths[:, 1::2], whole.paths, rtol=1e-13)
