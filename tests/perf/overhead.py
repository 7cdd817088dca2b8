"""What the harness takes for itself: around a launch, and before the command line answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from harness.compare.comparison_folder import ComparisonFolder
from harness.launchers import processes
from harness.launchers.command import worker_argv
from harness.launchers.hosts import this_machine
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.timing.stopwatch import Stopwatch
from tests.perf.alternating import alternate, seconds_of
from tests.perf.ending import ending_with_parent
from tests.perf.figure import Figure

NUM_LAUNCHES, NUM_ANSWERS = 6, 15
HELP_LIMIT = 2.2  # times that of the smallest command line
SMALLEST = (
    "import typer; app = typer.Typer(add_completion=False, rich_markup_mode=None); app.command()(lambda: None); app()"
)
_HVDBENCH = Path(sys.executable).parent / "hvdbench"

# A shell that runs a command and notes when it began and ended, in a file.
NOTING_ITS_LIFE = ("/bin/sh", "-c", 'date +%s.%N > "$0"; "$@"; code=$?; date +%s.%N >> "$0"; exit $code')


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(suite="perf", folder=ResultsFolder(Path(scratch)), hosts=this_machine())
        return [_around_a_worker(setting), *_help(), _compare(Path(scratch))]


class _Silent:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


def _around_a_worker(setting: Setting) -> Figure:
    """Seconds of a cell in which its worker was not alive: making its folder, noticing its end, writing the record."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", "epochs": 1})
    times = setting.folder.path / "alive"
    seconds = []

    def noting(run_dir: Path) -> list[str]:
        return [*NOTING_ITS_LIFE, str(times), *worker_argv(run_dir)]

    with mock.patch.object(processes, "worker_argv", noting):
        for _ in range(NUM_LAUNCHES):
            watch = Stopwatch()
            assert run_cell(cell, setting, _Silent()).status == "ok"
            elapsed_s = watch.elapsed_s()
            began, ended = map(float, times.read_text().split())
            seconds.append(elapsed_s - (ended - began))
    return Figure(what="harness work a cell around its worker, s", values=tuple(seconds), bar=0.3, at_most=True)


def _help() -> list[Figure]:
    """Over a command line of one command that does nothing, by the same library."""
    ours, smallest = [_HVDBENCH, "--help"], [sys.executable, "-c", SMALLEST, "--help"]
    taken_s = alternate(lambda: _answer_s(ours), lambda: _answer_s(smallest), num_pairs=NUM_ANSWERS)
    return [
        Figure(what="hvdbench --help: over the smallest", values=taken_s.ratios, bar=HELP_LIMIT, at_most=True),
        Figure(what="hvdbench --help, s", values=taken_s.ours, bar=None),
    ]


def _answer_s(command: Sequence[str | Path]) -> float:
    return seconds_of(lambda: subprocess.run(command, capture_output=True, check=True))


def _compare(scratch: Path) -> Figure:
    """Start, planning, report and answer of a comparison as it is by default, over what its launches take."""
    folder = ComparisonFolder(scratch / "compare", "cnn")
    watch = Stopwatch()
    command = ending_with_parent([_HVDBENCH, "compare", "cnn", "-o", folder.path])
    subprocess.run(command, capture_output=True, check=True)
    elapsed_s = watch.elapsed_s()
    launches_s = sum(record.wall_s for place in (folder.measured, folder.results) for record in place.load())
    return Figure(
        what="hvdbench compare cnn: all of it over its launches",
        values=(elapsed_s / launches_s,),
        bar=1.05,
        at_most=True,
    )
