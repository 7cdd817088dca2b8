"""Adasum as Horovod has it, in both frameworks: the workers' own updates combined, each at the rate of its step.

Beside each launch stands the same training written out: two replicas in this process, and the formula of the paper
parameter by parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import registry
from harness.launchers.hosts import Host
from harness.protocols import Share
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from harness.testing.thread_fabrics import adasum
from harness.worker.plan import learning_rate_of, plan_of
from harness.workloads.data import load_digits
from harness.workloads.layers import parameters_of
from harness.workloads.shipped import MODELS
from tests.backends.test_own_torch_launch import _Silent

NUM_STEPS = 4


def cell_of(framework: str, **options: Any) -> Cell:
    """Four steps whose rate grows from 0 by the same amount each: a rate that came a step late would show."""
    return Cell.model_validate(
        {
            "workload": "fnn",
            "strategy": {"name": "allreduce", "op": "adasum", **options},
            "framework": framework,
            "workers": 2,
            "controller": "mpi",
            "learning_rate": 0.2,
            "warmup_epochs": NUM_STEPS * 64 / 1437,
            "warmup_from": "zero",
            "epochs": NUM_STEPS * 64 / 1437,
            "evaluations": NUM_STEPS,
            "evaluation_spacing": "even",
        }
    )


def written_out(cell: Cell) -> Iterator[float]:
    """The held-out loss after each step."""
    registry.load(registry.PREPARATIONS["torch"])(num_threads=1)
    cell = cell.model_copy(update={"framework": "torch"})
    workload = registry.load(registry.WORKLOADS["torch"])(cell)
    workers = [registry.load(registry.REPLICAS["torch"])(cell, workload, rank=0, local_rank=0) for _ in range(2)]
    batches = [
        worker.batches(Share(num_workers=2, rank=rank, batch_size=32, seed=cell.seed))
        for rank, worker in enumerate(workers)
    ]
    rate = learning_rate_of(cell, plan_of(cell, cell.num_samples))
    dataset = load_digits()
    shapes = [each.shape for each in parameters_of(MODELS["fnn"].layers(10), dataset.input_shape)]
    bounds = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    for step in range(NUM_STEPS):
        updates = []
        for worker, own in zip(workers, batches, strict=True):
            worker.set_learning_rate(rate.at(step))
            gradient, _ = worker.gradient(own.at(step))
            updates.append(np.split(worker.to_numpy(worker.update(gradient)).astype(np.float64), bounds))
        combined = np.concatenate([adasum(each) for each in zip(*updates, strict=True)])
        for worker in workers:
            worker.set_weights(worker.weights() + torch.from_numpy(combined.astype(np.float32)))
        yield workers[0].evaluate(workers[0].weights())[0]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_adasum_combines_each_parameters_updates_at_the_rate_of_the_step(framework: str, tmp_path: Path) -> None:
    cell = cell_of(framework)
    setting = Setting(suite="a", folder=ResultsFolder(tmp_path), hosts=(Host(name="localhost", slots=2),))
    record = run_cell(cell, setting, _Silent())
    assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
    assert [point.loss for point in record.curve] == pytest.approx(list(written_out(cell)), rel=1e-5)
