from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.check.stored import compare
from harness.records.record import Interruptions, Record
from harness.records.results_folder import ResultsError
from harness.suite.cell import Cell
from harness.suite.gates import CheckSettings
from tests.sample_records import FNN, finished

SETTINGS = CheckSettings()
CELL = Cell.model_validate(FNN)


def at_speed(seed: int, factor: float, cell: Cell = CELL, **changes: Any) -> Record:
    record = finished(cell.with_seed(seed), **changes)
    window = record.workers[0].windows[0].model_copy(update={"end_s": 2.0 * factor * (1 + 0.001 * seed)})
    part = record.workers[0].model_copy(update={"windows": [window]})
    points = [record.curve[0].model_copy(update={"time_s": t, "score": s}) for t, s in ((1.9, 0.5), (2.0, 0.99))]
    return record.model_copy(update={"workers": [part], "curve": points})


def results(folder: Path, records: Any) -> Path:
    folder.mkdir()
    for record in records:
        (folder / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    return folder


def side(tmp_path: Path, name: str, factor: float = 1.0, num: int = 8, **changes: Any) -> Path:
    return results(tmp_path / name, [at_speed(seed, factor, **changes) for seed in range(num)])


def test_compare_equal_results_is_fine(tmp_path: Path) -> None:
    verdict = compare(side(tmp_path, "a"), side(tmp_path, "b"), SETTINGS)
    assert verdict.exit_code == 0


def test_compare_slower_results_is_suspicious_but_never_convicts(tmp_path: Path) -> None:
    verdict = compare(side(tmp_path, "a"), side(tmp_path, "b", 1.5), SETTINGS)
    assert verdict.exit_code == 3
    [throughput] = [found for _, found in verdict.comparisons if found.metric == "throughput"]
    assert throughput.effect == pytest.approx(0.5)
    assert "suspicious" in throughput.words


def test_compare_another_machine_is_incomparable(tmp_path: Path) -> None:
    other = finished().machine.model_copy(update={"fingerprint": "feedfacecafe"})
    verdict = compare(side(tmp_path, "a"), side(tmp_path, "b", machine=other), SETTINGS)
    assert verdict.exit_code == 3
    assert "different machines" in verdict.headline


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"MALLOC_ARENA_MAX": "1"}}, "different settings: MALLOC_ARENA_MAX (1; not set)"),
        ({"measuring": 1}, "measured in different ways"),
    ],
)
def test_compare_other_settings_are_incomparable(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    verdict = compare(side(tmp_path, "a"), side(tmp_path, "b", **changes), SETTINGS)
    assert verdict.exit_code == 3
    assert said in verdict.headline


def test_compare_settings_of_horovod_go_by_the_cells_that_they_reach(tmp_path: Path) -> None:
    slow = {"settings": {"HOROVOD_CYCLE_TIME": "50"}}
    averaged = Cell.model_validate({**FNN, "strategy": "allreduce", "workers": 2})
    alone = [at_speed(seed, 1.0) for seed in range(8)]
    for name, changes in (("a", {}), ("b", slow)):
        results(tmp_path / name, [*alone, *(at_speed(seed, 1.0, averaged, **changes) for seed in range(8))])
    verdict = compare(tmp_path / "a", tmp_path / "b", SETTINGS)
    assert verdict.incomparable == ("different settings: HOROVOD_CYCLE_TIME (50; not set)",)


def test_compare_settings_of_mpi_go_by_the_cells_over_it(tmp_path: Path) -> None:
    other = {"settings": {"UCX_TLS": "tcp"}}
    cells = {
        name: Cell.model_validate({**FNN, "strategy": "allreduce", "workers": 2, "controller": name})
        for name in ("gloo", "mpi")
    }
    for name, cell in cells.items():
        for arm, changes in (("a", {}), ("b", other)):
            results(tmp_path / f"{name}-{arm}", [at_speed(seed, 1.0, cell, **changes) for seed in range(8)])
    found = {name: compare(tmp_path / f"{name}-a", tmp_path / f"{name}-b", SETTINGS).incomparable for name in cells}
    assert found == {"gloo": (), "mpi": ("different settings: UCX_TLS (not set; tcp)",)}


def test_compare_other_versions_are_compared_and_named(tmp_path: Path) -> None:
    """An upgrade may be what is asked about."""
    before = {**finished().versions, "numpy": "1.0"}
    verdict = compare(side(tmp_path, "a", versions=before), side(tmp_path, "b"), SETTINGS)
    assert (verdict.exit_code, verdict.incomparable) == (0, ())
    assert verdict.notes[0] == f"numpy: A has 1.0, B has {finished().versions['numpy']}"


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_compare_names_drivers_of_gpus_where_they_run(tmp_path: Path, device: str) -> None:
    cell = Cell.model_validate({**FNN, "device": device})
    a, b = ({"versions": {"torch": "2.13.0", "nvidia-driver": driver}} for driver in ("570.1", "580.2"))
    verdict = compare(side(tmp_path, "a", cell=cell, **a), side(tmp_path, "b", cell=cell, **b), SETTINGS)
    assert list(verdict.notes) == ["nvidia-driver: A has 570.1, B has 580.2"] * (device == "gpu")


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({"controller": "gloo"}, []),
        ({"controller": "mpi"}, ["horovod.mpi: A has libmpi.so.12, B has libmpi.so.40"]),
        ({"device": "gpu"}, ["horovod.nccl: A has 2.27.3, B has 2.28.3"]),
    ],
)
def test_compare_names_what_horovod_was_built_with_where_it_matters(
    tmp_path: Path, fields: dict[str, str], notes: list[str]
) -> None:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": 2, **fields})
    before, now = ["libmpi.so.12", "mpi", "nccl", "nccl 2.27.3"], ["gloo", "libmpi.so.40", "mpi", "nccl", "nccl 2.28.3"]
    a, b = (side(tmp_path, name, cell=cell, horovod_build=build) for name, build in (("a", before), ("b", now)))
    assert list(compare(a, b, SETTINGS).notes) == notes
    untold = side(tmp_path, "untold", cell=cell)  # as in older records
    assert list(compare(untold, b, SETTINGS).notes) == []


def test_compare_names_no_other_nccl_for_a_launch_that_crashed(tmp_path: Path) -> None:
    """Horovod loads it, so that workers alone tell its version, and the one that crashed has left no part."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": 2, "device": "gpu"})
    (part,) = finished().workers

    def on(name: str, nccl: str, *, num_crashed: int) -> Path:
        workers = [part.model_copy(update={"settings": {"horovod.nccl": nccl}})]
        of_each = [{"status": "failed", "reason": "x", "workers": [], "curve": []}] * num_crashed
        of_each += [{"workers": workers}] * (8 - num_crashed)
        build = {"horovod_build": ["gloo", "nccl"]}
        return results(tmp_path / name, [finished(cell.with_seed(n), **build, **of) for n, of in enumerate(of_each)])

    whole, crashed = on("whole", "2.28.3", num_crashed=0), on("crashed", "2.28.3", num_crashed=1)
    assert compare(whole, crashed, SETTINGS).notes == ()
    assert compare(whole, on("none left", "", num_crashed=8), SETTINGS).notes == ()
    assert compare(on("older", "2.27.3", num_crashed=1), crashed, SETTINGS).notes == (
        "horovod.nccl: A has 2.27.3, B has 2.28.3",
    )


def test_compare_names_drivers_of_where_the_workers_were(tmp_path: Path) -> None:
    """Both were launched from one machine."""
    cell = Cell.model_validate({**FNN, "device": "gpu"})
    (part,) = finished().workers

    def on(driver: str) -> Path:
        workers = [part.model_copy(update={"settings": {"driver": driver}})]
        return side(tmp_path, driver, cell=cell, versions={"nvidia-driver": "550.1"}, workers=workers)

    assert compare(on("570.1"), on("580.2"), SETTINGS).notes == ("nvidia-driver: A has 570.1, B has 580.2",)


def test_compare_another_day_is_incomparable(tmp_path: Path) -> None:
    later = side(tmp_path, "b", started_at="2026-01-09T03:04:05.678+00:00")
    verdict = compare(side(tmp_path, "a"), later, SETTINGS)
    assert verdict.exit_code == 3
    assert "2026-01-02 to 2026-01-09" in verdict.headline


def test_compare_single_runs_is_inconclusive(tmp_path: Path) -> None:
    verdict = compare(side(tmp_path, "a", num=1), side(tmp_path, "b", num=1), SETTINGS)
    assert verdict.exit_code == 3


def test_compare_results_without_a_seed_in_common_is_inconclusive(tmp_path: Path) -> None:
    other_seeds = results(tmp_path / "b", [at_speed(seed, 3.0) for seed in range(8, 16)])
    verdict = compare(side(tmp_path, "a"), other_seeds, SETTINGS)
    assert verdict.exit_code == 3
    assert verdict.cells[0].unjudged == "A and B have no seed in common"


def test_compare_crashed_candidate_fails_unless_it_ran_again_well(tmp_path: Path) -> None:
    crash = at_speed(0, 1.0, status="failed", reason="killed")
    crashed = results(tmp_path / "b", [crash, *(at_speed(seed, 1.0) for seed in range(1, 8))])
    baseline = side(tmp_path, "a")
    assert compare(baseline, crashed, SETTINGS).exit_code == 1
    again = at_speed(0, 1.0)
    (crashed / f"{again.key}-{again.id}.json").write_text(again.model_dump_json())
    assert compare(baseline, crashed, SETTINGS).exit_code == 0


def test_compare_launches_stopped_at_their_time_limit_are_compared_and_named(tmp_path: Path) -> None:
    stopped = side(tmp_path, "b", status="timeout", reason="stopped after 60 s")
    verdict = compare(side(tmp_path, "a"), stopped, SETTINGS)
    assert verdict.exit_code == 0
    assert verdict.notes[0].endswith("0 of A's launches and 8 of B's were stopped at their time limit")
    nothing = [at_speed(0, 1.0).model_copy(update={"status": "timeout", "reason": "hung", "curve": []})]
    assert compare(tmp_path / "a", results(tmp_path / "c", nothing), SETTINGS).cells[0].failure == "crashed"


def test_compare_names_the_pairs_with_a_side_that_was_stopped(tmp_path: Path) -> None:
    """One of two seconds of training; the 10 ms of the others do not matter."""

    def paused(seed: int, seconds: float) -> Record:
        record = at_speed(seed, 1.0)
        told = Interruptions(paused_s=seconds, suspended_s=0.0, throttled_s=None, steal_s=None)
        return record.model_copy(update={"workers": [record.workers[0].model_copy(update={"interruptions": told})]})

    candidate = results(tmp_path / "b", [paused(seed, 1.0 if seed < 2 else 0.01) for seed in range(8)])
    verdict = compare(side(tmp_path, "a"), candidate, SETTINGS)
    assert any(": in 2 of 8 pairs an arm was stopped, " in note for note in verdict.notes)


def test_compare_missing_cell_fails(tmp_path: Path) -> None:
    other = CELL.model_copy(update={"epochs": 3.0})
    both = results(tmp_path / "a", [at_speed(seed, 1.0, cell) for seed in range(8) for cell in (CELL, other)])
    assert compare(both, side(tmp_path, "b"), SETTINGS).exit_code == 1
    assert compare(tmp_path / "b", both, SETTINGS).exit_code == 0  # a cell more is no fault, and said
    assert "not judged" in compare(tmp_path / "b", both, SETTINGS).notes[0]
    assert compare(tmp_path / "b", both, SETTINGS).notes[0].endswith("epochs 3.0")


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ([], "holds no record"),
        ([finished(suite="another")], "results of the same suite"),
        ([finished(CELL.model_copy(update={"epochs": 3.0}))], "no cell in common"),
    ],
)
def test_compare_refuses(tmp_path: Path, candidate: list[Record], said: str) -> None:
    with pytest.raises(ResultsError, match=said):
        compare(side(tmp_path, "a"), results(tmp_path / "b", candidate), SETTINGS)


def test_compare_launches_that_crashed_more_often_and_ran_again_fail(tmp_path: Path) -> None:
    crashes = [at_speed(seed, 1.0, status="failed", reason="killed") for seed in (*range(8), *range(8))]
    verdict = compare(
        side(tmp_path, "a"), results(tmp_path / "b", [*crashes, *(at_speed(s, 1.0) for s in range(8))]), SETTINGS
    )
    assert verdict.exit_code == 1
    assert verdict.cells[0].failure == "crashed"
    assert verdict.cells[0].words.startswith("crashed more often: 16 of B's 24 launches, 0 of A's 8, p = 0.00")


def test_compare_failures_by_the_machine_are_no_crashes_once_they_are_made_up_for(tmp_path: Path) -> None:
    """A disk that was full for as long as it takes to fail a suite three times."""
    full = {"status": "failed", "reason": "rank 0: OSError: [Errno 28] No space left on device: 'x'"}
    lacked = [at_speed(seed, 1.0, **full) for _ in range(3) for seed in range(8)]
    candidate = results(tmp_path / "b", [*lacked, *(at_speed(seed, 1.0) for seed in range(7))])
    verdict = compare(side(tmp_path, "a"), candidate, SETTINGS)
    assert verdict.cells[0].failure == "crashed"  # nothing has made up for the last one yet
    again = at_speed(7, 1.0)
    (candidate / f"{again.key}-{again.id}.json").write_text(again.model_dump_json())
    verdict = compare(tmp_path / "a", candidate, SETTINGS)
    assert verdict.exit_code == 0
    assert verdict.notes == (
        "24 launches of b failed for what the machine lacked: left out, being made up for by others",
    )
