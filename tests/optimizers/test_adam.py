"""Adam and AdamW with β₁ = ½, β₂ = ¾ and an epsilon of 1, at the rate ½."""

from __future__ import annotations

import pytest

from tests.optimizers.steps import first_delta, made, path

# |g| = 4 throughout, so v̂ = 16 in each step (v = 4, 7, 9.25 over 1/4, 7/16, 37/64) and √v̂ + ε = 5
#   m = 2, m̂ = 4:                   4/5
#   m = 1 − 2 = −1, m̂ = −4/3:      −4/15
#   m = −½ + 2 = 1.5, m̂ = 12/7:    12/35
GRADIENTS = [4, -4, 4]


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_corrects_both_means(name: str) -> None:
    expected = [-2 / 5, -2 / 5 + 2 / 15, -2 / 5 + 2 / 15 - 6 / 35]
    optimizer = made(name, beta1=0.5, beta2=0.75, epsilon=1.0)
    assert path(optimizer, GRADIENTS) == pytest.approx(expected, rel=1e-12)
    assert optimizer.num_slots == 2


def test_adam_forgets_the_mean_square_by_beta2() -> None:
    # g = 4, 0:  m = 2, 1, m̂ = 4, 4/3;  v = 4, 3, v̂ = 16, 48/7
    optimizer = made("adam", beta1=0.5, beta2=0.75, epsilon=1.0)
    expected = [-2 / 5, -2 / 5 - (2 / 3) / ((48 / 7) ** 0.5 + 1)]
    assert path(optimizer, [4, 0], rates=[0.5, 0.5]) == pytest.approx(expected, rel=1e-12)


def test_adam_decays_weights_through_the_gradient() -> None:
    # λ = ½, from w = 6: g = 1 + 3 = 4 and so 4/5;  w = 5.6, g = −6.8 + 2.8 = −4;  w = 5.6 + 2/15, g is 4 again
    optimizer = made("adam", beta1=0.5, beta2=0.75, epsilon=1.0, weight_decay=0.5)
    gradients = [1, -6.8, 4 - (5.6 + 2 / 15) / 2]
    expected = [5.6, 5.6 + 2 / 15, 5.6 + 2 / 15 - 6 / 35]
    assert path(optimizer, gradients, start=6.0) == pytest.approx(expected, rel=1e-12)


def test_adamw_decays_weights_beside_the_gradient() -> None:
    # λ = ½, from w = 4: each step first takes a quarter of the weight away
    # w = 4 − 1 − 2/5 = 2.6;  2.6 − 0.65 + 2/15;  three quarters of that − 6/35
    optimizer = made("adamw", beta1=0.5, beta2=0.75, epsilon=1.0, weight_decay=0.5)
    second = 1.95 + 2 / 15
    assert path(optimizer, GRADIENTS, start=4.0) == pytest.approx([2.6, second, 0.75 * second - 6 / 35], rel=1e-12)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_first_step_of_adam_adds_epsilon_to_the_corrected_root(name: str) -> None:
    # m̂ = g and √v̂ = g:  10⁻⁶/(10⁻⁶ + 10⁻⁸) = 1/1.01
    assert first_delta(made(name), 1e-6) == pytest.approx(-1 / 1.01)
