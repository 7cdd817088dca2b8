"""Two weights, each a neuron and a layer of its own, from 0, a step halving the distance."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.strategies.neuron_wise import NeuronWiseOptions
from harness.testing import check_equal
from harness.testing.quadratic import Quadratic
from harness.testing.thread_workers import train


def both_to(*optima: float) -> Quadratic:
    """Sample s draws both weights to its optimum."""
    two = np.repeat(np.array(optima)[:, None], 2, axis=1)
    return Quadratic(optima=two, curvature=np.ones(2), start=np.zeros(2), learning_rate=0.5)


@pytest.mark.parametrize("paces", [2, [1, 2]])
def test_a_slow_neuron_writes_what_has_come_together(paces: Any) -> None:
    # Optimum 8. The first goes 4, 6, 7, 7.5. The second, at 0 for two steps, gathers 4 + 4, is at 8 and has no more.
    done = train(both_to(8.0), "neuron-wise", {"paces": paces}, steps=4)
    assert done.paths[0].tolist() == [[4.0, 0.0], [6.0, 8.0], [7.0, 8.0], [7.5, 8.0]]


def test_paces_up_to_eight_write_a_third_of_the_weights_a_step() -> None:
    """(1 + 1/2 + ... + 1/8) / 8 = 0.340, over 840 steps, which each of 1 to 8 divides."""
    eight = Quadratic(optima=np.full((1, 8), 8.0), curvature=np.ones(8), start=np.zeros(8), learning_rate=0.01)
    done = train(eight, "neuron-wise", {}, steps=840)
    moved = np.diff(done.paths[0], axis=0, prepend=0) != 0
    assert moved.mean() == pytest.approx(0.3397, abs=1e-4)


def test_own_neurons_go_to_their_owners_optimum() -> None:
    # Worker 0 sees 4 and has the first, worker 1 sees 12 and has the second.
    done = train(both_to(4.0, 12.0), "neuron-wise", {"due": "own"}, workers=2)
    assert done.paths[0].tolist() == [[2.0, 6.0], [3.0, 9.0], [3.5, 10.5]]


def test_one_at_a_time_moves_one_weight_a_step() -> None:
    done = train(both_to(8.0), "neuron-wise", {"due": "one"}, steps=20)
    moved = np.diff(done.paths[0], axis=0, prepend=0) != 0
    assert moved.sum(axis=1).tolist() == [1] * 20
    assert 0 < moved[:, 0].sum() < 20


def test_a_share_is_drawn_anew_at_every_step() -> None:
    done = train(both_to(8.0), "neuron-wise", {"due": "share", "share": 0.25}, steps=40)
    moved = np.diff(done.paths[0], axis=0, prepend=0) != 0
    assert 0.1 < moved.mean() < 0.4  # of 80 draws at ¼


@pytest.mark.parametrize("options", [{"due": "every"}, {"due": "share", "share": 1.0}, {"paces": 1}])
@pytest.mark.parametrize("workers", [1, 2])
def test_where_all_are_due_it_is_hogwild_bit_for_bit(options: dict[str, Any], workers: int) -> None:
    check_equal("neuron-wise", options, "hogwild", {}, workers=workers, tolerance=0)


def test_paces_of_another_number_of_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="paces: 3 for a model of 2 layers; allowed: as many, or one number"):
        train(both_to(8.0), "neuron-wise", {"paces": [1, 2, 3]})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"share": 0.0}, "greater than 0"),
        ({"due": "none"}, "'every', 'one', 'share', 'own' or 'paces'"),
        *(
            ({"paces": paces}, f"{paces!r}; allowed: a whole number from 1 to 1,000,000, or a list of them")
            for paces in (0, 1.5, "two", [], [1, 0], [1, "two"], [1, True], 1_000_001, [1, 10**20])
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(says)):
        NeuronWiseOptions(**given)
