"""Launches that benchmarks compare."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.launchers.hosts import this_machine
from harness.record import Record, ResultsFolder
from harness.runner import Setting, run_cell

NUM_PAIRS = 6
TRAINING: dict[str, Any] = {"workload": "cnn", "dataset": "digits", "batch_size": 64, "epochs": 100, "evaluations": 0}


class Silent:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


@contextmanager
def scratch_setting() -> Iterator[Setting]:
    with tempfile.TemporaryDirectory() as scratch:
        yield Setting(suite="perf", folder=ResultsFolder(Path(scratch)), hosts=this_machine())


@contextmanager
def launching() -> Iterator[Callable[..., Callable[[], float]]]:
    """Gives what makes, of a cell's fields, a launch that returns the samples/s of one of its workers."""
    with scratch_setting() as setting:

        def launch(**fields: Any) -> Callable[[], float]:
            cell = Cell.model_validate({**TRAINING, "workers": 2, **fields})
            return lambda: samples_per_s_of_a_worker(run_cell(cell, setting, Silent()))

        yield launch


def samples_per_s_of_a_worker(record: Record) -> float:
    assert record.status == "ok", record.log_tail
    return statistics.mean(
        sum(window.num_samples for window in part.windows) / part.num_workers / part.train_s for part in record.workers
    )
