"""Two ranks that share a GPU, over a Horovod without NCCL, which stages through the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.launchers.horovodrun import HOROVODRUN

pytestmark = pytest.mark.gpu

STAGED_VARIABLE = "HVDBENCH_STAGED_HOROVOD"  # the folder that holds package horovod, built for CUDA without NCCL
LIMIT_S = 120


@pytest.mark.parametrize("controller", ["gloo", "mpi"])
def test_two_ranks_on_one_gpu_train_what_they_train_on_the_cpu(tmp_path: Path, controller: str) -> None:
    staged = os.environ.get(STAGED_VARIABLE)
    if not staged:
        pytest.skip(f"needs a Horovod without NCCL: {STAGED_VARIABLE}, the folder that holds its package")
    argv = [*HOROVODRUN, str(tmp_path), "-np", "2", "-H", "localhost:2", f"--{controller}"]
    path = os.pathsep.join([staged, os.environ.get("PYTHONPATH", ""), str(Path.cwd())])
    ran = subprocess.run(
        [*argv, sys.executable, "-m", "tests.gpu.shared_gpu_rank"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (found,) = (json.loads(line[line.index("{") :]) for line in ran.stdout.splitlines() if '"distances"' in line)
    print(found)
    assert not found["nccl"]
    assert {name: value for name, value in found["distances"].items() if not value < 1e-3} == {}
