"""How much a worker trains, when it reaches others, when its model is evaluated, and at what rate it learns."""

from __future__ import annotations

from itertools import pairwise
from numbers import Integral

import numpy as np

from harness.extensions import ExtensionError, in_their_words
from harness.optimizers.schedules import ScheduledLearningRate
from harness.protocols import EvaluatedModel, Plan
from harness.suite.cell import Cell

SNAPSHOT_BYTES = 2**30
FEWEST_SNAPSHOTS = 2
DRIFT_BYTES, MOST_DRIFT_STEPS = 2**28, 16  # of the copies by which it is seen how far workers have drifted apart
MERGE_BYTES, MOST_MERGES = 2**28, 5  # of the copies around merges, two for each
_LAST_STEP = 2**63 - 1  # that a record can hold
FIRST_EVALUATION = 1.05**-59  # of the training, 5.6 %: with 60 of them each comes 5 % later than the one before


def plan_of(cell: Cell, num_samples: int | None) -> Plan:
    """Steps of each worker for the cell's epochs over a training set of `num_samples`.

    None: of a stream, whose training is one epoch.
    """
    steps_per_epoch = (num_samples or cell.num_samples) / (cell.workers * cell.batch_per_worker)
    num_steps = round(cell.num_epochs * steps_per_epoch)
    return Plan(num_workers=cell.workers, num_steps=num_steps, steps_per_epoch=steps_per_epoch, seed=cell.seed)


def first_exchange_step(cell: Cell, plan: Plan) -> int | None:
    """The step of a worker that is the first to send something to the others; None where it has no others to reach, as
    where all are of one group.

    Raises ExtensionError where the options, which may be a user's, tell none.
    """
    has_others = cell.workers > 1 or cell.evaluated_model == EvaluatedModel.SHARED
    if not has_others or cell.options.same_as(cell.topology) is not None:
        return None
    where = f"{cell.strategy}: {type(cell.options).__name__}.first_exchange"
    try:
        step = cell.options.first_exchange(plan)
    except Exception as error:
        raise ExtensionError(f"{where}: {in_their_words(error)}") from error
    if not (isinstance(step, Integral) and 1 <= step <= _LAST_STEP):
        raise ExtensionError(f"{where}: {step!r}; wanted: the number of a step, from 1 to {_LAST_STEP}")
    return int(step)


def evaluation_steps(cell: Cell, plan: Plan, *, num_weights: int) -> list[int]:
    """After which steps the model is evaluated, the last at the end.

    Geometric spacing tells every moment to the same share of itself: a target reached after a tenth of the training is
    found as finely as one reached at its end. num_weights: of the copies that wait for their evaluation; where they
    would take more memory than SNAPSHOT_BYTES, there are fewer.
    """
    count = min(cell.evaluations, plan.num_steps, max(FEWEST_SNAPSHOTS, SNAPSHOT_BYTES // (4 * num_weights)))
    if cell.evaluation_spacing == "even" or count < 2:
        return [round(plan.num_steps * (index + 1) / count) for index in range(count)]
    shares = np.geomspace(FIRST_EVALUATION, 1.0, count)
    return sorted({max(1, round(plan.num_steps * float(share))) for share in shares})


def drift_steps(cell: Cell, plan: Plan, *, num_weights: int) -> list[int]:
    """At the end of which steps it is looked how far the workers are apart; none without evaluations.

    One at random in each of equal stretches of training, the same on every rank: evaluations may fall on one and the
    same place of an averaging period, such as right after the average, these fall anywhere in it. num_weights: of the
    copies, of which there are fewer where they would take more memory than DRIFT_BYTES.
    """
    if not cell.evaluations:
        return []
    num_copies = max(FEWEST_SNAPSHOTS, DRIFT_BYTES // (4 * num_weights))
    edges = np.linspace(0, plan.num_steps, 1 + min(MOST_DRIFT_STEPS, plan.num_steps, num_copies)).astype(int)
    draws = np.random.default_rng([cell.seed, plan.num_steps])
    return [int(draws.integers(low, high)) + 1 for low, high in pairwise(edges)]


def most_merges(num_weights: int) -> int:
    """So many are watched at most: as many as MERGE_BYTES hold the copies of, but one however large these are."""
    return max(1, min(MOST_MERGES, MERGE_BYTES // (2 * 4 * num_weights)))


def learning_rate_of(cell: Cell, plan: Plan) -> ScheduledLearningRate:
    """The rate of every step."""
    return ScheduledLearningRate(
        base=cell.learning_rate,
        scaled=cell.scaled_learning_rate,
        schedule=cell.schedule,
        warmup_epochs=cell.warmup_epochs,
        warmup_from=cell.warmup_from,
        steps_per_epoch=plan.steps_per_epoch,
        num_steps=plan.num_steps,
    )
