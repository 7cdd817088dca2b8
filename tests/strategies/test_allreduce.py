"""The native wrapper, on a replica whose wrapper is written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.testing.quadratic import one_dimensional
from harness.testing.thread_workers import train


@pytest.mark.parametrize("strategy", ["allreduce", "torch-ddp"])
def test_every_worker_takes_the_mean_gradient(strategy: str) -> None:
    # optima 4 and 12, so the mean gradient is x − 8:  0 → 4 → 6 → 7 on both
    done = train(one_dimensional([4.0, 12.0]), strategy, workers=2)
    assert done.path == [[4.0, 6.0, 7.0]] * 2
    assert done.losses[:, 0].tolist() == [8.0, 72.0]  # each reports its own batch


def test_gradients_of_several_passes_make_one_step() -> None:
    # Two passes a step. Pass 1 and 2 at x = 0: worker 0 sees optima 4 then 8, worker 1 sees 12 then 16; the mean of
    # the four is 10, so x = 5 after pass 2. Pass 3 leaves x.
    batches = {(0, 0): [0], (0, 1): [1], (0, 2): [0], (1, 0): [2], (1, 1): [3], (1, 2): [2]}
    done = train(
        one_dimensional([4.0, 8.0, 12.0, 16.0]),
        "allreduce",
        {"backward_passes_per_step": 2},
        workers=2,
        batch_of=lambda rank, step: batches[rank, step],
    )
    assert done.path == [[0.0, 5.0, 5.0]] * 2


def test_adasum_adds_orthogonal_updates_and_takes_the_mean_of_parallel_ones() -> None:
    # Half the distance, from (0, 0). Optima (4, 0) and (0, 12): updates (2, 0) and (0, 6), whose sum is (2, 6).
    across = replace(
        one_dimensional([0.0]), optima=np.array([[4.0, 0.0], [0.0, 12.0]]), curvature=np.ones(2), start=np.zeros(2)
    )
    options = {"op": "adasum"}
    assert train(across, "allreduce", options, workers=2, steps=1).final.tolist() == [[2.0, 6.0]] * 2
    # Optima 4 and 12: updates 2 and 6, (1 − 12/8)·2 + (1 − 12/72)·6 = −1 + 5 = 4, their mean.
    assert train(one_dimensional([4.0, 12.0]), "allreduce", options, workers=2, steps=1).path == [[4.0]] * 2


def test_adasum_of_four_combines_pairs_first() -> None:
    # Updates 2, 2, 6, 6: each pair is its mean, then (2, 6) is 4.
    done = train(one_dimensional([4.0, 4.0, 12.0, 12.0]), "allreduce", {"op": "adasum"}, workers=4, steps=1)
    assert done.path == [[4.0]] * 4
