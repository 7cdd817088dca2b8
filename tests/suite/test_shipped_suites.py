"""The suites that ship: wherever strategies compete, one that steps by the same code is among them, and one worker."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT
from harness.suite.cell import Cell
from harness.suite.suite import Suite

SUITES = sorted((ROOT / "suites").glob("*.yaml"))
NOBODY_COMPETES = {"smoke.yaml"}  # compares launches with themselves, by `hvdbench check`
JUDGED_BY_RULES = {path.name for path in SUITES if path.name.startswith("claims")}  # not by scores against one worker
NO_SINGLE_WORKER = {("quick.yaml", "cnn on digits", "tensorflow")}  # ten minutes have no room for it


def contest(cell: Cell) -> tuple[str, ...]:
    return cell.problem, cell.framework, str(cell.workers), str(cell.hosts), cell.batch_per, str(cell.controller)


@pytest.mark.parametrize(
    "path", [path for path in SUITES if path.name not in NOBODY_COMPETES], ids=lambda path: path.name
)
def test_opponent_takes_part_wherever_horovod_strategies_compete(path: Path) -> None:
    horovod = sorted((cell for cell in Suite.load(path).cells if cell.needs.uses_horovod), key=contest)
    assert horovod
    for named, cells in groupby(horovod, contest):
        assert "allreduce-flat" in {cell.strategy for cell in cells}, named


def alone(cell: Cell) -> tuple[str, str]:
    """What one worker has to learn, at full speed, so that scores of several can be held against its own."""
    return cell.model_copy(update={"slowed": None}).problem, cell.framework


@pytest.mark.parametrize(
    "path", [path for path in SUITES if path.name not in NOBODY_COMPETES | JUDGED_BY_RULES], ids=lambda path: path.name
)
def test_one_worker_learns_whatever_several_do(path: Path) -> None:
    cells = Suite.load(path).cells
    single = {alone(cell) for cell in cells if cell.workers == 1}
    lacking = {(path.name, *alone(cell)) for cell in cells if cell.workers > 1 and alone(cell) not in single}
    assert lacking <= NO_SINGLE_WORKER
