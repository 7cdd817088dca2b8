"""TensorFlow's ways to launch, for real: who runs where, and that each record adds up."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from harness.launchers.hosts import Host
from harness.launchers.supervisor import RUN_VARIABLE
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell

EPOCHS = 8
NUM_STEPS = 180  # of each worker: round(8 · 1437 / 64)


class _Watcher:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


@pytest.fixture(autouse=True)
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never answers: whoever asks it for an address on loopback waits until the time limit."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def launch(strategy: str, folder: Path) -> Record:
    cell = Cell.model_validate(
        {
            "workload": "fnn",
            "strategy": strategy,
            "framework": "tensorflow",
            "workers": 2,
            "epochs": EPOCHS,
            "evaluations": 2,
        }
    )
    setting = Setting(suite="a", folder=ResultsFolder(folder), hosts=(Host(name="localhost", slots=2),))
    record = run_cell(cell, setting, _Watcher())
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert left_over(record.id) == []
    return record


def left_over(run: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_VARIABLE) == run:
                found.append(process.name())
        except psutil.Error:
            continue
    return found


def num_samples(record: Record) -> int:
    return sum(window.num_samples for part in record.workers for window in part.windows)


def test_hogwild_is_threads_and_says_so(tmp_path: Path) -> None:
    record = launch("hogwild", tmp_path)
    assert record.launcher == "threads"
    assert [part.rank for part in record.workers] == [0, 1]
    assert {part.settings["workers"] for part in record.workers} == {"threads of one process"}
    assert num_samples(record) == NUM_STEPS * 64
    assert record.curve[-1].num_samples == NUM_STEPS * 64
    assert record.curve[-1].score > 0.9
    own_steps = [sum(window.num_steps for window in part.windows) for part in record.workers]
    assert sum(own_steps) == 2 * NUM_STEPS  # shared out as they come
    assert [sum(part.staleness_counts or []) for part in record.workers] == own_steps
    peaks = [part.peak_rss_bytes or 0 for part in record.workers]
    assert max(peaks) < 1.05 * min(peaks)  # shares of one process


@pytest.mark.parametrize(
    ("strategy", "launcher", "servers"),
    [
        ("tf-mirrored", "process", []),
        ("tf-parameter-server", "coordinator", [("server", 0), ("worker", 0), ("worker", 1)]),
    ],
)
def test_one_process_speaks_for_all_workers(
    tmp_path: Path, strategy: str, launcher: str, servers: list[tuple[str, int]]
) -> None:
    record = launch(strategy, tmp_path)
    assert record.launcher == launcher
    (part,) = record.workers
    assert part.num_workers == 2
    assert num_samples(record) == NUM_STEPS * 64
    assert record.curve[-1].num_samples == NUM_STEPS * 64
    assert record.curve[-1].score > 0.9
    assert [(served.role, served.index) for served in record.servers] == servers
    assert all(served.cpu_s > 0 and (served.peak_rss_bytes or 0) > 2**20 for served in record.servers)


def test_multi_worker_is_a_process_a_worker(tmp_path: Path) -> None:
    record = launch("tf-multiworker", tmp_path)
    assert record.launcher == "processes"
    assert [part.num_workers for part in record.workers] == [1, 1]
    assert num_samples(record) == NUM_STEPS * 64
