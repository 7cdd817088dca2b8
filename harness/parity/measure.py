"""Do both frameworks train the same thing? One model, one seed, the same batches, side by side in one process.

Three comparisons, each with its bar: the loss of the first batch, the gradient of every parameter on it, and the losses
of the first steps of SGD with momentum, over which rounding errors grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from harness import registry
from harness.protocols import Replica, Share
from harness.records.parity_record import Difference, Kind, ParityRecord
from harness.run.machine import describe_machine, installed_versions, revision
from harness.suite.cell import Cell
from harness.workloads.layers import Parameter, parameters_of
from harness.workloads.shipped import MODELS, load_dataset

FRAMEWORKS = ("torch", "tensorflow")
NUM_STEPS = 20
FIRST_LOSS_BAR, GRADIENT_BAR, LOSSES_BAR = 1e-5, 1e-4, 1e-3


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What one replica did on the batches."""

    losses: NDArray[np.float64]  # (steps,)
    gradient: NDArray[np.float32]  # on the first batch, in the workload's layout, (P,)


def parity(cell: Cell, frameworks: Sequence[str] = FRAMEWORKS) -> list[Difference]:
    """The differences between two frameworks on the cell's workload, data and seed. Raises DatasetError."""
    steps = []
    for framework in frameworks:
        registry.load(registry.PREPARATIONS[framework])(num_threads=cell.threads)
        workload = registry.load(registry.WORKLOADS[framework])(cell)
        replica = registry.load(registry.REPLICAS[framework])(cell, workload, rank=0, local_rank=0)
        steps.append(train(replica, cell))
    assert cell.dataset is not None
    dataset = load_dataset(cell.dataset, cell.synthetic.model_dump() if cell.synthetic else None)
    layers = MODELS[cell.workload].layers(dataset.num_classes)
    return compare(steps[0], steps[1], parameters_of(layers, dataset.image_shape))


def train(replica: Replica, cell: Cell, num_steps: int = NUM_STEPS) -> Steps:
    """Plain steps on one worker, as the strategy `serial` makes them."""
    share = Share(num_workers=1, rank=0, batch_size=cell.batch_size, seed=cell.seed)
    with closing(replica.batches(share)) as batches:
        gradient, _ = replica.gradient(batches.at(0))
        first = np.array(replica.to_numpy(gradient))  # a copy: valid until the next step
    with closing(replica.batches(share)) as batches:
        losses = [float(replica.local_step(batches.at(step))) for step in range(num_steps)]
    return Steps(losses=np.array(losses), gradient=first)


def compare(ours: Steps, theirs: Steps, parameters: Sequence[Parameter]) -> list[Difference]:
    first, *_ = _relative(ours.losses, theirs.losses)
    differences = [Difference(kind="first loss", of="", relative=first, bar=FIRST_LOSS_BAR)]
    for parameter, part in _parts(parameters):
        distance = np.linalg.norm(ours.gradient[part] - theirs.gradient[part])
        relative = float(_ratio(distance, np.linalg.norm(ours.gradient[part])))
        differences.append(Difference(kind="gradient", of=parameter.name, relative=relative, bar=GRADIENT_BAR))
    largest = float(_relative(ours.losses, theirs.losses).max())
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
        seed=cell.seed,
        num_steps=NUM_STEPS,
        first_loss=worst(differences, "first loss"),
        worst_gradient=worst(differences, "gradient"),
        losses=worst(differences, "losses"),
        machine=describe_machine(),
        versions=installed_versions(),
        revision=revision(),
    )


def _badness(relative: float) -> float:
    return float("inf") if np.isnan(relative) else relative


def _relative(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ratio(np.abs(ours - theirs), np.abs(ours))


def _ratio(distance: NDArray[np.float64] | np.floating, size: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    """Where both frameworks say zero, they agree."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, np.divide(distance, size))


def _parts(parameters: Sequence[Parameter]) -> Iterator[tuple[Parameter, slice]]:
    offset = 0
    for parameter in parameters:
        yield parameter, slice(offset, offset + parameter.size)
        offset += parameter.size
