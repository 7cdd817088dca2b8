"""Rows that a batch uses: a step by them is the dense step, and leaves all others as they are, bit for bit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.fabrics.connection import Connection
from harness.protocols import Plan, Share
from harness.registry import FABRICS, PREPARATIONS, REPLICAS, STRATEGIES, WORKLOADS, load
from harness.suite.cell import Cell
from harness.timing.clock import Clock

USERS, ITEMS = 40, 30
RATINGS = {"name": "synthetic-ratings", "users": USERS, "items": ITEMS, "num_samples": 500}
WIDTHS = {"mf": 17, "ncf": 16}
NUM_STEPS = 6


def trained(folder: Path, *, sparse: bool, **fields: Any) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Weights before and after some steps of one worker, and the last loss."""
    strategy = {"name": "hogwild", "sparse": sparse}
    cell = Cell.model_validate({"strategy": strategy, "dataset": RATINGS, "batch_size": 8, "momentum": 0, **fields})
    load(PREPARATIONS[cell.framework])(num_threads=1)
    workload = load(WORKLOADS[cell.framework])(cell)
    replica = load(REPLICAS[cell.framework])(cell, workload, rank=0, local_rank=0)
    place = Connection(rank=0, size=1, local_rank=0, local_size=1, run_dir=folder / f"sparse-{sparse}")
    fabric = load(FABRICS[cell.needs, cell.framework])(cell, place, Clock())
    hogwild = STRATEGIES["hogwild"](cell.options, Plan(num_workers=1, num_steps=NUM_STEPS, steps_per_epoch=1))
    with closing(fabric), closing(replica.batches(Share(num_workers=1, rank=0, batch_size=8, seed=0))) as batches:
        hogwild.setup(replica, fabric)
        before = np.array(replica.to_numpy(hogwild.snapshot(replica, fabric)))
        for step in range(NUM_STEPS):
            loss = float(hogwild.step(replica, fabric, batches.at(step)))
        return before, np.array(replica.to_numpy(hogwild.snapshot(replica, fabric))), loss


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("workload", ["mf", "ncf"])
def test_steps_by_rows_are_the_dense_ones_and_move_no_row_that_is_not_used(
    tmp_path: Path, workload: str, framework: str
) -> None:
    before, dense, dense_loss = trained(tmp_path, sparse=False, workload=workload, framework=framework)
    again, sparse, sparse_loss = trained(tmp_path, sparse=True, workload=workload, framework=framework)
    np.testing.assert_array_equal(before, again)
    np.testing.assert_allclose(sparse, dense, rtol=1e-5, atol=1e-7)
    assert sparse_loss == pytest.approx(dense_loss, rel=1e-6)
    table = slice((USERS + ITEMS) * WIDTHS[workload])
    moved = (before[table] != sparse[table]).reshape(USERS + ITEMS, -1).all(axis=1)
    assert 0 < moved.sum() < USERS + ITEMS  # 48 ratings leave some out
    rested = ~(before[table] != dense[table]).reshape(USERS + ITEMS, -1).any(axis=1)
    np.testing.assert_array_equal(rested, ~moved)
