"""The report's own speed, and that of planning: 10,000 runs of 200 windows each, and the quick suite's size.

Times are of processes of their own, since peak memory is; the first load reads every record, the later ones the copy.
The quick suite's report, which readers wait for, is held to what plain seaborn takes for as many figures
(tests/perf/plain_figures.py), not to seconds of a machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from harness.analysis.loading import CACHE_FOLDER, FRAME_NAMES, load_all
from harness.timing.stopwatch import Stopwatch
from tests.many_records import WORKLOADS, large_suite, write_results
from tests.perf.alternating import alternate, seconds_of
from tests.perf.ending import ending_with_parent
from tests.perf.figure import Figure
from tests.report import browser

NUM_RUNS, NUM_WINDOWS = 10_000, 200
STRATEGIES = ("serial", "allreduce", "allreduce-flat", "local-sgd", "delayed-averaging", "hogwild")
REPORT_LIMIT_S, REPORT_LIMIT_BYTES = 60.0, 2 * 2**30
QUICK_LIMIT, SHOW_LIMIT_S = 0.8, 2.0  # the first: times as many figures by plain seaborn
LOAD_LIMIT = 2.0  # times reading the same as Parquet
NUM_LARGE, LARGE_LIMIT_MB, OPENING_LIMIT_S = 1827, 5.0, 2.0
NUM_LOADS, NUM_SHOWS, NUM_QUICK, NUM_QUICK_RUNS = 7, 5, 3, 63
ROOT = Path(__file__).resolve().parents[2]


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        many = write_results(Path(scratch, "many"), _cells(), num_runs=NUM_RUNS, num_windows=NUM_WINDOWS)
        quick = write_results(Path(scratch, "quick"), _cells(), num_runs=NUM_QUICK_RUNS, num_windows=50)
        large = write_results(Path(scratch, "large"), large_suite(), num_runs=NUM_LARGE, num_windows=24)
        first_s, first_bytes = _in_a_process(many, Path(scratch, "many-report"))
        return [
            _at_most(f"report over {NUM_RUNS} launches, nothing cached, s", first_s, REPORT_LIMIT_S),
            _at_most("its peak memory, GiB", first_bytes / 2**30, REPORT_LIMIT_BYTES / 2**30),
            *_quick_report(quick, Path(scratch, "quick-report")),
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


def _quick_report(results: Path, out: Path) -> list[Figure]:
    def report() -> float:
        shutil.rmtree(results / CACHE_FOLDER, ignore_errors=True)
        return _in_a_process(results, out)[0]

    plain = ending_with_parent([sys.executable, "-m", "tests.perf.plain_figures", out, out.with_name("plain")])
    taken_s = alternate(report, lambda: seconds_of(lambda: subprocess.run(plain, check=True)), num_pairs=NUM_QUICK)
    what = f"report of a quick suite ({NUM_QUICK_RUNS} runs), nothing cached"
    return [
        Figure(what=f"{what}: over plain figures", values=taken_s.ratios, bar=QUICK_LIMIT, at_most=True),
        Figure(what=f"{what}, s", values=taken_s.ours, bar=None),
    ]


def _large_page(results: Path, out: Path) -> list[Figure]:
    """Of every strategy with seven numbers of workers."""
    _in_a_process(results, out)
    page = out / "index.html"
    found = [_at_most(f"page of {NUM_LARGE} launches, MB", page.stat().st_size / 1e6, LARGE_LIMIT_MB)]
    if browser.is_installed():
        with browser.browsing(width=1400, height=900) as seen:
            found.append(_at_most("opening it in Chromium, s", seconds_of(lambda: seen.open(page)), OPENING_LIMIT_S))
    return found


def _in_a_process(folder: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak bytes of `hvdbench report`, interpreter and imports included."""
    code = (
        "import resource, sys; from harness.report import write_report; write_report(sys.argv[1:2], sys.argv[2]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    watch = Stopwatch()
    command = ending_with_parent([sys.executable, "-c", code, folder, out])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return watch.elapsed_s(), float(done.stdout)


def _show_with_an_index(folder: Path) -> Figure:
    """`hvdbench show` asks of the records what `run` does before its first launch."""
    suite = ROOT / "suites" / "quick.yaml"
    command = ending_with_parent([sys.executable, "-m", "harness.cli", "show", suite, "--results", folder])

    def show() -> object:
        return subprocess.run(command, check=True, capture_output=True)

    show()  # reads every record
    taken_s = tuple(seconds_of(show) for _ in range(NUM_SHOWS))
    return Figure(
        what=f"show over {NUM_RUNS} records after the first time, s", values=taken_s, bar=SHOW_LIMIT_S, at_most=True
    )


def _load_ratio(folder: Path) -> float:
    frames = folder / CACHE_FOLDER

    def as_parquet() -> object:
        return [pd.read_parquet(frames / f"{name}.parquet") for name in FRAME_NAMES]

    def load() -> float:
        return seconds_of(lambda: load_all(folder))

    return alternate(load, lambda: seconds_of(as_parquet), num_pairs=NUM_LOADS).ratio
