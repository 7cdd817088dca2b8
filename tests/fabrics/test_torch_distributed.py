"""PyTorch's own process group: its ranks wait for one another for as long as their launch lasts."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from harness.fabrics.connection import Connection
from harness.fabrics.torch_distributed import TorchDistributed
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import wait_until

LIMIT_S, LATE_S = 0.5, 2.0


def meet(rank: int, run_dir: Path) -> None:
    """The second rank starts late, and comes to its barrier later still."""
    asked = Cell.model_validate({"workload": "fnn", "strategy": "torch-ddp", "workers": 2})
    cell = asked.model_copy(update={"time_limit_s": LIMIT_S})
    time.sleep(rank * LATE_S)
    fabric = TorchDistributed(
        cell, Connection(rank=rank, size=2, local_rank=rank, local_size=2, run_dir=run_dir), Clock()
    )
    time.sleep(rank * LATE_S)
    fabric.barrier()
    fabric.close()


def _goes_on(rank: BaseProcess) -> bool:
    return rank.exitcode is None


def test_time_limit_of_training_ends_no_wait_for_a_slower_rank(tmp_path: Path) -> None:
    """Neither as they find one another nor later."""
    started = multiprocessing.get_context("spawn")
    ranks = [started.Process(target=meet, args=(rank, tmp_path), daemon=True) for rank in range(2)]
    try:
        for each in ranks:
            each.start()
        wait_until(lambda: any(each.exitcode for each in ranks) or not any(map(_goes_on, ranks)), "both ranks to end")
        assert [each.exitcode for each in ranks] == [0, 0]
    finally:
        for each in ranks:
            each.kill()
