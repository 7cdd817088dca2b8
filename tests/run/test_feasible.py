"""What this machine cannot run is said before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launchers.hosts import Host
from harness.run.feasible import first_obstacle, horovod_supports
from harness.suite.cell import Cell
from harness.workloads.data import DATA_VARIABLE

TWO_SLOTS = (Host(name="localhost", slots=2),)


def cell_of(**fields: object) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "hogwild", **fields})


def test_what_can_run_has_no_obstacle() -> None:
    assert first_obstacle([cell_of(workers=2), cell_of(strategy="allreduce")], TWO_SLOTS) is None


def test_more_workers_than_slots_are_refused() -> None:
    said = first_obstacle([cell_of(), cell_of(workers=4)], TWO_SLOTS)
    assert said is not None
    assert said.endswith(
        "workers: 4 on localhost; allowed: up to its 2 slots; `hosts` in the suite shares them out, "
        "`hvdbench run -H localhost:4` says that it may take more"
    )


def test_missing_data_set_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    said = first_obstacle([cell_of(dataset="fashion-mnist")], TWO_SLOTS)
    assert said is not None
    assert "dataset: fashion-mnist is not on this machine: apt-get install dataset-fashion-mnist" in said


def test_more_gpus_than_there_are_is_refused() -> None:
    hosts = (Host(name="localhost", slots=999),)
    said = first_obstacle([cell_of(strategy="allreduce", device="gpu", workers=999)], hosts)
    assert said is not None
    assert "device: gpu with 999 workers on a host; this one has" in said


def test_horovod_is_looked_for_by_framework() -> None:
    assert horovod_supports("torch")
    assert not horovod_supports("mxnet")
