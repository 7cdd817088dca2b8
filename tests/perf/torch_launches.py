"""PyTorch strategies against each other, over real launches. Needs two cores."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.perf.figure import Figure, compare
from tests.perf.launches import NUM_PAIRS, TRAINING, launching

SMALL_STEPS: dict[str, Any] = {"batch_size": 16, "epochs": 60}  # the recipe's: a quarter of the work between updates


def figures() -> list[Figure]:
    with launching() as (launch, setting):
        return [
            compare(
                "cnn, 2 workers: allreduce-flat (MPI) over torch-ddp",
                launch(strategy="allreduce-flat", controller="mpi"),
                launch(strategy="torch-ddp"),
                num_pairs=NUM_PAIRS,
                bar=1.0,
            ),
            *(
                compare(
                    f"cnn, 2 workers{which}: hogwild over two independent processes",
                    launch(strategy="hogwild", **fields),
                    lambda fields=fields: _two_independent(setting.folder.path, TRAINING | fields),
                    num_pairs=NUM_PAIRS,
                    bar=0.95,
                )
                for which, fields in (("", {}), (", batches of 16", SMALL_STEPS))
            ),
        ]


def _two_independent(scratch: Path, fields: dict[str, Any]) -> float:
    """Two serial runs at once, each on a core of its own; samples/s of one."""

    def one(core: int) -> float:
        run_it = [sys.executable, "-m", "tests.perf.one_run", str(scratch), json.dumps(fields)]
        argv = ["taskset", "-c", str(core), *run_it]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return float(done.stdout)

    with ThreadPoolExecutor() as pool:
        return statistics.mean(pool.map(one, sorted(os.sched_getaffinity(0))[:2]))
