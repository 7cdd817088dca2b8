"""Steps of an optimizer on one weight in float64, for numbers that can be worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.optimizers.optimizer import Hyperparameters, Optimizer
from harness.registry import OPTIMIZERS


def made(name: str, *, momentum: float = 0.0, weight_decay: float = 0.0, **options: Any) -> Optimizer[Any]:
    optimizer = OPTIMIZERS[name]
    hyperparameters = Hyperparameters(momentum=momentum, weight_decay=weight_decay)
    return optimizer(optimizer.Options.model_validate(options), hyperparameters)


def path(
    optimizer: Optimizer[Any], gradients: Sequence[float], *, start: float = 0.0, rates: Sequence[float] = (0.5,) * 3
) -> list[float]:
    """The weight after each step."""
    weights = np.array([start])
    slots = optimizer.initial_slots(np.zeros(1))
    visited = []
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True)):
        delta, slots = optimizer.update(np.array([gradient]), weights, slots, rate, step)
        weights = weights + delta
        visited.append(float(weights[0]))
    return visited


def first_delta(optimizer: Optimizer[Any], gradient: float) -> float:
    """At the rate 1."""
    return path(optimizer, [gradient], rates=[1.0])[0]
