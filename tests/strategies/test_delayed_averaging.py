"""The three merges on optima 4 and 12, from 0, a step halving the distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.strategies.delayed_averaging import DelayedAveragingOptions
from harness.testing.quadratic import one_dimensional, random_problem
from harness.testing.thread_workers import train

OPTIMA = (4.0, 12.0)


def paths(**options: Any) -> list[list[float]]:
    return train(one_dimensional(OPTIMA), "delayed-averaging", options, workers=2, steps=4).path


def test_delta_adds_what_was_learned_while_the_mean_was_under_way() -> None:
    # τ = 2, d = 1
    # step 1: 0 → 2 and 0 → 6
    # step 2: 2 → 3 and 6 → 9, the mean S = 6 is asked for
    # step 3: 3 → 3.5 and 9 → 10.5; S arrives: 6 + (3.5 − 3) = 6.5 and 6 + (10.5 − 9) = 7.5
    # step 4: 6.5 → 5.25 and 7.5 → 9.75, the mean 7.5 is asked for
    assert paths(merge="delta", period=2, delay=1) == [[2.0, 3.0, 6.5, 5.25], [6.0, 9.0, 7.5, 9.75]]


def test_delta_with_the_delay_of_a_period_asks_again_at_once() -> None:
    # τ = d = 1
    # step 1: 0 → 2 and 6, asks for S = 4
    # step 2: 2 → 3 and 6 → 9; 4 + (3 − 2) = 5 and 4 + (9 − 6) = 7; asks for S = 6
    # step 3: 5 → 4.5 and 7 → 9.5; 6 + (4.5 − 5) = 5.5 and 6 + (9.5 − 7) = 8.5; asks for S = 7
    # step 4: 5.5 → 4.75 and 8.5 → 10.25; 7 − 0.75 = 6.25 and 7 + 1.75 = 8.75
    assert paths(merge="delta", period=1, delay=1) == [[2.0, 5.0, 5.5, 6.25], [6.0, 7.0, 8.5, 8.75]]


def test_mix_keeps_a_share_of_the_own_weights() -> None:
    # τ = 2, d = 1, ξ = ¼; as for delta up to step 3, where S = 6 arrives:
    #         ¼·3.5 + ¾·6 = 5.375 and ¼·10.5 + ¾·6 = 7.125
    # step 4: 5.375 → 4.6875 and 7.125 → 9.5625
    assert paths(merge="mix", period=2) == [[2.0, 3.0, 5.375, 4.6875], [6.0, 9.0, 7.125, 9.5625]]


def test_pullback_is_drawn_to_an_anchor_with_momentum() -> None:
    # τ = d = 1, α = ½, β = ½; z starts as the mean of the starts, 0, and u as 0
    # step 1: 0 → 2 and 6; z = 0 arrives: x = 1 and 3; u = 0 − 1 = −1 and −3; sends z − u = 1 and 3, mean 2
    # step 2: 1 → 2.5 and 3 → 7.5; z = 2: x = 2.25 and 4.75; u = −½ + (2 − 2.25) = −0.75 and −1.5 − 2.75 = −4.25;
    #         sends 2.75 and 6.25, mean 4.5
    # step 3: 2.25 → 3.125 and 4.75 → 8.375; z = 4.5: x = 3.8125 and 6.4375
    options = {"merge": "pullback", "period": 1, "pull": 0.5, "anchor_momentum": 0.5}
    done = train(one_dimensional(OPTIMA), "delayed-averaging", options, workers=2)
    assert done.path == [[1.0, 2.25, 3.8125], [3.0, 4.75, 6.4375]]


@pytest.mark.parametrize("delay", [0, 1, 2, 3])
def test_delta_moves_the_mean_by_the_mean_gradient_and_nothing_else(delay: int) -> None:
    """x̄(t+1) − x̄(t) = −η · mean of the gradients at the workers' weights before the step."""
    problem = random_problem(num_samples=3)
    options = {"merge": "delta", "period": 3, "delay": delay}
    done = train(problem, "delayed-averaging", options, workers=3, steps=9)
    before = np.concatenate([np.tile(problem.start, (3, 1, 1)), done.paths[:, :-1]], axis=1)
    gradients = problem.curvature * (before - problem.optima[:, None])
    moved = done.paths.mean(axis=0) - before.mean(axis=0)
    np.testing.assert_allclose(moved, -problem.learning_rate * gradients.mean(axis=0), atol=1e-14)


def test_finish_merges_what_is_under_way() -> None:
    # τ = 2, d = 2, two steps: 3 and 9, the mean 6 is asked for and has not arrived; finish waits for it
    done = train(one_dimensional(OPTIMA), "delayed-averaging", {"period": 2}, workers=2, steps=2)
    assert done.paths[:, -1, 0].tolist() == [3.0, 9.0]
    assert done.final[:, 0].tolist() == [6.0, 6.0]


@pytest.mark.parametrize(
    ("num_steps", "final"),
    [
        (
            2,
            [3.0, 9.0],
        ),  # before the first pull, due in step 3: 0 → 2 → 3 and 0 → 6 → 9, of which nothing is taken back
        # step 3: 3 → 3.5 and 9 → 10.5; z = 0 arrives: x = 1.75 and 5.25; u = −x; sends z − u = x, mean 3.5
        # finish: ½ (1.75 + 3.5) and ½ (5.25 + 3.5)
        (3, [2.625, 4.375]),
    ],
)
def test_pullback_that_ends_before_its_first_period_is_not_drawn_to_the_start(
    num_steps: int, final: list[float]
) -> None:
    options = {"merge": "pullback", "period": 3, "pull": 0.5, "anchor_momentum": 0.5}
    done = train(one_dimensional(OPTIMA), "delayed-averaging", options, workers=2, steps=num_steps)
    assert done.final[:, 0].tolist() == final


@pytest.mark.parametrize(
    ("given", "delay"), [({}, 4), ({"period": 8}, 8), ({"merge": "mix"}, 1), ({"merge": "pullback", "period": 2}, 2)]
)
def test_delay_left_out_is_the_merges_own(given: dict[str, Any], delay: int) -> None:
    assert DelayedAveragingOptions(**given).delay == delay


@pytest.mark.parametrize(
    "given", [{"period": 2, "delay": 3}, {"merge": "pullback", "period": 4, "delay": 3}, {"keep": 1.1}, {"period": 0}]
)
def test_options_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DelayedAveragingOptions(**given)
