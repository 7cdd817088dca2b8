"""Groups of workers: the process sets over which their first ones average, with which Horovod is started."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.fabrics.process_sets import process_sets
from harness.suite.cell import Cell

HVD = SimpleNamespace(ProcessSet=list)  # of ranks


def cell(workers: int, per_group: int | None, **fields: Any) -> Cell:
    strategy = {"name": "hogwild-averaging", "workers_per_group": per_group}
    return Cell.model_validate({"workload": "fnn", "strategy": strategy, "workers": workers, **fields})


def test_cells_of_one_launch_have_each_process_set_once() -> None:
    cells = [cell(6, 2), cell(6, 3), cell(6, 2, seed=1)]
    assert process_sets(cells, HVD) == [[0, 2, 4], [0, 3]]


def test_groups_are_those_of_the_hosts_unless_said() -> None:
    assert process_sets([cell(6, None, hosts=2)], HVD) == [[0, 3]]


def test_groups_of_one_one_group_and_other_strategies_need_none() -> None:
    other = Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": 4})
    assert process_sets([cell(4, 1), cell(4, 4), cell(4, None), other], HVD) == []
