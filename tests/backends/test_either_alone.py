"""Each framework trains where the other, and Horovod, is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.suite.cell import Cell

# Asking for an absent package fails as it does where it is not installed.
WORKER = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())

from harness.fabrics.connection import Connection
from harness.worker.worker import run_worker

connection = Connection(rank=0, size=1, local_rank=0, local_size=1, run_dir=Path({run_dir!r}))
run_worker({cell!r}, connection, None)
"""


@pytest.mark.parametrize(("framework", "other"), [("torch", "tensorflow"), ("tensorflow", "torch")])
def test_worker_needs_its_own_framework_alone(framework: str, other: str, tmp_path: Path) -> None:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", "framework": framework, "epochs": 1})
    script = WORKER.format(absent=(other, "horovod"), run_dir=str(tmp_path), cell=cell.model_dump_json())
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    part = json.loads((tmp_path / "part-0.json").read_text())
    assert sum(window["num_steps"] for window in part["windows"]) == 45  # 1437 samples in batches of 32
