"""The machine of a record is that of whoever trained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.run_columns import what_ran
from harness.records.machines import Place, hosts_of, kernels_of, machine_of, python_of
from harness.records.record import Machine, WorkerPart
from harness.records.run_files import place_path
from harness.run import runner
from harness.worker.machine_description import describe_machine
from harness.worker.machine_identity import machine_id
from tests.analysis.handmade import MACHINE
from tests.sample_records import finished

OLD = MACHINE.model_copy(
    update={"fingerprint": "000000000001", "cpu": "An Old CPU", "system": "Linux 5, Python 3.11.7"}
)
NEW = OLD.model_copy(
    update={"fingerprint": "000000000002", "cpu": "A New CPU", "num_cores": 8, "gpus": ["A100"], "load_1min": 2.0}
)


def part(rank: int, host: str | None, machine: Machine | None) -> WorkerPart:
    changes: dict[str, Any] = {"rank": rank, "host": host, "machine": machine}
    return finished().workers[0].model_copy(update=changes)


def test_machine_of_alike_ones_is_one_of_them_at_its_highest_load() -> None:
    busy = OLD.model_copy(update={"load_1min": 3.0})
    found = machine_of([part(0, "a", OLD), part(1, "a", None), part(2, "b", busy), part(3, "b", None)])
    assert found == busy


def test_machine_of_unlike_ones_says_so_and_is_like_none_of_them() -> None:
    found = machine_of([part(0, "a", NEW), part(1, "a", None), part(2, "b", OLD), part(3, "c", NEW)])
    assert found is not None
    assert found.num_kinds == 2
    assert found.cpu == "1 × An Old CPU, 4 cores; 2 × A New CPU, 8 cores"
    assert (found.num_cores, found.gpus, found.load_1min) == (4, ["A100"], 2.0)
    again = machine_of([part(0, "d", OLD), part(1, "e", NEW), part(2, "f", NEW)])
    fewer = machine_of([part(0, "d", OLD), part(1, "e", NEW)])
    assert again is not None
    assert fewer is not None
    assert again.fingerprint == found.fingerprint
    assert len({OLD.fingerprint, NEW.fingerprint, found.fingerprint, fewer.fingerprint}) == 4


def test_machine_is_unknown_where_workers_do_not_tell() -> None:
    assert machine_of([part(0, None, None)]) is None
    assert hosts_of([part(0, None, None)]) == frozenset()
    assert kernels_of([part(0, None, None)]) == {}


def test_hosts_of_one_machine_have_its_kernel() -> None:
    same = OLD.model_copy(update={"kernel": "k"})
    parts = [part(0, "a", same), part(1, "a", None), part(2, "b", same), part(3, "c", OLD), part(4, "d", None)]
    assert kernels_of(parts) == {"a": "k", "b": "k", "c": None}


@pytest.mark.parametrize(
    ("kernels", "number"), [(("k", "k"), 1.0), (("k", "l"), 2.0), (("k", None), math.nan), ((), math.nan)]
)
def test_machines_are_counted_where_all_tell_their_kernel(kernels: tuple[str | None, ...], number: float) -> None:
    parts = [part(rank, f"h{rank}", OLD.model_copy(update={"kernel": told})) for rank, told in enumerate(kernels)]
    column = what_ran(finished(workers=parts), "results")["num_machines"]
    assert column == pytest.approx(number, nan_ok=True)


@pytest.mark.parametrize(
    ("system", "python"),
    [
        ("Linux 6.1.0-3.11, Python 3.11.7", "3.11"),
        ("Linux 6, Python 3.13.0rc2", "3.13"),
        ("Linux 5, Python 3.12.1; Linux 6, Python 3.11.7; Linux 6, Python 3.12.1", "3.11, 3.12"),
        ("Linux 6", ""),
    ],
)
def test_python_is_told_by_its_series(system: str, python: str) -> None:
    assert python_of(OLD.model_copy(update={"system": system})) == python


@pytest.mark.parametrize(
    ("host", "fingerprint"),
    [
        ("elsewhere", OLD.fingerprint),
        (machine_id(), describe_machine().fingerprint),
        (None, describe_machine().fingerprint),
    ],
)
def test_machine_of_a_launch_is_where_it_trained(tmp_path: Path, host: str | None, fingerprint: str) -> None:
    assert runner._machine([part(0, host, None if host is None else OLD)], tmp_path).fingerprint == fingerprint


def test_machine_of_a_launch_that_crashed_is_where_it_had_begun(tmp_path: Path) -> None:
    """Else it would count on the machine that started it, among launches of another one."""
    assert runner._machine([], tmp_path).fingerprint == describe_machine().fingerprint
    for rank, (host, machine) in enumerate({"a": OLD, "b": NEW}.items()):
        place_path(tmp_path, rank).write_text(Place(host=host, machine=machine).model_dump_json())
    both = machine_of([part(0, "a", OLD), part(1, "b", NEW)])
    assert both is not None
    for parts in ([], [part(0, "a", OLD)]):  # of which one may have left its part
        assert runner._machine(parts, tmp_path).fingerprint == both.fingerprint
