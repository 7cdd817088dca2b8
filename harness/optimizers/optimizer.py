"""What an optimizer is: from the gradient of a step to Δ, what is added to the weights.

    g ← g + λ w                   L2 penalty; nothing where the optimizer decouples its decay
    d, s ← direction(g, s, t)     what each optimizer's own file says
    Δ = −η d                      where decay is decoupled, −η d − η λ w

    g → gradient, w → weights, s → slots, t → step + 1, η → learning_rate, λ → weight_decay

It is arithmetic over vectors, so the same lines run on PyTorch, inside a compiled function of TensorFlow and, in tests,
on NumPy. PyTorch's formulas are the meaning; where Keras' class of that name computes something else, `keras_differs`
says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from harness.protocols import Vector
from harness.strict import Strict

Scalar = Any  # a number or, inside a compiled function, a scalar tensor of the vectors' dtype


class Elementwise(Vector, Protocol):
    """A vector that also divides and takes roots, element by element."""

    def __truediv__(self, other: Any) -> Self: ...
    def __pow__(self, other: Any) -> Self: ...


V = TypeVar("V", bound=Elementwise)


class OptimizerOptions(Strict):
    """Base of every optimizer's options."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a cell says for any optimizer."""

    momentum: float = 0.0
    weight_decay: float = 0.0


OptionsT = TypeVar("OptionsT", bound=OptimizerOptions)


class Optimizer(ABC, Generic[OptionsT]):
    """One formula and its hyperparameters. It keeps nothing between steps: the slots are the caller's."""

    Options: ClassVar[type[OptimizerOptions]] = OptimizerOptions
    takes_momentum: ClassVar[bool] = False  # otherwise `momentum` means nothing to it
    decouples_decay: ClassVar[bool] = False
    torch_class: ClassVar[str]  # in torch.optim
    torch_has_fused: ClassVar[bool] = False  # whether it takes `fused`: one pass over the vectors, on CPU and GPU
    keras_class: ClassVar[str]  # in keras.optimizers

    def __init__(self, options: OptionsT, hyperparameters: Hyperparameters) -> None:
        self._options = options
        self._momentum, self._weight_decay = hyperparameters.momentum, hyperparameters.weight_decay

    @property
    @abstractmethod
    def initial_values(self) -> tuple[float, ...]:
        """What each slot is filled with before the first step."""

    @property
    def num_slots(self) -> int:
        """Vectors of state beside the weights."""
        return len(self.initial_values)

    def initial_slots(self, zeros: V) -> tuple[V, ...]:
        """The slots before the first step, each in memory of its own. zeros: shape (P,)."""
        return tuple(zeros + value for value in self.initial_values)

    def update(
        self, gradient: V, weights: V, slots: Sequence[V], learning_rate: Scalar, step: Scalar
    ) -> tuple[V, tuple[V, ...]]:
        """Δ and the new slots; nothing given is changed. step: updates since the slots were new, 0 at the first."""
        direction, new_slots = self._direction(self.with_penalty(gradient, weights), slots, step)
        return self.with_decay(-learning_rate * direction, weights, learning_rate), new_slots

    def with_penalty(self, gradient: V, weights: V) -> V:
        """The gradient of the loss and the L2 penalty; as it is where decay is decoupled."""
        if self.decouples_decay or not self._weight_decay:
            return gradient
        return gradient + self._weight_decay * weights

    def with_decay(self, delta: V, weights: V, learning_rate: Scalar) -> V:
        """Δ with the decoupled decay; as it is where decay is a penalty."""
        if not self.decouples_decay or not self._weight_decay:
            return delta
        decayed: V = delta - (learning_rate * self._weight_decay) * weights
        return decayed

    @abstractmethod
    def _direction(self, gradient: V, slots: Sequence[V], step: Scalar) -> tuple[V, tuple[V, ...]]:
        """d and the new slots."""

    @abstractmethod
    def torch_arguments(self) -> dict[str, Any]:
        """Arguments of `torch_class` but `lr` and `weight_decay`, which are always to be given: AdamW decays by 0.01
        unless told otherwise.

        Over a user's parameters it gets the cell's decay. Over a vector of zeros it gets 0, and `with_penalty` before
        and `with_decay` after it, for a step of it then leaves exactly Δ in the vector.
        """

    @abstractmethod
    def keras_arguments(self) -> dict[str, Any]:
        """Arguments of `keras_class` but `learning_rate`. Decay is among them where it is decoupled, the only kind that
        Keras has: elsewhere the gradients go through `with_penalty`."""

    @property
    @abstractmethod
    def keras_differs(self) -> str | None:
        """In a sentence, where `keras_class` with these arguments computes something else; None if nowhere."""
