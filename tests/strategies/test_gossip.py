"""Averaging with neighbours, from 0, a local step halving the distance to each worker's own optimum."""

from __future__ import annotations

import numpy as np
import pytest

from harness.protocols import Plan, Topology
from harness.strategies.gossip import GossipOptions
from harness.testing import check_equal, check_strategy
from harness.testing.quadratic import one_dimensional
from harness.testing.strategy_checks import standard_problem, train_on_stream
from harness.testing.thread_workers import train


def test_each_averages_with_one_that_is_ever_farther_on() -> None:
    # Optima 4, 12, 0, 8, hops 1, 2, 1.
    # 2, 6, 0, 4, each with the one before it:         3, 4, 3, 2
    # 3.5, 8, 1.5, 5, each with the one two before it: 2.5, 6.5, 2.5, 6.5
    # 3.25, 9.25, 1.25, 7.25, with the one before it:  5.25, 6.25, 5.25, 4.25
    done = train(one_dimensional([4.0, 12.0, 0.0, 8.0]), "gossip", workers=4)
    assert done.path == [[3.0, 2.5, 5.25], [4.0, 6.5, 6.25], [3.0, 2.5, 5.25], [2.0, 6.5, 4.25]]


def test_in_a_ring_the_gradient_is_of_before_the_average() -> None:
    # Optima 4, 12, 8; of three, all are neighbours.
    # 0 + (2, 6, 4);   their mean 4 + ½(2, 6, 4) = 5, 7, 6;   6 + ½(−1, 5, 2) = 5.5, 8.5, 7
    done = train(one_dimensional([4.0, 12.0, 8.0]), "gossip", {"graph": "ring"}, workers=3)
    np.testing.assert_allclose(done.path, [[2.0, 5.0, 5.5], [6.0, 7.0, 8.5], [4.0, 6.0, 7.0]], rtol=1e-15)


def test_of_two_workers_it_is_local_sgd_of_period_1_bit_for_bit() -> None:
    check_equal("gossip", {}, "local-sgd", {"period": 1}, tolerance=0)


@pytest.mark.parametrize(("workers", "is_said"), [(2, True), (4, False)])
def test_run_says_that_two_workers_do_not_gossip(workers: int, is_said: bool) -> None:
    said = GossipOptions().caution(Plan(num_workers=workers, num_steps=9, steps_per_epoch=3.0))
    assert (said is not None and "it is local-sgd of period 1" in said) == is_said


@pytest.mark.parametrize(("graph", "workers"), [("exponential", 4), ("exponential", 3), ("ring", 4)])
def test_mean_of_the_workers_moves_as_theirs_who_average_with_all(graph: str, workers: int) -> None:
    """On a quadratic of one curvature, where the mean gradient is that at the mean; the workers themselves differ."""
    problem = standard_problem(curvature=np.ones(5))
    apart = train_on_stream(problem, "gossip", {"graph": graph}, workers=workers).paths
    together = train_on_stream(problem, "local-sgd", {"period": 1}, workers=workers).paths
    np.testing.assert_allclose(apart.mean(axis=0), together.mean(axis=0), rtol=1e-12, atol=1e-13)
    assert np.abs(apart[:, -1] - apart[:, -1].mean(axis=0)).max() > 1e-4


def test_ring_keeps_the_promises_of_a_strategy() -> None:
    check_strategy("gossip", {"graph": "ring"})  # to rounding: it divides by three


@pytest.mark.parametrize(("graph", "workers", "fewest"), [("exponential", 1, 2), ("ring", 2, 3)])
def test_workers_without_neighbours_are_refused(graph: str, workers: int, fewest: int) -> None:
    topology = Topology(workers=workers, hosts=1, device="cpu", controller="gloo")
    with pytest.raises(ValueError, match=f"workers: {workers} with strategy gossip .* allowed: {fewest} or more"):
        GossipOptions(graph=graph).check_against(topology)
