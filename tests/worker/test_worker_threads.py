"""A process that runs several ranks as threads ends when one of them fails, though the others wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.command import LIMIT_S

SCRIPT = """
import threading
from pathlib import Path
from harness.worker import rank, worker
from harness.suite.cell import Cell
from harness.fabrics.connection import Connection

def run(cell, connection, cores, watch):
    if connection.rank == 1:
        raise RuntimeError("no luck")
    threading.Event().wait()  # for a rank that never comes

rank.run_rank = run
ranks = [Connection(rank=rank, size=2, local_rank=rank, local_size=2, run_dir=Path({folder!r})) for rank in range(2)]
worker._run_all(Cell(workload="fnn", strategy="hogwild", workers=2).model_dump_json(), ranks, None)
"""


def test_first_error_of_a_thread_ends_its_process(tmp_path: Path) -> None:
    script = SCRIPT.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert "RuntimeError: no luck" in done.stderr
    assert (tmp_path / "error-1").read_text() == "rank 1: RuntimeError: no luck"
