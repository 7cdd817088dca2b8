"""What cannot be asked of workers that act, whose batches are made while the gradient is computed."""

from __future__ import annotations

from harness.protocols import Capability, Role, Span
from harness.suite.fields import CellFields


def check_acting(cell: CellFields, *, needs: Capability, batch_per_worker: int) -> None:
    """Raises ValueError for the first thing that cannot be. needs: the strategy's."""
    assert cell.rollouts is not None, "the data set has them filled in"
    if batch_per_worker % cell.rollouts.steps:
        raise ValueError(
            f"batch_size: {batch_per_worker} frames of a worker with rollouts of {cell.rollouts.steps}; allowed: a "
            "multiple of that, by which it has so many environments"
        )
    if cell.input != "resident":
        raise ValueError(
            f"input: {cell.input} with workload {cell.workload}, whose frames depend on the weights: none can be made "
            "ahead; allowed: resident"
        )
    if cell.accumulation != 1:
        raise ValueError(
            f"accumulation: {cell.accumulation} with workload {cell.workload}, whose batch is one rollout; allowed: 1"
        )
    if (needs.spans == Span.PROCESS and needs.max_workers != 1) or Role.COORDINATOR in needs.roles:
        raise ValueError(
            f"strategy: {cell.strategy} with workload {cell.workload}, where one process acts for all workers; "
            "allowed: one with a process or a thread a worker"
        )
