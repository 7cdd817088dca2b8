"""How an action is drawn from what a model gives for a state, the value of the state apart.

    Categorical   logits (actions,)      π(a) = softmax, a number of an action
    Gaussian      μ (D,) and x           π = N(μ, σ² I),  σ² = log(1 + eˣ), D numbers

Each framework has the logarithm of π(a) and the entropy of both in harness/backends/*_acting.py.

Source: Mnih et al., "Asynchronous methods for deep reinforcement learning" (arXiv 1602.01783), section 9 for numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

LEAST_VARIANCE = 1e-4  # added to σ²: however sure, the logarithm of π stays finite in single precision


class Policy(Protocol):
    @property
    def num_outputs(self) -> int:
        """What a model gives of it."""
        ...

    @property
    def kind_of_action(self) -> type[np.generic]: ...

    def noise(self, draws: np.random.Generator, count: int) -> NDArray[np.float64]:
        """What chance decides of so many actions, (count, ...)."""
        ...

    def drawn(self, outputs: NDArray[np.float32], noise: NDArray[np.float64]) -> NDArray[Any]:
        """An action a row, (E, ...). outputs: (E, num_outputs)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Categorical:
    num_actions: int

    kind_of_action = np.int64

    @property
    def num_outputs(self) -> int:
        return self.num_actions

    def noise(self, draws: np.random.Generator, count: int) -> NDArray[np.float64]:
        return draws.random(count)

    def drawn(self, outputs: NDArray[np.float32], noise: NDArray[np.float64]) -> NDArray[np.int64]:
        """noise: evenly from [0, 1)."""
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True), dtype=np.float64)
        reached = np.cumsum(shares, axis=1)
        actions: NDArray[np.int64] = (noise[:, None] * reached[:, -1:] >= reached[:, :-1]).sum(axis=1)
        return actions


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    num_dimensions: int

    kind_of_action = np.float32

    @property
    def num_outputs(self) -> int:
        return self.num_dimensions + 1

    def noise(self, draws: np.random.Generator, count: int) -> NDArray[np.float64]:
        return draws.standard_normal((count, self.num_dimensions))

    def drawn(self, outputs: NDArray[np.float32], noise: NDArray[np.float64]) -> NDArray[np.float32]:
        """noise: of deviation 1."""
        means, variances = outputs[:, :-1], np.logaddexp(0.0, outputs[:, -1:], dtype=np.float64) + LEAST_VARIANCE
        return (means + np.sqrt(variances) * noise).astype(np.float32)
