"""Plain stochastic gradient descent."""

from __future__ import annotations

import pytest

from harness.testing.quadratic import one_dimensional
from harness.testing.thread_workers import train


def test_serial_halves_the_distance_to_the_optimum() -> None:
    # ½(x − 8)², η = ½:  0 → 0 − ½(0 − 8) = 4 → 4 − ½(4 − 8) = 6 → 6 − ½(6 − 8) = 7
    done = train(one_dimensional([8.0]), "serial")
    assert done.path == [[4.0, 6.0, 7.0]]
    assert done.losses.tolist() == [[32.0, 8.0, 2.0]]  # before each step
    assert done.final.tolist() == [[7.0]]


def test_serial_with_momentum_keeps_its_velocity() -> None:
    # v ← ½v + g:  v = −8, x = 4;   v = −4 − 4 = −8, x = 8;   v = −4 + 0 = −4, x = 10
    assert train(one_dimensional([8.0], momentum=0.5), "serial").path == [[4.0, 8.0, 10.0]]


def test_serial_with_weight_decay_is_drawn_to_zero() -> None:
    # v = g + ½w:  −8 + 0, x = 4;   −4 + 2 = −2, x = 5;   −3 + 2.5 = −½, x = 5.25
    assert train(one_dimensional([8.0], weight_decay=0.5), "serial").path == [[4.0, 5.0, 5.25]]


def test_serial_takes_the_mean_of_the_batch() -> None:
    done = train(one_dimensional([6.0, 10.0]), "serial", steps=1, batch_of=lambda rank, step: [0, 1])
    assert done.path == [[4.0]]
    assert done.losses.item() == pytest.approx((18 + 50) / 2)
