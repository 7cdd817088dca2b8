"""What the parts promise one another: Vector, Replica, Fabric, Strategy. Nothing here knows a framework.

A strategy is written against these alone, so that the same code runs on PyTorch, on TensorFlow and, in tests, on NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, SupportsFloat, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.strict import Strict


class Vector(Protocol):
    """All trainable parameters (or their gradient) as one flat array on the device, shape (P,).

    Torch tensors, TensorFlow tensors and NumPy arrays are Vectors.
    """

    def __add__(self, other: Any) -> Self: ...
    def __sub__(self, other: Any) -> Self: ...
    def __mul__(self, other: Any) -> Self: ...
    def __rmul__(self, other: Any) -> Self: ...


Loss = SupportsFloat  # a mean over the batch; on a GPU `float(loss)` waits for it, so only window edges ask


class Capability(StrEnum):
    """How a strategy's workers reach each other; decides fabric and launcher (harness/registry.py)."""

    ALONE = "alone"  # one worker
    COLLECTIVE = "collective"  # Horovod
    SHARED = "shared"  # one set of weights in memory that all workers write
    TORCH_DISTRIBUTED = "torch-distributed"  # PyTorch's own process group, for the reference strategy
    TF_MULTIWORKER = "tf-multiworker"  # TensorFlow's own collectives over gRPC
    TF_MIRRORED = "tf-mirrored"  # one TensorFlow process over several of its devices
    TF_PARAMETER_SERVER = "tf-parameter-server"  # TensorFlow's own servers over gRPC


class EvaluatedModel(StrEnum):
    """Which model a strategy is judged by."""

    MEAN_OF_WORKERS = "mean of workers"
    SHARED = "shared model"
    REPLICATED = "replicated model"  # every worker holds the same; rank 0's is taken


class Pending(Protocol):
    """A mean on its way."""

    def wait(self) -> Vector: ...


class Fabric(Protocol):
    """How workers reach each other."""

    rank: int
    size: int
    bytes_sent: int  # by this worker since it started, counted as harness/timing/traffic.py says
    waiting_is_known: bool  # whether the clock's `waiting` phase covers all the waiting for communication

    def barrier(self) -> None: ...

    def broadcast(self, vector: Vector) -> Vector:
        """Rank 0's vector, on every rank."""
        ...

    def total_steps(self, own_steps: int) -> int:
        """Steps all workers have taken together when this one has taken `own_steps`."""
        ...

    def settings(self) -> dict[str, str]:
        """How this fabric works where that is not plain from the strategy, for the record."""
        ...

    def close(self) -> None: ...


class CollectiveFabric(Fabric, Protocol):
    def mean(self, vector: Vector) -> Vector:
        """The mean over workers. `vector` is given up: its memory may hold the result."""
        ...

    def mean_async(self, vector: Vector) -> Pending:
        """Starts a mean and returns at once; `vector` must not change until it has arrived. One may be under way."""
        ...


@runtime_checkable
class TellsStaleness(Protocol):
    """A fabric whose workers apply updates to weights that others may have changed since they were read."""

    def staleness_counts(self) -> list[int]:
        """This worker's updates since the last `broadcast`, by how many of others were applied between its read and
        its write; the last place holds that many or more."""
        ...


class SharedFabric(Fabric, Protocol):
    def read(self) -> Vector:
        """A copy of the shared weights, taken without a lock: it may mix several workers' updates."""
        ...

    def add(self, delta: Vector) -> None:
        """Adds to the shared weights in place, without a lock: concurrent additions may be lost."""
        ...


@dataclass(frozen=True, kw_only=True)
class GradientAveraging:
    """Settings of the native synchronous wrapper, as Horovod names them."""

    op: str = "average"
    compression: str = "none"
    backward_passes_per_step: int = 1


class Replica(Protocol):
    """One worker's model, data and optimizer in one framework."""

    def load(self, indices: Any) -> Any:
        """The batch of these training samples, on the device. indices: int64 NumPy array, shape (B,)."""
        ...

    def weights(self) -> Vector:
        """A copy of the weights."""
        ...

    def set_weights(self, vector: Vector) -> None: ...

    def gradient(self, batch: Any) -> tuple[Vector, Loss]:
        """The gradient of the mean loss over the batch, valid until the next call, and that loss."""
        ...

    def update(self, gradient: Vector) -> Vector:
        """What SGD adds to the weights for this gradient, Δ = −η v with v ← μ v + g + λ w; v stays in this worker."""
        ...

    def descend(self, gradient: Vector) -> None:
        """w ← w + update(gradient)."""
        ...

    def local_step(self, batch: Any) -> Loss:
        """w ← w + update(gradient(batch)), in as few calls as the framework can make of it; the loss before."""
        ...

    def average_gradients_over(self, fabric: Fabric, averaging: GradientAveraging) -> None:
        """Wraps model or optimizer with the fabric's own synchronous data parallelism; `native_step` then uses it."""
        ...

    def native_step(self, batch: Any) -> Loss:
        """One training step as the framework's users write it."""
        ...

    def set_learning_rate(self, learning_rate: float) -> None: ...

    def reset(self, vector: Vector) -> None:
        """These weights, and an optimizer that has seen nothing."""
        ...

    def evaluate(self, vector: Vector) -> tuple[float, float]:
        """Mean loss and accuracy (share of samples, 0 to 1) of these weights on the held-out set."""
        ...

    def to_numpy(self, vector: Any) -> NDArray[np.float32]: ...

    @property
    def num_parameters(self) -> int: ...

    def settings(self) -> dict[str, str]:
        """The libraries' settings in force, for the record."""
        ...

    def peak_gpu_bytes(self) -> int | None:
        """The most that tensors have taken at a time of the GPUs of this process, summed over them; None on a CPU."""
        ...

    def synchronize(self) -> None:
        """Returns when the device has done all it was asked to."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much training a worker is to do, the same for all workers of a cell."""

    num_workers: int
    num_steps: int  # of each worker
    steps_per_epoch: float  # N / (num_workers · batch size)


class StrategyOptions(Strict):
    """Base of every strategy's options."""


class HorovodOptions(StrategyOptions):
    """Settings of the Horovod underneath; None leaves Horovod's default (1 ms, 128 MiB) in force."""

    cycle_time_ms: float | None = Field(None, gt=0)
    fusion_threshold_bytes: int | None = Field(None, ge=0)
    mpi_yield_when_idle: bool = Field(True, description="Open MPI gives the core away while it waits for a message")


class Strategy(Protocol):
    """How shared weights are updated. State lives from `setup` to `finish`; a second `setup` starts afresh."""

    Options: ClassVar[type[StrategyOptions]]
    needs: ClassVar[Capability]
    evaluated: ClassVar[EvaluatedModel]

    def __init__(self, options: Any, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: Any) -> None: ...

    def step(self, replica: Replica, fabric: Any, batch: Any) -> Loss:
        """A step on this batch; gives its loss. Where workers' models are averaged, `set_weights` is for merging them
        and nothing else: that is how merges are watched (harness/worker/merges.py)."""
        ...

    def finish(self, replica: Replica, fabric: Any) -> None:
        """Ends what is under way; called once, after the last step."""
        ...

    def snapshot(self, replica: Replica, fabric: Any) -> Vector:
        """This worker's part of the evaluated model: its own weights, or the shared ones."""
        ...
