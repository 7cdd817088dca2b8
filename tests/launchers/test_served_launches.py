"""Workers and their servers, for real: that they learn, and how a launch ends whose server dies or hangs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.launchers.hosts import Host
from harness.launchers.supervisor import processes_of
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.run_folder import RUNS_FOLDER
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell

LONG = {"workload": "fnn", "epochs": 1_000_000}
SERVER = "harness.servers.shard_server"
LOSES_ONE = """
import os, signal
from harness.strategies.downpour import Downpour

class LosesOne(Downpour):
    def setup(self, replica, fabric):
        super().setup(replica, fabric)
        self._num_taken = 0

    def step(self, replica, fabric, batch):
        self._num_taken += 1
        if fabric.rank == 1 and self._num_taken == 50:  # not yet in warm-up
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(replica, fabric, batch)
"""


class _Watcher:
    """Does something to the launch, once, when it trains."""

    def __init__(self, act: Callable[[], None] | None = None) -> None:
        self._act = act

    def cell_started(self, cell: Cell) -> None: ...

    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()

    def cell_ended(self, record: Record) -> None: ...


def launch(folder: Path, act: Callable[[], None] | None = None, *, code: Path | None = None, **fields: Any) -> Record:
    """code: the folder that a strategy of a file is in."""
    given = {"workload": "cnn", "workers": 2, "evaluations": 3, "folder": None if code is None else str(code)}
    cell = Cell.model_validate({**given, **fields})
    setting = Setting(suite="a", folder=ResultsFolder(folder), hosts=(Host(name="localhost", slots=2),))
    record = run_cell(cell, setting, _Watcher(act))
    assert processes_of(record.id) == []
    return record


def tell_server(folder: Path, number: signal.Signals) -> None:
    (server,) = (each for each in processes_in(folder) if SERVER in each.cmdline())
    server.send_signal(number)


def kill_worker(folder: Path, rank: int) -> None:
    (worker,) = (each for each in processes_in(folder) if each.environ().get("HVDBENCH_RANK") == str(rank))
    worker.kill()


def processes_in(folder: Path) -> list[psutil.Process]:
    (run_dir,) = (folder / RUNS_FOLDER).iterdir()
    return processes_of(run_dir.name)


@pytest.mark.parametrize("strategy", ["downpour", "elastic"])
def test_served_workers_reach_the_target_and_leave_what_their_servers_took(tmp_path: Path, strategy: str) -> None:
    record = launch(tmp_path, strategy={"name": strategy, "servers": 2}, epochs=12)
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert max(point.score for point in record.curve) >= 0.97
    assert [(part.role, part.index) for part in record.servers] == [("server", 0), ("server", 1)]
    assert all(part.cpu_s > 0 and (part.peak_rss_bytes or 0) > 2**20 for part in record.servers)
    steps = sum(window.num_steps for part in record.workers for window in part.windows)
    assert steps == 2 * record.curve[-1].step
    pushed = sum(window.bytes_sent for part in record.workers for window in part.windows)
    num_pushes = sum(sum(part.staleness_counts or []) for part in record.workers)
    assert pushed == num_pushes * 4 * (record.vector_size or 0)
    assert sum(part.bytes_sent or 0 for part in record.servers) >= pushed // 2  # a pull comes with a push


def test_servers_count_until_the_last_worker_has_trained(tmp_path: Path) -> None:
    """Rank 0 is done when the other has taken a third of its steps: two thirds of all weights were pulled by then."""
    slowed = {"work": "dealt", "slowed": {"rank": 1, "factor": 3.0}}
    record = launch(tmp_path, strategy="downpour", epochs=6, **slowed)
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    pushed = sum(window.bytes_sent for part in record.workers for window in part.windows)
    (server,) = record.servers
    assert (server.bytes_sent or 0) > 0.9 * pushed  # a pull comes with a push


def test_launch_whose_server_is_killed_ends_with_that(tmp_path: Path) -> None:
    record = launch(tmp_path, lambda: tell_server(tmp_path, signal.SIGKILL), strategy="downpour", **LONG)
    assert (record.status, record.reason) == ("failed", "a server was killed by signal 9")


def test_launch_whose_server_hangs_ends_at_its_deadline(tmp_path: Path) -> None:
    strategy = {"name": "elastic", "server_deadline_s": 2}
    record = launch(tmp_path, lambda: tell_server(tmp_path, signal.SIGSTOP), strategy=strategy, **LONG)
    assert record.status == "failed"
    assert "ShardError: server 0 (unix:@hvdbench-" in (record.reason or "")
    assert "has not answered for 2 s" in (record.reason or "")


def test_others_take_the_steps_of_a_worker_that_is_lost(tmp_path: Path) -> None:
    """But those few that it has claimed and not taken, or not pushed."""
    (tmp_path / "mine.py").write_text(LOSES_ONE)
    strategy = {"name": "mine.py:LosesOne", "lost_workers": "go-on"}
    record = launch(tmp_path, strategy=strategy, code=tmp_path, workload="fnn", epochs=100)
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert (record.lost_ranks, [part.rank for part in record.workers]) == ([1], [0])
    num_samples = 100 * 1437
    assert 0.99 * num_samples < record.curve[-1].num_samples <= num_samples + 128
    assert record.curve[-1].score > 0.9


def test_launch_ends_with_a_worker_that_is_lost_unless_it_may_go_on(tmp_path: Path) -> None:
    record = launch(tmp_path, lambda: kill_worker(tmp_path, 1), strategy="downpour", **LONG)
    assert (record.status, record.reason, record.lost_ranks) == ("failed", "a worker was killed by signal 9", [])
