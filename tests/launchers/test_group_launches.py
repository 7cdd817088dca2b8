"""Groups of workers who share weights, their first ones averaging over Gloo: real launches of two groups of two."""

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
from tests.test_degenerate_runs import launch_together, same_bits

NUM_STEPS = 11  # of each of 4 workers: an epoch of 1,437 digits in steps of 4 × 32
PERIOD = {"period": 4, "delay": 2}

pytestmark = pytest.mark.needs_two_cores


def cell(strategy: dict[str, Any]) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": strategy, "workers": 4, "epochs": 1, "evaluations": 2})


def bytes_sent(record: Record) -> list[int]:
    return [sum(window.bytes_sent for window in part.windows) for part in record.workers]


def assert_first_of_each_group_averages(record: Record) -> None:
    """Each adds its updates, the first of a group sends two averages besides, of steps 4 and 8."""
    assert record.status == "ok", record.log_tail
    vector = 4 * int(record.vector_size or 0)
    assert bytes_sent(record) == [vector * (NUM_STEPS + own) for own in (2, 0, 2, 0)]
    assert record.curve[-1].loss < 0.7 * record.curve[0].loss
    assert record.curve[-1].num_samples == NUM_STEPS * 4 * 32


def test_groups_share_weights_and_average_with_one_another(tmp_path: Path) -> None:
    setting = Setting(suite="groups", folder=ResultsFolder(tmp_path), hosts=(Host(name="localhost", slots=4),))
    setting.folder.make()
    groups = cell({"name": "hogwild-averaging", "workers_per_group": 2, **PERIOD})
    assert_first_of_each_group_averages(run_cell(groups, setting, Quiet()))


def test_cells_of_an_existing_launch_have_groups_of_their_own(tmp_path: Path) -> None:
    """Horovod is started once, with the sets of all. Groups of one are delayed averaging bit for bit."""
    groups, ones = ({"name": "hogwild-averaging", "workers_per_group": size, **PERIOD} for size in (2, 1))
    cells = [cell(groups), cell(ones), cell({"name": "delayed-averaging", "merge": "delta", **PERIOD})]
    launch_together(cells, tmp_path)
    records = {record.key: record for record in ResultsFolder(tmp_path / "results").load()}
    of_groups, of_ones, delayed = (records[each.key] for each in cells)
    assert_first_of_each_group_averages(of_groups)
    same_bits(of_ones, delayed)
