"""Averaging with one other that is drawn, from 0; in lockstep all read, then average and add in the order of ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.protocols import Topology
from harness.strategies.ad_psgd import ADPSGDOptions, neighbours
from harness.testing import check_equal
from harness.testing.quadratic import NumpyReplica, one_dimensional, random_problem
from harness.testing.strategy_checks import standard_problem
from harness.testing.thread_fabrics import Team, ThreadPeers
from harness.testing.thread_workers import train
from tests.strategies.interleaved import never_far_apart


def test_two_workers_average_before_they_add_what_they_found_before_it() -> None:
    # Optima 4, 12, η = ½; the model that is judged is the mean of both.
    # Both at 0, Δ = 2 and 6:      worker 0: (0, 0) → (2, 0);       worker 1: (1, 1) → (1, 7);          mean 4
    # at 1 and 7, Δ = 1.5, 2.5:    worker 0: (4, 4) → (5.5, 4);     worker 1: (4.75, 4.75) → (4.75, 7.25);  mean 6
    # at 4.75 and 7.25, Δ = −⅜, 2⅜:  their mean moves by ½ (−⅜ + 2⅜) = 1;                                   mean 7
    done = train(one_dimensional([4.0, 12.0]), "ad-psgd", workers=2)
    assert done.path == [[4.0, 6.0, 7.0]] * 2


def test_workers_themselves_stay_apart() -> None:
    """After two steps as above, in the order 0, 1, 0, 1, with no lockstep between them."""
    team, problem, done = Team(2, in_lockstep=False), one_dimensional([4.0, 12.0]), []
    replicas: list[Any] = [NumpyReplica(problem) for _ in range(2)]
    fabrics = [ThreadPeers(rank, team) for rank in range(2)]
    team.of_each = np.zeros((2, 1))
    for rank in (0, 1, 0):
        replicas[rank].set_weights(fabrics[rank].own())
        gradient, _ = replicas[rank].gradient([rank])
        fabrics[rank].average_and_add(1 - rank, replicas[rank].update(gradient))
        done.append(team.of_each[:, 0].tolist())
    assert done == [[2.0, 0.0], [1.0, 7.0], [5.5, 4.0]]


@pytest.mark.parametrize(("graph", "workers"), [("complete", 2), ("complete", 4), ("ring", 4)])
def test_mean_of_the_workers_moves_as_synchronous_training(graph: str, workers: int) -> None:
    """On a quadratic of one curvature, where the mean gradient is that at the mean, whoever averages with whom."""
    problem = standard_problem(curvature=np.ones(5))
    check_equal("ad-psgd", {"graph": graph}, "allreduce-flat", {}, problem=problem, workers=workers)


@pytest.mark.parametrize(
    ("graph", "size", "expected"), [("complete", 5, [0, 2, 3, 4]), ("ring", 5, [0, 2]), ("ring", 2, [0])]
)
def test_neighbours_are_those_of_the_graph_and_never_oneself(graph: Any, size: int, expected: list[int]) -> None:
    assert neighbours(1, size, graph=graph) == expected


def test_workers_left_to_themselves_reach_a_common_optimum_whatever_the_interleaving() -> None:
    problem = random_problem(num_samples=1, learning_rate=0.05)
    done = train(problem, "ad-psgd", workers=4, steps=800, batch_of=never_far_apart(4), in_lockstep=False)
    assert done.final[-1] == pytest.approx(problem.optima[0], abs=1e-6)


def test_one_worker_is_refused() -> None:
    topology = Topology(workers=1, hosts=1, device="cpu", controller=None)
    with pytest.raises(ValueError, match=r"workers: 1 with strategy ad-psgd, .* allowed: 2 or more"):
        ADPSGDOptions().check_against(topology)
