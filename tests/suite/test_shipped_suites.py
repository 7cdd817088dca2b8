"""The suites that ship: wherever strategies compete, the opponent that steps by the same code is among them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT
from harness.suite.cell import Cell
from harness.suite.suite import Suite

SUITES = sorted((ROOT / "suites").glob("*.yaml"))
NOBODY_COMPETES = {"smoke.yaml"}  # compares launches with themselves, by `hvdbench check`


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
