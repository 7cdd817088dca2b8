"""Adagrad with an epsilon of 1, at the rate ½."""

from __future__ import annotations

import pytest

from tests.optimizers.steps import first_delta, made, path


def test_adagrad_divides_by_the_root_of_the_sum_of_squares() -> None:
    # s = 9, 25, 169:  d = 3/(3 + 1);  4/(5 + 1);  12/(13 + 1)
    expected = [-3 / 8, -3 / 8 - 1 / 3, -3 / 8 - 1 / 3 - 3 / 7]
    assert path(made("adagrad", epsilon=1.0), [3, 4, 12]) == pytest.approx(expected, rel=1e-12)


def test_adagrad_starts_from_the_initial_accumulator() -> None:
    # s = 16 + 9 = 25;  25 + 144 = 169;  169 + 27 = 196
    # d = 3/6;  12/14;  √27/15
    optimizer = made("adagrad", epsilon=1.0, initial_accumulator=16.0)
    expected = [-1 / 4, -1 / 4 - 3 / 7, -1 / 4 - 3 / 7 - 27**0.5 / 30]
    assert path(optimizer, [3, 12, 27**0.5]) == pytest.approx(expected, rel=1e-12)


def test_adagrad_decays_weights_through_the_gradient() -> None:
    # λ = ½, from w = 6: g = 3, s = 9, d = 3/4, w = 5.625;  g = 2.8125, s = 16.910…, d = 2.8125/5.112…
    optimizer = made("adagrad", epsilon=1.0, weight_decay=0.5)
    second = 5.625 - 0.5 * 2.8125 / (1 + (9 + 2.8125**2) ** 0.5)
    assert path(optimizer, [0, 0], start=6.0, rates=[0.5, 0.5]) == pytest.approx([5.625, second], rel=1e-12)


@pytest.mark.parametrize("gradient", [1e-6, 1.0, 1e6])
def test_first_step_of_adagrad_is_the_rate_whatever_the_gradient(gradient: float) -> None:
    assert first_delta(made("adagrad"), gradient) == pytest.approx(-1, rel=2e-4)  # ε/g is 1e-4 of the smallest
    assert first_delta(made("adagrad", initial_accumulator=0.1), 1e-6) == pytest.approx(-1e-6 / 0.1**0.5)
