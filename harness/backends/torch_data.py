"""Where batches come from, in PyTorch: all samples on the device, or a DataLoader that makes batches in training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, TensorDataset, default_collate, default_convert

from harness.backends.torch_batches import gathered, kinds_that_are_no_tensors, lengths_of, listed, moved, sliced
from harness.backends.torch_loader import DealtData, IndexedData, Loading, StreamedData
from harness.protocols import Batches, Share
from harness.suite.cell import Cell
from harness.workloads.own import Batch, OwnWorkload, WorkloadError
from harness.workloads.rollouts import Experience, PlayedBatches
from harness.workloads.sampler import IndexedBatches, Sampler
from harness.workloads.stream import Stream

EVALUATION_BATCH = 500  # at most


class TrainingData(Protocol):
    has_own_order: bool

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        """As harness.protocols.Replica.batches says."""
        ...

    def first(self, batch_size: int) -> Batch:
        """A batch of up to that size, to look at."""
        ...


class HeldOutData(Protocol):
    num_samples: int

    def in_order(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """Every sample once, in batches of up to that size, and their sizes."""
        ...


def training_data(cell: Cell, workload: OwnWorkload, device: torch.device) -> TrainingData:
    """Raises WorkloadError where the data cannot be had in the way that the cell's `input` says."""
    data = workload.train
    if isinstance(data, Experience):
        return _Played(data)
    if isinstance(data, Stream):
        return _streamed(cell, workload, data, device)
    if not _is_indexable(data):
        _check_repeatable(data)
    if cell.input == "resident":
        if not _is_indexable(data):
            raise WorkloadError(f"train: {type(data).__name__} has no index and length; wanted: input: loader with it")
        return _Resident("train", data, workload.collate, device)
    loading = Loading(num_processes=cell.loader_workers, collate=workload.collate or default_collate, device=device)
    if not _is_indexable(data):
        return DealtData(data, loading)
    return IndexedData(_as_dataset(data), loading, num_samples=_num_samples("train", data))


def _streamed(cell: Cell, workload: OwnWorkload, stream: Stream, device: torch.device) -> StreamedData:
    workload.first_of_stream(cell.batch_per_worker)  # has the size asked for
    if cell.input == "resident":
        return StreamedData(stream, device, None)
    return StreamedData(
        stream, device, Loading(num_processes=cell.loader_workers, collate=default_convert, device=device)
    )


def held_out_data(cell: Cell, workload: OwnWorkload, device: torch.device) -> HeldOutData:
    """Raises WorkloadError where they have no end."""
    data = workload.test
    if not _is_indexable(data):
        raise WorkloadError(
            f"test: {type(data).__name__} has no index and length; wanted: a tuple of tensors, a TensorDataset or "
            "another map-style dataset"
        )
    if cell.input == "resident":
        return _Resident("test", data, workload.collate, device)
    loading = Loading(num_processes=cell.loader_workers, collate=workload.collate or default_collate, device=device)
    return IndexedData(_as_dataset(data), loading, num_samples=_num_samples("test", data))


def evaluation_batch_size(cell: Cell) -> int:
    """What is not on the device anyway may not fit it by the hundred: no more at a time than in training."""
    return EVALUATION_BATCH if cell.input == "resident" else min(EVALUATION_BATCH, cell.batch_per_worker)


class _Resident:
    """All samples as one batch on the device; those of another are gathered from it."""

    has_own_order = False

    def __init__(
        self, what: str, data: Any, collate: Callable[[list[Any]], Batch] | None, device: torch.device
    ) -> None:
        self.num_samples, self._device = _num_samples(what, data), device
        stacked = _columns(data) if collate is None else None
        if stacked is None:
            dataset = _as_dataset(data)
            stacked = (collate or default_collate)([dataset[index] for index in range(self.num_samples)])
        others = kinds_that_are_no_tensors(stacked)
        if others:
            raise WorkloadError(
                f"{what}: parts of a sample that are {', '.join(sorted(others))}; wanted: tensors alone, where all lie "
                "on the device: leave the others out, or have collate do so"
            )
        lengths = lengths_of(stacked)
        if lengths != {self.num_samples}:
            raise WorkloadError(
                f"{what}: {self.num_samples} samples, collated to tensors of {listed(lengths)}; wanted: as many in "
                "each, or input: loader"
            )
        self._samples = moved(stacked, device)

    def batches(self, share: Share, order: Iterable[int] | None = None) -> IndexedBatches:
        sampler = Sampler(num_samples=self.num_samples, **vars(share), orders=_OnDevice(self._device))
        return IndexedBatches(sampler, lambda indices: gathered(self._samples, indices))

    def first(self, batch_size: int) -> Batch:
        return sliced(self._samples, slice(batch_size))

    def in_order(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        for first in range(0, self.num_samples, batch_size):
            last = min(first + batch_size, self.num_samples)
            yield sliced(self._samples, slice(first, last)), last - first


class _OnDevice:
    """Implements harness.workloads.sampler.Orders: an epoch's permutation goes to the device once.

    Were each batch's indices copied there, every step would wait until the device has done the last one. From
    page-locked memory the copy takes its place behind what the device is at.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def placed(self, permutation: NDArray[np.int64]) -> torch.Tensor:
        order = torch.from_numpy(permutation)
        return order if self._device.type == "cpu" else order.pin_memory().to(self._device, non_blocking=True)

    def joined(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(parts))


class _Played:
    """Of environments: a batch is the number of the worker's, and the loss plays in them."""

    has_own_order = False

    def __init__(self, experience: Experience) -> None:
        self._experience = experience

    def batches(self, share: Share, order: Iterable[int] | None = None) -> PlayedBatches:
        number = self._experience.open(rank=share.rank, batch_size=share.batch_size, seed=share.seed)
        return PlayedBatches(number)

    def first(self, batch_size: int) -> Batch:
        return self._experience.open(rank=0, batch_size=batch_size, seed=0)


def _is_indexable(data: Any) -> bool:
    if isinstance(data, IterableDataset):  # it inherits a __getitem__ that refuses
        return False
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def _check_repeatable(data: Any) -> None:
    """Raises WorkloadError where a second pass, or another process, would find nothing left."""
    wanted = "wanted: an IterableDataset, or another class whose __iter__ begins anew each time"
    if not hasattr(data, "__iter__"):
        raise WorkloadError(f"train: {type(data).__name__} has neither an index and length nor an __iter__; {wanted}")
    if iter(data) is data:
        raise WorkloadError(f"train: {type(data).__name__} can be gone through only once; {wanted}")


def _columns(data: Any) -> tuple[torch.Tensor, ...] | None:
    """The tensors (N, ...) that data consist of, where they do; a list is one of samples."""
    if isinstance(data, TensorDataset):
        return data.tensors
    return tuple(torch.as_tensor(column) for column in data) if isinstance(data, tuple) else None


def _as_dataset(data: Any) -> Any:
    columns = _columns(data)
    return data if columns is None else TensorDataset(*columns)


def _num_samples(what: str, data: Any) -> int:
    """Raises WorkloadError where there are none, or more of one tensor than of another."""
    columns = _columns(data)
    lengths = {len(data)} if columns is None else lengths_of(columns)
    if len(lengths) > 1:
        raise WorkloadError(f"{what}: tensors of {listed(lengths)} samples; wanted: the same number of each")
    if not lengths or lengths == {0}:
        raise WorkloadError(f"{what}: empty; wanted: at least one sample")
    return lengths.pop()
