"""The report's own speed, and that of planning: 10,000 runs of 200 windows each, and the quick suite's size.

Times are of processes of their own, since peak memory is; the first load reads every record, the later ones the copy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.loading import CACHE_FOLDER, FRAME_NAMES, load_all
from harness.records.record import Record
from harness.suite.cell import Cell
from tests.analysis.handmade import MACHINE, record
from tests.perf.figure import Figure

NUM_RUNS, NUM_WINDOWS = 10_000, 200
STRATEGIES = ("serial", "allreduce", "allreduce-flat", "local-sgd", "delayed-averaging", "hogwild")
REPORT_LIMIT_S, REPORT_LIMIT_BYTES = 60.0, 2 * 2**30
QUICK_LIMIT_S, SHOW_LIMIT_S = 8.0, 2.0
LOAD_LIMIT = 2.0  # times reading the same as Parquet
NUM_LOADS, NUM_SHOWS = 7, 5
ROOT = Path(__file__).resolve().parents[2]


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        many, quick = Path(scratch, "many"), Path(scratch, "quick")
        write_results(many, num_runs=NUM_RUNS, num_windows=NUM_WINDOWS)
        write_results(quick, num_runs=63, num_windows=50)
        first_s, first_bytes = _in_a_process(many, Path(scratch, "many-report"))
        quick_s, _ = _in_a_process(quick, Path(scratch, "quick-report"))
        return [
            _at_most(f"report over {NUM_RUNS} runs, nothing cached, s", first_s, REPORT_LIMIT_S),
            _at_most("its peak memory, GiB", first_bytes / 2**30, REPORT_LIMIT_BYTES / 2**30),
            _at_most("report of a quick suite (63 runs), nothing cached, s", quick_s, QUICK_LIMIT_S),
            _at_most("load_all after the first time over read_parquet, s", _load_ratio(many), LOAD_LIMIT),
            _show_with_an_index(many),
        ]


def _at_most(what: str, value: float, bar: float) -> Figure:
    return Figure(what=what, values=(value,), bar=bar, at_most=True)


def write_results(folder: Path, *, num_runs: int, num_windows: int) -> None:
    """A results folder as a suite of three workloads leaves it; records differ in cell, id, times and noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    cells = [
        {"workload": workload, "strategy": strategy, "workers": workers}
        for workload in ("fnn", "cnn", "rnn")
        for strategy in STRATEGIES
        for workers in ((1,) if strategy == "serial" else (1, 2, 4))
    ]
    template = json.loads(record().model_dump_json())
    for number in range(num_runs):
        cell = Cell.model_validate({**cells[number % len(cells)], "seed": number // len(cells)})
        content = template | _varied(template, cell, number, num_windows // cell.workers, rng)
        made = json.dumps(content)
        if number < len(cells):
            Record.model_validate_json(made)  # the generator keeps to the schema
        (folder / f"{cell.key}-{number:012x}.json").write_text(made)


def _varied(template: dict, cell: Cell, number: int, num_windows: int, rng: np.random.Generator) -> dict:
    """The fields in which this run differs from the template."""
    part = template["workers"][0]
    durations = 0.1 * rng.lognormal(sigma=0.05, size=(cell.workers, num_windows))
    ends = durations.cumsum(axis=1)
    workers = [
        {
            **part,
            "rank": rank,
            "train_s": ends[rank, -1],
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


def _windows(template: dict, durations: np.ndarray, ends: np.ndarray) -> list[dict]:
    return [
        {**template, "start_s": end - duration, "end_s": end, "exposed_s": 0.2 * duration, "loader_s": 0.05 * duration}
        for duration, end in zip(durations.tolist(), ends.tolist(), strict=True)
    ]


def _in_a_process(folder: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak bytes of `hvdbench report`, interpreter and imports included."""
    code = (
        "import resource, sys; from harness.report import write_report; write_report(sys.argv[1:2], sys.argv[2]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, folder, out], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, float(done.stdout)


def _show_with_an_index(folder: Path) -> Figure:
    """`hvdbench show` asks of the records what `run` does before its first launch."""
    command = [
        sys.executable,
        "-m",
        "harness.cli",
        "show",
        str(ROOT / "suites" / "quick.yaml"),
        "--results",
        str(folder),
    ]

    def show() -> object:
        return subprocess.run(command, check=True, capture_output=True)

    show()  # reads every record
    taken_s = tuple(_seconds(show) for _ in range(NUM_SHOWS))
    return Figure(
        what=f"show over {NUM_RUNS} records after the first time, s", values=taken_s, bar=SHOW_LIMIT_S, at_most=True
    )


def _load_ratio(folder: Path) -> float:
    """Interleaved, since the machine's speed drifts; the ratio of the medians."""
    frames = folder / CACHE_FOLDER

    def as_parquet() -> object:
        return [pd.read_parquet(frames / f"{name}.parquet") for name in FRAME_NAMES]

    pairs = [(_seconds(lambda: load_all(folder)), _seconds(as_parquet)) for _ in range(NUM_LOADS)]
    ours, theirs = zip(*pairs, strict=True)
    return float(np.median(ours) / np.median(theirs))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
