"""Twenty steps over two parameters at a rate that changes, whoever takes them: a formula in NumPy, or a framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.optimizers.optimizer import Optimizer

SHAPES = [(3, 2), (4,)]
NUM_PARAMETERS = 10
NUM_STEPS = 20

Array = NDArray[np.float64]
Adding = Callable[[Array, Array, float], Array]  # of gradient, weights and rate, in turn: what is added to the weights


def deltas(adding: Adding, rates: tuple[float, ...] = (0.02, 0.04, 0.06)) -> Array:
    """What each step adds, (NUM_STEPS, P), for gradients that span four orders of magnitude.

    Gradients and weights are drawn, the same for all: roundings of one step do not grow in the next.
    """
    rng = np.random.default_rng(5)
    magnitudes = 10.0 ** rng.uniform(-3, 1, size=NUM_PARAMETERS)
    added = []
    for step in range(NUM_STEPS):
        gradient, weights = magnitudes * rng.normal(size=NUM_PARAMETERS), rng.normal(size=NUM_PARAMETERS)
        added.append(adding(gradient, weights, rates[step % len(rates)]))
    return np.array(added)


def by_formula(optimizer: Optimizer[Any]) -> Adding:
    """Its own `update`, in float64."""
    slots: tuple[Any, ...] = optimizer.initial_slots(np.zeros(NUM_PARAMETERS))
    step = 0

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        nonlocal slots, step
        delta: Array
        delta, slots = optimizer.update(gradient, weights, slots, rate, step)
        step += 1
        return delta

    return adding


def parts(vector: Array) -> list[Array]:
    """A flat vector as the two parameters."""
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), SHAPES, strict=True)]
