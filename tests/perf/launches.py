"""Strategies against each other and the harness' own share of a launch, over real launches."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.launchers.hosts import this_machine
from harness.record import Record, ResultsFolder
from harness.runner import Setting, run_cell
from tests.perf.figure import Figure, compare

NUM_PAIRS = 6
TRAINING: dict[str, Any] = {"workload": "cnn", "dataset": "digits", "batch_size": 64, "epochs": 100, "evaluations": 0}
SMALL_STEPS: dict[str, Any] = {
    "batch_size": 16,
    "epochs": 60,
}  # the recipe's: a quarter of the work between two updates


class Silent:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


def figures() -> list[Figure]:
    """Needs two cores."""
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(suite="perf", folder=ResultsFolder(Path(scratch)), hosts=this_machine())

        def launch(**fields: Any) -> Callable[[], float]:
            cell = Cell.model_validate({**TRAINING, "workers": 2, **fields})
            return lambda: samples_per_s_of_a_worker(run_cell(cell, setting, Silent()))

        return [
            compare(
                "cnn, 2 workers: allreduce-flat (MPI) over torch-ddp",
                launch(strategy="allreduce-flat", controller="mpi"),
                launch(strategy="torch-ddp"),
                num_pairs=NUM_PAIRS,
                bar=1.0,
            ),
            compare(
                "cnn, 2 workers: hogwild over two independent processes",
                launch(strategy="hogwild"),
                lambda: _two_independent(Path(scratch), TRAINING),
                num_pairs=NUM_PAIRS,
                bar=0.95,
            ),
            compare(
                "cnn, 2 workers, batches of 16: hogwild over two independent processes",
                launch(strategy="hogwild", **SMALL_STEPS),
                lambda: _two_independent(Path(scratch), TRAINING | SMALL_STEPS),
                num_pairs=NUM_PAIRS,
                bar=0.95,
            ),
            compare(
                "cnn, TensorFlow, 2 workers: allreduce-flat (MPI) over tf-multiworker",
                launch(framework="tensorflow", strategy="allreduce-flat", controller="mpi"),
                launch(framework="tensorflow", strategy="tf-multiworker"),
                num_pairs=NUM_PAIRS,
                bar=1.0,
            ),
            *(
                compare(
                    f"cnn, TensorFlow: a worker of delayed-averaging (MPI, period {period}) over serial",
                    launch(
                        framework="tensorflow",
                        strategy={"name": "delayed-averaging", "period": period},
                        controller="mpi",
                    ),
                    launch(framework="tensorflow", strategy="serial", workers=1),
                    num_pairs=NUM_PAIRS,
                    bar=0.9,
                )
                for period in (4, 16)
            ),
            _share_of_a_launch(setting),
            _help(),
        ]


def samples_per_s_of_a_worker(record: Record) -> float:
    assert record.status == "ok", record.log_tail
    num_samples = sum(window.num_samples for part in record.workers for window in part.windows)
    return num_samples / record.cell.workers / max(part.train_s for part in record.workers)


def _two_independent(scratch: Path, fields: dict[str, Any]) -> float:
    """Two serial runs at once, each on a core of its own; samples/s of one."""

    def one(core: int) -> float:
        argv = [
            "taskset",
            "-c",
            str(core),
            sys.executable,
            "-m",
            "tests.perf.one_run",
            str(scratch),
            json.dumps(fields),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return float(done.stdout)

    with ThreadPoolExecutor() as pool:
        return statistics.mean(pool.map(one, sorted(os.sched_getaffinity(0))[:2]))


def _share_of_a_launch(setting: Setting) -> Figure:
    """Seconds of a cell that are neither worker start-up nor training."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", "epochs": 1})
    seconds = []
    for _ in range(NUM_PAIRS):
        started = time.perf_counter()
        record = run_cell(cell, setting, Silent())
        seconds.append(time.perf_counter() - started - record.wall_s)
    return Figure(what="harness work a cell outside its workers, s", values=tuple(seconds), bar=0.3, at_most=True)


def _help() -> Figure:
    seconds = []
    for _ in range(NUM_PAIRS):
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).parent / "hvdbench", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return Figure(what="hvdbench --help, s", values=tuple(seconds), bar=0.3, at_most=True)
