"""Flat allreduce, local SGD and post-local SGD on optima 4 and 12, from 0, a step halving the distance."""

from __future__ import annotations

from harness.testing.quadratic import one_dimensional
from harness.testing.thread_workers import train

OPTIMA = (4.0, 12.0)


def test_allreduce_flat_takes_the_mean_gradient() -> None:
    # the mean gradient is x − 8:  0 → 4 → 6 → 7 on both
    assert train(one_dimensional(OPTIMA), "allreduce-flat", workers=2).path == [[4.0, 6.0, 7.0]] * 2


def test_local_sgd_averages_weights_every_period() -> None:
    # τ = 2
    # step 1: 0 → 2 and 0 → 6, local
    # step 2: 2 → 3 and 6 → 9, averaged: 6
    # step 3: 6 → 5 and 6 → 9, local
    done = train(one_dimensional(OPTIMA), "local-sgd", {"period": 2}, workers=2)
    assert done.path == [[2.0, 6.0, 5.0], [6.0, 6.0, 9.0]]


def test_local_sgd_leaves_the_momentum_with_its_worker() -> None:
    # τ = 2, μ = ½
    # step 1: v = −4 and −12, x = 2 and 6
    # step 2: v = −2 − 2 = −4 and −6 − 6 = −12, x = 4 and 12, averaged: 8
    # step 3: v = −2 + 4 = 2 and −6 − 4 = −10, x = 7 and 13
    done = train(one_dimensional(OPTIMA, momentum=0.5), "local-sgd", {"period": 2}, workers=2)
    assert done.path == [[2.0, 8.0, 7.0], [6.0, 8.0, 13.0]]


def test_post_local_sgd_averages_every_step_until_the_switch() -> None:
    # two steps an epoch, switch at epoch ½: step 1 takes the mean gradient, 0 → 4
    # step 2: 4 → 4 and 4 → 8, step counted from the start is a multiple of τ = 2: averaged, 6
    # step 3: 6 → 5 and 6 → 9
    options = {"switch_epoch": 0.5, "period": 2}
    done = train(one_dimensional(OPTIMA), "post-local-sgd", options, workers=2, steps_per_epoch=2.0)
    assert done.path == [[4.0, 6.0, 5.0], [4.0, 6.0, 9.0]]
