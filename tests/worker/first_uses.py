"""`python -m tests.worker.first_uses FILE`, on every rank: what TensorFlow compiles in warm-up, and what in training.

Rank 0 writes a JSON list into FILE: for each strategy its name, and the two numbers of functions.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import horovod.tensorflow as hvd

from harness import registry
from harness.backends.tensorflow_replica import TensorFlowReplica, prepare
from harness.fabrics.connection import Connection
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.worker.plan import plan_of
from harness.worker.training import Session, train, warm_up
from harness.workloads.data import load_digits

STRATEGIES: list[dict[str, Any]] = [
    {"name": "serial"},
    {"name": "hogwild"},
    {"name": "allreduce"},
    {"name": "allreduce", "backward_passes_per_step": 8},
    {"name": "allreduce-flat"},
    {"name": "local-sgd", "period": 12},
    {"name": "post-local-sgd", "period": 4, "switch_epoch": 0.5},
    {"name": "slow-momentum", "period": 12, "fragments": 2, "delay": 6},
    {"name": "gossip"},
    {"name": "allreduce-compressed"},
    {"name": "delayed-averaging", "merge": "delta", "period": 12},
    {"name": "delayed-averaging", "merge": "mix", "period": 12},
    {"name": "delayed-averaging", "merge": "pullback", "period": 12},
]


def num_functions() -> int:
    """That have been traced since imports were over and are kept."""
    gc.collect()
    return sum(type(each).__name__ == "ConcreteFunction" for each in gc.get_objects())


def compiled_by(strategy: dict[str, Any], run_dir: Path) -> tuple[int, int]:
    """How much in warm-up, and how much in training."""
    # 44 steps of two workers: all that a strategy does comes three times at least.
    fields = {"workload": "fnn", "framework": "tensorflow", "schedule": "cosine", "strategy": strategy, "epochs": 2.0}
    needs = registry.strategy_of(strategy["name"]).needs
    num_workers = hvd.size() if needs.uses_horovod else 1
    cell = Cell.model_validate({**fields, "workers": num_workers})
    rank = hvd.rank() if needs.uses_horovod else 0
    connection = Connection(
        rank=rank, size=num_workers, local_rank=rank, local_size=num_workers, run_dir=run_dir, workers_here=1
    )
    clock = Clock()
    fabric = registry.load(registry.FABRICS[cell.needs, cell.framework])(cell, connection, clock)
    digits = load_digits()
    replica = TensorFlowReplica(cell, digits, rank=rank, local_rank=rank)
    plan = plan_of(cell, digits.num_samples)
    made = registry.strategy_of(cell.strategy)(cell.options, plan)
    session = Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=made)
    at_first = num_functions()
    warm_up(session)
    warmed = num_functions()
    with closing(replica.batches(session.share)) as batches:
        train(session, batches, clock, lambda progress: None)
    return warmed - at_first, num_functions() - warmed


def main() -> None:
    prepare(num_threads=1)
    hvd.init()
    gc.collect()
    gc.freeze()  # what imports left, a million objects, is looked through no more
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for number, strategy in enumerate(STRATEGIES):
            run_dir = Path(folder, str(number))
            run_dir.mkdir()
            found.append([" ".join(map(str, strategy.values())), *compiled_by(strategy, run_dir)])
    if hvd.rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
