"""How much memory training took, from what its processes say: defined once, for analysis and check alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from harness.records.record import Record, ServerPart, WorkerPart


def needed_bytes(record: Record) -> float:
    """The most resident memory that training took, over all processes, at least; NaN where one does not tell."""
    return _total(map(_needed_bytes, record.processes))


def grown_bytes(record: Record) -> float:
    """What of it came on top of framework, data and model; NaN where a worker does not tell."""
    return _total(map(_grown_bytes, record.workers))


def pss_bytes(record: Record) -> float:
    """The proportional memory at the end of training, over all processes; NaN where one does not tell."""
    return _total(None if each.pss_bytes is None else each.pss_bytes - _copies_bytes(each) for each in record.processes)


def gpu_bytes(record: Record) -> float:
    """The most that tensors took of GPUs, over all workers; NaN on a CPU."""
    return _total(part.gpu_memory_bytes for part in record.workers)


def tensor_bytes(record: Record) -> float:
    """Weights, gradient, optimizer state and buffers, of the worker that has most; NaN where one does not tell."""
    return float(np.max([math.nan if part.tensor_bytes is None else part.tensor_bytes for part in record.workers]))


def _needed_bytes(part: WorkerPart | ServerPart) -> int | None:
    """Without the copies of weights that only measuring keeps. There were none of them when training began.

    A lower bound: which copies there were at the peak is not known, so all are taken off.
    """
    if part.peak_rss_bytes is None:
        return None
    return max(part.peak_rss_bytes - _copies_bytes(part), part.start_rss_bytes or 0)


def _grown_bytes(part: WorkerPart) -> int | None:
    needed = _needed_bytes(part)
    return None if needed is None or part.made_rss_bytes is None else max(0, needed - part.made_rss_bytes)


def _copies_bytes(part: WorkerPart | ServerPart) -> int:
    return (part.measuring_bytes or 0) if isinstance(part, WorkerPart) else 0


def _total(each: Iterable[int | None]) -> float:
    return float(sum(math.nan if value is None else value for value in each))
