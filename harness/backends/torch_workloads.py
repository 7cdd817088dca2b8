"""What a cell trains, in PyTorch."""

from __future__ import annotations

from harness.suite.cell import Cell
from harness.workloads.data import Dataset
from harness.workloads.shipped import load_dataset


def workload_of(cell: Cell) -> Dataset:
    """The shipped data set. Raises DatasetError where it is not at hand."""
    assert cell.dataset is not None
    return load_dataset(cell.dataset, cell.synthetic.model_dump() if cell.synthetic else None)
