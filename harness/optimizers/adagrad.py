"""Adagrad: each weight at a rate of its own, which falls with the gradients that it has seen.

    s ← s + g²,  from s = s₀
    d = g / (√s + ε)

    s → square_sum, s₀ → initial_accumulator, ε → epsilon; the rest as in optimizer.py

With s₀ = 0 the first step moves every weight by η whatever the size of its gradient.

Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization"
(JMLR 12, 2011), with a diagonal matrix;
https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html, without its own decay of the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from harness.optimizers.optimizer import Optimizer, OptimizerOptions, Scalar, V


class AdagradOptions(OptimizerOptions):
    initial_accumulator: float = Field(0.0, ge=0, description="what the sum of squares starts from (s₀)")
    epsilon: float = Field(1e-10, gt=0, description="added to the root (ε)")


class Adagrad(Optimizer[AdagradOptions]):
    Options = AdagradOptions
    torch_class = "Adagrad"
    torch_has_fused = True
    keras_class = "Adagrad"

    @property
    def initial_values(self) -> tuple[float, ...]:
        return (self._options.initial_accumulator,)

    def _direction(self, gradient: V, slots: Sequence[V], step: Scalar) -> tuple[V, tuple[V, ...]]:
        (square_sum,) = slots
        square_sum = square_sum + gradient * gradient
        return gradient / (square_sum**0.5 + self._options.epsilon), (square_sum,)

    def torch_arguments(self) -> dict[str, Any]:
        return {"initial_accumulator_value": self._options.initial_accumulator, "eps": self._options.epsilon}

    def keras_arguments(self) -> dict[str, Any]:
        return {
            "initial_accumulator_value": self._options.initial_accumulator,
            "epsilon": self._options.epsilon**2,  # under the root: there its square bounds it as it does here
        }

    @property
    def keras_differs(self) -> str | None:
        return "Keras' Adagrad has epsilon under the root, g/√(s + ε²): gradients of epsilon's size step farther"
