"""What a strategy is when its parameters take their extreme values, in float64 on a quadratic.

tests/test_degenerate_runs.py asks the same of real launches. Bit for bit (`==`) where the arithmetic is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.workloads.sampler import Sampler
from tests.quadratic import Quadratic, Trained, random_problem, train

WORKERS, STEPS, SAMPLES = 2, 24, 48
MOMENTUM = {"momentum": 0.9, "weight_decay": 0.01, "learning_rate": 0.02}
ALONE_IN_ITS_WAY = [  # with one worker, these compute what `serial` computes
    ("allreduce", {}),
    ("allreduce-flat", {}),
    ("torch-ddp", {}),
    ("local-sgd", {"period": 3}),
    ("post-local-sgd", {"period": 3, "switch_epoch": 1.0}),
    ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 2}),
    ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 0}),
    ("hogwild", {}),
]


def run(
    problem: Quadratic,
    strategy: str,
    *,
    workers: int = WORKERS,
    batch_size: int = 3,
    identical: bool = False,
    **more: Any,
) -> Trained:
    """Trains on the stream of samples that real workers get."""
    samplers = [
        Sampler(
            num_samples=SAMPLES,
            batch_size=batch_size,
            num_workers=1 if identical else workers,
            rank=0 if identical else rank,
            seed=1,
        )
        for rank in range(workers)
    ]
    return train(
        problem,
        strategy,
        workers=workers,
        steps=STEPS,
        batch_of=lambda rank, step: samplers[rank].indices(step),
        steps_per_epoch=SAMPLES / (workers * batch_size),
        **more,
    )


@pytest.fixture
def plain() -> Quadratic:
    return random_problem(num_samples=SAMPLES)


@pytest.fixture
def with_momentum() -> Quadratic:
    return random_problem(num_samples=SAMPLES, **MOMENTUM)


def same(one: Trained, other: Trained, tolerance: float = 1e-13) -> None:
    np.testing.assert_allclose(one.paths, other.paths, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(one.final, other.final, rtol=tolerance, atol=tolerance)


def apart(one: Trained, other: Trained) -> None:
    """The two are not the same by far, so that `same` could fail."""
    assert np.abs(one.paths - other.paths).max() > 1e-3


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("strategy", ["allreduce", "allreduce-flat", "torch-ddp"])
def test_sync_of_m_workers_is_one_worker_with_the_whole_batch(
    with_momentum: Quadratic, strategy: str, workers: int
) -> None:
    many = run(with_momentum, strategy, workers=workers)
    one = run(with_momentum, "serial", workers=1, batch_size=3 * workers)
    for path in many.paths:
        np.testing.assert_allclose(path, one.paths[0], rtol=1e-13, atol=1e-13)


def test_local_sgd_of_period_1_is_sync_without_momentum(plain: Quadratic) -> None:
    same(run(plain, "local-sgd", period=1), run(plain, "allreduce-flat"))


def test_local_sgd_of_period_1_is_sync_with_momentum_too(with_momentum: Quadratic) -> None:
    """Every v_i ← μ v_i + g_i(x̄), so their mean is the velocity of the mean gradient; x̄ moves by it on any loss."""
    same(run(with_momentum, "local-sgd", period=1), run(with_momentum, "allreduce-flat"))


@pytest.mark.parametrize("options", [{"merge": "delta"}, {"merge": "mix", "keep": 0.0}])
def test_delayed_averaging_without_delay_is_local_sgd(with_momentum: Quadratic, options: dict[str, Any]) -> None:
    delayed = run(with_momentum, "delayed-averaging", period=4, delay=0, **options)
    same(delayed, run(with_momentum, "local-sgd", period=4))
    apart(delayed, run(with_momentum, "local-sgd", period=3))


@pytest.mark.parametrize("options", [{"merge": "mix", "keep": 1.0, "delay": 1}, {"merge": "pullback", "pull": 0.0}])
def test_merges_that_take_nothing_leave_independent_workers(with_momentum: Quadratic, options: dict[str, Any]) -> None:
    delayed = run(with_momentum, "delayed-averaging", period=4, anchor_momentum=0.0, **options)
    independent = run(with_momentum, "local-sgd", period=10**6)
    assert delayed.paths.tolist() == independent.paths.tolist()
    assert delayed.final.tolist() == independent.final.tolist()
    apart(delayed, run(with_momentum, "local-sgd", period=4))


def test_independent_workers_are_serial_ones_on_their_own_samples(with_momentum: Quadratic) -> None:
    independent = run(with_momentum, "local-sgd", period=10**6)
    for rank in range(WORKERS):
        sampler = Sampler(num_samples=SAMPLES, batch_size=3, num_workers=WORKERS, rank=rank, seed=1)
        alone = train(with_momentum, "serial", steps=STEPS, batch_of=lambda _, step, own=sampler: own.indices(step))
        assert independent.paths[rank].tolist() == alone.paths[0].tolist()


def test_pullback_all_the_way_to_an_anchor_without_momentum_freezes_training(plain: Quadratic) -> None:
    frozen = run(plain, "delayed-averaging", merge="pullback", period=1, pull=1.0, anchor_momentum=0.0)
    np.testing.assert_allclose(frozen.paths, np.broadcast_to(plain.start, frozen.paths.shape), atol=1e-14)


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("local-sgd", {"period": 3}),
        ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 1}),
        ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 3}),
    ],
)
def test_identical_data_on_every_worker_is_serial(
    with_momentum: Quadratic, strategy: str, options: dict[str, Any]
) -> None:
    twins = run(with_momentum, strategy, identical=True, **options)
    serial = run(with_momentum, "serial", workers=1)
    for rank in range(WORKERS):
        assert twins.paths[rank].tolist() == serial.paths[0].tolist()


def test_mix_is_not_serial_on_identical_data(with_momentum: Quadratic) -> None:
    mixed = run(with_momentum, "delayed-averaging", identical=True, merge="mix", period=4, delay=1, keep=0.25)
    serial = run(with_momentum, "serial", workers=1)
    assert np.abs(mixed.paths[0] - serial.paths[0]).max() > 1e-3


@pytest.mark.parametrize(("strategy", "options"), ALONE_IN_ITS_WAY)
def test_one_worker_is_serial_bit_for_bit(with_momentum: Quadratic, strategy: str, options: dict[str, Any]) -> None:
    alone = run(with_momentum, strategy, workers=1, **options)
    serial = run(with_momentum, "serial", workers=1)
    assert alone.paths.tolist() == serial.paths.tolist()
    assert alone.final.tolist() == serial.final.tolist()
    assert alone.losses.tolist() == serial.losses.tolist()


def test_post_local_sgd_that_switches_at_once_is_local_sgd(with_momentum: Quadratic) -> None:
    post = run(with_momentum, "post-local-sgd", switch_epoch=0.0, period=4)
    assert post.paths.tolist() == run(with_momentum, "local-sgd", period=4).paths.tolist()


def test_post_local_sgd_that_never_switches_is_sync(with_momentum: Quadratic) -> None:
    post = run(with_momentum, "post-local-sgd", switch_epoch=1e9, period=4)
    assert post.paths.tolist() == run(with_momentum, "allreduce-flat").paths.tolist()


def test_post_local_sgd_is_sync_up_to_the_switch_and_not_after_it(with_momentum: Quadratic) -> None:
    post = run(with_momentum, "post-local-sgd", switch_epoch=1.0, period=10**6)  # 8 steps an epoch
    sync = run(with_momentum, "allreduce-flat")
    assert post.paths[:, :8].tolist() == sync.paths[:, :8].tolist()
    assert np.abs(post.paths[:, 8] - sync.paths[:, 8]).min(axis=1).max() > 1e-5


def test_several_passes_a_step_are_a_larger_batch(with_momentum: Quadratic) -> None:
    """Two passes of batch 3 see what one pass of batch 6 sees, if each worker's samples stand together."""
    order = np.random.default_rng(1).permutation(SAMPLES)
    whole = train(
        with_momentum, "allreduce", workers=2, steps=4, batch_of=lambda rank, step: order[12 * step + 6 * rank :][:6]
    )
    halves = train(
        with_momentum,
        "allreduce",
        workers=2,
        steps=8,
        batch_of=lambda rank, step: order[12 * (step // 2) + 6 * rank + 3 * (step % 2) :][:3],
        backward_passes_per_step=2,
    )
    np.testing.assert_allclose(halves.paths[:, 1::2], whole.paths, rtol=1e-13)


@pytest.mark.parametrize(("strategy", "options"), [*ALONE_IN_ITS_WAY, ("delayed-averaging", {"merge": "pullback"})])
def test_a_second_setup_starts_afresh(with_momentum: Quadratic, strategy: str, options: dict[str, Any]) -> None:
    """Warm-up is a run of its own before the measured one; what it leaves must not reach that."""
    fresh = run(with_momentum, strategy, **options)
    warmed = run(with_momentum, strategy, warm_up_steps=5, **options)
    assert warmed.paths.tolist() == fresh.paths.tolist()
    assert warmed.final.tolist() == fresh.final.tolist()
