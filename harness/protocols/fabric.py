"""How workers reach each other: what every fabric does, and what those of one capability do besides."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.protocols.vector import Loss, Stretches, Vector


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
        """Steps all workers have taken together when this one has taken `own_steps`, as far as this one can see."""
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

    def gather(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every rank's values, as many of each, on every rank; for what is measured.  # (n,) → (size, n)"""
        ...

    def shifted(self, vector: Vector, hop: int) -> Vector:
        """The vector of the rank that is `hop` before this one, around; this one's goes to the rank as far after it."""
        ...

    def gather_bytes(self, payload: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Every rank's payload, as long of each, on every rank; counted in `bytes_sent`.  # (n,) → (size, n)"""
        ...


@runtime_checkable
class TellsStaleness(Protocol):
    """A fabric whose workers apply updates to weights that others may have changed since they were read."""

    def staleness_counts(self) -> list[int]:
        """This worker's updates since the last `broadcast`, by how many of others were applied between its read and
        its write; the last place holds that many or more."""
        ...


@runtime_checkable
class SharesOutSteps(Protocol):
    """A fabric with a counter that all workers share: who is done early takes more of the steps that are left."""

    def take_step(self, num_in_all: int) -> int:
        """The counter's value, which is one more for whoever asks next; 0 for the first of a run.

        Taken in training alone: whoever makes batches ahead of time begins before the strategy is set up for it.
        num_in_all: how many are to be taken, by which what hands out several at once hands out fewer near their end.
        """
        ...


class SharedFabric(Fabric, Protocol):
    def read(self) -> Vector:
        """A copy of the shared weights, taken without a lock: it may mix several workers' updates."""
        ...

    def live(self, *, to_train: bool = True) -> Vector:
        """The shared weights to copy from at once: where the framework has them as memory they are no copy, and the
        others go on writing to them.

        to_train: what is added next is made from them, by which staleness goes; false to look at them alone.
        """
        ...

    def add(self, delta: Vector) -> None:
        """Adds to the shared weights in place, without a lock: concurrent additions may be lost."""
        ...

    def exclusively(self) -> AbstractContextManager[None]:
        """In it, no other worker of these weights is in its own; waiting for that is waiting for communication."""
        ...


class GroupedFabric(CollectiveFabric, SharedFabric, Protocol):
    """Workers in groups: those of a group share weights, and the first of each averages with the others' first."""

    num_groups: int
    is_first_of_group: bool

    def mean_of_groups(self, vector: Vector) -> Pending:
        """Starts a mean over the first worker of each group, as `mean_async` over all; called by them alone."""
        ...

    def correct(self, change: Vector | None) -> None:
        """Adds to the group's weights in place, as `add` does, what no step has made; None from those who have none."""
        ...

    def await_group(self) -> None:
        """Returns when all of this worker's group have called it."""
        ...


class PeerFabric(Fabric, Protocol):
    """Weights of each worker that any other can average with its own."""

    def broadcast(self, vector: Vector, *, began_positive: Stretches = ()) -> Vector:
        """Rank 0's vector becomes everybody's. began_positive: as the replica tells it; no Δ takes these below 0."""
        ...

    def own(self) -> Vector:
        """This worker's, whatever others have made of them, to copy from at once: they may be no copy."""
        ...

    def average_and_add(self, peer: int | None, delta: Vector) -> None:
        """This worker and that one get the mean of both, then this one Δ; no third comes between. None: Δ alone.

        `delta` is given up: where it would take below 0 what began above it, nothing is added.
        """
        ...

    def mean_of_all(self) -> Vector:
        """Of the weights of all workers, taken without a lock."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServerRule:
    """What servers do with an update that a worker pushes, as harness/servers/held_weights.py writes it down."""

    name: str = "sum"
    rate: float = 1.0
    momentum: float = 0.0
    num_parameters: int | None = None  # which it is for, the first of the vector; buffers behind them add up. None: all
    began_positive: Stretches = ()  # of these buffers: no update takes a value of theirs below 0


class Sent(Protocol):
    """An update on its way."""

    def wait(self) -> None:
        """Returns when every server has applied it."""
        ...


class ServedFabric(Fabric, Protocol):
    """Weights that servers hold, each a part of them.

    What is asked for is on its way when the call returns, and servers do what a worker asks in the order of its calls.
    A vector that is pushed stays as it is until that has been waited for: it is sent from where it lies.
    """

    def serve(self, vector: Vector, rule: ServerRule) -> Vector:
        """Rank 0's vector is what servers hold from now on, and by which rule; given to every rank."""
        ...

    def pull(self, *, to_train: bool = True) -> Pending:
        """The weights of all servers; parts of different ones may hold different workers' updates.

        to_train: what is pushed next is made from them, by which staleness goes; false to look at them alone.
        """
        ...

    def push(self, update: Vector) -> Sent: ...

    def push_pull(self, update: Vector) -> Pending:
        """As `push`, then `pull`, in one message each way."""
        ...

    def step_taken(self) -> None:
        """Counts a step of this worker. The others hear of it by the next thing that is asked for."""
        ...


@dataclass(frozen=True, kw_only=True)
class GradientAveraging:
    """Settings of the native synchronous wrapper, as Horovod names them."""

    op: str = "average"
    compression: str = "none"
    backward_passes_per_step: int = 1


class NativeTraining(Protocol):
    """A worker's model under a library's own data parallelism, trained as that library's users train it."""

    def step(self, batch: Any, learning_rate: Any) -> Loss:
        """One step on this batch, gradients averaged by the library; the loss of this worker's part of it."""
        ...

    def forget(self) -> None:
        """An optimizer that has seen nothing; the weights may be any after it."""
        ...


ModelT_contra = TypeVar("ModelT_contra", contravariant=True)
TrainingT_co = TypeVar("TrainingT_co", bound=NativeTraining, covariant=True)


class NativeFabric(Fabric, Protocol[ModelT_contra, TrainingT_co]):
    """A fabric with data parallelism of its own, which wraps what a replica of its framework hands over.

    The two types are the framework's: `TorchModel` and `TorchTraining` of harness/backends/torch_native.py, `Model` and
    `Training` of harness/backends/tensorflow_native.py. A subclass of the latter says what the library's step is.
    """

    def distribute(self, model: ModelT_contra, averaging: GradientAveraging) -> TrainingT_co:
        """Called once, by `Replica.average_gradients_over`. From here on the training counts `bytes_sent`, and
        `waiting_is_known` says whether the library tells its waiting."""
        ...
