"""Gradients that are sent compressed, from 0, a step going half of the way that it knows of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.protocols import Topology
from harness.strategies.allreduce_compressed import AllreduceCompressedOptions
from harness.testing import check_equal
from harness.testing.quadratic import NumpyReplica, Quadratic
from harness.testing.thread_workers import train

TOP_1 = {"compressor": "top-k", "share": 0.5}  # of two weights


def drawn_to(*optima: list[float], learning_rate: float = 0.5) -> Quadratic:
    num = len(optima[0])
    return Quadratic(optima=np.array(optima), curvature=np.ones(num), start=np.zeros(num), learning_rate=learning_rate)


def path(problem: Quadratic, options: dict[str, Any], **others: Any) -> list[list[float]]:
    found: list[list[float]] = train(problem, "allreduce-compressed", options, **others).paths[0].tolist()
    return found


def test_top_k_sends_what_is_largest_and_keeps_the_rest_for_later() -> None:
    # Optimum (4, 1). g = (−4, −1): sends −4, keeps (0, −1). g = (−2, −1): of (−2, −2) sends the first, keeps (0, −2).
    # g = (−1, −1): of (−1, −3) sends the second.
    assert path(drawn_to([4.0, 1.0]), TOP_1) == [[2.0, 0.0], [3.0, 0.0], [3.0, 1.5]]


def test_without_feedback_what_is_left_out_is_lost() -> None:
    # The first is the largest until both are 1: ..., g = (−2, −1) and (−1, −1)
    options = {**TOP_1, "error_feedback": False}
    assert path(drawn_to([4.0, 1.0]), options) == [[2.0, 0.0], [3.0, 0.0], [3.5, 0.0]]


def test_sign_sends_a_bit_and_a_scale() -> None:
    # g = (−4, −1): −2.5 each, keeps (−1.5, 1.5). g = (−2.75, 0.25), of (−4.25, 1.75) sends 3·(−1, 1), keeps
    # (−1.25, −1.25). g = (−1.25, −1.25): of (−2.5, −2.5) sends all.
    assert path(drawn_to([4.0, 1.0]), {"compressor": "sign"}) == [[1.25, 1.25], [2.75, -0.25], [4.0, 1.0]]


def test_mean_of_the_workers_is_taken_of_what_each_has_sent() -> None:
    # Optima (4, 1) and (0, 8): they send (−4, 0) and (0, −8), of which half is (−2, −4): x = (1, 2)
    assert path(drawn_to([4.0, 1.0], [0.0, 8.0]), TOP_1, workers=2, steps=1) == [[1.0, 2.0]]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("compressor", ["top-k", "powersgd"])  # which sends vectors as they are
def test_where_nothing_is_left_out_it_is_the_flat_mean_bit_for_bit(compressor: str, workers: int) -> None:
    options = {"compressor": compressor, "share": 1.0}
    check_equal("allreduce-compressed", options, "allreduce-flat", {}, workers=workers, tolerance=0)


@pytest.fixture
def three_rows_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NumpyReplica, "matrices", lambda self: [(3, 2)])


@pytest.mark.usefixtures("three_rows_of_two")
def test_powersgd_of_rank_1_loses_nothing_of_matrices_of_rank_1() -> None:
    # Optima u vᵀ and u v'ᵀ: gradients and their mean are multiples of u from the start on.
    problem = drawn_to(*(np.outer([1.0, 2.0, 3.0], row).ravel().tolist() for row in ([4.0, -1.0], [2.0, 8.0])))
    compressed = train(problem, "allreduce-compressed", {"rank": 1}, workers=2, steps=5)
    flat = train(problem, "allreduce-flat", workers=2, steps=5)
    np.testing.assert_allclose(compressed.paths, flat.paths, atol=1e-13)


@pytest.mark.usefixtures("three_rows_of_two")
@pytest.mark.parametrize("feedback", [True, False])
def test_what_powersgd_leaves_out_comes_later(feedback: bool) -> None:
    """A step sends one direction of two, and hardly moves, so that one stays the longer by far: without feedback the
    other is never sent."""
    problem = drawn_to([2.0, 0.0, 0.0, 1.0, 0.0, 0.0], learning_rate=0.001)
    options = {"rank": 1, "error_feedback": feedback}
    longer, shorter = np.array(path(problem, options, steps=100))[-1][[0, 3]]
    flat = 1 - 0.999**100  # of the way, by whole gradients
    assert longer == pytest.approx(2 * flat, rel=0.05)
    assert shorter == pytest.approx(flat, rel=0.05) if feedback else shorter < 0.1 * flat


def test_compressing_is_refused_on_a_gpu() -> None:
    topology = Topology(workers=2, hosts=1, device="gpu", controller="mpi")
    with pytest.raises(ValueError, match=r"device: gpu .* which compresses on the host"):
        AllreduceCompressedOptions().check_against(topology)
