"""The report's own speed, and that of planning: 10,000 runs of 200 windows each, and the quick suite's size.

Times are of processes of their own, since peak memory is; the first load reads every record, the later ones the copy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.loading import CACHE_FOLDER, FRAME_NAMES, load_all
from tests.many_records import WORKLOADS, large_suite, write_results
from tests.perf.figure import Figure
from tests.report import browser

NUM_RUNS, NUM_WINDOWS = 10_000, 200
STRATEGIES = ("serial", "allreduce", "allreduce-flat", "local-sgd", "delayed-averaging", "hogwild")
REPORT_LIMIT_S, REPORT_LIMIT_BYTES = 60.0, 2 * 2**30
QUICK_LIMIT_S, SHOW_LIMIT_S = 8.0, 2.0
LOAD_LIMIT = 2.0  # times reading the same as Parquet
NUM_LARGE, LARGE_LIMIT_MB, OPENING_LIMIT_S = 1827, 5.0, 2.0
NUM_LOADS, NUM_SHOWS = 7, 5
ROOT = Path(__file__).resolve().parents[2]


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        many = write_results(Path(scratch, "many"), _cells(), num_runs=NUM_RUNS, num_windows=NUM_WINDOWS)
        quick = write_results(Path(scratch, "quick"), _cells(), num_runs=63, num_windows=50)
        large = write_results(Path(scratch, "large"), large_suite(), num_runs=NUM_LARGE, num_windows=24)
        first_s, first_bytes = _in_a_process(many, Path(scratch, "many-report"))
        quick_s, _ = _in_a_process(quick, Path(scratch, "quick-report"))
        return [
            _at_most(f"report over {NUM_RUNS} runs, nothing cached, s", first_s, REPORT_LIMIT_S),
            _at_most("its peak memory, GiB", first_bytes / 2**30, REPORT_LIMIT_BYTES / 2**30),
            _at_most("report of a quick suite (63 runs), nothing cached, s", quick_s, QUICK_LIMIT_S),
            _at_most("load_all after the first time over read_parquet, s", _load_ratio(many), LOAD_LIMIT),
            _show_with_an_index(many),
            *_large_page(large, Path(scratch, "large-report")),
        ]


def _at_most(what: str, value: float, bar: float) -> Figure:
    return Figure(what=what, values=(value,), bar=bar, at_most=True)


def _cells() -> list[dict]:
    """As a suite of three workloads has them."""
    return [
        {"workload": workload, "strategy": strategy, "workers": workers}
        for workload in WORKLOADS
        for strategy in STRATEGIES
        for workers in ((1,) if strategy == "serial" else (1, 2, 4))
    ]


def _large_page(results: Path, out: Path) -> list[Figure]:
    """Of every strategy with seven numbers of workers."""
    _in_a_process(results, out)
    page = out / "index.html"
    found = [_at_most(f"page of {NUM_LARGE} runs, MB", page.stat().st_size / 1e6, LARGE_LIMIT_MB)]
    if browser.is_installed():
        with browser.browsing(width=1400, height=900) as seen:
            found.append(_at_most("opening it in Chromium, s", _seconds(lambda: seen.open(page)), OPENING_LIMIT_S))
    return found


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
