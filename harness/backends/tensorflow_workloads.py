"""What a cell trains, in TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from harness.extensions import WORKLOADS, require_unchanged
from harness.suite.cell import Cell
from harness.workloads.data import Dataset
from harness.workloads.making import make_own
from harness.workloads.own import KerasWorkload
from harness.workloads.rollouts import Experience

# A thread that makes its model seeds the whole process, and imports a file that others may want too.
_MAKING = threading.Lock()
POLICIES = {"float32": "float32", "bf16": "mixed_bfloat16"}  # Keras' names


def workload_of(cell: Cell) -> Dataset | Experience | KerasWorkload:
    """The shipped data set, or what the user's function makes of the cell's seed.

    Raises DatasetError where a data set is not at hand, ExtensionError where the user's code cannot be used, or is
    not what the cell was planned with.
    """
    if cell.own is None:
        return cell.load_dataset()
    require_unchanged(cell.workload, cell.folder, cell.own.code, group=WORKLOADS)
    with _MAKING, _dtype_policy(POLICIES[cell.precision]):
        keras.utils.set_random_seed(cell.seed)
        workload = make_own(cell.workload, cell.folder, cell.framework)
    assert isinstance(workload, KerasWorkload)
    return workload


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
