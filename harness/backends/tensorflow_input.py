"""Where batches come from: data that lie on the device, or batches that a thread makes while training goes on.

A stream is asked for the batch of each step, by that thread or by whoever takes the step.

Data of no length, a `tf.data.Dataset` of samples, are shared out by taking every m-th sample from a worker's rank on,
`dataset.shard(m, rank)`, and begin anew where they end; batches of it run on from one round to the next. Its order is
its own, so one that shuffles has to do so by a seed, or the workers' shares overlap. Batching is done here: by
`dataset.batch`, or by the workload's `collate` of a list of samples; a dataset that was batched wants `unbatch()`.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_program import Batch, Data, Given, arrays_of
from harness.protocols import Batches, Share
from harness.workloads.own import WorkloadError
from harness.workloads.rollouts import Experience, PlayedBatches
from harness.workloads.sampler import IndexedBatches, Sampler
from harness.workloads.stream import Stream, StreamedBatches

NUM_AHEAD = 2  # batches that are ready while a step is taken


class Source(Protocol):
    """Of the training batches."""

    has_own_order: bool

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        """As harness.protocols.Replica.batches says."""
        ...

    def batch_of(self, given: Given) -> Batch:
        """Inside a compiled function."""
        ...


def source_of(data: Data, kind: str, device: str) -> Source:
    """kind: the cell's `input`. Raises WorkloadError where the data cannot be used so."""
    if isinstance(data.train, Experience):
        return Played(data.train)
    if isinstance(data.train, Stream):
        return Streamed(data.train, kind, device)
    if kind == "loader":
        return Loader(data, device)
    if isinstance(data.train, tf.data.Dataset):
        raise WorkloadError("train: a tf.data.Dataset with input resident; wanted: a tuple of arrays, or input loader")
    return Resident(data, device)


class Resident:
    """All data on the device; a step takes the indices of its samples, and the compiled function gathers them."""

    has_own_order = False

    def __init__(self, data: Data, device: str) -> None:
        arrays = arrays_of(data.train, "train")
        self._num_samples = len(arrays[0])
        self._samples = _on_device(chosen(arrays, slice(None), data.collate), device)
        lengths = {len(tensor) if tensor.shape.rank else 0 for tensor in tf.nest.flatten(self._samples)}
        if lengths != {self._num_samples}:
            raise WorkloadError(
                f"collate: makes tensors of {', '.join(map(str, sorted(lengths)))} of all {self._num_samples} samples; "
                "wanted: as many in each, or input loader"
            )

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        return IndexedBatches(Sampler(num_samples=self._num_samples, **vars(share)), tf.constant)

    def batch_of(self, given: Given) -> Batch:
        with tf.device(tf.nest.flatten(self._samples)[0].device):  # where they lie: only the batch moves
            return tf.nest.map_structure(lambda tensor: tf.gather(tensor, given), self._samples)


class Loader:
    """Batches made by a thread: of arrays in the sampler's order, of a dataset in its own."""

    def __init__(self, data: Data, device: str) -> None:
        self.has_own_order = isinstance(data.train, tf.data.Dataset)
        self._train: Any = data.train if self.has_own_order else arrays_of(data.train, "train")
        self._collate, self._device = data.collate, device

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        made = self._of_dataset(share) if self.has_own_order else self._of_arrays(share, order)
        return BatchesAhead(lambda: (_on_device(batch, self._device) for batch in made))

    def batch_of(self, given: Given) -> Batch:
        return given

    def _of_arrays(self, share: Share, order: Iterable[int] | None) -> Iterator[Batch]:
        sampler = Sampler(num_samples=len(self._train[0]), **vars(share))
        for step in _steps(order):
            yield chosen(self._train, sampler.indices(step), self._collate)

    def _of_dataset(self, share: Share) -> Iterator[Batch]:
        samples = self._train.shard(share.num_workers, share.rank).repeat()
        if self._collate is None:
            yield from samples.batch(share.batch_size, drop_remainder=True)
        else:
            drawn = iter(samples)
            while batch := list(itertools.islice(drawn, share.batch_size)):
                yield self._collate(batch)
        raise WorkloadError(f"train: no sample for worker {share.rank} of {share.num_workers}; wanted: one at least")


class Streamed:
    """A stream's batches: made by a thread with input loader, else when they are asked for."""

    has_own_order = False

    def __init__(self, stream: Stream, kind: str, device: str) -> None:
        self._stream, self._is_ahead, self._device = stream, kind == "loader", device

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        made = StreamedBatches(self._stream, partial(_on_device, device=self._device), **vars(share))
        return BatchesAhead(lambda: map(made.at, _steps(order))) if self._is_ahead else made

    def batch_of(self, given: Given) -> Batch:
        return given


class Played:
    """Of environments: a step takes the number of the worker's, and the loss plays in them."""

    has_own_order = False

    def __init__(self, experience: Experience) -> None:
        self._experience = experience

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        number = self._experience.open(rank=share.rank, batch_size=share.batch_size, seed=share.seed)
        return PlayedBatches(tf.constant(number, tf.int64))

    def batch_of(self, given: Given) -> Batch:
        return given


def _steps(order: Iterable[int] | None) -> Iterable[int]:
    return itertools.count() if order is None else order


class HeldOut:
    """The test data, batch by batch; on the device for good where the training data are."""

    def __init__(self, data: Data, kind: str, device: str, batch_size: int) -> None:
        self.num_samples = len(data.test[0])
        made = partial(_in_order, tuple(data.test), data.collate, device, batch_size)
        if kind == "resident":
            kept = list(made())
            self.batches: Callable[[], Iterator[tuple[int, Batch]]] = lambda: iter(kept)  # each with its size
        else:
            self.batches = made


def _in_order(
    arrays: tuple[NDArray[Any], ...], collate: Callable[[list[Any]], Batch] | None, device: str, batch_size: int
) -> Iterator[tuple[int, Batch]]:
    num_samples = len(arrays[0])
    for first in range(0, num_samples, batch_size):
        last = min(first + batch_size, num_samples)
        yield last - first, _on_device(chosen(arrays, slice(first, last), collate), device)


def _on_device(batch: Batch, device: str) -> Batch:
    with tf.device(device):
        return tf.nest.map_structure(tf.convert_to_tensor, batch)


def chosen(arrays: tuple[NDArray[Any], ...], indices: Any, collate: Callable[[list[Any]], Batch] | None) -> Batch:
    """The samples of these indices as a batch. indices: (B,), or a slice where nothing is collated."""
    if collate is None:
        return tuple(array[indices] for array in arrays)
    batch = collate([tuple(array[index] for array in arrays) for index in np.arange(len(arrays[0]))[indices]])
    if batch is None:
        raise WorkloadError("collate: returned NoneType; wanted: the samples as a batch of arrays")
    return batch


class BatchesAhead:
    """Batches that a thread makes ahead of the steps. Implements harness.protocols.Batches."""

    def __init__(self, make: Callable[[], Iterator[Batch]]) -> None:
        self._make = make
        self._ready: queue.Queue[Batch | _Fault] = queue.Queue(NUM_AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    def at(self, step: int) -> Batch:
        batch = self._ready.get()
        if isinstance(batch, _Fault):
            self._ready.put(batch)  # for whoever asks again
            raise batch.error
        return batch

    def close(self) -> None:
        self._closed.set()
        while self._thread.is_alive():
            _drain(self._ready)
            self._thread.join(timeout=0.01)

    def _run(self) -> None:
        try:
            for batch in self._make():
                self._ready.put(batch)
                if self._closed.is_set():
                    return
        except BaseException as error:  # whatever a user's data raise, where the steps are taken
            self._ready.put(_Fault(error))


class _Fault:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _drain(ready: queue.Queue[Any]) -> None:
    """Empties a queue, so that a `put` on it returns."""
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
