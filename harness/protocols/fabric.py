"""How workers reach each other: what every fabric does, and what those of one capability do besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.protocols.vector import Vector


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
