"""Stochastic gradient descent, with momentum or Nesterov's.

    v ← μ v + g
    sgd         d = v
    nesterov    d = g + μ v

    v → velocity, μ → momentum; the rest as in optimizer.py

η stands outside the velocity, so a rate that changes needs no correction. Without momentum both are d = g.

Source: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Sutskever et al., "On the
importance of initialization and momentum in deep learning" (ICML 2013), section 2, which keeps η inside v;
https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html, without dampening.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.optimizers.optimizer import Optimizer, OptimizerOptions, Scalar, V


class SGD(Optimizer[OptimizerOptions]):
    takes_momentum = True
    torch_class = "SGD"
    torch_has_fused = True
    keras_class = "SGD"

    @property
    def initial_values(self) -> tuple[float, ...]:
        return (0.0,) if self._momentum else ()

    def _direction(self, gradient: V, slots: Sequence[V], step: Scalar) -> tuple[V, tuple[V, ...]]:
        if not self._momentum:
            return gradient, ()
        (velocity,) = slots
        velocity = self._momentum * velocity + gradient
        return self._along(velocity, gradient), (velocity,)

    def _along(self, velocity: V, gradient: V) -> V:
        return velocity

    def torch_arguments(self) -> dict[str, Any]:
        return {"momentum": self._momentum}

    def keras_arguments(self) -> dict[str, Any]:
        return {"momentum": self._momentum}

    @property
    def keras_differs(self) -> str | None:
        if not self._momentum:
            return None
        return "Keras' SGD keeps the rate inside the velocity, v ← μv − ηg: a change of rate comes late"


class Nesterov(SGD):
    def _along(self, velocity: V, gradient: V) -> V:
        return gradient + self._momentum * velocity

    def torch_arguments(self) -> dict[str, Any]:
        return {**super().torch_arguments(), **self._nesterov()}

    def keras_arguments(self) -> dict[str, Any]:
        return {**super().keras_arguments(), **self._nesterov()}

    def _nesterov(self) -> dict[str, bool]:
        return {"nesterov": self._momentum > 0}  # PyTorch refuses it without momentum, where it changes nothing
