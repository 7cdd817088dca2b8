"""Do both frameworks train the same thing? One model, one seed, the same batches, side by side in one process.

Four comparisons, each with its bar: the held-out score of the initial weights by the workload's metric, the loss of the
first batch, the gradient of every parameter on it, and the losses of the optimizer's first steps, over which rounding
errors grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from harness.parity.sides import Shapes, Side, sides_of
from harness.protocols import Replica, Share
from harness.records.parity_record import Difference, Kind, ParityRecord
from harness.run.versions import revision, versions_on
from harness.suite.cell import Cell
from harness.worker.machine_description import describe_machine

NUM_STEPS = 20
SCORE_BAR, FIRST_LOSS_BAR, GRADIENT_BAR, LOSSES_BAR = 1e-2, 1e-5, 1e-4, 1e-3  # a score may count: rounding decides ties


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What one replica did on the batches."""

    score: float  # of the initial weights, on the held-out set
    losses: NDArray[np.float64]  # (steps,)
    gradient: NDArray[np.float32]  # on the first batch, (P,)


def parity(cell: Cell) -> list[Difference]:
    """The differences between PyTorch and TensorFlow on the cell's workload, data, optimizer and seed.

    Raises DatasetError, and of a user's code ExtensionError or WorkloadError.
    """
    *sides, shapes = sides_of(cell)
    ours, theirs = (_common(train(side.replica, cell), side) for side in sides)
    return compare(ours, theirs, shapes, metric=cell.metric.name)


def _common(steps: Steps, side: Side) -> Steps:
    return replace(steps, gradient=side.to_common(steps.gradient))


def train(replica: Replica, cell: Cell, num_steps: int = NUM_STEPS) -> Steps:
    """Plain steps on one worker, as the strategy `serial` makes them."""
    share = Share(num_workers=1, rank=0, batch_size=cell.batch_size, seed=cell.seed)
    start = replica.weights()
    _, score = replica.evaluate(start)
    with closing(replica.batches(share)) as batches:
        gradient, _ = replica.gradient(batches.at(0))
        first = np.array(replica.to_numpy(gradient))  # a copy: valid until the next step
    replica.reset(start)  # the gradient has moved what a forward pass moves
    with closing(replica.batches(share)) as batches:
        losses = [float(replica.local_step(batches.at(step))) for step in range(num_steps)]
    return Steps(score=score, losses=np.array(losses), gradient=first[: replica.num_parameters])


def compare(ours: Steps, theirs: Steps, shapes: Shapes, *, metric: str) -> list[Difference]:
    score = float(relative_to(np.array(ours.score), np.array(theirs.score)))
    first, *_ = relative_to(ours.losses, theirs.losses)
    differences = [
        Difference(kind="score", of=metric, relative=score, bar=SCORE_BAR),
        Difference(kind="first loss", of="", relative=first, bar=FIRST_LOSS_BAR),
    ]
    for name, part in _parts(shapes):
        distance = np.linalg.norm(ours.gradient[part] - theirs.gradient[part])
        relative = float(_ratio(distance, np.linalg.norm(ours.gradient[part])))
        differences.append(Difference(kind="gradient", of=name, relative=relative, bar=GRADIENT_BAR))
    largest = float(relative_to(ours.losses, theirs.losses).max())
    return [*differences, Difference(kind="losses", of="", relative=largest, bar=LOSSES_BAR)]


def worst(differences: Sequence[Difference], kind: Kind) -> Difference:
    """The one that comes nearest to its bar, or passes it furthest."""
    return max((each for each in differences if each.kind == kind), key=lambda each: _badness(each.relative))


def record_of(cell: Cell, differences: Sequence[Difference]) -> ParityRecord:
    """What is kept of a comparison made here and now."""
    return ParityRecord(
        measured_at=datetime.now(UTC),
        workload=cell.workload,
        dataset=cell.dataset or "",
        optimizer=cell.optimizer,
        strategy=cell.strategy_label,
        workers=cell.workers,
        seed=cell.seed,
        num_steps=NUM_STEPS,
        score=worst(differences, "score"),
        first_loss=worst(differences, "first loss"),
        worst_gradient=worst(differences, "gradient") if cell.workers == 1 else None,
        losses=worst(differences, "losses"),
        machine=describe_machine(),
        versions=versions_on(cell.device),
        revision=revision(),
    )


def _badness(relative: float) -> float:
    return float("inf") if np.isnan(relative) else relative


def relative_to(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The differences as shares of ours."""
    return _ratio(np.abs(ours - theirs), np.abs(ours))


def _ratio(distance: NDArray[np.float64] | np.floating, size: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    """Where both frameworks say zero, they agree."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, np.divide(distance, size))


def _parts(shapes: Shapes) -> Iterator[tuple[str, slice]]:
    offset = 0
    for name, shape in shapes:
        size = int(np.prod(shape))
        yield name, slice(offset, offset + size)
        offset += size
