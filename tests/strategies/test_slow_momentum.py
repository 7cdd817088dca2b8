"""Momentum on the average of optima 4 and 12, from 0, a local step halving the distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.protocols import Plan
from harness.strategies.slow_momentum import SlowMomentumOptions
from harness.testing import check_equal
from harness.testing.quadratic import Quadratic, one_dimensional, random_problem
from harness.testing.strategy_checks import standard_problem, train_on_stream
from harness.testing.thread_workers import train

OPTIMA = (4.0, 12.0)
PLAIN = {"outer_rate": 1.0, "outer_momentum": 0.0}
HALVES = {"outer_rate": 0.5, "outer_momentum": 0.5}


def paths(*, steps: int = 4, **options: Any) -> list[list[float]]:
    return train(one_dimensional(OPTIMA), "slow-momentum", options, workers=2, steps=steps).path


def test_slow_goes_on_as_far_as_momentum_has_it() -> None:
    # τ = 1, α = 1, β = ½; D = z − x̄ with x̄ = (z + 8)/2;  u = ½u + D;  z ← z − u
    # D = 0 − 4, u = −4, z = 4;   D = 4 − 6, u = −4, z = 8;   D = 8 − 8, u = −2, z = 10
    assert paths(steps=3, period=1, outer_rate=1.0, outer_momentum=0.5) == [[4.0, 8.0, 10.0]] * 2


def test_nesterov_looks_ahead() -> None:
    # z ← z − (D + ½u), with u after the step
    # D = −4, u = −4, z = 0 + 6;   D = 6 − 7 = −1, u = −3, z = 6 + 2.5;   D = 8.5 − 8.25, u = −1.25, z = 8.5 + 0.375
    options = {"outer": "nesterov", "outer_rate": 1.0, "outer_momentum": 0.5}
    assert paths(steps=3, period=1, **options) == [[6.0, 8.5, 8.875]] * 2


def test_anchor_moves_by_a_share_every_period() -> None:
    # τ = 2, α = β = ½: 2, 6;  3, 9: x̄ = 6, D = u = −6, z = 0 + 3
    # from 3: 3.5, 7.5;  3.75, 9.75: x̄ = 6.75, D = −3.75, u = −3 − 3.75 = −6.75, z = 3 + 3.375
    assert paths(period=2, **HALVES) == [[2.0, 3.0, 3.5, 6.375], [6.0, 3.0, 7.5, 6.375]]
    # nesterov: z = 0 + ½(6 + 3) = 4.5;  from there 4.25, 8.25;  4.125, 10.125: x̄ = 7.125, D = −2.625,
    # u = −3 − 2.625 = −5.625, z = 4.5 + ½(2.625 + 2.8125)
    nesterov = paths(outer="nesterov", period=2, **HALVES)
    assert nesterov == [[2.0, 4.5, 4.25, 7.21875], [6.0, 4.5, 8.25, 7.21875]]


def test_delayed_anchor_is_mixed_with_what_was_learned_meanwhile() -> None:
    # τ = 2, d = 1, a = ½: 2, 6;  3, 9, asks for x̄ = 6;  3.5, 10.5, D = u = −6, z = 3: (3.5 + 3)/2, (10.5 + 3)/2
    # 3.625, 9.375, asks for 6.5;  3.8125, 10.6875, D = 3 − 6.5, z = 6.5 − 1.75 + ¼·6 = 6.25: 5.03125, 8.46875
    found = paths(steps=5, period=2, delay=1, keep=0.5, **HALVES)
    assert found == [[2.0, 3.0, 3.25, 3.625, 5.03125], [6.0, 9.0, 6.75, 9.375, 8.46875]]


def test_delta_adds_what_was_learned_meanwhile_to_the_anchor() -> None:
    # z = 3 as above: 3 + (3.5 − 3), 3 + (10.5 − 9);   3.75, 8.25, asks for 6;   3.875, 10.125, D = 3 − 6,
    # z = 6 − 1.5 + ¼·6 = 6: 6 + (3.875 − 3.75), 6 + (10.125 − 8.25)
    found = paths(steps=5, period=2, delay=1, catch_up="delta", **HALVES)
    assert found == [[2.0, 3.0, 3.5, 3.75, 6.125], [6.0, 9.0, 4.5, 8.25, 7.875]]


def test_fragments_take_turns() -> None:
    # Two weights, each the problem above; τ = 2, F = 2: the first is averaged at steps 1 and 3, the second at 2.
    # first: 2, 6 → 4;  4, 8;  4, 10 → 7      second: 2, 6;  3, 9 → 6;  5, 9
    problem = Quadratic(
        optima=np.array([[4.0, 4.0], [12.0, 12.0]]), curvature=np.ones(2), start=np.zeros(2), learning_rate=0.5
    )
    done = train(problem, "slow-momentum", {"period": 2, "fragments": 2, **PLAIN}, workers=2)
    assert done.paths[0].tolist() == [[4.0, 2.0], [4.0, 6.0], [7.0, 5.0]]
    assert done.paths[1].tolist() == [[4.0, 6.0], [8.0, 6.0], [7.0, 9.0]]


@pytest.mark.parametrize("outer", ["slow", "nesterov"])
def test_without_momentum_it_is_local_sgd_bit_for_bit(outer: str) -> None:
    check_equal("slow-momentum", {"outer": outer, "period": 4, **PLAIN}, "local-sgd", {"period": 4}, tolerance=0)


def test_a_delayed_mean_without_momentum_is_delayed_averaging() -> None:
    late = {"period": 4, "delay": 3, **PLAIN}
    mixed = {"merge": "mix", "period": 4, "delay": 3, "keep": 0.5}
    check_equal("slow-momentum", late, "delayed-averaging", mixed, tolerance=0)
    added = {"merge": "delta", "period": 4, "delay": 3}
    check_equal("slow-momentum", {**late, "catch_up": "delta"}, "delayed-averaging", added)


def test_averaged_every_step_it_is_momentum_on_the_mean_gradient() -> None:
    without = standard_problem(momentum=0.0, weight_decay=0.0)
    with_momentum = standard_problem(momentum=0.6, weight_decay=0.0)
    options = {"period": 1, "outer_rate": 1.0, "outer_momentum": 0.6}
    found = train_on_stream(without, "slow-momentum", options).paths
    np.testing.assert_allclose(found, train_on_stream(with_momentum, "allreduce-flat").paths, rtol=1e-12, atol=1e-13)


def test_delay_forgets_no_average_that_was_asked_for() -> None:
    """The mean of the workers after `finish` is that of the last anchor, where nothing is kept of own weights."""
    problem = random_problem(num_samples=2)
    options = {"period": 4, "delay": 4, "keep": 0.0, **PLAIN}
    done = train(problem, "slow-momentum", options, workers=2, steps=4)
    np.testing.assert_allclose(done.final[0], done.paths[:, -1].mean(axis=0), atol=1e-15)


def test_defaults_are_those_of_the_kinds_paper() -> None:
    slow, nesterov = SlowMomentumOptions(), SlowMomentumOptions(outer="nesterov")
    assert (slow.period, slow.outer_rate, slow.outer_momentum) == (48, 1.0, 0.5)
    assert (nesterov.period, nesterov.outer_rate, nesterov.outer_momentum) == (500, 0.7, 0.9)
    assert SlowMomentumOptions(outer="nesterov", period=20).period == 20


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"period": 4, "delay": 5}, "delay: 5 is more than the 4 steps"),
        ({"period": 8, "fragments": 4, "delay": 3}, "allowed: 0 to 2"),
        ({"period": 8, "fragments": 3}, "fragments: 3 with period 8; allowed: its divisors"),
        ({"period": 2_048, "fragments": 2_048}, "less than or equal to 1024"),
        ({"outer_momentum": 1.0}, "less than 1"),
        ({"outer": ["slow"]}, "outer"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SlowMomentumOptions(**given)


def test_outer_steps_that_grow_longer_need_a_long_training() -> None:
    """With β = 0.9 and α = 0.7 they become 7 times as long, over some 100 averages."""
    options = SlowMomentumOptions(outer="nesterov", period=8)
    short, long = (Plan(num_workers=2, num_steps=8 * num, steps_per_epoch=10.0) for num in (16, 110))
    said = options.caution(short)
    assert said is not None
    assert "up to 7 times as long, and training has 16 of them to settle in" in said
    assert options.caution(long) is None
    assert SlowMomentumOptions(period=8, outer_momentum=0.0).caution(short) is None
