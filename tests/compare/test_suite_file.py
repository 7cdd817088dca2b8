"""The plan as a file: what is read back from it is what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.compare.candidates import candidates
from harness.compare.comparison_folder import ComparisonFolder
from harness.compare.planning import Entry, LaunchPlan
from harness.compare.request import Request, title_of
from harness.compare.suite_file import blocks_of, question_of, suite_text
from harness.launchers.hosts import parse_hosts
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from tests.compare.asked import asked, own_workload


def plan_of(cells: Sequence[Cell], **changes: Any) -> LaunchPlan:
    entries = tuple(Entry(strategy=cell.strategy, framework=cell.framework, workers=cell.workers) for cell in cells)
    given = {"entries": entries, "repeats": 3, "estimate_s": 90.0, "longest_s": 6.0, "given_up": ()}
    return LaunchPlan(**{**given, **changes})


def kept_in(path: Path, request: Request, **changes: Any) -> tuple[ComparisonFolder, tuple[Cell, ...]]:
    cells = candidates(request, parse_hosts(request.hosts or "localhost:2")).cells
    folder = ComparisonFolder(path, title_of(request))
    folder.keep(request, suite_text(request, plan_of(cells, **changes), cells, folder, time_budget_s=500))
    return folder, cells


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"workers": [2], "framework": "tensorflow"},
        {"framework": "torch,tensorflow", "strategies": ["serial", "hogwild", "torch-ddp"]},
        {"framework": "torch,tensorflow", "strategies": ["tf-multiworker"], "workers": [2]},
        {"dataset": "synthetic", "strategies": ["hogwild", "serial", "torch-ddp"]},
        {"epochs": 2.5, "hosts": "a:1,b:1", "strategies": ["allreduce", "post-local-sgd", "hogwild"]},
    ],
)
def test_suite_that_is_read_back_has_the_cells_of_the_plan(tmp_path: Path, fields: dict[str, Any]) -> None:
    folder, cells = kept_in(tmp_path, asked(**fields))
    suite = Suite.load(folder.suite)
    assert {cell.key for cell in suite.cells} == {cell.with_seed(seed).key for cell in cells for seed in range(3)}
    assert (suite.repeats, suite.time_budget_s) == (3, 500)


def test_suite_of_own_code_takes_paths_from_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cells = kept_in(Path("compare/mine"), asked(own_workload(tmp_path, monkeypatch)))
    assert "\nfolder: ../..  # where paths of code begin\n" in folder.suite.read_text()
    suite = Suite.load(folder.suite)
    assert {cell.key for cell in suite.cells} == {cell.with_seed(seed).key for cell in cells for seed in range(3)}
    assert {(cell.workload, cell.folder) for cell in suite.cells} == {("my_training.py:make", str(tmp_path))}


def test_suite_says_how_to_run_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder, _ = kept_in(Path("my plan\n- {}"), asked(hosts="localhost:2", strategies=["serial"], workers=[1]))
    assert folder.suite.read_text().startswith(
        "#   hvdbench compare fnn --hosts localhost:2 --strategies serial --workers 1 --repeats 5 --minutes 20\n"
        "# About 1.5 minutes. Edit it as you like, and run what is new of it:\n"
        "#   hvdbench run 'my plan - {}/fnn.yaml' -H localhost:2\n"
        "#   hvdbench report "
    )
    assert len(Suite.load(folder.suite).cells) == 3


def test_launches_that_take_long_get_a_limit_of_three_times_their_estimate(tmp_path: Path) -> None:
    folder, _ = kept_in(tmp_path, asked(), longest_s=400.0)
    assert {cell.time_limit_s for cell in Suite.load(folder.suite).cells} == {1200.0}


def test_question_names_what_is_compared(tmp_path: Path) -> None:
    _, cells = kept_in(tmp_path, asked())
    assert question_of(cells) == "Which strategy is soonest, fnn on digits to accuracy 96%, with 1 and 2 workers?"
    _, cells = kept_in(tmp_path, asked(dataset="synthetic", workers=[2], strategies=["hogwild"]))
    assert question_of(cells).startswith("Which strategy trains fastest, fnn on synthetic (2048 of ")


def test_block_is_of_all_frameworks_that_have_it(tmp_path: Path) -> None:
    _, cells = kept_in(tmp_path, asked(framework="torch,tensorflow", strategies=["hogwild", "torch-ddp"], workers=[2]))
    assert [(block.labels, block.frameworks) for block in blocks_of(cells)] == [
        (("hogwild",), ("torch", "tensorflow")),
        (("torch-ddp",), ("torch",)),
    ]


def test_blocks_hold_strategies_of_the_same_settings_and_workers(tmp_path: Path) -> None:
    _, cells = kept_in(tmp_path, asked(strategies=["serial", "local-sgd", "hogwild", "allreduce"]))
    assert [(block.labels, block.workers) for block in blocks_of(cells)] == [
        (("serial",), (1,)),
        (("local-sgd", "allreduce"), (1, 2)),
        (("hogwild",), (1, 2)),
    ]
