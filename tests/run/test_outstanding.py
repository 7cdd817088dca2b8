"""What is left of a suite: done means done with the versions, settings and way of measuring that hold now."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from harness.bootstrap.pythons import dotted
from harness.records.index import entry_of
from harness.records.record import MEASURING_VERSION
from harness.run.outstanding import Outstanding, outstanding
from harness.run.versions import installed_versions
from harness.suite.cell import Cell
from harness.worker.machine_description import describe_machine
from tests.sample_records import finished

CELLS = [Cell.model_validate({"workload": "fnn", "strategy": "serial", "seed": seed}) for seed in range(5)]
ELSEWHERE = describe_machine().model_copy(update={"fingerprint": "another"})
OLDER_PYTHON = describe_machine().model_copy(update={"system": "Linux 6, Python 3.1.4"})


def left(*changes: dict[str, Any], settings: dict[str, str] | None = None) -> Outstanding:
    """Of the cells, where the first ones have records with these changes, in a launch with these settings."""
    records = [entry_of(finished(cell, **change)) for cell, change in zip(CELLS, changes, strict=False)]
    return outstanding(CELLS, records, lambda cell: settings or {})


def seeds(cells: Any) -> list[int]:
    return [cell.seed for cell in cells]


def test_missing_are_cells_without_a_finished_record_of_this_machine() -> None:
    found = left({}, {"status": "failed", "reason": "x", "log_tail": ""}, {"machine": ELSEWHERE})
    assert (seeds(found.missing), seeds(found.changed), found.in_words) == ([1, 2, 3, 4], [], None)
    assert found.num_of_other_machines == 1


@pytest.mark.parametrize(
    ("then", "difference"),
    [
        ({"settings": {}}, "HOROVOD_CYCLE_TIME not set (now 50)"),
        ({"settings": {"HOROVOD_CYCLE_TIME": "5"}}, "HOROVOD_CYCLE_TIME 5 (now 50)"),
        ({"versions": {**installed_versions(), "numpy": "1.0"}}, f"numpy 1.0 (now {installed_versions()['numpy']})"),
        ({"measuring": 1}, f"way of measuring 1 (now {MEASURING_VERSION})"),
        ({"machine": OLDER_PYTHON}, f"python 3.1 (now {dotted(sys.version_info[:2])})"),
    ],
)
def test_changed_are_cells_done_under_other_circumstances(then: dict[str, Any], difference: str) -> None:
    now = {"HOROVOD_CYCLE_TIME": "50"}
    found = left({"settings": now}, {"settings": now, **then}, settings=now)
    assert (seeds(found.changed), seeds(found.missing)) == ([1], [2, 3, 4])
    assert found.in_words == f"1 launch was done with {difference}: left as they are"


def test_driver_of_gpus_changes_a_cell_on_one_and_none_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = ({**installed_versions(), "nvidia-driver": driver} for driver in ("570.1", "580.2"))
    monkeypatch.setattr("harness.run.versions.installed_versions", lambda: now)
    cells = [CELLS[0], Cell.model_validate({"workload": "fnn", "strategy": "serial", "seed": 1, "device": "gpu"})]
    found = outstanding(cells, [entry_of(finished(cell, versions=before)) for cell in cells], lambda cell: {})
    assert (seeds(found.changed), found.missing) == ([1], ())
    assert found.in_words == "1 launch was done with nvidia-driver 570.1 (now 580.2): left as they are"


def collective(seed: int, controller: str, device: str = "cpu") -> Cell:
    asked = {"workload": "fnn", "strategy": "allreduce", "workers": 2, "controller": controller, "device": device}
    return Cell.model_validate(asked | {"seed": seed})


def test_nccl_and_cudnn_change_a_cell_on_a_gpu_and_none_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of pip's, as CUDA's builds of the frameworks bring them, which also lie on machines without a GPU."""
    nccl, cudnn = "nvidia-nccl-cu12", "nvidia-cudnn-cu12"
    before, now = (
        {**installed_versions(), nccl: version, cudnn: other}
        for version, other in (("2.27.5", "9.10"), ("2.28.3", "9.12"))
    )
    monkeypatch.setattr("harness.run.versions.installed_versions", lambda: now)
    cells = [CELLS[0], Cell.model_validate({"workload": "fnn", "strategy": "serial", "seed": 1, "device": "gpu"})]
    found = outstanding(cells, [entry_of(finished(cell, versions=before)) for cell in cells], lambda cell: {})
    assert (seeds(found.changed), found.missing) == ([1], ())
    assert found.in_words is not None
    assert f"{nccl} 2.27.5 (now 2.28.3)" in found.in_words
    assert f"{cudnn} 9.10 (now 9.12)" in found.in_words


@pytest.mark.parametrize(
    ("before", "now", "changed", "difference"),
    [
        (["libmpi.so.12", "mpi"], ["libmpi.so.40", "mpi"], [1], "horovod.mpi libmpi.so.12 (now libmpi.so.40)"),
        (["nccl", "nccl 2.27.3"], ["nccl", "nccl 2.28.3"], [2], "horovod.nccl 2.27.3 (now 2.28.3)"),
        (["gloo"], ["gloo", "nccl"], [2], "horovod.nccl none (now shared)"),
        (["gloo", "nccl"], ["gloo"], [2], "horovod.nccl shared (now none)"),
        (["gloo", "nccl"], ["gloo", "nccl"], [], None),
        (["gloo", "nccl"], ["gloo", "nccl", "nccl 2.28.3"], [], None),  # linked before too, in an older record
        (["gloo", "libmpi.so.40", "mpi"], ["libmpi.so.40", "mpi"], [], None),
        ([], ["gloo", "libmpi.so.40", "mpi", "nccl"], [], None),  # older records do not tell
    ],
)
def test_build_of_horovod_changes_the_cells_that_go_by_it(
    monkeypatch: pytest.MonkeyPatch, before: list[str], now: list[str], changed: list[int], difference: str | None
) -> None:
    """MPI over MPI, NCCL on GPUs."""
    monkeypatch.setattr("harness.run.versions.built_with", lambda framework: tuple(now))
    cells = [collective(0, "gloo"), collective(1, "mpi"), collective(2, "gloo", "gpu"), CELLS[3]]
    records = [entry_of(finished(cell, horovod_build=before if cell.workers > 1 else [])) for cell in cells]
    found = outstanding(cells, records, lambda cell: {})
    assert (seeds(found.changed), found.missing) == (changed, ())
    assert found.in_words == (f"1 launch was done with {difference}: left as they are" if difference else None)


def test_cell_that_trains_elsewhere_is_done_on_any_machine() -> None:
    records = [entry_of(finished(CELLS[0], machine=ELSEWHERE)), entry_of(finished(CELLS[1], machine=ELSEWHERE))]
    found = outstanding(CELLS[:2], records, lambda cell: {}, lambda cell: cell.seed == 1)
    assert (seeds(found.missing), seeds(found.changed)) == ([0], [])


def test_launches_done_on_other_machines_than_this_are_named_by_them() -> None:
    """Of four that train elsewhere one was done here; the fifth trains here, and is missing."""
    small, large = (ELSEWHERE.model_copy(update={"cpu": "Xeon", "num_cores": num}) for num in (4, 64))
    machines = (large, small, large, describe_machine(), small)
    records = [entry_of(finished(cell, machine=machine)) for cell, machine in zip(CELLS, machines, strict=True)]
    found = outstanding(CELLS, records, lambda cell: {}, lambda cell: cell.seed < 4)
    assert (seeds(found.missing), found.elsewhere_in_words) == ([4], "1 done on: Xeon × 4; 2 done on: Xeon × 64")
    assert left({}).elsewhere_in_words is None


def test_cell_done_before_and_after_a_change_is_done() -> None:
    records = [entry_of(finished(CELLS[0], measuring=1)), entry_of(finished(CELLS[0]))]
    assert not outstanding(CELLS[:1], records, lambda cell: {}).changed


def test_launch_that_was_stopped_is_done_without_evaluations_too() -> None:
    (part,) = finished().workers
    told = [part.model_copy(update={"stopped_after": 4})]
    found = left({"status": "timeout", "reason": "x", "log_tail": "", "curve": [], "workers": told})
    assert (seeds(found.missing), found.num_stopped) == ([1, 2, 3, 4], 1)


def test_launch_that_was_stopped_and_evaluated_is_done_and_one_that_was_ended_is_missing() -> None:
    stopped = {"status": "timeout", "reason": "x", "log_tail": ""}
    found = left(stopped, {**stopped, "curve": []}, {})
    assert (seeds(found.missing), found.num_stopped) == ([1, 3, 4], 1)
    records = [entry_of(finished(CELLS[0], **stopped))]
    assert seeds(outstanding(CELLS[:1], records, lambda cell: {}, stopped_is_done=False).missing) == [0]


def test_chosen_are_missing_or_changed_or_all() -> None:
    found = left({}, {"measuring": 1}, {})
    assert seeds(found.chosen(CELLS, None)) == [3, 4]
    assert seeds(found.chosen(CELLS, "changed")) == [1, 3, 4]
    assert seeds(found.chosen(CELLS, "all")) == [0, 1, 2, 3, 4]


def test_many_differences_are_counted() -> None:
    found = left({}, {}, settings={f"MALLOC_{letter}": "1" for letter in "abcdef"})
    assert found.in_words is not None
    assert found.in_words.startswith("2 launches were done with MALLOC_a not set (now 1), ")
    assert " and 2 more: left as they are" in found.in_words
