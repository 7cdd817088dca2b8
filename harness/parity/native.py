"""Do both frameworks train the same thing by Horovod's own optimizer? Each setting of it, by launches of two workers.

Compared are, along the same steps, the held-out losses of the model that both workers hold, and its score at the end.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from harness.launchers.hosts import Host
from harness.parity.measure import FIRST_LOSS_BAR, LOSSES_BAR, NUM_STEPS, SCORE_BAR, relative_to
from harness.parity.sides import FRAMEWORKS
from harness.plain_text import one_line
from harness.records.parity_record import Difference
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell_alone
from harness.suite.cell import Cell

NUM_WORKERS = 2
_OPTIONS = {"op": ("average", "adasum"), "compression": ("none", "fp16"), "backward_passes_per_step": (1, 2)}


class LaunchError(Exception):
    """A launch that was to be compared did not end well."""


def native_cells(cell: Cell) -> Iterator[Cell]:
    """Of a serial cell's workload and data: one for each setting of `allreduce`, to be launched in each framework."""
    for values in product(*_OPTIONS.values()):
        options = dict(zip(_OPTIONS, values, strict=True))
        yield Cell.model_validate(
            {
                **cell.model_dump(exclude={"strategy", "options", "workers", "controller", "evaluations"}),
                "strategy": {"name": "allreduce", **options},
                "workers": NUM_WORKERS,
                "controller": "mpi" if options["op"] == "adasum" else "gloo",
                **cell.amount_of(NUM_STEPS * NUM_WORKERS * cell.batch_size),
                "evaluations": NUM_STEPS,
                "evaluation_spacing": "even",
            }
        )


def native_parity(cell: Cell) -> list[Difference]:
    """The differences between PyTorch and TensorFlow. Raises LaunchError."""
    ours, theirs = (_launched(cell.model_copy(update={"framework": name})) for name in FRAMEWORKS)
    return compare_curves(ours, theirs, metric=cell.metric.name)


def compare_curves(ours: Record, theirs: Record, *, metric: str) -> list[Difference]:
    losses = relative_to(*(np.array([point.loss for point in each.curve]) for each in (ours, theirs)))
    (score,) = relative_to(*(np.array([each.curve[-1].score]) for each in (ours, theirs)))
    return [
        Difference(kind="score", of=metric, relative=float(score), bar=SCORE_BAR),
        Difference(kind="first loss", of="", relative=float(losses[0]), bar=FIRST_LOSS_BAR),
        Difference(kind="losses", of="", relative=float(losses.max()), bar=LOSSES_BAR),
    ]


def _launched(cell: Cell) -> Record:
    hosts: Sequence[Host] = (Host(name="localhost", slots=NUM_WORKERS),)
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(suite="parity", folder=ResultsFolder(Path(scratch)), hosts=tuple(hosts))
        record = run_cell_alone(cell, setting, _Unwatched())
    if record.status != "ok":
        raise LaunchError(f"{cell.title}: {one_line(record.reason or record.status)}")
    return record


class _Unwatched:
    """Implements harness.run.runner.WaitingWatcher."""

    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...

    def waiting(self, why: str) -> None:
        print(f"hvdbench: {why}", file=sys.stderr, flush=True)
