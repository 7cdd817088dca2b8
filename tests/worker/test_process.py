"""A process of a run: memory that is freed stays in the process, unless the user chose otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.records.run_files import CELL_FILE
from harness.worker import process, worker

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
BLOCK_BYTES, NUM_BLOCKS = 1 << 20, 50
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SCRIPT = f"""
import json, resource, numpy
from harness.worker import process
process.prepare(num_threads=3)
numpy.ones({BLOCK_BYTES}, numpy.uint8)  # the heap grows to what is needed
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({NUM_BLOCKS}):
    numpy.ones({BLOCK_BYTES}, numpy.uint8)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([faults, process.settings()]))
"""


def faults_and_settings(**environ: str) -> tuple[int, dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    faults, settings = json.loads(done.stdout)
    return faults, settings


def test_freed_memory_is_kept() -> None:
    faults, settings = faults_and_settings()
    assert faults < BLOCK_BYTES / PAGE_BYTES  # less than once for one block, of fifty
    assert settings == {"OMP_NUM_THREADS": "3"}


def test_the_users_choice_holds_and_is_recorded() -> None:
    faults, settings = faults_and_settings(MALLOC_MMAP_THRESHOLD_="65536")
    assert faults >= NUM_BLOCKS * BLOCK_BYTES / PAGE_BYTES  # every page of every block
    assert settings == {"OMP_NUM_THREADS": "3", "MALLOC_MMAP_THRESHOLD_": "65536"}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """In place of this process's own, which other tests go by, as by its malloc."""
    made: dict[str, str] = {}
    monkeypatch.setattr(process, "os", SimpleNamespace(environ=made))
    monkeypatch.setattr(process, "_keep_freed_memory", lambda: 0)
    return made


@pytest.mark.parametrize(
    ("most", "kept"), [(2**31 - 1, 1 << 30), (1 << 25, 1 << 25), (0, 0)], ids=["newer", "older", "none"]
)
def test_blocks_are_kept_below_the_threshold_that_malloc_takes(
    monkeypatch: pytest.MonkeyPatch, most: int, kept: int
) -> None:
    """An older glibc refuses a large one. That of the heap alone would leave the one of blocks at its least."""
    taken: dict[int, int] = {}

    def mallopt(parameter: int, value: int) -> int:
        if parameter == M_MMAP_THRESHOLD and value > most:
            return 0
        taken[parameter] = value
        return 1

    monkeypatch.setattr(process, "os", SimpleNamespace(environ={}))
    monkeypatch.setattr(process, "ctypes", SimpleNamespace(CDLL=lambda name: SimpleNamespace(mallopt=mallopt)))
    monkeypatch.setattr(process, "_keep_freed_memory", cache(process._keep_freed_memory.__wrapped__))
    process.prepare()
    assert taken == ({M_MMAP_THRESHOLD: kept, M_TRIM_THRESHOLD: 1 << 30} if kept else {})
    sizes = (1, (1 << 25) - 1, 1 << 25, (1 << 30) - 1, 1 << 30)
    assert [process.keeps_freed(size) for size in sizes] == [size < kept for size in sizes]


def test_threads_of_libraries(environ: dict[str, str]) -> None:
    environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    process.prepare(num_threads=3)
    assert environ["OMP_NUM_THREADS"] == environ["MKL_NUM_THREADS"] == environ["OPENBLAS_NUM_THREADS"] == "3"
    assert environ["TF_CPP_MIN_LOG_LEVEL"] == "0"  # a user's choice


@pytest.mark.parametrize(
    ("device", "num_available", "cores"),
    [("cpu", 8, [3, 4, 5]), ("cpu", 6, [3, 4, 5]), ("cpu", 5, None), ("gpu", 8, [0, 1, 2]), ("gpu", 5, None)],
)
def test_cores_are_for_threads_and_processes_that_make_batches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, num_available: int, cores: list[int] | None
) -> None:
    """The second of two workers, each of one thread and two such processes, which inherit where it may run.

    Its GPU is near the first cores, that of the first worker near the others.
    """
    pinned, started = [], []
    cell = {"workers": 2, "threads": 1, "loader_workers": 2, "device": device}
    (tmp_path / CELL_FILE).write_text(json.dumps(cell))
    monkeypatch.setattr(worker, "cores_near_workers", lambda num_workers: [{4, 5, 6, 7}, {0, 1, 2, 3}])
    monkeypatch.setattr("sys.argv", ["worker", str(tmp_path)])
    monkeypatch.setattr(worker, "place_among_workers", lambda environ: (1, 2, 1, 2))
    monkeypatch.setattr(worker, "die_with_parent", lambda run_dir: None)
    monkeypatch.setattr(worker, "_run_all", lambda cell_json, connections, cores: started.append(cores))
    monkeypatch.setattr(process, "prepare", lambda num_threads: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(num_available)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, given: pinned.append(given))
    worker.main()
    assert started == [cores]
    assert pinned == ([] if cores is None else [cores])


NAMING_CORES = {"GOMP_CPU_AFFINITY": "0-3", "OMP_PLACES": "{0:2},{2:2}", "KMP_AFFINITY": "explicit,proclist=[0,1]"}
NAMING_KINDS = {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores(2)", "KMP_AFFINITY": "granularity=fine,compact,1,0"}


@pytest.mark.parametrize("named", [NAMING_CORES, NAMING_KINDS])
@pytest.mark.parametrize("pinning", [None, "off"])
def test_variables_that_name_cores_hold_where_workers_are_not_pinned(
    environ: dict[str, str], named: dict[str, str], pinning: str | None
) -> None:
    environ |= named | ({process.PINNING_VARIABLE: pinning} if pinning else {})
    process.prepare()
    holding = {name: value for name, value in named.items() if environ.get(name) == value}
    assert holding == ({} if named is NAMING_CORES and pinning is None else named)
    assert process.settings().get("pinning") == pinning


@pytest.mark.parametrize(("bound_to", "cores"), [({5}, [5]), ({4, 5}, [4]), (set(range(8)), None)])
def test_cores_that_a_launch_has_bound_a_worker_to_stay(
    monkeypatch: pytest.MonkeyPatch, bound_to: set[int], cores: list[int] | None
) -> None:
    """One of nine workers with a core each, of two, and of nine that nobody bound, on a machine of eight cores."""
    monkeypatch.setattr(process, "unbound_cores", lambda: set(range(8)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: bound_to)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, given: None)
    num_workers = 2 if len(bound_to) == 2 else 9
    assert process.pin(0, num_workers, 1, is_existing=True) == cores
