"""Whose word is the reason of a launch that fails: real launches, whose strategy fails on one of two workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.launchers.hosts import Host
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from tests.run.test_runner import Quiet

# `os.abort` stands for a library of which threads still run where Python ends.
ABORTS_AT_ITS_END = """
import atexit, os
from harness.registry import STRATEGIES

class Mine(STRATEGIES[{base!r}]):
    def step(self, replica, fabric, batch):
        if fabric.rank == 1:
            atexit.register(os.abort)
            raise ValueError("mine")
        return super().step(replica, fabric, batch)
"""
IS_FORGIVEN = """
import time
from pathlib import Path
from harness.strategies.downpour import Downpour

class Mine(Downpour):
    def step(self, replica, fabric, batch):
        if fabric.rank == 1:
            raise OSError(28, "No space left on device")
        while not list(Path({folder!r}).glob("results/.runs/*/lost-1")):
            time.sleep(0.01)
        {then}
"""


def failed(folder: Path, code: str, **fields: Any) -> Record:
    (folder / "mine.py").write_text(code)
    given = {"workload": "fnn", "strategy": "mine.py:Mine", "workers": 2, "epochs": 1, "folder": str(folder)}
    hosts = (Host(name="localhost", slots=2),)
    setting = Setting(suite="a", folder=ResultsFolder(folder / "results"), hosts=hosts)
    setting.folder.make()
    record = run_cell(Cell.model_validate({**given, **fields}), setting, Quiet())
    assert record.status == "failed"
    return record


@pytest.mark.parametrize(
    ("base", "fields"),
    [("allreduce", {"controller": "gloo"}), ("allreduce", {"controller": "mpi"}), ("torch-ddp", {}), ("downpour", {})],
    ids=["gloo", "mpi", "torch-ddp", "downpour"],
)
def test_worker_that_would_crash_as_python_ends_is_told_by_its_word(
    tmp_path: Path, base: str, fields: dict[str, Any]
) -> None:
    record = failed(tmp_path, ABORTS_AT_ITS_END.format(base=base), **fields)
    assert record.reason == "rank 1: ValueError: mine"
    assert "ValueError: mine\n" in (record.log_tail or "")


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("raise ValueError('mine')", "rank 0: ValueError: mine"),
        ("import os; os.abort()", "a worker was killed by signal 6"),
        ("import os; os._exit(3)", "a worker ended with exit code 3"),
    ],
    ids=["raises", "crashes", "ends"],
)
def test_worker_without_which_a_launch_went_on_is_no_reason_of_its_later_end(
    tmp_path: Path, then: str, reason: str
) -> None:
    code = IS_FORGIVEN.format(folder=str(tmp_path), then=then)
    record = failed(tmp_path, code, strategy={"name": "mine.py:Mine", "lost_workers": "go-on"})
    assert (record.lost_ranks, record.reason) == ([1], reason)
