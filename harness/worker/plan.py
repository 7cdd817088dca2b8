"""How much a worker trains, when its model is evaluated, and at what rate it learns."""

from __future__ import annotations

import math

from harness.optimizers.schedules import ScheduledLearningRate
from harness.protocols import Plan
from harness.suite.cell import Cell

_SCALES = {"none": lambda workers: 1.0, "linear": float, "sqrt": math.sqrt}


def plan_of(cell: Cell, num_samples: int) -> Plan:
    """Steps of each worker for the cell's epochs over a training set of `num_samples`."""
    steps_per_epoch = num_samples / (cell.workers * cell.batch_per_worker)
    num_steps = max(1, round(cell.epochs * steps_per_epoch))
    return Plan(num_workers=cell.workers, num_steps=num_steps, steps_per_epoch=steps_per_epoch)


def evaluation_steps(cell: Cell, plan: Plan) -> list[int]:
    """After which steps the model is evaluated: equally spaced, the last at the end."""
    count = min(cell.evaluations, plan.num_steps)
    return [round(plan.num_steps * (index + 1) / count) for index in range(count)]


def learning_rate_of(cell: Cell, plan: Plan) -> ScheduledLearningRate:
    """The rate of every step."""
    return ScheduledLearningRate(
        base=cell.learning_rate,
        scale=_SCALES[cell.lr_scaling](cell.workers),
        schedule=cell.schedule,
        warmup_epochs=cell.warmup_epochs,
        warmup_from=cell.warmup_from,
        steps_per_epoch=plan.steps_per_epoch,
        num_steps=plan.num_steps,
    )
