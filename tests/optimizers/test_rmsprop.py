"""RMSProp with an epsilon of 1, at the rate ½."""

from __future__ import annotations

import pytest

from tests.optimizers.steps import first_delta, made, path


def test_rmsprop_divides_by_the_root_of_the_mean_square() -> None:
    # α = ¾:  v = 16/4 = 4;  3 + 4/4 = 4;  3 + 4/4 = 4
    # d = 4/3;  2/3;  −2/3
    optimizer = made("rmsprop", alpha=0.75, epsilon=1.0)
    assert path(optimizer, [4, 2, -2]) == pytest.approx([-2 / 3, -1, -2 / 3], rel=1e-12)
    assert optimizer.num_slots == 1


def test_rmsprop_accumulates_what_it_has_divided() -> None:
    # as above, μ = ½:  b = 4/3;  2/3 + 2/3 = 4/3;  2/3 − 2/3 = 0
    optimizer = made("rmsprop", alpha=0.75, epsilon=1.0, momentum=0.5)
    assert path(optimizer, [4, 2, -2]) == pytest.approx([-2 / 3, -4 / 3, -4 / 3], rel=1e-12)
    assert optimizer.num_slots == 2


# α = ½:  v = 8,  m = 2,  v − m² = 4, root 2:         4/3
#         v = 8.5, m = 2.5, v − m² = 2.25, root 1.5:  3/2.5 = 6/5
#         v = 9.53125, m = 2.875, v − m² = 1.265625, root 1.125:  3.25/2.125 = 26/17
CENTRED_GRADIENTS = [4, 3, 3.25]


def test_centred_rmsprop_divides_by_the_deviation() -> None:
    optimizer = made("rmsprop", alpha=0.5, epsilon=1.0, centered=True)
    expected = [-2 / 3, -2 / 3 - 3 / 5, -2 / 3 - 3 / 5 - 13 / 17]
    assert path(optimizer, CENTRED_GRADIENTS) == pytest.approx(expected, rel=1e-12)
    assert optimizer.num_slots == 2


def test_centred_rmsprop_with_momentum_keeps_mean_and_velocity_apart() -> None:
    # as above, μ = ½:  b = 4/3;  2/3 + 6/5 = 28/15;  14/15 + 26/17
    optimizer = made("rmsprop", alpha=0.5, epsilon=1.0, centered=True, momentum=0.5)
    expected = [-2 / 3, -2 / 3 - 14 / 15, -2 / 3 - 14 / 15 - 7 / 15 - 13 / 17]
    assert path(optimizer, CENTRED_GRADIENTS) == pytest.approx(expected, rel=1e-12)
    assert optimizer.num_slots == 3


def test_first_step_of_rmsprop_adds_epsilon_to_the_root() -> None:
    # √v = 0.1 · 10⁻⁶:  10⁻⁶/(10⁻⁷ + 10⁻⁵) = 1/10.1
    assert first_delta(made("rmsprop", epsilon=1e-5), 1e-6) == pytest.approx(-1 / 10.1)
