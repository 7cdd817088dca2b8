"""What suites/own/faults.yaml asks: one worker is at fault, and the others go on, or end with it."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.bootstrap.pins import ROOT
from harness.launchers.hosts import this_machine
from harness.records.machine_failures import is_the_machines
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from harness.workloads.stream import StreamPlace
from tests.run.test_runner import Quiet

OWN = ROOT / "suites" / "own"
NUM_SAMPLES = 12_800  # 200 steps of each worker, of which the 151st is at fault


@pytest.fixture(scope="module")
def cells() -> tuple[Cell, ...]:
    return Suite.load(OWN / "faults.yaml", repeats=1).cells


def ran(cells: tuple[Cell, ...], folder: Path, **wanted: str) -> Record:
    (cell,) = [cell for cell in cells if all(getattr(cell, name) == value for name, value in wanted.items())]
    setting = Setting(suite="faults", folder=ResultsFolder(folder), hosts=this_machine())
    setting.folder.make()
    return run_cell(cell.model_copy(update={"samples": NUM_SAMPLES, "evaluations": 2}), setting, Quiet())


@pytest.mark.needs_two_cores
@pytest.mark.parametrize("strategy", ["allreduce-flat", "hogwild"])
def test_death_ends_the_launch_where_no_server_keeps_the_weights(
    cells: tuple[Cell, ...], tmp_path: Path, strategy: str
) -> None:
    """As the worker that died, or as what the other says of it: a failure of the cell, and none of its machine."""
    record = ran(cells, tmp_path, workload="faults.py:death", strategy=strategy)
    assert (record.status, record.lost_ranks) == ("failed", [])
    assert not is_the_machines(record.reason or "")


@pytest.mark.needs_two_cores
@pytest.mark.parametrize("strategy", ["downpour", "elastic"])
def test_other_worker_goes_on_after_a_death_where_servers_keep_them(
    cells: tuple[Cell, ...], tmp_path: Path, strategy: str
) -> None:
    """With its own half, since work is dealt: 200 steps of 32 samples, and 151 of the other's at most."""
    record = ran(cells, tmp_path, workload="faults.py:death", strategy=strategy)
    assert (record.status, record.lost_ranks) == ("ok", [1]), f"{record.reason}\n{record.log_tail}"
    assert sum(window.num_steps for part in record.workers for window in part.windows) == 200


def test_suite_of_deaths_asks_of_these_cells_whether_they_finish(cells: tuple[Cell, ...]) -> None:
    deaths = Suite.load(OWN / "deaths.yaml", repeats=1)
    assert {cell.key for cell in deaths.cells} == {cell.key for cell in cells if cell.workload == "faults.py:death"}
    (claim,) = deaths.claims
    assert claim.rule.measure == "unfinished"
    assert [case.ours.cells[0].strategy for case in claim.cases] == ["hogwild", "downpour", "elastic"]


@pytest.mark.needs_two_cores
def test_gradient_of_no_number_leaves_no_score(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    record = ran(cells, tmp_path, workload="faults.py:no_number", strategy="hogwild")
    assert record.status == "ok", record.log_tail
    assert math.isfinite(record.curve[0].score)
    assert math.isnan(record.curve[-1].loss)


@pytest.mark.parametrize("variable", ["HVDBENCH_RANK", "HOROVOD_RANK"])
def test_gradients_of_one_worker_are_late(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """By 2 ms of sleep, and by nothing else."""
    faults = imported(monkeypatch)
    slept: list[float] = []
    monkeypatch.setattr(faults.time, "sleep", slept.append)
    for rank, expected in (("0", []), ("1", [0.002])):
        monkeypatch.setenv(variable, rank)
        late, whole = faults.straggler(), faults.make()
        assert late.loss(whole.model, late.test) == whole.loss(whole.model, whole.test)
        assert slept == expected


def imported(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """faults.py, with the stream.py that it takes its teacher from, for one test."""
    for name in ("stream", "faults"):
        spec = importlib.util.spec_from_file_location(name, OWN / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "changed"), [("no_number", 0), ("outlier", 1)])
def test_one_batch_of_one_worker_is_at_fault(monkeypatch: pytest.MonkeyPatch, name: str, changed: int) -> None:
    """Inputs of no number, or what the teacher says a hundredfold; the other half of that batch is as ever."""
    faults = imported(monkeypatch)
    faulty, whole = (made().train for made in (getattr(faults, name), faults.make))

    def both(rank: int, step: int) -> list[Any]:
        at = {"seed": 0, "rank": rank, "step": step, "batch_size": 4}
        return [stream.batch_at(StreamPlace(**at)) for stream in (faulty, whole)]

    for rank, step in ((0, 150), (1, 149), (1, 151)):
        one, other = both(rank, step)
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    one, other = both(1, 150)
    assert np.array_equal(one[1 - changed], other[1 - changed])
    expected = other[changed] * (100 if changed else math.nan)
    assert np.array_equal(one[changed], expected, equal_nan=True)
