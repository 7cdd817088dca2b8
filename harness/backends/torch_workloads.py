"""What a cell trains, in PyTorch."""

from __future__ import annotations

from harness.backends.torch_draws import restart_draws
from harness.backends.torch_shipped import shipped_workload
from harness.extensions import WORKLOADS, require_unchanged
from harness.suite.cell import Cell
from harness.workloads.making import make_own
from harness.workloads.own import OwnWorkload


def workload_of(cell: Cell) -> OwnWorkload:
    """A shipped one, or what a user's function makes.

    Raises DatasetError where the data set is not at hand, ExtensionError where the user's code cannot be used or is not
    the code that the cell was planned with.
    """
    if cell.own is None:
        return shipped_workload(cell, cell.load_dataset())
    require_unchanged(cell.workload, cell.folder, cell.own.code, group=WORKLOADS)
    restart_draws(cell.seed)  # a user's function draws the same on every worker
    return make_own(cell.workload, cell.folder, "torch")
