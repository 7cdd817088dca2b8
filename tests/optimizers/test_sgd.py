"""SGD with and without momentum, and Nesterov's, at the rate ½."""

from __future__ import annotations

import pytest

from tests.optimizers.steps import made, path


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_sgd_without_momentum_follows_the_gradient(name: str) -> None:
    assert path(made(name), [4, 2, 1]) == [-2, -3, -3.5]
    assert made(name).num_slots == 0


def test_sgd_accumulates_a_velocity() -> None:
    # μ = ½:  v = 4;  2 + 2 = 4;  2 + 1 = 3
    optimizer = made("sgd", momentum=0.5)
    assert path(optimizer, [4, 2, 1]) == [-2, -4, -5.5]
    assert optimizer.num_slots == 1


def test_sgd_keeps_the_rate_outside_the_velocity() -> None:
    # μ = ½:  v = 4, 4, 3 at the rates ½, ¼, 1
    assert path(made("sgd", momentum=0.5), [4, 2, 1], rates=[0.5, 0.25, 1.0]) == [-2, -3, -6]


def test_nesterov_looks_ahead_along_the_velocity() -> None:
    # μ = ½:  v = 4, 4, 3 as above;  g + μ v = 6;  4;  2.5
    assert path(made("nesterov", momentum=0.5), [4, 2, 1]) == [-3, -5, -6.25]


def test_sgd_decays_weights_through_the_gradient() -> None:
    # μ = ½, λ = ½, from w = 4, no gradient but the decay's
    # g = 2, v = 2, w = 3;  g = 1.5, v = 2.5, w = 1.75;  g = 0.875, v = 2.125, w = 0.6875
    optimizer = made("sgd", momentum=0.5, weight_decay=0.5)
    assert path(optimizer, [0, 0, 0], start=4.0) == [3, 1.75, 0.6875]


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_keras_differs_only_with_momentum(name: str) -> None:
    assert made(name).keras_differs is None
    assert "velocity" in (made(name, momentum=0.9).keras_differs or "")
