"""RMSProp: each weight's gradient over the root of its recent mean square; centred, over its recent deviation.

    v ← α v + (1 − α) g²
    m ← α m + (1 − α) g            centred alone
    r = √v + ε,  centred √(v − m²) + ε
    b ← μ b + g / r                where μ > 0
    d = b,  without momentum g / r

    v → mean_square, m → mean, b → velocity, α → alpha, ε → epsilon, μ → momentum; the rest as in optimizer.py

Source: Tieleman and Hinton, "Lecture 6.5: rmsprop" (Coursera, 2012); centred: Graves, "Generating Sequences With
Recurrent Neural Networks" (arXiv 1308.0850), which has ε under the root;
https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from harness.optimizers.optimizer import Optimizer, OptimizerOptions, Scalar, V


class RMSpropOptions(OptimizerOptions):
    alpha: float = Field(0.99, ge=0, lt=1, description="how much of the mean square stays each step (α)")
    epsilon: float = Field(1e-8, gt=0, description="added to the root (ε)")
    centered: bool = Field(False, description="over the deviation, not the root of the mean square")


class RMSprop(Optimizer[RMSpropOptions]):
    Options = RMSpropOptions
    takes_momentum = True
    torch_class = "RMSprop"
    keras_class = "RMSprop"

    @property
    def initial_values(self) -> tuple[float, ...]:
        return (0.0,) * (1 + self._options.centered + (self._momentum > 0))

    def _direction(self, gradient: V, slots: Sequence[V], step: Scalar) -> tuple[V, tuple[V, ...]]:
        mean_square, *others = slots
        mean_square = self._averaged(mean_square, gradient * gradient)
        new_slots, variance = [mean_square], mean_square
        if self._options.centered:
            mean = self._averaged(others.pop(0), gradient)
            new_slots.append(mean)
            variance = mean_square - mean * mean
        direction = gradient / (variance**0.5 + self._options.epsilon)
        if self._momentum:
            direction = self._momentum * others.pop(0) + direction
            new_slots.append(direction)
        return direction, tuple(new_slots)

    def _averaged(self, average: V, value: V) -> V:
        return self._options.alpha * average + (1 - self._options.alpha) * value

    def torch_arguments(self) -> dict[str, Any]:
        return {
            "momentum": self._momentum,
            "alpha": self._options.alpha,
            "eps": self._options.epsilon,
            "centered": self._options.centered,
        }

    def keras_arguments(self) -> dict[str, Any]:
        return {
            "momentum": self._momentum,
            "rho": self._options.alpha,
            "epsilon": self._options.epsilon**2,  # under the root: there its square bounds it as it does here
            "centered": self._options.centered,
        }

    @property
    def keras_differs(self) -> str | None:
        under_the_root = "Keras' RMSprop has epsilon under the root, g/√(v + ε²): small gradients step farther"
        if not self._momentum:
            return under_the_root
        return f"{under_the_root}; and it keeps the rate inside the velocity: a change of rate comes late"
