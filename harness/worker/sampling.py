"""Which samples each worker trains on, and at what rate: the same total work for any number of workers.

The stream of samples is one permutation of the training set after another. Step k's global batch is the next m·B of
it, and worker i gets the i-th B of those; so m workers of batch B see, step by step, what one worker of batch mB sees.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.protocols import Plan
from harness.suite.cell import Cell


class Sampler:
    """Worker `rank`'s share of the stream."""

    def __init__(self, *, num_samples: int, batch_size: int, num_workers: int, rank: int, seed: int) -> None:
        self._num_samples, self._batch, self._workers = num_samples, batch_size, num_workers
        self._rank, self._seed = rank, seed
        self._permutations: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int) -> NDArray[np.int64]:
        """The samples of this worker's batch at `step`, shape (B,)."""
        first = (step * self._workers + self._rank) * self._batch
        epoch, offset = divmod(first, self._num_samples)
        parts = []
        missing = self._batch
        while missing:
            taken = self._permutation(epoch)[offset : offset + missing]
            parts.append(taken)
            missing -= len(taken)
            epoch, offset = epoch + 1, 0
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._permutations:
            for old in [done for done in self._permutations if done < epoch - 1]:
                del self._permutations[old]
            self._permutations[epoch] = np.random.default_rng([self._seed, epoch]).permutation(self._num_samples)
        return self._permutations[epoch]


def plan_of(cell: Cell, num_samples: int) -> Plan:
    """Steps of each worker for the cell's epochs over a training set of `num_samples`."""
    steps_per_epoch = num_samples / (cell.workers * cell.batch_per_worker)
    num_steps = max(1, round(cell.epochs * steps_per_epoch))
    return Plan(num_workers=cell.workers, num_steps=num_steps, steps_per_epoch=steps_per_epoch)


def evaluation_steps(cell: Cell, plan: Plan) -> list[int]:
    """After which steps the model is evaluated: equally spaced, the last at the end."""
    count = min(cell.evaluations, plan.num_steps)
    return [round(plan.num_steps * (index + 1) / count) for index in range(count)]


class LearningRate:
    """η of a step: scaled by the workers as the cell says, grown to that over the warm-up epochs.

    Source: Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2.2. η stands outside the
    velocity (Δ = −η v), so momentum needs no correction when it changes (their remark 2).
    """

    def __init__(self, cell: Cell, plan: Plan) -> None:
        factor = {"none": 1.0, "linear": float(cell.workers), "sqrt": math.sqrt(cell.workers)}[cell.lr_scaling]
        self._base, self._scaled = cell.learning_rate, cell.learning_rate * factor
        self._warmup_steps = cell.warmup_epochs * plan.steps_per_epoch

    def at(self, step: int) -> float:
        if step >= self._warmup_steps:
            return self._scaled
        return self._base + (self._scaled - self._base) * step / self._warmup_steps
