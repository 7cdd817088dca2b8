"""One worker's model, whatever the framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.protocols.fabric import GradientAveraging, NativeFabric
from harness.protocols.vector import Loss, Stretches, Vector


@dataclass(frozen=True, kw_only=True)
class Share:
    """Which part of the stream of training samples is one worker's."""

    num_workers: int
    rank: int
    batch_size: int  # of this worker
    seed: int


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """What of a vector is whose: a dense layer's row with its bias, a filter, a unit of an LSTM, an embedding's row."""

    of_parameters: Sequence[NDArray[np.int32]]  # in the vector's order: the neuron of each of its weights
    layer: NDArray[np.int32]  # (num_neurons,), the layer of each neuron

    @cached_property
    def of_weight(self) -> NDArray[np.int32]:
        """The neuron of each weight, in the vector's order.  # (P,)"""
        return np.concatenate([numbers.ravel() for numbers in self.of_parameters])

    @property
    def num_layers(self) -> int:
        return 1 + int(self.layer.max())


class Recorder(Protocol):
    """Notes what a device does as it goes on; what was noted is read once the device is synchronised."""

    def moment(self) -> Any:
        """The device's time when it has done what it was asked to until now."""
        ...

    def seconds_between(self, firsts: Sequence[Any], lasts: Sequence[Any]) -> NDArray[np.float64]:
        """From each moment to that of the same place, shape (n,)."""
        ...

    def gathered(self, losses: Sequence[Loss]) -> Any:
        """In as little room as they take together."""
        ...

    def values(self, gathered: Any) -> NDArray[np.float64]:
        """As numbers, shape (n,)."""
        ...


class Batches(Protocol):
    """One worker's batches, in the order of its steps."""

    def at(self, step: int) -> Any:
        """The batch of a step, on the device. Asked for once a step, in the order that was named."""
        ...

    def close(self) -> None:
        """Ends what makes batches ahead of time."""
        ...


class Replica(Protocol):
    """One worker's model, data and optimizer in one framework."""

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        """That share of the training samples; the same share gives the same batches.

        order: the steps whose batches will be asked for, as they will be; gone through as batches are made, which may
        be ahead of time and in another thread. None: from the first on.
        """
        ...

    @property
    def has_own_order(self) -> bool:
        """Whether the training data come one after another as they like, so that batches follow no other order."""
        ...

    def weights(self) -> Vector:
        """A copy of the weights."""
        ...

    def make_room(self, num_vectors: int) -> int:
        """For so many to be put aside without a halt. Gives for how many memory is taken now: all or none."""
        ...

    def put_aside(self, vector: Vector) -> Any:
        """What is looked at after training, out of the device's memory where that is apart. `vector` is given up."""
        ...

    def taken_back(self, aside: Any) -> Vector:
        """The vector on the device again; ask once the device is synchronised."""
        ...

    def set_weights(self, vector: Vector) -> None:
        """These weights: where training starts, or what a worker reads of a shared model."""
        ...

    def joined(self, parts: Sequence[Vector]) -> Vector:
        """One vector of these, in this order."""
        ...

    def merge(self, vector: Vector) -> None:
        """These weights, in which this worker's are averaged with the others'; that is how merges are watched.

        A buffer that began above 0 everywhere, such as batch norm's variances, is taken nowhere below it.
        """
        ...

    def merge_by(self, merged: Callable[..., Vector], *vectors: Vector) -> Vector:
        """`merge(merged(weights, *vectors))`; gives a copy of the weights after it.

        merged: arithmetic that makes a vector of these, changes none, and is the same function every time: it may be
        compiled.
        """
        ...

    def gradient(self, batch: Any) -> tuple[Vector, Loss]:
        """The gradient of the mean loss over the batch, valid until the next call, and that loss."""
        ...

    def update(self, gradient: Vector) -> Vector:
        """What the optimizer adds to the weights for this gradient, Δ; its own state stays in this worker."""
        ...

    def descend(self, gradient: Vector) -> None:
        """w ← w + update(gradient)."""
        ...

    def statistics(self) -> Vector:
        """A copy of what the optimizer keeps from step to step, and counts, as one vector; empty where that is none.

        Of the harness' optimizers alone: what a workload's own keeps is its own matter.
        """
        ...

    def set_statistics(self, vector: Vector) -> None: ...

    def local_step(self, batch: Any) -> Loss:
        """w ← w + update(gradient(batch)), in as few calls as the framework can make of it; the loss before."""
        ...

    def average_gradients_over(self, fabric: NativeFabric[Any, Any], averaging: GradientAveraging) -> None:
        """Has the fabric `distribute` the model, once; `native_step` then trains by that."""
        ...

    def native_step(self, batch: Any) -> Loss:
        """One training step as the framework's users write it."""
        ...

    def set_learning_rate(self, learning_rate: float) -> None: ...

    def reset(self, vector: Vector) -> None:
        """These weights, and an optimizer that has seen nothing."""
        ...

    def evaluate(self, vector: Vector) -> tuple[float, float]:
        """Mean loss of these weights on the held-out set, and their score by the cell's metric."""
        ...

    @property
    def num_held_out(self) -> int:
        """Samples of the held-out set."""
        ...

    def to_numpy(self, vector: Any) -> NDArray[np.float32]: ...

    def from_numpy(self, values: NDArray[np.float32]) -> Vector:
        """A vector on the device, in the vector's own order; it may share the array's memory.  # (n,)"""
        ...

    def matrices(self) -> Sequence[tuple[int, int]]:
        """Rows and columns of each parameter, in the vector's order; of one with one axis, (n, 1)."""
        ...

    def neurons(self) -> Neurons:
        """Raises WorkloadError where a layer has none that are known."""
        ...

    @property
    def num_parameters(self) -> int: ...

    @property
    def began_positive(self) -> Stretches:
        """Of the vector, the buffers that began above 0 everywhere: no average, server or peer takes them below it."""
        ...

    def settings(self) -> dict[str, str]:
        """The libraries' settings in force, for the record."""
        ...

    def restart_peak(self) -> None:
        """`peak_gpu_bytes` counts from now on."""
        ...

    def peak_gpu_bytes(self) -> int | None:
        """The most that tensors have taken at a time of the GPUs of this process, summed over them; None on a CPU."""
        ...

    def tensor_bytes(self) -> int:
        """Of weights, gradient, optimizer state and buffers."""
        ...

    def synchronize(self) -> None:
        """Returns when the device has done all it was asked to."""
        ...

    def recorder(self) -> Recorder | None:
        """Of the device's own time; None where the host's has to do, as it may on a CPU."""
        ...
