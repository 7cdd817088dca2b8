"""`HOROVOD_GPU_OPERATIONS=NCCL make setup` in a clean clone on a machine with a toolkit, which needs no GPU.

A quarter of an hour, 10 GB of disk. pip has to find a PyTorch for CUDA (PIP_CONFIG_FILE=/dev/null where it would not).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT

pytestmark = [pytest.mark.nvcc, pytest.mark.needs_checkout, pytest.mark.timeout(5400)]


def test_clean_clone_gets_a_horovod_with_nccl(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "clone"], check=True)
    given = {"HOROVOD_GPU_OPERATIONS": "NCCL", "HVDBENCH_CACHE": str(tmp_path / "cache")}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | given
    subprocess.run(["make", "setup"], cwd=tmp_path / "clone", env=environ, check=True)
    tools = tmp_path / "clone" / ".venv" / "bin"
    ask = "import horovod.torch as hvd; print(hvd.nccl_built() > 20000, hvd.cuda_built(), hvd.gloo_built())"
    assert said_by(tools / "python", "-c", ask) == "True True True\n"
    assert "[X] NCCL" in said_by(tools / "horovodrun", "--check-build")
    assert "tensorflow" not in said_by(tools / "python", "-m", "pip", "list")


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout
