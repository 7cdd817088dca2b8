"""How a fabric is made: every class that FABRICS of harness/registry.py names is called so."""

from __future__ import annotations

from typing import Protocol

from harness.fabrics.connection import Connection
from harness.protocols import Fabric
from harness.suite.cell import Cell
from harness.timing.clock import Clock


class FabricFactory(Protocol):
    def __call__(self, cell: Cell, connection: Connection, clock: Clock) -> Fabric:
        """Returns when this worker reaches the others, who are made at the same time; so it may wait for them.

        connection: this worker's place among them. clock: what is spent waiting for others goes into its `waiting`
        phase, unless the fabric says that its `waiting_is_known` is false.
        """
        ...
