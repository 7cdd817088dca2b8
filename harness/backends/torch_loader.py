"""Batches that a DataLoader makes while training goes on, here or in other processes, and each worker's share of them.

Map-style data come in the sampler's order, iterable data in their own, dealt out sample by sample; a stream is asked
for the batch of each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_convert, get_worker_info

from harness.backends.library_draws import seed_of
from harness.backends.torch_batches import moved
from harness.protocols import Batches, Share
from harness.workloads.own import Batch, WorkloadError
from harness.workloads.sampler import Sampler
from harness.workloads.stream import Stream, StreamedBatches

PREFETCHED_BATCHES = 2  # of each process that makes them


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How batches are made."""

    num_processes: int  # beside this one; 0: here, when they are asked for
    collate: Callable[[list[Any]], Batch]
    device: torch.device

    def loader(self, data: Any, *, seeds: tuple[int, ...] = (), **how: Any) -> DataLoader[Any]:
        """seeds: of what samples draw in the processes that make them."""
        if self.num_processes:
            how["prefetch_factor"] = PREFETCHED_BATCHES
            how["multiprocessing_context"] = "fork"  # another would import a user's classes by a name it cannot know
        return DataLoader(
            data,
            collate_fn=self.collate,
            num_workers=self.num_processes,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator().manual_seed(seed_of(*seeds)),
            **how,
        )


class IndexedData:
    """A map-style dataset."""

    has_own_order = False

    def __init__(self, dataset: Any, loading: Loading, *, num_samples: int) -> None:
        self._dataset, self._loading, self.num_samples = dataset, loading, num_samples

    def batches(self, share: Share, order: Iterable[int] | None = None) -> LoadedBatches:
        indices = _Indices(Sampler(num_samples=self.num_samples, **vars(share)), _steps(order))
        seeds = (share.seed, share.rank)
        return LoadedBatches(self._loading.loader(self._dataset, batch_sampler=indices, seeds=seeds), self._loading)

    def first(self, batch_size: int) -> Batch:
        samples = [self._dataset[index] for index in range(min(batch_size, self.num_samples))]
        return moved(self._loading.collate(samples), self._loading.device)

    def in_order(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        loader = self._loading.loader(self._dataset, batch_size=batch_size)
        for first, batch in zip(range(0, self.num_samples, batch_size), loader, strict=True):
            yield moved(batch, self._loading.device), min(batch_size, self.num_samples - first)


class DealtData:
    """Iterable data: each worker's share is every m-th sample from its rank on, pass after pass."""

    has_own_order = True

    def __init__(self, data: Iterable[Any], loading: Loading) -> None:
        self._data, self._loading = data, loading

    def batches(self, share: Share, order: Iterable[int] | None = None) -> LoadedBatches:
        dealt, seeds = _Dealt(self._data, share), (share.seed, share.rank)
        loader = self._loading.loader(dealt, batch_size=share.batch_size, seeds=seeds)
        return LoadedBatches(loader, self._loading)

    def first(self, batch_size: int) -> Batch:
        samples = list(islice(iter(self._data), batch_size))
        if not samples:
            raise WorkloadError("train: empty; wanted: at least one sample")
        return moved(self._loading.collate(samples), self._loading.device)


class StreamedData:
    """A stream."""

    has_own_order = False

    def __init__(self, stream: Stream, device: torch.device, loading: Loading | None) -> None:
        """loading: None makes each batch where it is asked for."""
        self._stream, self._device, self._loading = stream, device, loading

    def batches(self, share: Share, order: Iterable[int] | None = None) -> Batches:
        if self._loading is None:
            return StreamedBatches(self._stream, self._placed, **vars(share))
        made = _ByStep(StreamedBatches(self._stream, default_convert, **vars(share)))
        seeds = (share.seed, share.rank)
        return LoadedBatches(
            self._loading.loader(made, batch_size=None, sampler=_steps(order), seeds=seeds), self._loading
        )

    def first(self, batch_size: int) -> Batch:
        return self._placed(self._stream.first(batch_size))

    def _placed(self, batch: Batch) -> Batch:
        return moved(default_convert(batch), self._device)


class _ByStep(Dataset[Any]):
    """A stream as a DataLoader takes it: whole batches, by their steps."""

    def __init__(self, batches: StreamedBatches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> Batch:
        return self._batches.at(step)


class LoadedBatches:
    """Implements harness.protocols.Batches: what a DataLoader makes, one after another."""

    def __init__(self, loader: DataLoader[Any], loading: Loading) -> None:
        self._made, self._device = iter(loader), loading.device

    def at(self, step: int) -> Batch:
        return moved(next(self._made), self._device)

    def close(self) -> None:
        del self._made  # with the last reference to it its processes end


def _steps(order: Iterable[int] | None) -> Iterable[int]:
    return count() if order is None else order


class _Indices:
    """The sampler's batches of indices, of one step after another."""

    def __init__(self, sampler: Sampler, steps: Iterable[int]) -> None:
        self._sampler, self._steps = sampler, steps

    def __iter__(self) -> Iterator[list[int]]:
        return (self._sampler.indices(step).tolist() for step in self._steps)


class _Dealt(IterableDataset[Any]):
    """One worker's share; where several processes make its batches, each of them has a share of that."""

    def __init__(self, data: Iterable[Any], share: Share) -> None:
        self._data, self._share = data, share

    def __iter__(self) -> Iterator[Any]:
        place, num_places = self._share.rank, self._share.num_workers
        process = get_worker_info()
        if process is not None:
            place, num_places = place + num_places * process.id, num_places * process.num_workers
        while True:
            num_samples = 0
            for sample in self._data:
                if num_samples % num_places == place:
                    yield sample
                num_samples += 1
            if num_samples <= place:
                raise WorkloadError(
                    f"train: {num_samples} samples in a pass over {type(self._data).__name__}; wanted: in every pass "
                    f"at least {num_places}, one for each process that takes a share"
                )
