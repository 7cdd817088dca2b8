"""Two ranks on one GPU, which NCCL refuses: said so, or their vectors go through the host where the cell says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT
from harness.launchers.horovodrun import HOROVODRUN
from harness.module_process import module_argv
from harness.records.results_folder import ResultsFolder
from tests.gpu.launched import ON_GPU, in_words, launched, write_suite

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(180)]

STAGED_VARIABLE = "HVDBENCH_STAGED_HOROVOD"  # the folder that holds package horovod, built for CUDA without NCCL
LIMIT_S = 120
STRATEGIES = ("allreduce-flat", "local-sgd", "slow-momentum", "delayed-averaging", "gossip")


def test_two_workers_share_a_gpu_where_the_cell_stages_through_the_host(tmp_path: Path) -> None:
    staged = [{"name": strategy, "staging": "host"} for strategy in STRATEGIES]
    for record in launched(tmp_path, {**ON_GPU, "strategy": staged, "workers": 2}):
        assert in_words(record) == ""
        print(f"{record.cell['strategy']}: accuracy {record.curve[-1].score:.4f}, launch {record.wall_s:.1f} s")
        assert record.curve[-1].score > 0.9
        assert all(sum(window.bytes_sent for window in part.windows) > 0 for part in record.workers)


def test_two_ranks_of_a_launch_on_one_gpu_are_refused(tmp_path: Path) -> None:
    said = inside_a_launch(tmp_path, horovod=None)
    assert "ranks 0 and 1 are on one GPU" in said
    assert "allowed: as many GPUs as workers on each host, or options.staging: host" in said


def test_horovod_without_nccl_is_refused(tmp_path: Path) -> None:
    assert "device: gpu, but horovod is built without NCCL" in inside_a_launch(tmp_path, horovod=horovod_without_nccl())


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_two_ranks_on_one_gpu_train_what_they_train_on_the_cpu(tmp_path: Path, controller: str) -> None:
    """Horovod's own wrapper too, which stages where it is built without NCCL."""
    rank = ["tests.gpu.shared_gpu_rank"]
    ran = two_ranks(tmp_path, rank, controller=controller, horovod=horovod_without_nccl())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (found,) = (json.loads(line[line.index("{") :]) for line in ran.stdout.splitlines() if '"distances"' in line)
    print(found)
    assert not found["nccl"]
    assert {name: value for name, value in found["distances"].items() if not value < 1e-3} == {}


def horovod_without_nccl() -> str:
    staged = os.environ.get(STAGED_VARIABLE)
    if not staged:
        pytest.skip(f"needs a Horovod without NCCL: {STAGED_VARIABLE}, the folder that holds its package")
    return staged


def inside_a_launch(folder: Path, *, horovod: str | None) -> str:
    """All that two ranks on the first GPU say and record of a cell on GPUs."""
    suite = write_suite(folder, {**ON_GPU, "strategy": "allreduce-flat", "workers": 2})
    results = folder / "results"
    ran = two_ranks(folder, ["harness.cli", "run", str(suite), "--results", str(results)], horovod=horovod)
    assert ran.returncode != 0
    records = ResultsFolder(results).load() if results.exists() else []
    return "\n".join([ran.stdout, ran.stderr, *(str(record.reason) for record in records)])


def two_ranks(
    folder: Path, module: list[str], *, horovod: str | None, controller: str = "gloo"
) -> subprocess.CompletedProcess[str]:
    """The module and its arguments on two ranks, with this Horovod or the installed one."""
    argv = [*module_argv(HOROVODRUN, str(folder)), "-np", "2", "-H", "localhost:2", f"--{controller}"]
    path = filter(None, [horovod, str(ROOT), os.environ.get("PYTHONPATH")])
    return subprocess.run(
        [*argv, sys.executable, "-m", *module],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=False,
    )
