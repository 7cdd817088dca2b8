"""Both frameworks train the same thing by Horovod's own optimizer, in each of its settings."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from harness.parity.native import compare_curves, native_cells, native_parity
from harness.records.record import Point, Record
from harness.run.core_locks import LOCKS_VARIABLE, held
from harness.suite.cell import Cell
from tests.analysis.handmade import record

FNN = Cell.model_validate({"workload": "fnn", "strategy": "serial"})
CELLS = list(native_cells(FNN))


def test_every_setting_is_compared_over_the_same_steps() -> None:
    assert [cell.strategy_label for cell in CELLS] == [
        "allreduce",
        "allreduce backward_passes_per_step=2",
        "allreduce compression=fp16",
        "allreduce compression=fp16 backward_passes_per_step=2",
        "allreduce op=adasum",
        "allreduce op=adasum backward_passes_per_step=2",
        "allreduce op=adasum compression=fp16",
        "allreduce op=adasum compression=fp16 backward_passes_per_step=2",
    ]
    assert {(cell.workers, cell.evaluations, cell.epochs * 1437) for cell in CELLS} == {(2, 20, 20 * 64)}
    assert [cell.controller for cell in CELLS] == ["gloo"] * 4 + ["mpi"] * 4


def losing(*losses: float, score: float) -> Record:
    points = [
        Point(step=step, num_samples=64 * step, time_s=float(step), evaluation_s=0.0, loss=loss, score=score)
        for step, loss in enumerate(losses, start=1)
    ]
    return record(curve=points)


def test_curves_differ_by_shares_of_the_first_frameworks_values() -> None:
    """First loss 2 against 2, then 4 against 5; score 0.5 against 0.25."""
    found = compare_curves(losing(2.0, 4.0, score=0.5), losing(2.0, 5.0, score=0.25), metric="accuracy")
    assert [(each.kind, each.of, each.relative) for each in found] == [
        ("score", "accuracy", 0.5),
        ("first loss", "", 0.0),
        ("losses", "", 0.25),
    ]


def test_launches_keep_other_measurements_from_their_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_wait(why: str) -> None:
        raise TimeoutExpired(why, 0)

    def launched(*_: object) -> Record:
        with held(os.sched_getaffinity(0), refuse_to_wait):
            raise AssertionError("another measurement could begin")

    monkeypatch.setenv(LOCKS_VARIABLE, str(tmp_path))
    monkeypatch.setattr("harness.run.runner.run_cell", launched)
    with pytest.raises(TimeoutExpired, match="waiting for cores"):
        native_parity(CELLS[0])


# Each value of each setting, in real launches; `hvdbench parity --native` has all combinations.
@pytest.mark.parametrize("cell", [CELLS[1], CELLS[6]], ids=lambda cell: cell.strategy_label)
def test_frameworks_train_the_same_by_horovods_own_optimizer(cell: Cell) -> None:
    assert [f"{each.kind} {each.relative:.1e}" for each in native_parity(cell) if not each.holds] == []
