"""Gossip among four workers, for real: who averages with whom, beside the same training written out in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from harness import registry
from harness.protocols import Share
from harness.records.results_folder import ResultsFolder
from harness.suite.cell import Cell
from tests.test_degenerate_runs import launch_together

NUM_WORKERS, BATCH_SIZE = 4, 32
HOPS = (1, 2, 1, 2)  # of each step, over the exponential graph

pytestmark = pytest.mark.needs_two_cores


def cell_of(graph: str) -> Cell:
    """Judged after each step, at a rate at which workers soon differ."""
    return Cell.model_validate(
        {
            "workload": "fnn",
            "strategy": {"name": "gossip", "graph": graph},
            "workers": NUM_WORKERS,
            "batch_size": BATCH_SIZE,
            "learning_rate": 0.1,
            "epochs": len(HOPS) * NUM_WORKERS * BATCH_SIZE / 1437,
            "evaluations": len(HOPS),
            "evaluation_spacing": "even",
        }
    )


def written_out(graph: str, hops: Sequence[int] = HOPS) -> Iterator[float]:
    """The held-out loss of the workers' mean after each step."""
    registry.load(registry.PREPARATIONS["torch"])(num_threads=1)
    cell = cell_of(graph)
    workload_of, replica = (registry.load(table["torch"]) for table in (registry.WORKLOADS, registry.REPLICAS))
    workers = [replica(cell, workload_of(cell), rank=rank, local_rank=0) for rank in range(NUM_WORKERS)]
    batches = [
        worker.batches(Share(num_workers=NUM_WORKERS, rank=rank, batch_size=BATCH_SIZE, seed=cell.seed))
        for rank, worker in enumerate(workers)
    ]
    for step, hop in enumerate(hops):
        gradients = [worker.gradient(own.at(step))[0] for worker, own in zip(workers, batches, strict=True)]
        deltas = torch.stack([worker.update(each) for worker, each in zip(workers, gradients, strict=True)])
        weights = torch.stack([worker.weights() for worker in workers])  # (4, P)
        if graph == "ring":
            weights = (weights.roll(1, 0) + weights + weights.roll(-1, 0)) / 3 + deltas
        else:
            weights = weights + deltas
            weights = (weights + weights.roll(hop, 0)) / 2
        for worker, own_weights in zip(workers, weights, strict=True):
            worker.set_weights(own_weights)
        yield workers[0].evaluate(weights.mean(dim=0))[0]


def test_each_of_four_averages_with_those_that_the_graph_says(tmp_path: Path) -> None:
    cells = [cell_of(graph) for graph in ("exponential", "ring")]
    launch_together(cells, tmp_path)
    found = {
        record.key: [point.loss for point in record.curve] for record in ResultsFolder(tmp_path / "results").load()
    }
    exponential, ring = (found[cell.key] for cell in cells)
    assert exponential == pytest.approx(list(written_out("exponential")), rel=1e-4)
    assert ring == pytest.approx(list(written_out("ring")), rel=1e-4)
    with_the_next_always = list(written_out("exponential", hops=(1,) * len(HOPS)))
    assert exponential[-1] != pytest.approx(with_the_next_always[-1], rel=1e-2)  # who is farther on is told apart
