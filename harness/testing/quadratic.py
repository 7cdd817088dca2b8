"""A training problem in NumPy and float64 whose every step can be worked by hand, and the replica that trains it.

Sample s has the loss ½ a·(x − c_s)², summed over the coordinates; a batch has the mean of its samples'. So the gradient
at x is a·(x − mean of c_s), and a worker that always sees the same sample has an optimum of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.protocols import GradientAveraging, NativeFabric, NativeTraining, Neurons, Share, Stretches

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Quadratic:
    optima: Array  # (N, P), c_s
    curvature: Array  # (P,), a
    start: Array  # (P,)
    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


def one_dimensional(optima: Sequence[float], **changes: Any) -> Quadratic:
    """½ (x − c_s)² from x = 0, at the rate ½: a step halves the distance to the batch's optimum."""
    fields: dict[str, Any] = {"curvature": np.ones(1), "start": np.zeros(1), "learning_rate": 0.5}
    return Quadratic(**{"optima": np.array(optima, np.float64)[:, None], **fields, **changes})


def random_problem(*, num_samples: int, seed: int = 0, **changes: Any) -> Quadratic:
    rng = np.random.default_rng(seed)
    fields: dict[str, Any] = {
        "optima": rng.normal(size=(num_samples, 5)),
        "curvature": rng.uniform(0.5, 1.5, 5),
        "start": rng.normal(size=5),
        "learning_rate": 0.3,
    }
    return Quadratic(**{**fields, **changes})


class OwnSample:
    """Implements harness.protocols.Batches: worker i sees sample i, always."""

    def __init__(self, rank: int) -> None:
        self._rank = rank

    def at(self, step: int) -> list[int]:
        return [self._rank]

    def close(self) -> None: ...


class NumpyReplica:
    """Implements harness.protocols.Replica. A batch is the indices of its samples."""

    def __init__(self, problem: Quadratic) -> None:
        self._problem = problem
        self._weights = problem.start.copy()
        self._velocity = np.zeros_like(self._weights)
        self._learning_rate = problem.learning_rate
        self._native: NativeTraining | None = None
        self.num_merges = 0

    has_own_order = False

    def batches(self, share: Share, order: Iterable[int] | None = None) -> OwnSample:
        return OwnSample(share.rank)

    def weights(self) -> Array:
        return self._weights.copy()

    def make_room(self, num_vectors: int) -> int:
        return 0

    def put_aside(self, vector: Array) -> Array:
        return vector

    def taken_back(self, aside: Array) -> Array:
        return aside

    def set_weights(self, vector: Array) -> None:
        self._weights[:] = vector

    def joined(self, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts)

    def move_into(self, memory: Array) -> None:
        """From now on these are the weights, in that memory."""
        self._weights = memory

    def merge(self, vector: Array) -> None:
        self.num_merges += 1
        self.set_weights(vector)

    def merge_by(self, merged: Callable[..., Array], *vectors: Array) -> Array:
        self.merge(merged(self.weights(), *vectors))
        return self.weights()

    def gradient(self, batch: Any) -> tuple[Array, float]:
        problem = self._problem
        away = self._weights - problem.optima[batch]  # (B, P)
        loss = 0.5 * (problem.curvature * away**2).sum(axis=1).mean()
        return problem.curvature * away.mean(axis=0), float(loss)

    def update(self, gradient: Array) -> Array:
        problem = self._problem
        self._velocity = problem.momentum * self._velocity + gradient + problem.weight_decay * self._weights
        return -self._learning_rate * self._velocity

    def descend(self, gradient: Array) -> None:
        self._weights += self.update(gradient)

    def statistics(self) -> Array:
        return self._velocity.copy()

    def set_statistics(self, vector: Array) -> None:
        self._velocity = vector.copy()

    def local_step(self, batch: Any) -> float:
        gradient, loss = self.gradient(batch)
        self.descend(gradient)
        return loss

    def average_gradients_over(
        self, fabric: NativeFabric[NumpyReplica, NativeTraining], averaging: GradientAveraging
    ) -> None:
        if self._native is None:
            self._native = fabric.distribute(self, averaging)

    def native_step(self, batch: Any) -> float:
        assert self._native is not None
        return float(self._native.step(batch, self._learning_rate))

    def set_learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def reset(self, vector: Array) -> None:
        self.set_weights(vector)
        self._velocity = np.zeros_like(self._velocity)
        if self._native is not None:
            self._native.forget()

    def evaluate(self, vector: Array) -> tuple[float, float]:
        kept = self.weights()
        self.set_weights(vector)
        _, loss = self.gradient(slice(None))
        self.set_weights(kept)
        return loss, 0.0  # nothing is classified

    @property
    def num_held_out(self) -> int:
        return 1

    def to_numpy(self, vector: Any) -> NDArray[np.float32]:
        return np.asarray(vector, np.float32)

    def from_numpy(self, values: NDArray[np.float32]) -> Array:
        return values.astype(np.float64)

    def matrices(self) -> list[tuple[int, int]]:
        return [(self._weights.size, 1)]

    def neurons(self) -> Neurons:
        """Each weight is a neuron, and each neuron a layer."""
        each = np.arange(self._weights.size, dtype=np.int32)
        return Neurons(of_parameters=[each], layer=each)

    @property
    def num_parameters(self) -> int:
        return self._weights.size

    @property
    def began_positive(self) -> Stretches:
        return ()  # there are no buffers

    def settings(self) -> dict[str, str]:
        return {}

    def restart_peak(self) -> None: ...

    def peak_gpu_bytes(self) -> None:
        return None

    def tensor_bytes(self) -> int:
        return 3 * self._weights.nbytes  # and the gradient, and the velocity

    def synchronize(self) -> None: ...

    def recorder(self) -> None:
        return None
