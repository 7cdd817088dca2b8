"""The harness' measured loop in this process, for either framework."""

from __future__ import annotations

from collections.abc import Callable

from harness import process, registry
from harness.cell import Cell
from harness.clock import Clock
from harness.fabrics.alone import Alone
from harness.protocols import Plan
from harness.sampling import Sampler
from harness.training import Session, train, warm_up, window_steps
from harness.workloads.registry import load_dataset

STEPS = {"fnn": 3000, "cnn": 500, "rnn": 500}
NUM_PAIRS = 15


def cell_of(workload: str, framework: str) -> Cell:
    return Cell.model_validate({"workload": workload, "strategy": "serial", "framework": framework, "evaluations": 0})


def harness_loop(cell: Cell) -> Callable[[], float]:
    """Trains for the workload's STEPS and returns samples/s; warmed up. This process' memory becomes as a worker's."""
    process.keep_freed_memory()
    dataset = load_dataset(cell.dataset, None)
    num_steps = STEPS[cell.workload]
    plan = Plan(num_workers=1, num_steps=num_steps, steps_per_epoch=len(dataset.train) / cell.batch_size)
    session = Session(
        cell=cell,
        plan=plan,
        replica=registry.load(registry.REPLICAS[cell.framework])(cell, dataset, local_rank=0),
        fabric=Alone(cell, None, None),  # type: ignore[arg-type]
        strategy=registry.STRATEGIES["serial"](cell.options, plan),
        sampler=Sampler(
            num_samples=len(dataset.train), batch_size=cell.batch_size, num_workers=1, rank=0, seed=cell.seed
        ),
    )
    warm_up(session)

    def samples_per_s() -> float:
        clock = Clock(window_steps=window_steps(plan))
        train(session, clock, lambda progress: None)
        return num_steps * cell.batch_size / clock.now()

    return samples_per_s
