"""Two ranks on one GPU, beside the same two on the CPU: `horovodrun -np 2 python -m tests.gpu.shared_gpu_rank`.

NCCL refuses that, so Horovod has to be built without it: its allreduce then goes through the host's memory. Rank 0
prints, as JSON, how far weights on the GPU are from those on the CPU after some steps of each strategy.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import horovod.torch as hvd
import numpy as np

from harness import registry
from harness.fabrics.connection import Connection
from harness.fabrics.horovod_torch import HorovodTorch
from harness.protocols import Share
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.worker.plan import plan_of
from tests.gpu.replicas import cell_on

STRATEGIES = ("allreduce", "allreduce-flat", "local-sgd", "delayed-averaging")
NUM_STEPS = 12


def main() -> None:
    hvd.init()
    found = {strategy: distance(strategy) for strategy in STRATEGIES}
    if hvd.rank() == 0:
        print(json.dumps({"nccl": bool(hvd.nccl_built()), "distances": found}), flush=True)


def distance(strategy: str) -> float:
    """‖GPU − CPU‖ / ‖CPU − start‖ of this rank's weights."""
    (start, cpu), (_, gpu) = (
        trained(cell_on(device, "cnn", strategy={"name": strategy, **options}, workers=2))
        for device, options in (("cpu", {}), ("gpu", {"staging": "host"}))
    )
    return float(np.linalg.norm(gpu - cpu) / np.linalg.norm(cpu - start))


def trained(cell: Cell) -> tuple[Any, Any]:
    """Weights before and after."""
    registry.load(registry.PREPARATIONS["torch"])(num_threads=1, gpus=[0] if cell.device == "gpu" else [])
    connection = Connection(rank=hvd.rank(), size=hvd.size(), local_rank=0, local_size=1, run_dir=Path())
    fabric = HorovodTorch(cell, connection, Clock())
    workload = registry.load(registry.WORKLOADS["torch"])(cell)
    replica = registry.load(registry.REPLICAS["torch"])(cell, workload, rank=fabric.rank, local_rank=0)
    strategy = registry.STRATEGIES[cell.strategy](cell.options, plan_of(cell, workload.num_samples))
    before = np.array(replica.to_numpy(replica.weights()))
    strategy.setup(replica, fabric)
    share = Share(num_workers=fabric.size, rank=fabric.rank, batch_size=cell.batch_per_worker, seed=0)
    with closing(replica.batches(share)) as batches:
        for step in range(NUM_STEPS):
            strategy.step(replica, fabric, batches.at(step))
    strategy.finish(replica, fabric)
    return before, np.array(replica.to_numpy(replica.weights()))


if __name__ == "__main__":
    main()
