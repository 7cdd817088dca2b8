"""The fabric of one worker."""

from __future__ import annotations

from harness.fabrics.connection import Connection
from harness.protocols import Vector
from harness.suite.cell import Cell
from harness.timing.clock import Clock


class Alone:
    rank, size, bytes_sent, waiting_is_known = 0, 1, 0, True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None: ...

    def barrier(self) -> None: ...

    def broadcast(self, vector: Vector) -> Vector:
        return vector

    def total_steps(self, own_steps: int) -> int:
        return own_steps

    def settings(self) -> dict[str, str]:
        return {}

    def close(self) -> None: ...
