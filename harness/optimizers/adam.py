"""Adam, and AdamW, whose weight decay is decoupled.

    m ← β₁ m + (1 − β₁) g
    v ← β₂ v + (1 − β₂) g²
    d = m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

    m → mean, v → mean_square, β₁ → beta1, β₂ → beta2, ε → epsilon; the rest as in optimizer.py

A step that is a float32 tensor leaves 1 − 0.999ᵗ five digits, which moves the first Δs by some 10⁻⁵ of themselves, as
in Keras; PyTorch counts in double.

AdamW multiplies the decay by the rate, as PyTorch does; its paper has it follow the schedule alone.

Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (arXiv 1412.6980), Algorithm 1; Loshchilov and
Hutter, "Decoupled Weight Decay Regularization" (arXiv 1711.05101), Algorithm 2;
https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html, …/torch.optim.AdamW.html, without amsgrad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from harness.optimizers.optimizer import Optimizer, OptimizerOptions, Scalar, V


class AdamOptions(OptimizerOptions):
    beta1: float = Field(0.9, ge=0, lt=1, description="how much of the mean stays each step (β₁)")
    beta2: float = Field(0.999, ge=0, lt=1, description="how much of the mean square stays each step (β₂)")
    epsilon: float = Field(1e-8, gt=0, description="added to the root (ε)")


class Adam(Optimizer[AdamOptions]):
    Options = AdamOptions
    torch_class = "Adam"
    torch_has_fused = True
    keras_class = "Adam"

    @property
    def initial_values(self) -> tuple[float, ...]:
        return (0.0, 0.0)

    def _direction(self, gradient: V, slots: Sequence[V], step: Scalar) -> tuple[V, tuple[V, ...]]:
        mean, mean_square = slots
        beta1, beta2 = self._options.beta1, self._options.beta2
        mean = beta1 * mean + (1 - beta1) * gradient
        mean_square = beta2 * mean_square + (1 - beta2) * (gradient * gradient)
        correction1, correction2 = 1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)
        # Above and below the line times 1 − β₁ᵗ: scalars meet each other before they meet a vector.
        root = (correction1 / correction2**0.5) * mean_square**0.5
        return mean / (root + correction1 * self._options.epsilon), (mean, mean_square)

    def torch_arguments(self) -> dict[str, Any]:
        return {"betas": (self._options.beta1, self._options.beta2), "eps": self._options.epsilon}

    def keras_arguments(self) -> dict[str, Any]:
        return {"beta_1": self._options.beta1, "beta_2": self._options.beta2, "epsilon": self._options.epsilon}

    @property
    def keras_differs(self) -> str | None:
        return (
            f"Keras' {self.keras_class} adds epsilon before the correction of the mean square, where it weighs "
            "1/√(1 − β₂ᵗ) times as much: small gradients step less far at first"
        )


class AdamW(Adam):
    decouples_decay = True
    torch_class = "AdamW"
    keras_class = "AdamW"

    def keras_arguments(self) -> dict[str, Any]:
        return {**super().keras_arguments(), "weight_decay": self._weight_decay}
