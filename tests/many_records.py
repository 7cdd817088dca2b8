"""Results folders of made-up records, as large suites leave them: what a report of thousands of runs is tried on.

Records are written as JSON from one template, since validating thousands takes a minute.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.records.record import Record
from harness.suite.cell import Cell
from tests.analysis.handmade import MACHINE, record

_Cell = dict[str, Any]

WORKLOADS = ("fnn", "cnn", "rnn")
_TORCH = (
    *({"strategy": name} for name in ("allreduce", "allreduce-flat", "torch-ddp", "hogwild", "torch-hogwild")),
    *({"strategy": {"name": "local-sgd", "period": period}} for period in (2, 4, 8, 16, 32)),
    *(
        {"strategy": {"name": "delayed-averaging", "merge": merge, "period": period}}
        for merge in ("delta", "mix", "pullback")
        for period in (2, 4, 8, 16)
    ),
)
_TENSORFLOW = (
    *({"strategy": name} for name in ("allreduce", "allreduce-flat", "hogwild")),
    *({"strategy": {"name": "local-sgd", "period": period}} for period in (2, 8)),
    *({"strategy": {"name": "delayed-averaging", "period": period}} for period in (4, 8)),
)
VARIANTS: tuple[_Cell, ...] = (*_TORCH, *({**cell, "framework": "tensorflow"} for cell in _TENSORFLOW))
WORKERS = (1, 2, 3, 4, 5, 6, 8)


def large_suite() -> list[_Cell]:
    """Every variant with every number of workers on every workload, 609 cells without their seeds."""
    whole = itertools.product(WORKLOADS, VARIANTS, WORKERS)
    return [{"workload": workload, **variant, "workers": workers} for workload, variant, workers in whole]


def write_results(folder: Path, cells: Sequence[_Cell], *, num_runs: int, num_windows: int) -> Path:
    """So many runs, which take the cells in turns, each time with the next seed. num_windows: of all workers of one.

    A cell has a speed of its own; its runs differ in id, times and noise.
    """
    folder.mkdir()
    rng = np.random.default_rng(0)
    slowness = rng.lognormal(sigma=0.4, size=len(cells))
    template = json.loads(record().model_dump_json())
    for number in range(num_runs):
        seed, position = divmod(number, len(cells))
        cell = Cell.model_validate({**cells[position], "seed": seed})
        step_s = 0.1 * slowness[position] / cell.workers**0.7
        content = template | _varied(template, cell, number, step_s, max(1, num_windows // cell.workers), rng)
        made = json.dumps(content)
        if number < len(cells):
            Record.model_validate_json(made)  # the generator keeps to the schema
        (folder / f"{cell.key}-{number:012x}.json").write_text(made)
    return folder


def _varied(
    template: dict[str, Any], cell: Cell, number: int, step_s: float, num_windows: int, rng: np.random.Generator
) -> dict[str, Any]:
    """The fields in which this run differs from the template."""
    part = template["workers"][0]
    durations = 10 * step_s * rng.lognormal(sigma=0.05, size=(cell.workers, num_windows))
    ends = durations.cumsum(axis=1)
    told = {"staleness_counts": [5, 90, 5]} if "hogwild" in cell.strategy else {}
    workers = [
        {
            **part,
            **told,
            "rank": rank,
            "train_s": ends[rank, -1],
            "pss_bytes": int(80 * 2**20 * rng.uniform(1, 2)),
            "windows": _windows(part["windows"][0], durations[rank], ends[rank]),
        }
        for rank in range(cell.workers)
    ]
    accuracies = 1 - 0.5 * np.exp(-np.arange(1, 21) / rng.uniform(2, 4))
    first, end_s = template["curve"][0], ends[0, -1]
    curve = [
        {**first, "step": 5 * i, "num_samples": 500 * i, "time_s": end_s * i / 20, "score": float(accuracy)}
        for i, accuracy in enumerate(accuracies, start=1)
    ]
    return {
        "id": f"{number:012x}",
        "cell": cell.stored().model_dump(mode="json"),
        "evaluated_model": cell.evaluated_model,
        "workers": workers,
        "curve": curve,
        "machine": MACHINE.model_dump(),
    }


def _windows(template: dict[str, Any], durations: np.ndarray, ends: np.ndarray) -> list[dict[str, Any]]:
    return [
        {**template, "start_s": end - duration, "end_s": end, "exposed_s": 0.2 * duration, "loader_s": 0.05 * duration}
        for duration, end in zip(durations.tolist(), ends.tolist(), strict=True)
    ]
