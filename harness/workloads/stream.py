"""Training data without number and end: batches that are made when they are asked for.

    def batch(at):
        inputs = at.random.standard_normal((at.batch_size, 8), dtype=np.float32)
        return inputs, inputs @ TEACHER

    TorchWorkload(train=Stream(batch), samples=100_000, ...)

A batch follows from (seed, rank, step) alone: it is the same in every process, whenever it is made, and in both
frameworks, as long as all that is random in it is drawn from `at.random`. Two workers never see the same one. It has
arrays or tensors with `at.batch_size` rows each. There are no epochs: training takes `samples`, of all workers
together, and what a suite says in epochs (warm-up, a schedule's steps, switch_epoch) is in trainings: 0.1 is a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class StreamPlace:
    """Where in the stream a batch lies, and how large it is."""

    seed: int
    rank: int  # of the worker
    step: int  # of that worker, 0 for the first; where workers share out their steps, of all of them, and rank is 0
    batch_size: int

    @cached_property
    def random(self) -> np.random.Generator:
        """This place's own draws."""
        return np.random.default_rng([self.seed, self.rank, self.step])


@dataclass(frozen=True)
class Stream:
    """What a workload's `train` may be."""

    batch_at: Callable[[StreamPlace], Any]

    def first(self, batch_size: int) -> Any:
        """A batch to look at, of no worker's training but that of seed 0."""
        return self.batch_at(StreamPlace(seed=0, rank=0, step=0, batch_size=batch_size))


def numbers_of_rows(batch: Any) -> set[int]:
    """Of all arrays and tensors in a batch; 0 of what has no rows."""
    if isinstance(batch, Mapping):
        batch = tuple(batch.values())
    if isinstance(batch, tuple | list):
        return set().union(*map(numbers_of_rows, batch))
    shape: Any = getattr(batch, "shape", ())
    return {int(shape[0]) if len(shape) else 0}


class StreamedBatches:
    """One worker's batches of a stream, made when they are asked for. Implements harness.protocols.Batches."""

    def __init__(
        self,
        stream: Stream,
        load: Callable[[Any], Any],
        *,
        num_workers: int,
        rank: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """load: puts what the stream made onto the device. num_workers: changes no worker's batches."""
        self._stream, self._load = stream, load
        self._rank, self._batch_size, self._seed = rank, batch_size, seed

    def at(self, step: int) -> Any:
        place = StreamPlace(seed=self._seed, rank=self._rank, step=step, batch_size=self._batch_size)
        return self._load(self._stream.batch_at(place))

    def close(self) -> None: ...
