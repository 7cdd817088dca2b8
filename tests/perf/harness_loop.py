"""The harness' measured loop in this process, for either framework, as one of two that take turns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from harness import registry
from harness.fabrics.alone import Alone
from harness.protocols import Plan
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.worker.training import Session, train, warm_up

STEPS = {"fnn": 3000, "cnn": 500, "rnn": 500}
OWN_STEPS = 500  # of any other workload
Now = Callable[[], float]


def cell_of(workload: str, framework: str, **fields: Any) -> Cell:
    given = {"workload": workload, "strategy": "serial", "framework": framework, "evaluations": 0}
    return Cell.model_validate({**given, **fields})


def harness_loop(cell: Cell, now: Now, num_steps: int | None = None) -> Callable[[], float]:
    """Trains for so many steps, or those meant for its workload, and returns the samples/s by `now`; warmed up."""
    fabric = Alone(cell, None, None)  # type: ignore[arg-type]
    workload = registry.load(registry.WORKLOADS[cell.framework])(cell)
    num_steps, batch_size = num_steps or STEPS.get(cell.workload, OWN_STEPS), cell.batch_per_worker
    plan = Plan(
        num_workers=1,
        num_steps=num_steps,
        steps_per_epoch=workload.num_samples / batch_size,
    )
    replica = registry.load(registry.REPLICAS[cell.framework])(cell, workload, rank=0, local_rank=0)
    initial = replica.weights()
    session = Session(
        cell=cell,
        plan=plan,
        replica=replica,
        fabric=fabric,
        strategy=registry.STRATEGIES[cell.strategy](cell.options, plan),
    )
    warm_up(session)

    def samples_per_s() -> float:
        replica.reset(initial)
        clock = Clock(now)
        with closing(replica.batches(session.share)) as batches:
            trained = train(session, batches, clock, lambda progress: None)
        return num_steps * batch_size / trained.train_s

    return samples_per_s
